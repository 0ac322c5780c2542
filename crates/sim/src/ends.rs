//! The two ends of a link: up, heard, down, each in its own time.

use sleap_rtc_session::{Binding, ClientInput, LinkId, WorkerInput, pool_worker};

use crate::world::World;

impl World {
    /// One end of a link is there.
    pub(crate) fn link_up(&mut self, link: usize, at_worker: bool) {
        let (job, who, life) = self.end_of(link, at_worker);
        if self.links[link].cut || self.nodes[who].life != life {
            return;
        }
        let nonce = self.random.bytes();
        let mut ends = [[0; 32]; 2];
        ends[0][..8].copy_from_slice(&(link as u64 * 2 + 1).to_le_bytes());
        ends[1][..8].copy_from_slice(&(link as u64 * 2 + 2).to_le_bytes());
        let binding = |mine: usize| Binding { local: ends[mine], remote: ends[1 - mine] };
        let id = LinkId(link as u64);
        if !at_worker {
            return self.client_link_up(who, link, ClientInput::LinkUp { link: id, binding: binding(0), nonce });
        }
        self.forget_pending(who, link);
        let peer = self.peer_id(self.links[link].client);
        let known = self.nodes[who].worker.as_deref_mut().zip(job);
        if let Some((task, job)) = known.and_then(|(process, job)| Some((process.jobs.get_mut(&job)?, job))) {
            task.links.insert(id, (link, peer.clone()));
            self.job_input(who, &job, WorkerInput::LinkUp { link: id, peer, binding: binding(1), nonce });
        } else {
            // A peer without claims hears that it needs one; a job that is over has nobody here.
            self.close_link(link, true);
            self.worker_input(who, pool_worker::Input::LinkClosed { peer });
        }
    }

    fn end_of(&self, link: usize, at_worker: bool) -> (Option<sleap_rtc_wire::JobId>, usize, u32) {
        let one = &self.links[link];
        let (who, life) = if at_worker { (one.worker, one.worker_life) } else { (one.client, one.client_life) };
        (one.job.clone(), who, life)
    }

    pub(crate) fn said(&mut self, link: usize, at_worker: bool, text: String) -> bool {
        let (job, who, life) = self.end_of(link, at_worker);
        let one = &self.links[link];
        if one.cut || one.done[usize::from(at_worker)] || self.nodes[who].life != life {
            return false;
        }
        let id = LinkId(link as u64);
        match (at_worker, job) {
            (true, Some(job)) => self.job_input(who, &job, WorkerInput::Control { link: id, text }),
            (true, None) => {}
            (false, _) => self.session_input(who, ClientInput::Control { link: id, text }),
        }
        true
    }

    pub(crate) fn link_down(&mut self, link: usize, at_worker: bool) {
        let (job, who, life) = self.end_of(link, at_worker);
        if std::mem::replace(&mut self.links[link].done[usize::from(at_worker)], true) || self.nodes[who].life != life {
            return;
        }
        let id = LinkId(link as u64);
        if !at_worker {
            return self.client_link_down(who, link);
        }
        self.forget_pending(who, link);
        let Some(job) = job else { return };
        let Some(process) = self.nodes[who].worker.as_deref_mut() else { return };
        let Some(task) = process.jobs.get_mut(&job) else { return };
        let Some((_, peer)) = task.links.remove(&id) else { return };
        let active = task.machine.is_active();
        self.job_input(who, &job, WorkerInput::LinkDown { link: id });
        if !active {
            self.worker_input(who, pool_worker::Input::LinkClosed { peer });
        }
    }
}
