//! What is free among workers of the deployed kind, from what the room saw.
//!
//! Such a worker answers every offer it gets. It says `reserved` from an offer on, stays so when its client has gone in a way that
//! it does not notice, says `available` when it comes back on a new connection in the middle of a job, and stays `available` while it
//! runs a job that came through the server. So the room derives who has it:
//!
//! - A client has it whose offer was handed on, until the worker has let `answer_ms` pass without an answer; once it has answered, until
//!   it says `available` again. It does that on the connection that it has, by an update or by registering again, when its
//!   client has left. On a *new* connection that word proves nothing, nor does one that may be older than the offer.
//! - A client whose own connection has been gone for `left_ms` has left, whatever the worker says: the pair can hang in ICE for ever.
//! - A job has it from its assignment on, until the worker says that it is over: `available` does not mean the job. A training
//!   job ends in parts (each model, then the inference), so that only quiet after the end of a part is the end of all.
//! - What the room cannot know for certain any more, because the server was away or the worker's connection was, is over after `stale_ms`.

use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::record::WorkerRecord;
use sleap_rtc_wire::signal::{RelayKind, Report};
use sleap_rtc_wire::{ConnId, ErrorFrame, MemberId, PeerId, Text, Time, ToPeer};

use crate::hold::{Course, Errand, Guest, Hold, Stage};
use crate::part::Part;
use crate::peer::Peer;
use crate::peers::Joined;
use crate::{Answer, CallId, Room};

impl Room {
    /// Whether a frame for another peer is handed on; takes note of what it means for a worker of the deployed kind.
    pub(crate) fn passes(&mut self, sender: Joined, target: Joined, kind: RelayKind, now: Time) -> bool {
        let is_old = |joined| self.presence.get(joined).is_some_and(Peer::is_old_worker);
        match kind {
            RelayKind::Offer if is_old(target) => self.offered(sender, target, now),
            RelayKind::Answer if is_old(sender) => self.answered(sender, target, now),
            // One for a connection that the worker was never offered goes to its guest's.
            RelayKind::Candidate if is_old(target) => !self.is_kept_from(target, sender),
            RelayKind::Error if is_old(sender) => {
                self.declined(sender, target);
                true
            }
            _ => true,
        }
    }

    /// Whether somebody else has the worker, and that counts.
    fn is_kept_from(&self, worker: Joined, client: Joined) -> bool {
        let Some((worker, client)) = self.presence.get(worker).zip(self.presence.get(client)) else { return false };
        self.record.switches.strict_offers && self.has_another(&worker.id, client)
    }

    /// Whether somebody else than this client has the worker.
    fn has_another(&self, worker: &PeerId, client: &Peer) -> bool {
        self.holds
            .get(worker)
            .is_some_and(|hold| hold.errand.is_some() || hold.guest.as_ref().is_some_and(|guest| !guest.is(client)))
    }

    fn offered(&mut self, client: Joined, worker: Joined, now: Time) -> bool {
        if self.is_kept_from(worker, client) && !mutation::on(Mutation::OffersNotStrict) {
            self.tell_busy(client, worker);
            return false;
        }
        let Some((from, to)) = self.presence.get(client).zip(self.presence.get(worker)) else { return false };
        if self.has_another(&to.id, from) {
            // The worker's answer says whose it is.
            return true;
        }
        let until = now.plus_ms(self.config.answer_ms);
        let guest = new_guest(from, Stage::Offered, Some(until));
        let worker = to.id.clone();
        self.change_hold(&worker, now, |hold| match &mut hold.guest {
            // It comes again by a new offer and has the worker as before, whether that answers or not.
            Some(same) if same.stage == Stage::Engaged => {
                (same.member, same.conn) = (guest.member, guest.conn);
                (same.until, same.gone_until) = (None, None);
            }
            _ => hold.guest = Some(guest),
        });
        true
    }

