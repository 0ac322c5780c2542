//! A job's links: they come, they say something, they go.

use std::sync::Arc;

use sleap_rtc_link::Link;
use sleap_rtc_peer::pump::{Pump, PumpEvent};
use sleap_rtc_session::{Binding, LinkId, WorkerInput};
use sleap_rtc_wire::PeerId;

use super::JobTask;

impl JobTask {
    pub(super) fn link_up(&mut self, link: Arc<dyn Link>, peer: PeerId) -> WorkerInput {
        self.links += 1;
        let id = LinkId(self.links);
        let seen = link.binding();
        self.pumps.insert(id, Pump::start(id, link, self.inbox.to_events.clone()));
        self.peers.insert(id, peer.clone());
        let mut nonce = [0; 32];
        // Without fresh chance a recorded proof could be used again: then the link is of no use.
        if let Err(error) = getrandom::fill(&mut nonce) {
            tracing::error!(%error, "no random numbers: a link is refused");
            self.pumps.remove(&id);
        }
        let binding = Binding { local: seen.local, remote: seen.remote };
        WorkerInput::LinkUp { link: id, peer, binding, nonce }
    }

    pub(super) fn link_event(&mut self, link: LinkId, event: PumpEvent) -> WorkerInput {
        match event {
            PumpEvent::Control(text) => WorkerInput::Control { link, text },
            PumpEvent::Bulk(data) => WorkerInput::Bulk { link, data },
            PumpEvent::BulkTaken => WorkerInput::BulkTaken { link, count: 1 },
            PumpEvent::Down(reason) => {
                tracing::info!(job = %self.machine.grant().job_id, ?link, %reason, "link down");
                self.pumps.remove(&link);
                if let (Some(peer), false) = (self.peers.remove(&link), self.machine.is_active()) {
                    let pool = self.pool.clone();
                    self.work.spawn(async move { pool.link_closed(peer).await });
                }
                WorkerInput::LinkDown { link }
            }
        }
    }
}
