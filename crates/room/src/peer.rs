//! One registered peer, and what others see of it.

use std::sync::OnceLock;

use serde_json::Value;
use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::{ConnId, Filters, MemberId, Metadata, PeerId, PublicKey, Time};

use crate::attempts::Doubtful;
use crate::discovery::WORKER;

/// One registered peer.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    /// By which name it goes on calling itself, if that is not its id: see `alias`.
    pub(crate) called: Option<PeerId>,
    pub(crate) conn: ConnId,
    pub(crate) member: MemberId,
    pub(crate) key: Option<PublicKey>,
    pub(crate) role: String,
    /// Takes part in claims.
    pub(crate) claims: bool,
    /// What it says of itself. Changed through [`crate::peers::Presence`], which keeps the index true.
    pub(crate) metadata: Metadata,
    pub(crate) connected_at: Time,
    /// What it is called in the sets of the pool, if it can be booked.
    pub(crate) number: Option<u32>,
    /// How long it had been missed when it came, ms, if it had been.
    pub(crate) was_silent_ms: Option<u64>,
    /// Counter of the last claim on it, 0: none since it registered.
    pub(crate) last_granted: u64,
    pub(crate) next_ping: Option<Time>,
    /// What the claim on it says, if there is one.
    pub(crate) shown: Option<Box<Shown>>,
    /// What it may have begun although its claim ended unused.
    pub(crate) doubtful: Option<Box<Doubtful>>,
    /// With which `last_granted` it is among the free ones, if it is.
    pub(crate) free_as: Option<u64>,
}

/// What a claim says of its worker, or whoever has one of the deployed kind, before the worker's own word.
#[derive(Debug)]
pub(crate) struct Shown {
    values: Vec<(&'static str, Value)>,
    /// The worker's metadata with these values in it, once somebody has asked for it.
    metadata: OnceLock<Metadata>,
}

impl Shown {
    pub(crate) fn new(values: Vec<(&'static str, Value)>) -> Self {
        Self { values, metadata: OnceLock::new() }
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.values.iter().map(|(name, value)| (*name, value))
    }

    pub(crate) fn value(&self, property: &str) -> Option<&Value> {
        self.values.iter().find(|(name, _)| *name == property).map(|(_, value)| value)
    }

    /// The worker's own word has changed.
    pub(crate) fn forget_metadata(&mut self) {
        self.metadata.take();
    }
}

impl Peer {
    /// By which name it knows itself.
    pub(crate) fn calls_itself(&self) -> &PeerId {
        self.called.as_ref().unwrap_or(&self.id)
    }

    /// Whether its own word is that it takes work.
    fn says_available(&self) -> bool {
        self.metadata.property("status").and_then(Value::as_str) == Some("available")
    }

    /// Whether it is a worker that takes part in claims.
    pub(crate) fn is_bookable(&self) -> bool {
        self.role == WORKER && self.claims
    }

    /// Whether it is a worker of the deployed kind, which takes no part in claims.
    pub(crate) fn is_old_worker(&self) -> bool {
        self.role == WORKER && !self.claims
    }

    /// Whether its own word is that somebody has it.
    pub(crate) fn says_taken(&self) -> bool {
        matches!(self.metadata.property("status").and_then(Value::as_str), Some("reserved" | "busy"))
    }

    /// Whether it is a worker that says that it is free, and no claim is on it.
    pub(crate) fn is_free(&self) -> bool {
        let is_claimed = self.shown.is_some() && !mutation::on(Mutation::ClaimedIsFree);
        self.role == WORKER && !is_claimed && self.says_available()
    }

    /// When it will be free at the latest, by its own word.
    pub(crate) fn free_at(&self) -> Option<Time> {
        let seconds = self.metadata.property("free_at").and_then(Value::as_f64)?;
        Some(Time((seconds * 1000.0) as u64))
    }

    /// One property as everybody sees it.
    pub(crate) fn property(&self, name: &str) -> Option<&Value> {
        self.claimed(name).or_else(|| self.metadata.property(name))
    }

    fn claimed(&self, name: &str) -> Option<&Value> {
        self.shown.as_ref().and_then(|shown| shown.value(name))
    }

    /// Its metadata as everybody sees it.
    pub(crate) fn shown_metadata(&self) -> &Metadata {
        let Some(shown) = &self.shown else { return &self.metadata };
        shown.metadata.get_or_init(|| {
            let mut metadata = self.metadata.clone();
            for (name, value) in shown.values() {
                metadata.set_property(name, value.clone());
            }
            metadata
        })
    }

    /// Whether a filter means it, whose status is what the room knows to be true.
    pub(crate) fn matches(&self, filters: &Filters) -> bool {
        filters.matches_with(&self.role, &self.metadata, |name| self.claimed(name))
    }
}
