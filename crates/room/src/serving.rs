//! How a worker is booked: one pass over those who wait, whenever something may have become possible for one of them.
//!
//! In order, each claim takes its workers out of the free ones that it matches, all of them or none. If it cannot have all of
//! them yet but some day can, it keeps the free ones for itself: those behind must not live on what it waits for. A claim whose
//! member holds too many, or whose client is away, is passed over and keeps nothing; nor are workers kept for more than its
//! member may hold.

use std::collections::{BTreeMap, BTreeSet};

use sleap_rtc_wire::claim::{Claim, ClaimGranted, Claimed};
use sleap_rtc_wire::{MemberId, PeerId, Time, ToPeer, limits};

use crate::line::{Client, Entry, Group, GroupId, Place};
use crate::peers::Joined;
use crate::pool::{Set, Work};
use crate::queue::{Waiting, order};
use crate::slot::{Slot, claim_id};
use crate::workers::means;
use crate::{Fact, Room};

/// A claim in line and the workers that it gets.
pub(crate) struct Booking {
    place: Place,
    workers: Vec<Joined>,
}

impl Room {
    /// Whether workers are given out at all.
    pub(crate) fn may_grant(&self) -> bool {
        self.lifetime.is_committed() && !self.lifetime.is_removing() && self.recovery.is_none()
    }

    /// Gives those who wait what they can have now.
    pub(crate) fn serve(&mut self, now: Time) {
        if !self.line.is_stale || !self.may_grant() {
            return;
        }
        while std::mem::take(&mut self.line.is_stale) {
            let bookings = self.plan(now);
            // Whoever gets something may have kept workers for another of its claims, which now exceeds what it may hold.
            let mut again = false;
            for booking in bookings {
                let Some(entry) = self.line.remove(booking.place) else { continue };
                again |= self.line.of_member(&entry.member).next().is_some();
                if let Client::Here(client) = entry.at {
                    self.line.turns.had(&entry.member, &entry.claim.job_id, self.seat_is_good_ms(), now);
                    for worker in booking.workers {
                        self.grant(client, worker, &entry.claim, now);
                    }
                }
            }
            self.line.is_stale = again;
        }
    }

    /// Who gets whom.
    pub(crate) fn plan(&self, now: Time) -> Vec<Booking> {
        let mut left = self.pool.all(Work::Free).clone();
        let mut bookings = Vec::new();
        if self.line.is_empty() || left.is_empty() {
            return bookings;
        }
        let mut given: BTreeMap<&MemberId, usize> = BTreeMap::new();
        let mut kept: BTreeMap<&MemberId, usize> = BTreeMap::new();
        let hopeful = self.hopeful(&left);
        let mut spent = BTreeSet::new();
        for waiting in self.places(&hopeful, now) {
            if spent.len() == hopeful.len() {
                break;
            }
            let Some(entry) = self.line.get(waiting.place) else { continue };
            let (Client::Here(client), Some(group)) = (entry.at, self.line.group(entry.group)) else { continue };
            let wanted = entry.claim.count as usize;
            let given = given.entry(waiting.member).or_default();
            let would_hold = self.claims.open(waiting.member) + *given + wanted;
            if spent.contains(&entry.group) || would_hold > limits::OPEN_CLAIMS {
                continue;
            }
            if !group.matching.meets(&left) {
                spent.insert(entry.group);
                continue;
            }
            let chosen = self.choose(group, &left, client, wanted);
            if chosen.len() < wanted {
                let kept = kept.entry(waiting.member).or_default();
                if would_hold + *kept > limits::OPEN_CLAIMS || !self.may_have(entry, group, client) {
                    continue;
                }
                *kept += wanted;
            }
            for (_, number) in &chosen {
                left.remove(*number);
            }
            if chosen.len() == wanted {
                *given += wanted;
                let workers = chosen.into_iter().map(|(joined, _)| joined).collect();
                bookings.push(Booking { place: waiting.place, workers });
            }
        }
        bookings
    }

    /// The groups that match a free worker.
    fn hopeful(&self, free: &Set) -> BTreeSet<GroupId> {
        self.line.groups().filter(|(_, group)| group.matching.meets(free)).map(|(id, _)| id).collect()
    }

