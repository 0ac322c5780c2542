//! Two sessions of one user. A deployed client takes its user's name as its peer id and never looks at the id that it is given:
//! the later session takes part under another id, goes on speaking as its user, and hears its user's name in what reaches it.

use std::collections::BTreeMap;

use serde_json::value::{RawValue, to_raw_value};
use sleap_rtc_wire::signal::{Register, Relay, RelayKind};
use sleap_rtc_wire::{ConnId, PeerId, Text, Time};

use crate::Room;
use crate::peer::Peer;
use crate::presence::CLIENT;

/// Sessions that may share one name; a later one is told that the name is taken.
const SESSIONS: usize = 64;

/// Names whose later sessions have ended a short time ago, and until when that matters.
#[derive(Debug, Default)]
pub(crate) struct Parted(BTreeMap<PeerId, Time>);

impl Room {
    /// The id under which this registration takes part, if the one it names is another living connection's: `ana-2`, `ana-3` and so on.
    /// Only for a client of the deployed kind: a worker of theirs supersedes itself, and ours read what they are told.
    pub(crate) fn alias(&self, conn: ConnId, register: &Register, id: &PeerId) -> Option<PeerId> {
        if register.role != CLIENT || !register.features.is_empty() || self.is_free_for(conn, id) {
            return None;
        }
        (2..=SESSIONS)
            .filter_map(|n| PeerId::new(&format!("{id}-{n}")).ok())
            .find(|alias| self.is_free_for(conn, alias) && !self.is_missed(alias))
    }

    fn is_free_for(&self, conn: ConnId, id: &PeerId) -> bool {
        self.presence.by_id(id).and_then(|joined| self.presence.get(joined)).is_none_or(|peer| peer.conn == conn)
    }

    /// Whether a worker of this name may come back.
    fn is_missed(&self, id: &PeerId) -> bool {
        self.absent.get(id).is_some() || self.claims.slot(id).is_some() || self.holds.get(id).is_some()
    }

    /// Whether this registration would get the id that it names although somebody else has it: then nobody has to give way.
    pub fn would_share(&self, conn: ConnId, register: &Register) -> bool {
        register.peer_id.as_ref().is_some_and(|id| self.alias(conn, register, id).is_some())
    }

    /// A session has ended. A deployed client closes its connection, and then asks for its name to be deleted.
    pub(crate) fn session_parts(&mut self, session: &Peer, now: Time) {
        let Some(name) = &session.called else { return };
        self.parted.0.retain(|_, until| *until > now);
        self.parted.0.insert(name.clone(), now.plus_ms(self.config.left_ms));
    }

    /// Whether several sessions speak under this name, or did a moment ago: what is meant by it is then anybody's guess.
    pub fn is_shared(&self, id: &PeerId, now: Time) -> bool {
        if self.parted.0.get(id).is_some_and(|until| *until > now) {
            return true;
        }
        let aliases = (2..=SESSIONS).filter_map(|n| PeerId::new(&format!("{id}-{n}")).ok());
        let mut peers = aliases.filter_map(|alias| self.presence.get(self.presence.by_id(&alias)?));
        peers.any(|peer| peer.called.as_ref() == Some(id))
    }
}

/// The frame as its target is to read it: the sender under the id by which it is found, the target under the name by which it calls
/// itself.
pub(crate) fn as_read(relay: Relay, sender: &Peer, target: &Peer) -> Text {
    if sender.called.is_none() && target.called.is_none() {
        return relay.text;
    }
    let (from, to) = match relay.kind {
        RelayKind::PeerMessage => ("from_peer_id", "to_peer_id"),
        RelayKind::Offer | RelayKind::Answer | RelayKind::Candidate | RelayKind::Error => ("sender", "target"),
    };
    rewritten(&relay.text, &[(from, &sender.id), (to, target.calls_itself())]).unwrap_or(relay.text)
}

/// A frame with other values where it has these keys; everything else stays the very text that it was. `None`: no JSON object, which
/// a frame that was read always is.
fn rewritten(text: &str, values: &[(&str, &PeerId)]) -> Option<Text> {
    let mut frame: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
    for (key, value) in values {
        if let Some(old) = frame.get_mut(*key) {
            *old = to_raw_value(value).ok()?;
        }
    }
    Some(serde_json::to_string(&frame).ok()?.into())
}
