//! The open calls: sent when there is a line, answered once.

use sleap_rtc_wire::signal::{Discover, RelayKind};
use sleap_rtc_wire::{ClaimId, Code, ErrorFrame, Filters, FromPeer, PeerId, Time};

use super::PoolClient;
use super::claiming::Claiming;
use super::effect::{CallId, ClaimRequest, Effect, Failure, Found, Offer};

/// How long a call may wait for a line to the server, ms.
pub const QUEUE_MS: u64 = 60_000;
/// How long the server may take to answer a request, ms, beyond the wait that a claim asks for.
pub const REPLY_MS: u64 = 10_000;
/// How long a worker may take to answer an offer, ms. It gathers candidates first, which takes a few seconds at worst.
pub const ANSWER_MS: u64 = 10_000;

/// One open call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) what: What,
    /// Whether it is with the server.
    pub(super) sent: bool,
    /// When it fails if nothing comes.
    pub(super) until: Time,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Claim(Claiming),
    Discover { filters: Filters, absent: bool },
    Offer(Offer),
}

impl Call {
    pub(super) fn claim(request: ClaimRequest, now: Time) -> Self {
        Self::new(What::Claim(Claiming::new(request)), now)
    }

    pub(super) fn discover(filters: Filters, absent: bool, now: Time) -> Self {
        Self::new(What::Discover { filters, absent }, now)
    }

    pub(super) fn offer(offer: Offer, now: Time) -> Self {
        Self::new(What::Offer(offer), now)
    }

    fn new(what: What, now: Time) -> Self {
        Self { what, sent: false, until: now.plus_ms(QUEUE_MS) }
    }

    /// It is with the server from `now` on.
    fn send(&mut self, now: Time) {
        self.sent = true;
        self.until = match &mut self.what {
            What::Claim(claiming) => claiming.asked(now),
            What::Discover { .. } => now.plus_ms(REPLY_MS),
            What::Offer(_) => now.plus_ms(ANSWER_MS),
        };
    }
}

impl PoolClient {
    pub(super) fn open(&mut self, call: CallId, what: Call) {
        if let Some(cause) = self.gone.clone() {
            return self.fail(call, what, Failure::GivenUp(cause));
        }
        self.calls.insert(call, what);
    }

    /// Sends what waits, as soon as there is a line.
    pub(super) fn send_queued(&mut self, now: Time) {
        if !self.line.is_up() {
            return;
        }
        let waiting: Vec<CallId> = self.calls.iter().filter(|(_, call)| !call.sent).map(|(id, _)| *id).collect();
        for id in waiting {
            if matches!(&self.calls[&id].what, What::Claim(_)) && !self.line.has_claims() {
                self.close(id, Failure::NoClaims);
                continue;
            }
            let Some(call) = self.calls.get_mut(&id) else { continue };
            call.send(now);
            let what = call.what.clone();
            let frame = self.frame_of(id, what, now);
            self.send(frame);
        }
    }

    fn frame_of(&mut self, id: CallId, what: What, now: Time) -> FromPeer {
        match what {
            What::Claim(claiming) => FromPeer::Claim(claiming.frame(id, now)),
            What::Discover { filters, absent } => {
                self.discoveries.push_back(id);
                FromPeer::DiscoverPeers(Discover { from_peer_id: self.setup.peer_id.clone(), filters, absent })
            }
            What::Offer(offer) => {
                let mut more = serde_json::Map::new();
                if let Some(job) = &offer.job {
                    more.insert("job_id".to_owned(), job.as_str().into());
                }
                if let Some(claim) = &offer.claim {
                    more.insert("claim_id".to_owned(), claim.as_str().into());
                }
                FromPeer::description(RelayKind::Offer, &self.setup.peer_id, &offer.worker, &offer.sdp, more)
            }
        }
    }

    pub(super) fn found(&mut self, found: Found) {
        // Abandoned discoveries stay in the line of answers, so that the next answer is not taken for theirs.
        let Some(call) = self.discoveries.pop_front() else { return };
        if self.calls.remove(&call).is_some() {
            self.out.push_back(Effect::DiscoverDone { call, outcome: Ok(found) });
        }
    }

    pub(super) fn answer(&mut self, worker: &PeerId, sdp: String) {
        let call = self.offers().find(|(_, offer)| offer.worker == *worker).map(|(id, _)| id);
        if let Some(call) = call {
            self.calls.remove(&call);
            self.out.push_back(Effect::OfferDone { call, outcome: Ok(sdp) });
        }
    }

