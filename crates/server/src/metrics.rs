//! Counts since the start. No ids, no names.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident: $prometheus:literal, $help:literal;)+) => {
        /// Everything that is counted.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $($(#[$doc])* pub(crate) $name: Counter,)+
        }

        impl Metrics {
            /// Name, meaning and value of each counter.
            pub(crate) fn list(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$(($prometheus, $help, self.$name.get())),+]
            }
        }
    };
}

counters! {
    registrations: "sleap_rtc_registrations_total", "Peers that registered.";
    relayed: "sleap_rtc_relayed_messages_total", "Messages handed from peer to peer.";
    rooms_created: "sleap_rtc_rooms_created_total", "Rooms made.";
    rooms_removed: "sleap_rtc_rooms_removed_total", "Rooms removed.";
    claims_granted: "sleap_rtc_claims_granted_total", "Claims granted.";
    claims_refused: "sleap_rtc_claims_refused_total", "Claims refused.";
    claims_ended: "sleap_rtc_claims_ended_total", "Claims ended.";
    slow_readers: "sleap_rtc_slow_readers_total", "Connections dropped because they read too slowly.";
    turned_away: "sleap_rtc_turned_away_total", "Connections turned away at a limit.";
    rate_limited: "sleap_rtc_rate_limited_total", "Calls refused because one address made too many.";
    identities_forgotten: "sleap_rtc_identities_forgotten_total", "Anonymous identities forgotten.";
    stun_answered: "sleap_rtc_stun_answers_total", "STUN requests answered.";
    stun_limited: "sleap_rtc_stun_limited_total", "STUN requests not answered because there were too many.";
    sweeps: "sleap_rtc_sweeps_total", "Sweeps for what was left behind.";
    swept_rooms: "sleap_rtc_swept_rooms_total", "Rooms that a sweep removed.";
    swept_identities: "sleap_rtc_swept_identities_total", "Anonymous identities that a sweep forgot.";
    store_failures: "sleap_rtc_store_failures_total", "Reads and writes that the store failed.";
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