    /// The claims of these groups in the order in which they are served.
    fn places(&self, groups: &BTreeSet<GroupId>, now: Time) -> Vec<Waiting<'_>> {
        let groups = groups.iter().filter_map(|group| self.line.group(*group));
        let places = groups.flat_map(|group| group.places.iter().copied());
        let waiting = places.filter_map(|place| Some(Waiting { place, member: &self.line.get(place)?.member }));
        order(waiting.collect(), |member| self.claims.open(member), now)
    }

    /// At most so many of those who are left and match, the one that has been idle longest first.
    fn choose(&self, group: &Group, left: &Set, client: Joined, wanted: usize) -> Vec<(Joined, u32)> {
        let idle = self.presence.idle();
        let candidates = group.matching.shared(left) as usize;
        let numbered = |joined: Joined| Some((joined, self.presence.get(joined)?.number?));
        let fits =
            |(joined, number): &(Joined, u32)| *joined != client && left.has(*number) && group.matching.has(*number);
        // One look at as many of the idle as there are candidates: mostly that is enough, and it costs no more than the candidates.
        let in_order = idle.iter().take(candidates).filter_map(|(_, joined)| numbered(*joined));
        let first: Vec<(Joined, u32)> = in_order.filter(fits).take(wanted).collect();
        if first.len() == wanted || idle.len() <= candidates {
            return first;
        }
        let free_as = |number: u32| {
            let joined = self.presence.by_id(self.pool.name(number)?)?;
            Some((self.presence.get(joined)?.free_as?, joined, number))
        };
        let mut all: Vec<(u64, Joined, u32)> = group.matching.both(left).filter_map(free_as).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, joined, number)| (joined, number)).filter(fits).take(wanted).collect()
    }

    /// Whether as many as it wants are free or will be.
    fn may_have(&self, entry: &Entry, group: &Group, client: Joined) -> bool {
        let outlook = self.numbers(group, self.presence.get(client).and_then(|peer| peer.number));
        outlook.free + outlook.workers.busy >= entry.claim.count
    }

    pub(crate) fn grant(&mut self, client: Joined, worker: Joined, claim: &Claim, now: Time) {
        let fence = self.claims.next_fence(self.record.epoch);
        let Some(worker) = self.presence.get_mut(worker) else { return };
        worker.last_granted = fence.counter;
        let (worker_id, worker_conn, worker_member) = (worker.id.clone(), worker.conn, worker.member.clone());
        let Some(client) = self.presence.get(client) else { return };
        let (client_conn, member) = (client.conn, client.member.clone());
        let grant = ClaimGranted {
            claim_id: claim_id(fence),
            fence,
            client: client.id.clone(),
            client_key: client.key,
            job_id: claim.job_id.clone(),
            attempt: claim.attempt,
            lease_until: now.plus_ms(claim.lease_ms.clamp(1, limits::LEASE_MS)),
        };
        let slot = Slot::leased(grant.clone(), claim.request_id.clone(), Some(member.clone()), true, worker_member);
        let claimed = self.claimed(&worker_id, &slot);
        self.remember_attempt(&member, &slot);
        self.claims.insert(worker_id.clone(), slot);
        self.reindex(&worker_id);
        self.send(worker_conn, ToPeer::ClaimGranted(grant));
        self.send(client_conn, ToPeer::Claimed(claimed));
        self.report(Fact::Granted);
    }

    pub(crate) fn claimed(&self, worker: &PeerId, slot: &Slot) -> Claimed {
        let key = self.presence.by_id(worker).and_then(|joined| self.presence.get(joined)).and_then(|peer| peer.key);
        Claimed {
            request_id: slot.request_id.clone(),
            claim_id: slot.grant.claim_id.clone(),
            fence: slot.grant.fence,
            worker: worker.clone(),
            worker_key: key,
            lease_until: slot.grant.lease_until,
        }
    }

    /// What a connected worker does has changed: to be called whenever a claim on it or its own word is another.
    pub(crate) fn settle_work(&mut self, joined: Joined) {
        let Some(peer) = self.presence.get_mut(joined).filter(|peer| peer.is_bookable()) else { return };
        let work = Work::of(peer);
        peer.number = Some(self.pool.set(&peer.id, work, peer.free_at()));
        // A worker that will not be free any more may be what others kept a free one for.
        self.line.is_stale |= work != Work::Busy;
        self.line.has_news = true;
    }

    /// Which filters in line a connected worker matches has changed.
    pub(crate) fn settle_matches(&mut self, joined: Joined) {
        self.settle_work(joined);
        if let Some(peer) = self.presence.get(joined)
            && let Some(number) = peer.number
        {
            self.line.match_worker(number, |filters| means(filters, &peer.metadata));
        }
    }

    /// A worker is not in the pool any more.
    pub(crate) fn leave_pool(&mut self, worker: &PeerId) {
        if let Some(number) = self.pool.remove(worker) {
            self.line.match_worker(number, |_| false);
        }
    }
}
