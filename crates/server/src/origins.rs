//! From which address something was made: the only credential of the deployed programs' clean-up calls.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Things that are remembered, the latest ones: about 10 MB. Nothing is remembered over a restart.
const REMEMBERED: usize = 65_536;

/// Where the latest things of one sort come from.
#[derive(Debug)]
pub(crate) struct Origins<K>(Mutex<Latest<K>>);

#[derive(Debug)]
struct Latest<K> {
    addresses: HashMap<K, IpAddr>,
    order: VecDeque<K>,
}

impl<K> Default for Origins<K> {
    fn default() -> Self {
        Self(Mutex::new(Latest { addresses: HashMap::new(), order: VecDeque::new() }))
    }
}

impl<K: Clone + Eq + Hash> Origins<K> {
    fn latest(&self) -> MutexGuard<'_, Latest<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers where something new comes from. If that is not known, neither is it known of what had its name before.
    pub(crate) fn remember(&self, what: K, address: Option<IpAddr>) {
        let Some(address) = address else { return self.forget(&what) };
        let mut latest = self.latest();
        if latest.order.len() >= REMEMBERED
            && let Some(oldest) = latest.order.pop_front()
        {
            latest.addresses.remove(&oldest);
        }
        latest.order.push_back(what.clone());
        latest.addresses.insert(what, address);
    }

    /// It is gone: its place is given to the next one in its turn.
    pub(crate) fn forget(&self, what: &K) {
        self.latest().addresses.remove(what);
    }

    /// Whether it is known to come from this address.
    pub(crate) fn is(&self, what: &K, address: Option<IpAddr>) -> bool {
        address.is_some() && self.latest().addresses.get(what).copied() == address
    }

    /// Everything that is known to come from this address.
    pub(crate) fn of(&self, address: IpAddr) -> Vec<K> {
        let latest = self.latest();
        latest.addresses.iter().filter(|(_, from)| **from == address).map(|(what, _)| what.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_an_unknown_address_is_nobodys() {
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let origins = Origins::default();
        origins.remember(0, Some(here));
        origins.remember(1, None);
        assert!(origins.is(&0, Some(here)) && !origins.is(&0, Some(there)) && !origins.is(&0, None));
        assert!(!origins.is(&1, Some(here)) && !origins.is(&1, None));
        for n in 2..=REMEMBERED {
            origins.remember(n, Some(there));
        }
        assert!(origins.is(&0, Some(here)));
        origins.remember(REMEMBERED + 1, Some(there));
        assert!(!origins.is(&0, Some(here)), "the oldest goes first");
        assert_eq!((origins.of(here).len(), origins.of(there).len()), (0, REMEMBERED));
        // Made anew from where nobody knows: not any more from where it was before.
        origins.remember(3, None);
        assert!(!origins.is(&3, Some(there)));
        origins.forget(&2);
        assert_eq!(origins.of(there).len(), REMEMBERED - 2);
    }
}
