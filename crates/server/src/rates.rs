//! How much one address may ask for, in bounded memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use sleap_rtc_wire::Time;

/// Length of a window, ms.
pub(crate) const WINDOW_MS: u64 = 60_000;
/// Addresses that are told apart in one window; all others share one count.
pub(crate) const ADDRESSES: usize = 50_000;

/// Calls of one sort, counted an address and a minute.
#[derive(Debug)]
pub(crate) struct Rate {
    most: u32,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    begin: Time,
    counts: HashMap<IpAddr, u32>,
    others: u32,
}

impl Rate {
    pub(crate) fn new(most: u32) -> Self {
        Self { most, window: Mutex::default() }
    }

    /// Counts a call; whether it may be answered.
    pub(crate) fn allows(&self, address: IpAddr, now: Time) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(window.begin) >= WINDOW_MS {
            *window = Window { begin: now, ..Window::default() };
        }
        let network = network(address);
        let is_full = window.counts.len() >= ADDRESSES && !window.counts.contains_key(&network);
        let Window { counts, others, .. } = &mut *window;
        let count = if is_full { others } else { counts.entry(network).or_default() };
        *count = count.saturating_add(1);
        *count <= self.most
    }
}

/// Somebody who has one IPv6 address has 2^64 of them.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_calls_a_minute() {
        let rate = Rate::new(2);
        let calls = [0, 1, 2, 59_999, 60_000].map(|at| rate.allows(address("10.0.0.1"), Time(1_000_000 + at)));
        assert_eq!(calls, [true, true, false, false, true]);
        assert!(rate.allows(address("10.0.0.2"), Time(1_000_002)), "another address has its own count");
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let rate = Rate::new(1);
        assert!(rate.allows(address("2001:db8::1"), Time(WINDOW_MS)));
        assert!(!rate.allows(address("2001:db8::2"), Time(WINDOW_MS)));
        assert!(rate.allows(address("2001:db8:0:1::1"), Time(WINDOW_MS)));
    }

    #[test]
    fn memory_is_bounded_and_the_rest_shares_a_count() {
        let rate = Rate::new(3);
        for n in 0..ADDRESSES as u32 {
            assert!(rate.allows(IpAddr::V4(n.into()), Time(WINDOW_MS)));
        }
        let rest = (0..5_u32).map(|n| rate.allows(IpAddr::V4((u32::MAX - n).into()), Time(WINDOW_MS)));
        assert_eq!(rest.collect::<Vec<_>>(), [true, true, true, false, false]);
        assert!(rate.allows(IpAddr::V4(0.into()), Time(WINDOW_MS)), "those that were there keep their own");
    }
}
