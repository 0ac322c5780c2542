//! The open calls: sent when there is a line, answered once.

use sleap_rtc_wire::claim::{Claim, ClaimRefused, Claimed, Release};
use sleap_rtc_wire::signal::{Discover, PeerEntry, RelayKind};
use sleap_rtc_wire::{ClaimId, Code, ErrorFrame, Filters, FromPeer, PeerId, Time};

use super::PoolClient;
use super::effect::{CallId, ClaimRequest, Effect, Fact, Failure, Offer};

/// How long a call may wait for a line to the server, ms.
pub const QUEUE_MS: u64 = 60_000;
/// How long the server may take to answer a request, ms, beyond the wait that a claim asks for.
pub const REPLY_MS: u64 = 10_000;
/// How long a worker may take to answer an offer, ms. It gathers candidates first, which takes a few seconds at worst.
pub const ANSWER_MS: u64 = 10_000;

/// One open call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    what: What,
    /// Whether it is with the server.
    sent: bool,
    /// When it fails if nothing comes.
    pub(super) until: Time,
}

#[derive(Clone, Debug)]
enum What {
    Claim(ClaimRequest),
    Discover(Filters),
    Offer(Offer),
}

impl Call {
    pub(super) fn claim(request: ClaimRequest, now: Time) -> Self {
        Self::new(What::Claim(request), now)
    }

    pub(super) fn discover(filters: Filters, now: Time) -> Self {
        Self::new(What::Discover(filters), now)
    }

    pub(super) fn offer(offer: Offer, now: Time) -> Self {
        Self::new(What::Offer(offer), now)
    }

    fn new(what: What, now: Time) -> Self {
        Self { what, sent: false, until: now.plus_ms(QUEUE_MS) }
    }

    /// How long it may take once it is sent, ms.
    fn patience_ms(&self) -> u64 {
        match &self.what {
            What::Claim(request) => request.wait_ms.saturating_add(REPLY_MS),
            What::Discover(_) => REPLY_MS,
            What::Offer(_) => ANSWER_MS,
        }
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
            call.sent = true;
            call.until = now.plus_ms(call.patience_ms());
            let what = call.what.clone();
            let frame = self.frame_of(id, what);
            self.send(frame);
        }
    }

    fn frame_of(&mut self, id: CallId, what: What) -> FromPeer {
        match what {
            What::Claim(request) => FromPeer::Claim(Claim {
                request_id: request_id(id),
                filters: request.filters,
                wait_ms: request.wait_ms,
                lease_ms: request.lease_ms,
                job_id: request.job_id,
                attempt: request.attempt,
                count: 1,
                seat: None,
            }),
            What::Discover(filters) => {
                self.discoveries.push_back(id);
                FromPeer::DiscoverPeers(Discover { from_peer_id: self.setup.peer_id.clone(), filters, absent: false })
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

    pub(super) fn peers(&mut self, peers: Vec<PeerEntry>) {
        // Abandoned discoveries stay in the line of answers, so that the next answer is not taken for theirs.
        let Some(call) = self.discoveries.pop_front() else { return };
        if self.calls.remove(&call).is_some() {
            self.out.push_back(Effect::DiscoverDone { call, outcome: Ok(peers) });
        }
    }

    pub(super) fn claimed(&mut self, claimed: Claimed) {
        let call = self.claim_named(&claimed.request_id);
        if let Some(call) = call {
            self.calls.remove(&call);
            self.hold(&claimed);
            self.out.push_back(Effect::ClaimDone { call, outcome: Ok(claimed) });
        } else if !self.claims.contains_key(&claimed.claim_id) {
            self.send(FromPeer::Release(Release { claim_id: claimed.claim_id.clone() }));
            self.out.push_back(Effect::Report(Fact::LateClaim { claim: claimed.claim_id }));
        }
    }

    pub(super) fn refused(&mut self, refused: ClaimRefused) {
        if let Some(call) = self.claim_named(&refused.request_id) {
            self.close(call, Failure::Refused(refused));
        }
    }

    fn claim_named(&self, name: &str) -> Option<CallId> {
        let is_it = |id: CallId, call: &Call| matches!(call.what, What::Claim(_)) && request_id(id) == name;
        self.calls.iter().find(|(id, call)| call.sent && is_it(**id, call)).map(|(id, _)| *id)
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
        let claim = self.calls.iter().find(|(_, call)| call.sent && matches!(call.what, What::Claim(_)));
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
            What::Claim(_) | What::Discover(_) => None,
        })
    }

    pub(super) fn fail_offers_of(&mut self, claim: &ClaimId, failure: &Failure) {
        let calls: Vec<CallId> =
            self.offers().filter(|(_, offer)| offer.claim.as_ref() == Some(claim)).map(|(id, _)| id).collect();
        for call in calls {
            self.close(call, failure.clone());
        }
    }

    /// The line broke: what was sent fails, what still waits may wait on.
    pub(super) fn fail_sent(&mut self, failure: &Failure) {
        self.discoveries.clear();
        let sent: Vec<CallId> = self.calls.iter().filter(|(_, call)| call.sent).map(|(id, _)| *id).collect();
        for call in sent {
            self.close(call, failure.clone());
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
                What::Claim(_) | What::Discover(_) if call.sent => {
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
        if let Some(Call { what: What::Offer(offer), .. }) = self.calls.remove(&call) {
            self.give_back(&offer);
        }
    }

    fn close(&mut self, id: CallId, failure: Failure) {
        if let Some(call) = self.calls.remove(&id) {
            self.fail(id, call, failure);
        }
    }

    fn fail(&mut self, call: CallId, what: Call, failure: Failure) {
        let effect = match what.what {
            What::Claim(_) => Effect::ClaimDone { call, outcome: Err(failure) },
            What::Discover(_) => Effect::DiscoverDone { call, outcome: Err(failure) },
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

fn request_id(call: CallId) -> String {
    format!("r{}", call.0)
}