    /// As a deployed worker would say it if it told the truth.
    fn tell_busy(&mut self, client: Joined, worker: Joined) {
        let Some((from, to)) = self.presence.get(client).zip(self.presence.get(worker)) else { return };
        let status = self.holds.get(&to.id).map_or("reserved", Hold::status);
        let (conn, busy) = (from.conn, ErrorFrame::worker_busy(from.calls_itself(), status));
        self.send(conn, ToPeer::Error(busy));
    }

    fn answered(&mut self, worker: Joined, client: Joined, now: Time) -> bool {
        // Too late: somebody else was given the worker meanwhile.
        if self.is_kept_from(worker, client) {
            return false;
        }
        let Some((from, to)) = self.presence.get(worker).zip(self.presence.get(client)) else { return false };
        let (worker, guest) = (from.id.clone(), new_guest(to, Stage::Engaged, None));
        self.change_hold(&worker, now, |hold| hold.guest = Some(guest));
        true
    }

    /// The worker does not want the client: somebody has it of whom this room knows nothing.
    fn declined(&mut self, worker: Joined, client: Joined) {
        let Some((from, to)) = self.presence.get(worker).zip(self.presence.get(client)) else { return };
        let hold = self.holds.get(&from.id).cloned();
        let declined = |guest: &mut Guest| guest.is(to) && guest.stage != Stage::Engaged;
        if let Some(mut hold) = hold
            && hold.guest.take_if(declined).is_some()
        {
            let worker = from.id.clone();
            if hold.is_empty() {
                // Its own word is about somebody, and stays.
                return self.forget_hold(&worker);
            }
            self.set_hold(&worker, hold);
        }
    }

    /// What a worker says of its status on the connection that it has.
    pub(crate) fn heard_status(&mut self, joined: Joined, status: &str) {
        let Some(peer) = self.presence.get(joined).filter(|peer| peer.is_old_worker()) else { return };
        let Some(mut hold) = self.holds.get(&peer.id).cloned() else { return };
        let Some(guest) = &mut hold.guest else { return };
        match (status, guest.stage) {
            ("reserved" | "busy", Stage::Offered) => guest.stage = Stage::Heard,
            ("available", Stage::Heard | Stage::Engaged) => hold.guest = None,
            _ => return,
        }
        let worker = peer.id.clone();
        self.set_hold(&worker, hold);
    }

    /// A worker has registered, or somebody with its name; `same_conn`: on the connection on which it was registered before.
    pub(crate) fn hold_registers(&mut self, joined: Joined, same_conn: bool, now: Time) {
        let Some(new) = self.presence.get(joined) else { return };
        let Some(mut hold) = self.holds.get(&new.id).cloned() else { return };
        let worker = new.id.clone();
        if !new.is_old_worker() || hold.member != new.member {
            return self.forget_hold(&worker);
        }
        if !same_conn && !mutation::on(Mutation::NewSocketIsProof) {
            hold.away_since = None;
            self.doubt(&mut hold, now);
            return self.set_hold(&worker, hold);
        }
        let status = new.metadata.property("status").and_then(|status| status.as_str()).map(str::to_owned);
        if let Some(status) = status {
            self.heard_status(joined, &status);
        }
    }

    /// From now on the room may miss how it ends.
    fn doubt(&self, hold: &mut Hold, now: Time) {
        if let Some(guest) = hold.guest.as_mut().filter(|guest| guest.stage == Stage::Engaged) {
            guest.until.get_or_insert(now.plus_ms(self.config.stale_ms));
        }
    }

    /// A peer's connection is gone, as a client's and as a worker's.
    pub(crate) fn hold_is_away(&mut self, peer: &Peer, now: Time) {
        self.guest_is_gone(peer, now);
        let Some(mut hold) = self.holds.get(&peer.id).filter(|_| peer.is_old_worker()).cloned() else { return };
        hold.away_since = Some(now);
        self.doubt(&mut hold, now);
        self.set_hold(&peer.id, hold);
        self.bound_holds();
    }

