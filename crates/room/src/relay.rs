//! What one peer sends to another: handed on as the very text that came.

use sleap_rtc_wire::signal::{Relay, RelayKind};
use sleap_rtc_wire::{Code, PeerId, Time, ToPeer, limits};

use crate::alias::as_read;
use crate::discovery::WORKER;
use crate::peers::Joined;
use crate::{Fact, Room};

impl Room {
    fn is_worker(&self, id: &PeerId) -> bool {
        let target = self.presence.by_id(id).and_then(|joined| self.presence.get(joined));
        target.is_some_and(|target| target.role == WORKER)
    }

    pub(crate) fn relay(&mut self, joined: Joined, relay: Relay, now: Time) {
        let Some(sender) = self.presence.get(joined) else { return };
        let conn = sender.conn;
        if relay.kind == RelayKind::Error {
            // Old workers name only the target, which then stands for the sender too. An error is never answered by an error.
            if relay.from != sender.id && relay.from != *sender.calls_itself() && relay.from != relay.to {
                return;
            }
        } else if !self.speaks_as(joined, &relay.from, None) {
            return;
        }
        let describes = matches!(relay.kind, RelayKind::Offer | RelayKind::Answer);
        if describes && relay.text.len() > limits::SDP {
            let text = format!("description of {} bytes, at most {} are allowed", relay.text.len(), limits::SDP);
            return self.refuse(conn, Code::TooLarge, text, None);
        }
        if relay.kind == RelayKind::Error && self.is_worker(&relay.to) {
            // None of a worker's errors is meant for another one, and a deployed one that leads no mesh ends itself at any.
            return;
        }
        let passes = |room: &mut Self, target| room.passes(joined, target, relay.kind, now);
        if self.presence.by_id(&relay.to).is_some_and(|target| !passes(self, target)) {
            return;
        }
        let Some(sender) = self.presence.get(joined) else { return };
        match self.presence.by_id(&relay.to).and_then(|target| self.presence.get(target)) {
            Some(target) => {
                let (to, text) = (target.conn, as_read(relay, sender, target));
                self.send(to, ToPeer::Relayed(text));
                self.report(Fact::Relayed);
            }
            None if relay.kind == RelayKind::PeerMessage => {
                self.refuse(conn, Code::PeerNotFound, format!("Target peer {} not found", relay.to), None);
            }
            // As the deployed server does: old peers do not expect an answer to these.
            None => {}
        }
    }
}
