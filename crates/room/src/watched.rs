//! Workers of the deployed kind as those see them who watch through the server: browsers.

use sleap_rtc_wire::record::Switches;
use sleap_rtc_wire::signal::{MeshFrame, Report};
use sleap_rtc_wire::{Code, PeerId, Text, Time, ToPeer};

use crate::discovery::WORKER;
use crate::peers::Joined;
use crate::{Answer, CallId, Effect, Room};

impl Room {
    /// A worker says something to those who watch it.
    pub(crate) fn report_of(&mut self, joined: Joined, report: Report) {
        let Some(worker) = self.presence.get(joined).filter(|peer| peer.role == WORKER).map(|peer| peer.id.clone())
        else {
            return;
        };
        self.push(Effect::Publish { worker, report });
    }

    pub(crate) fn mesh(&mut self, joined: Joined, frame: MeshFrame) {
        let Some(conn) = self.presence.get(joined).map(|peer| peer.conn) else { return };
        self.refuse(conn, Code::UnknownMessageType, format!("Unknown message type: {}", frame.kind.names().0), None);
    }

    pub(crate) fn change(&mut self, id: CallId, _name: Option<String>, _switches: Option<Switches>, _now: Time) {
        self.answer(id, Answer::Unsupported);
    }

    pub(crate) fn forward(&mut self, id: CallId, worker: &PeerId, text: Text) {
        let found = self.presence.by_id(worker).and_then(|joined| self.presence.get(joined));
        let answer = match found.map(|peer| (peer.conn, peer.role == WORKER && !peer.claims)) {
            None => Answer::NoSuchPeer,
            Some((_, false)) => Answer::Unsupported,
            Some((conn, true)) => {
                self.send(conn, ToPeer::Relayed(text));
                Answer::Forwarded
            }
        };
        self.answer(id, answer);
    }

    pub(crate) fn assign(&mut self, id: CallId, worker: &PeerId, _job_id: String, text: Text, _now: Time) {
        self.forward(id, worker, text);
    }
}
