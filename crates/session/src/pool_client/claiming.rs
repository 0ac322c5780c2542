//! A claim from its first asking until its workers have come: in line, over broken lines, all workers or none.

use sleap_rtc_wire::claim::{Claim, ClaimEnded, ClaimRefused, ClaimWaiting, Claimed, Release, Seat, Withdraw};
use sleap_rtc_wire::{ClaimId, FromPeer, Time};

use super::PoolClient;
use super::calls::{Call, REPLY_MS, What};
use super::effect::{CallId, ClaimRequest, Effect, Fact, Failure};

/// A claim that is open.
#[derive(Clone, Debug)]
pub(super) struct Claiming {
    request: ClaimRequest,
    /// When its wait is over, by the first asking.
    until: Option<Time>,
    /// The place in line, in the server's hand.
    seat: Option<Seat>,
    /// Whether the server we are connected to has it in line.
    pub(super) in_line: bool,
    /// What has come of what was asked for.
    granted: Vec<Claimed>,
}

impl Claiming {
    pub(super) fn new(request: ClaimRequest) -> Self {
        Self { request, until: None, seat: None, in_line: false, granted: Vec::new() }
    }

    /// The server is asked now; answers until when its answer may come.
    pub(super) fn asked(&mut self, now: Time) -> Time {
        let until = *self.until.get_or_insert(now.plus_ms(self.request.wait_ms));
        until.max(now).plus_ms(REPLY_MS)
    }

    /// How long it may still wait, ms.
    pub(super) fn left_ms(&self, now: Time) -> u64 {
        self.until.map_or(self.request.wait_ms, |until| until.since(now))
    }

    /// What came is told again if it still holds: the same request, while its claims are unused, gets the same claims.
    pub(super) fn line_broke(&mut self) {
        self.in_line = false;
        self.granted.clear();
    }

    pub(super) fn frame(&self, id: CallId, now: Time) -> Claim {
        let ClaimRequest { filters, count, lease_ms, job_id, attempt, .. } = self.request.clone();
        let (request_id, wait_ms, seat) = (request_id(id), self.left_ms(now), self.seat.clone());
        Claim { request_id, filters, wait_ms, lease_ms, job_id, attempt, count, seat }
    }
}

impl PoolClient {
    pub(super) fn waiting(&mut self, waiting: ClaimWaiting) {
        let Some((_, claiming)) = self.claiming(&waiting.request_id) else { return };
        claiming.in_line = true;
        if waiting.seat.is_some() {
            claiming.seat.clone_from(&waiting.seat);
        }
        self.out.push_back(Effect::Report(Fact::Waiting(waiting)));
    }

    pub(super) fn claimed(&mut self, claimed: Claimed) {
        let Some((call, claiming)) = self.claiming(&claimed.request_id) else {
            if !self.claims.contains_key(&claimed.claim_id) {
                self.send(FromPeer::Release(Release { claim_id: claimed.claim_id.clone() }));
                self.out.push_back(Effect::Report(Fact::LateClaim { claim: claimed.claim_id }));
            }
            return;
        };
        if claiming.granted.iter().any(|granted| granted.claim_id == claimed.claim_id) {
            return;
        }
        let claim = claimed.claim_id.clone();
        claiming.granted.push(claimed);
        let all = claiming.granted.len() >= claiming.request.count as usize;
        let granted = if all { std::mem::take(&mut claiming.granted) } else { Vec::new() };
        self.claims.insert(claim, Some(call));
        if all {
            self.calls.remove(&call);
            for claimed in &granted {
                self.claims.insert(claimed.claim_id.clone(), None);
            }
            self.release_of(call);
            self.out.push_back(Effect::ClaimDone { call, outcome: Ok(granted) });
        }
    }

    pub(super) fn refused(&mut self, refused: ClaimRefused) {
        if let Some((call, _)) = self.claiming(&refused.request_id) {
            self.close(call, Failure::Refused(refused));
        }
    }

    pub(super) fn claim_ended(&mut self, ended: &ClaimEnded) {
        let Some(call) = self.claims.remove(&ended.claim_id) else { return };
        self.fail_offers_of(&ended.claim_id, &Failure::ClaimEnded(ended.reason));
        self.out.push_back(Effect::Report(Fact::ClaimEnded(ended.clone())));
        let came = |call: &Call| match &call.what {
            What::Claim(claiming) => claiming.granted.iter().any(|granted| granted.claim_id == ended.claim_id),
            What::Discover { .. } | What::Offer(_) => false,
        };
        // One of several is gone before the others came: all of them, or none.
        if let Some(call) = call.filter(|id| self.calls.get(id).is_some_and(came)) {
            self.close(call, Failure::ClaimEnded(ended.reason));
        }
    }

    /// The open claim that the server means.
    fn claiming(&mut self, name: &str) -> Option<(CallId, &mut Claiming)> {
        self.calls.iter_mut().filter(|(_, call)| call.sent).find_map(|(id, call)| match &mut call.what {
            What::Claim(claiming) if request_id(*id) == name => Some((*id, claiming)),
            _ => None,
        })
    }

    pub(super) fn claim_named(&mut self, name: &str) -> Option<CallId> {
        self.claiming(name).map(|(id, _)| id)
    }

    /// Gives up the place in line. If the claim is granted in this very moment, it is given back when it comes.
    pub(super) fn withdraw(&mut self, call: CallId, claiming: &Claiming, sent: bool) {
        if sent && claiming.request.wait_ms > 0 {
            self.send(FromPeer::Withdraw(Withdraw { request_id: request_id(call) }));
        }
    }

    /// Gives up every place in line.
    pub(super) fn withdraw_all(&mut self) {
        let waiting: Vec<(CallId, Claiming, bool)> = self
            .calls
            .iter()
            .filter_map(|(id, call)| match &call.what {
                What::Claim(claiming) => Some((*id, claiming.clone(), call.sent)),
                What::Discover { .. } | What::Offer(_) => None,
            })
            .collect();
        for (call, claiming, sent) in waiting {
            self.withdraw(call, &claiming, sent);
        }
    }

    /// Gives back what came for a call that did not get all of it.
    pub(super) fn release_of(&mut self, call: CallId) {
        let partial = self.claims.iter().filter(|(_, of)| **of == Some(call));
        let partial: Vec<ClaimId> = partial.map(|(claim, _)| claim.clone()).collect();
        for claim in partial {
            self.release(&claim);
        }
    }
}

/// How a call is named to the server; the same whenever it is asked.
fn request_id(call: CallId) -> String {
    format!("r{}", call.0)
}