    /// Gives an error to the call that it belongs to, or gives it back.
    ///
    /// Errors of requests name them, if the server can; a worker's error names nobody, but only one offer is open at a time
    /// in all our programs, and a discovery is the only other thing that an old server answers by an error without a name.
    pub(super) fn fail_by(&mut self, error: ErrorFrame) -> Option<ErrorFrame> {
        if let Some(name) = error.request_id.clone() {
            let Some(call) = self.claim_named(&name) else { return Some(error) };
            self.close(call, Failure::Server(error));
            return None;
        }
        // The server writes one text into both fields; workers write one of these words into `reason`.
        let by_worker = matches!(error.reason.as_str(), "worker_busy" | "claim_not_found" | "worker_error");
        let offer = self.offers().next().map(|(id, offer)| (id, offer.worker.clone()));
        if let Some((call, worker)) = offer
            && (by_worker || matches!(error.code, Code::PeerNotFound | Code::DeliveryFailed | Code::TooLarge))
        {
            self.close(call, Failure::WorkerRefused { worker, error });
            return None;
        }
        // Answers to `release`: the claim is over, which is all that was wanted.
        if by_worker || matches!(error.code, Code::ClaimNotFound | Code::Forbidden) {
            return Some(error);
        }
        // A claim that waits in line has had its answer.
        let unanswered = |call: &Call| matches!(&call.what, What::Claim(claiming) if !claiming.in_line);
        let claim = self.calls.iter().find(|(_, call)| call.sent && unanswered(call));
        if let Some(call) = claim.map(|(id, _)| *id).filter(|_| self.discoveries.is_empty()) {
            self.close(call, Failure::Server(error));
            return None;
        }
        let Some(call) = self.discoveries.pop_front() else { return Some(error) };
        self.close(call, Failure::Server(error));
        None
    }

    fn offers(&self) -> impl Iterator<Item = (CallId, &Offer)> {
        self.calls.iter().filter(|(_, call)| call.sent).filter_map(|(id, call)| match &call.what {
            What::Offer(offer) => Some((*id, offer)),
            What::Claim(_) | What::Discover { .. } => None,
        })
    }

    pub(super) fn fail_offers_of(&mut self, claim: &ClaimId, failure: &Failure) {
        let calls: Vec<CallId> =
            self.offers().filter(|(_, offer)| offer.claim.as_ref() == Some(claim)).map(|(id, _)| id).collect();
        for call in calls {
            self.close(call, failure.clone());
        }
    }

    /// The line broke: what was sent fails, but a claim with time to wait; what has not been sent may wait on.
    pub(super) fn line_broke(&mut self, failure: &Failure, now: Time) {
        self.discoveries.clear();
        let sent: Vec<CallId> = self.calls.iter().filter(|(_, call)| call.sent).map(|(id, _)| *id).collect();
        for id in sent {
            let Some(call) = self.calls.get_mut(&id) else { continue };
            match &mut call.what {
                What::Claim(claiming) if claiming.left_ms(now) > 0 => {
                    claiming.line_broke();
                    call.sent = false;
                }
                _ => self.close(id, failure.clone()),
            }
        }
    }

    pub(super) fn fail_all(&mut self, failure: &Failure) {
        self.discoveries.clear();
        for (id, call) in std::mem::take(&mut self.calls) {
            self.fail(id, call, failure.clone());
        }
    }

    /// Ends calls whose time is over; `true` if the server itself owed an answer.
    pub(super) fn calls_timeout(&mut self, now: Time) -> bool {
        let late: Vec<CallId> = self.calls.iter().filter(|(_, call)| call.until <= now).map(|(id, _)| *id).collect();
        let mut dead = false;
        for id in late {
            let Some(call) = self.calls.get(&id) else { continue };
            let failure = match &call.what {
                What::Offer(offer) if call.sent => Failure::WorkerSilent { worker: offer.worker.clone() },
                What::Claim(_) | What::Discover { .. } if call.sent => {
                    dead = true;
                    continue;
                }
                _ => Failure::TimedOut,
            };
            self.close(id, failure);
        }
        dead
    }

    pub(super) fn abandon(&mut self, call: CallId) {
        match self.calls.remove(&call) {
            Some(Call { what: What::Offer(offer), .. }) => self.give_back(&offer),
            Some(Call { what: What::Claim(claiming), sent, .. }) => {
                self.withdraw(call, &claiming, sent);
                self.release_of(call);
            }
            Some(Call { what: What::Discover { .. }, .. }) | None => {}
        }
    }

    pub(super) fn close(&mut self, id: CallId, failure: Failure) {
        if let Some(call) = self.calls.remove(&id) {
            self.fail(id, call, failure);
        }
    }

    fn fail(&mut self, call: CallId, what: Call, failure: Failure) {
        let effect = match what.what {
            What::Claim(_) => {
                self.release_of(call);
                Effect::ClaimDone { call, outcome: Err(failure) }
            }
            What::Discover { .. } => Effect::DiscoverDone { call, outcome: Err(failure) },
            What::Offer(offer) => {
                self.give_back(&offer);
                Effect::OfferDone { call, outcome: Err(failure) }
            }
        };
        self.out.push_back(effect);
    }

    /// A claim whose worker cannot be reached is of no use.
    fn give_back(&mut self, offer: &Offer) {
        if let Some(claim) = &offer.claim {
            self.release(claim);
        }
    }
}
