//! Wrong credentials: how many an address may show before it has to wait, in bounded memory.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sleap_rtc_wire::Time;

use crate::rates::{ADDRESSES, WINDOW_MS, network};

/// Credentials that are recognised when they come again; beyond that, each time counts.
const REMEMBERED: usize = 50_000;

/// What those are told who have to wait.
pub(crate) const TOO_MANY: &str = "too many wrong credentials from this address, try again in a minute";

/// Failed tries of the last minute.
#[derive(Debug)]
pub(crate) struct Guesses {
    of_one: u32,
    of_all: u32,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    begin: Time,
    counts: HashMap<IpAddr, u32>,
    all: u32,
    /// Fingerprints of address and credential: a program that shows its old one over and over is not guessing.
    shown: HashSet<[u8; 8]>,
}

impl Guesses {
    pub(crate) fn new(of_one: u32, of_all: u32) -> Self {
        Self { of_one, of_all, window: Mutex::default() }
    }

    /// Whether this address may show a credential. When all together have guessed too often, those who have not are still heard.
    pub(crate) fn may_try(&self, address: IpAddr, now: Time) -> bool {
        let window = self.window(now);
        let wrong = window.counts.get(&network(address)).copied().unwrap_or_default();
        wrong < self.of_one && (wrong == 0 || window.all < self.of_all)
    }

    /// What this address showed was wrong; `shown`: what it was, if that can be told from other tries.
    pub(crate) fn failed(&self, address: IpAddr, shown: Option<&[u8]>, now: Time) {
        let (mut window, network) = (self.window(now), network(address));
        if let Some(shown) = shown.filter(|_| window.shown.len() < REMEMBERED)
            && !window.shown.insert(fingerprint(network, shown))
        {
            return;
        }
        window.all = window.all.saturating_add(1);
        if window.counts.len() < ADDRESSES || window.counts.contains_key(&network) {
            *window.counts.entry(network).or_default() += 1;
        }
    }

    fn window(&self, now: Time) -> MutexGuard<'_, Window> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(window.begin) >= WINDOW_MS {
            *window = Window { begin: now, ..Window::default() };
        }
        window
    }
}

fn fingerprint(network: IpAddr, shown: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(network.to_string().as_bytes()).update(b" ").update(shown);
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_000_000);

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn an_address_has_so_many_wrong_ones_a_minute() {
        let guesses = Guesses::new(2, 100);
        for shown in ["a", "b"] {
            assert!(guesses.may_try(address(1), NOW));
            guesses.failed(address(1), Some(shown.as_bytes()), NOW);
        }
        assert!(!guesses.may_try(address(1), NOW));
        assert!(guesses.may_try(address(2), NOW));
        assert!(guesses.may_try(address(1), NOW.plus_ms(WINDOW_MS)));
    }

    #[test]
    fn the_same_wrong_one_again_is_no_guess() {
        let guesses = Guesses::new(2, 100);
        for _ in 0..10 {
            guesses.failed(address(1), Some(b"old"), NOW);
        }
        assert!(guesses.may_try(address(1), NOW));
        guesses.failed(address(1), None, NOW);
        assert!(!guesses.may_try(address(1), NOW), "one that is not known counts each time");
    }

    #[test]
    fn many_addresses_together_have_one_each() {
        let guesses = Guesses::new(10, 3);
        for n in 0..3 {
            guesses.failed(address(n), None, NOW);
        }
        assert!(!guesses.may_try(address(0), NOW));
        assert!(guesses.may_try(address(9), NOW), "who has not guessed is heard");
    }

    #[test]
    fn memory_is_bounded() {
        let guesses = Guesses::new(10, u32::MAX);
        for n in 0..=ADDRESSES as u32 {
            guesses.failed(address(n), Some(&n.to_be_bytes()), NOW);
        }
        let window = guesses.window(NOW);
        assert_eq!((window.counts.len(), window.shown.len()), (ADDRESSES, REMEMBERED));
    }
}