    /// The connection of a client is gone. It may come back, or its job go on without it.
    pub(crate) fn guest_is_gone(&mut self, client: &Peer, now: Time) {
        let left = now.plus_ms(self.config.left_ms);
        self.change_guest(client, |guest| {
            if guest.conn == Some(client.conn) {
                (guest.conn, guest.gone_until) = (None, Some(left));
            }
        });
    }

    /// A client of ours is back: it is the same program. Of others only the name is, which is a person's.
    pub(crate) fn guest_is_back(&mut self, joined: Joined) {
        let Some(peer) = self.presence.get(joined).filter(|peer| peer.claims) else { return };
        let (id, conn, member) = (peer.id.clone(), peer.conn, peer.member.clone());
        for worker in self.holds.of_guest(&id) {
            let Some(mut hold) = self.holds.get(&worker).cloned() else { continue };
            if let Some(guest) = hold.guest.as_mut().filter(|guest| guest.member.as_ref() == Some(&member)) {
                (guest.conn, guest.gone_until) = (Some(conn), None);
                self.set_hold(&worker, hold);
            }
        }
    }

    fn change_guest(&mut self, client: &Peer, change: impl Fn(&mut Guest)) {
        for worker in self.holds.of_guest(&client.id) {
            let Some(mut hold) = self.holds.get(&worker).cloned() else { continue };
            if let Some(guest) = &mut hold.guest {
                change(guest);
                self.set_hold(&worker, hold);
            }
        }
    }

    /// Gives a job to a worker of the deployed kind.
    pub(crate) fn assign(&mut self, id: CallId, worker: &PeerId, job_id: String, text: Text, now: Time) {
        let found = self.presence.by_id(worker).and_then(|joined| self.presence.get(joined));
        let Some(peer) = found else { return self.answer(id, Answer::NoSuchPeer) };
        if !peer.is_old_worker() {
            return self.answer(id, Answer::Unsupported);
        }
        // Its own word counts as well: it may have promised itself by the original's `job_request`.
        if peer.shown.is_some() || peer.says_taken() {
            return self.answer(id, Answer::WorkerBusy);
        }
        let (conn, until) = (peer.conn, now.plus_ms(self.config.answer_ms));
        let errand = Errand { job_id, course: Course::Assigned, until };
        self.change_hold(worker, now, |hold| hold.errand = Some(errand));
        self.send(conn, ToPeer::Relayed(text));
        self.answer(id, Answer::Forwarded);
    }

    /// What a worker reports of a job that it got through the server.
    pub(crate) fn errand_reported(&mut self, joined: Joined, report: &Report, now: Time) {
        let Some(worker) = self.presence.get(joined).filter(|peer| peer.is_old_worker()).map(|peer| &peer.id) else {
            return;
        };
        let (worker, Some(job_id)) = (worker.clone(), &report.job_id) else { return };
        let Some(part) = Part::of(report) else { return };
        let (running, ending) = (now.plus_ms(self.config.stale_ms), now.plus_ms(self.config.part_ms));
        let Some(mut hold) = self.holds.get(&worker).cloned() else {
            // It begins late, when it was thought to be lost.
            if part == Part::Begins {
                let errand = Errand { job_id: job_id.clone(), course: Course::Running, until: running };
                self.change_hold(&worker, now, |hold| hold.errand = Some(errand));
            }
            return;
        };
        let Some(errand) = hold.errand.as_mut().filter(|errand| errand.job_id == *job_id) else { return };
        match part {
            Part::Progress if errand.course == Course::Ending => {}
            Part::Begins | Part::GoesOn | Part::Progress => (errand.course, errand.until) = (Course::Running, running),
            Part::Ends => (errand.course, errand.until) = (Course::Ending, ending),
            Part::EndsAll => hold.errand = None,
        }
        self.set_hold(&worker, hold);
    }

    /// What has lasted as long as it may.
    pub(crate) fn run_due_holds(&mut self, now: Time) {
        while let Some(worker) = self.holds.due(now) {
            let Some(mut hold) = self.holds.get(&worker).cloned() else { return };
            hold.end_due(now);
            self.set_hold(&worker, hold);
        }
    }

