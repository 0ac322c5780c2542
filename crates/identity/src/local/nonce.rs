//! Nonces cost nothing until they are used: each carries its own proof that this server made it, and only the used ones are
//! remembered, for the minute in which they could come again.

use std::collections::{HashSet, VecDeque};

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use sleap_rtc_wire::{PublicKey, Time};

use super::token::{self, Kind};
use crate::IdentityError;

/// How long a nonce may be used, ms.
const LIFE_MS: u64 = 60_000;
/// Used nonces that are remembered at once: a thousand sign-ins a second, in about 3 MB.
const REMEMBERED: usize = 60_000;

#[derive(Serialize, Deserialize)]
struct Claims {
    /// Makes it unique.
    id: u64,
    /// The run of the server that made it: what another run has used is not remembered in this one.
    run: u64,
    /// The key that may use it.
    key: PublicKey,
    /// When it ends, ms.
    exp: Time,
}

/// The nonces of one run of the server.
pub(super) struct Nonces {
    run: u64,
    used: HashSet<u64>,
    by_end: VecDeque<(Time, u64)>,
}

impl Nonces {
    /// `run` is a number that no other run has.
    pub(super) fn new(run: u64) -> Self {
        Self { run, used: HashSet::new(), by_end: VecDeque::new() }
    }

    /// A nonce for this key; `id` is a random number.
    pub(super) fn make(&self, server: &SigningKey, key: PublicKey, id: u64, now: Time) -> String {
        token::sign(server, Kind::Nonce, &Claims { id, run: self.run, key, exp: now.plus_ms(LIFE_MS) })
    }

    /// Takes a nonce: it is good once. The caller has checked the signature over it, so only those who have a key can make
    /// this server remember anything.
    pub(super) fn take(
        &mut self,
        server: &SigningKey,
        key: PublicKey,
        nonce: &str,
        now: Time,
    ) -> Result<(), IdentityError> {
        let claims: Claims = token::open(server, Kind::Nonce, nonce).ok_or(IdentityError::InvalidNonce)?;
        if claims.run != self.run || claims.key != key || claims.exp <= now {
            return Err(IdentityError::InvalidNonce);
        }
        while let Some((_, over)) = self.by_end.pop_front_if(|(end, _)| *end <= now) {
            self.used.remove(&over);
        }
        if self.used.len() >= REMEMBERED {
            return Err(IdentityError::TooMany);
        }
        if !self.used.insert(claims.id) {
            return Err(IdentityError::InvalidNonce);
        }
        // In the order of use and not of ending: a minute later all of them are over, so none stays longer than two.
        self.by_end.push_back((now.plus_ms(LIFE_MS), claims.id));
        Ok(())
    }
}
