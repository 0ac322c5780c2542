//! The link that watches the job: files come over it, the story and the results go out.

use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::FailCode;
use sleap_rtc_wire::peer::{ByeReason, EVENTS, PeerFrame, TransferId};

use super::{JobWorker, Results, Stage, WorkerEffect};
use crate::LinkId;
use crate::transfer::{Receiver, TransferError};

/// Who watches, and how far it is.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) link: LinkId,
    /// Whether the job was there before it came.
    pub(super) attached: bool,
    /// Whether it knows that the job is accepted.
    welcomed: bool,
    /// The first event that it has not been told.
    next: u64,
    told: u64,
    acked: u64,
    results: Wanted,
}

/// Whether the watcher wants the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    No,
    Yes,
    /// They have been offered to it.
    Offered,
}

impl JobWorker {
    /// From now on this link watches; an earlier one is sent away.
    pub(super) fn watch(&mut self, link: LinkId, attached: bool, from_seq: u64, wants_results: bool) {
        if let Some(earlier) = self.watcher.as_ref().map(|watcher| watcher.link).filter(|earlier| *earlier != link) {
            self.say(earlier, &PeerFrame::Bye { reason: ByeReason::Replaced });
            self.close(earlier);
        }
        self.unwatch(link);
        let told = from_seq.saturating_sub(1);
        let results = if wants_results { Wanted::Yes } else { Wanted::No };
        self.watcher = Some(Watcher { link, attached, welcomed: false, next: from_seq, told, acked: told, results });
    }

    /// This link watches no more; the job goes on.
    pub(super) fn unwatch(&mut self, link: LinkId) {
        if self.watcher.take_if(|watcher| watcher.link == link).is_none() {
            return;
        }
        if let Some(receiver) = self.receiver.take() {
            self.queries = receiver.next_query();
            // With every chunk here the files can be made without a link.
            self.receiver = Some(receiver).filter(Receiver::is_complete);
        }
        if let Results::Known(sender) = &mut self.results {
            sender.cut();
        }
    }

    /// Says that the job is accepted, once it is, and whether files are wanted.
    pub(super) fn welcome(&mut self, now: Time) {
        let known = matches!(self.stage, Stage::Receiving | Stage::Running | Stage::Ending { .. } | Stage::Ended(_));
        let Some(watcher) = self.watcher.as_mut().filter(|watcher| known && !watcher.welcomed) else { return };
        watcher.welcomed = true;
        let files = self.stage == Stage::Receiving && self.receiver.is_none();
        let (link, attached) = (watcher.link, watcher.attached);
        let (job_id, next_seq) = (self.grant.job_id.clone(), self.log.next_seq());
        self.say(link, &PeerFrame::Accepted { job_id, attached, next_seq, files });
        if let (true, Some(submission)) = (files, &self.submission) {
            let (files, bytes) = (submission.files, submission.bytes);
            self.receiver = Some(Receiver::new(TransferId::FILES, files, bytes, self.queries, now));
        }
    }

    pub(super) fn acked(&mut self, link: LinkId, seq: u64) {
        if let Some(watcher) = self.watcher.as_mut().filter(|watcher| watcher.link == link && seq < watcher.next) {
            watcher.acked = watcher.acked.max(seq);
        }
    }

    /// Tells what has happened and may be told, as long as the watcher keeps up.
    pub(super) fn tell(&mut self) {
        loop {
            let ended = matches!(self.stage, Stage::Ended(_));
            let Some(watcher) = self.watcher.as_mut().filter(|watcher| watcher.welcomed) else { return };
            let Some(event) = self.log.from(watcher.next) else { return };
            let sure = ended || event.seq <= self.reserved;
            let behind = watcher.acked < watcher.told && event.seq > watcher.acked + EVENTS;
            if !sure || behind {
                return;
            }
            watcher.told = event.seq;
            watcher.next = event.seq + 1;
            let (link, event) = (watcher.link, event.clone());
            self.say(link, &PeerFrame::Event(event));
        }
    }

    /// Offers the results to a watcher that has been told the whole story.
    pub(super) fn offer_results(&mut self, now: Time) {
        let over = matches!(self.stage, Stage::Ended(_));
        let all = self.log.next_seq();
        let Some(watcher) = self.watcher.as_mut().filter(|watcher| watcher.results == Wanted::Yes) else {
            return;
        };
        if !over || !watcher.welcomed || watcher.next < all {
            return;
        }
        match &mut self.results {
            Results::Unknown if self.ran => self.list_results(),
            Results::Unknown => self.results_listed(Vec::new()),
            Results::Asked => {}
            Results::Known(sender) => {
                watcher.results = Wanted::Offered;
                sender.begin(now);
            }
            Results::Broken(error) => {
                watcher.results = Wanted::Offered;
                let (link, code, cause) = (watcher.link, error.code, error.cause.clone());
                self.say(link, &PeerFrame::TransferFailed { transfer: TransferId::RESULTS, code, cause });
            }
        }
    }

    /// The results could not be sent; they stay here.
    pub(super) fn results_failed(&mut self, error: TransferError) {
        if error.told {
            // The client cannot take them now, and may come back for them.
            return;
        }
        let (code, cause) = (error.code, error.cause.clone());
        if let Some(watcher) = &self.watcher {
            self.say(watcher.link, &PeerFrame::TransferFailed { transfer: TransferId::RESULTS, code, cause });
        }
        self.results = Results::Broken(error);
    }

    /// When the absence of the client has a consequence.
    pub(super) fn gives_up_at(&self) -> Option<Time> {
        let matters = match self.stage {
            Stage::Checking | Stage::Accepting => true,
            Stage::Receiving => self.receiver.is_none(),
            Stage::Ended(_) => !self.durable,
            Stage::Offered | Stage::Doomed(_) | Stage::Running | Stage::Ending { .. } | Stage::Forgotten => false,
        };
        self.alone_since.filter(|_| matters).map(|since| since.plus_ms(self.gone_ms))
    }

    /// A client that is gone while its files were coming will not send them; one that only watched may be away for days.
    pub(super) fn look_for_client(&mut self, now: Time) {
        if self.gives_up_at().is_none_or(|at| now < at) {
            return;
        }
        if matches!(self.stage, Stage::Ended(_)) {
            self.forget();
        } else {
            let cause = format!("the client has been gone for {} s while it was sending", self.gone_ms / 1000);
            self.fail(FailCode::TransferFailed, cause, now);
        }
    }

    /// The room ended the claim before anybody came.
    pub(super) fn withdrawn(&mut self) {
        if self.stage != Stage::Offered {
            return;
        }
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            let message = "the claim is over";
            self.refuse(link, crate::Refusal::new(sleap_rtc_wire::peer::RefuseCode::ClaimEnded, message));
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.stage = Stage::Forgotten;
        self.out.push_back(WorkerEffect::Forget);
    }
}
