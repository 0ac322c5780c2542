//! Workers of the deployed kind as those see them who watch through the server: browsers.

use sleap_rtc_wire::signal::Report;
use sleap_rtc_wire::{PeerId, Text, Time, ToPeer};

use crate::discovery::WORKER;
use crate::peers::Joined;
use crate::{Answer, CallId, Effect, Room};

impl Room {
    /// A worker says something to those who watch it.
    pub(crate) fn report_of(&mut self, joined: Joined, report: Report, now: Time) {
        let Some(worker) = self.presence.get(joined).filter(|peer| peer.role == WORKER).map(|peer| peer.id.clone())
        else {
            return;
        };
        self.errand_reported(joined, &report, now);
        self.push(Effect::Publish { worker, report });
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
}