    /// A worker goes for good, or is another one than it was.
    pub(crate) fn forget_hold(&mut self, worker: &PeerId) {
        if let Some(hold) = self.holds.remove(worker) {
            if hold.record().is_some() {
                self.expected.write(worker.clone());
            }
            self.reindex(worker);
        }
    }

    /// Who has been away longest goes first.
    fn bound_holds(&mut self) {
        while self.holds.away() > self.config.max_peers {
            let Some(worker) = self.holds.longest_away().cloned() else { return };
            self.forget_hold(&worker);
        }
    }

    /// Takes in what the store knows of workers that are taken: since nobody is here yet, they are all away.
    pub(crate) fn load_holds(&mut self, records: Vec<WorkerRecord>, now: Time) {
        for record in records {
            let Some(taken) = record.taken else { continue };
            let away_since = record.silent_since.unwrap_or(now).min(now);
            let until = away_since.plus_ms(self.config.stale_ms);
            // Also one whose time is over: it is to be deleted.
            if until <= now || record.silent_since.is_none() {
                self.expected.write(record.peer_id.clone());
            }
            if until > now {
                self.holds.set(&record.peer_id, Hold::restored(taken, record.member, away_since, until));
            }
        }
        self.bound_holds();
    }

    /// Changes what has a connected worker, which may have been free.
    fn change_hold(&mut self, worker: &PeerId, now: Time, change: impl FnOnce(&mut Hold)) {
        let Some(member) = self.member_of(worker) else { return };
        let hold = self.holds.get(worker).cloned();
        let mut hold = hold.unwrap_or_else(|| Hold::new(member, now));
        change(&mut hold);
        self.set_hold(worker, hold);
    }

    /// What the store is to know of a worker that somebody has.
    pub(crate) fn held_record(&self, worker: &PeerId) -> Option<WorkerRecord> {
        let hold = self.holds.get(worker)?;
        let peer = self.presence.by_id(worker).and_then(|joined| self.presence.get(joined));
        Some(WorkerRecord {
            room_id: self.record.room_id.clone(),
            peer_id: worker.clone(),
            member: hold.member.clone(),
            // A worker of this kind tells all of it when it comes, and is in no list before.
            metadata: peer.map(|peer| peer.metadata.clone()).unwrap_or_default(),
            silent_since: hold.away_since,
            taken: Some(hold.record()?),
        })
    }

    fn member_of(&self, worker: &PeerId) -> Option<MemberId> {
        let peer = self.presence.by_id(worker).and_then(|joined| self.presence.get(joined));
        peer.map(|peer| peer.member.clone())
    }

    /// What has the worker from now on: shown at once, and to be written.
    fn set_hold(&mut self, worker: &PeerId, hold: Hold) {
        let key = |hold: &Hold| (hold.record(), hold.away_since);
        let before = self.holds.get(worker).map(|hold| (hold.status(), key(hold)));
        let after = (!hold.is_empty()).then(|| (hold.status(), key(&hold)));
        self.holds.set(worker, hold);
        let written = |state: &Option<(&str, (_, _))>| state.as_ref().map(|(_, key)| key.clone());
        if written(&before) != written(&after) {
            self.expected.write(worker.clone());
        }
        let shown = |state: &Option<(&'static str, _)>| state.as_ref().map(|(status, _)| *status);
        if shown(&before) != shown(&after) {
            self.reindex(worker);
        }
        if before.is_some()
            && after.is_none()
            && let Some(joined) = self.presence.by_id(worker)
        {
            // What it said of itself (`reserved`) was about whom it had.
            self.set_available(joined);
        }
    }
}

fn new_guest(client: &Peer, stage: Stage, until: Option<Time>) -> Guest {
    let (id, member, conn): (PeerId, Option<MemberId>, Option<ConnId>) =
        (client.id.clone(), Some(client.member.clone()), Some(client.conn));
    Guest { id, member, conn, stage, until, gone_until: None }
}
