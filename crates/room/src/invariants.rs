//! What must hold after every input, by name.
//!
//! [`Room::violations`] looks at everything and is for the simulator and for tests; a debug build looks at what is cheap after
//! every input.

use std::collections::BTreeMap;

use sleap_rtc_wire::{JobId, MemberId, Time, limits};

use crate::Room;
use crate::hold::{Course, Stage};
use crate::line::Client;
use crate::pool::{Set, Work};

/// A rule and whether it holds.
type Rule = (&'static str, fn(&Room, Time) -> bool);

/// Every rule of a room that is not over.
const RULES: [Rule; 19] = [
    ("a slot is away exactly while its worker is not connected", slots_know_their_workers),
    ("no fence in use is higher than the last one given", fences_are_given),
    ("no claim outlives its lease unless it is used", leases_end),
    ("a deadline is kept for each unused claim and for nothing else", claim_deadlines_are_true),
    ("one try of a job has workers that are not lost", one_try_of_a_job),
    ("a member holds no more than its claims", members_are_bounded),
    ("a claim in line has a client that is here or was here a moment ago", line_has_clients),
    ("a member waits once for a job, and not for one that runs", line_has_no_doubles),
    ("the line is no longer than it may be", line_is_bounded),
    ("what waits is filed under its filters, its member and its deadline", line_is_filed),
    ("nobody waits who could be granted now", nobody_starves),
    ("the pool knows every worker, and what it does", pool_is_true),
    ("a filter in line knows who matches", matches_are_true),
    ("a worker that is missed is not connected", absent_are_absent),
    ("no more workers are missed than peers may be here", absent_are_bounded),
    ("only a worker that takes no part in claims is somebody's without one", holds_are_of_old_workers),
    ("a worker that somebody has is not shown as free, and nobody else of its kind as taken", holds_are_shown),
    ("nobody has a worker without a reason", holds_have_reasons),
    ("what has a worker is filed under its times and its client", holds_are_filed),
];

impl Room {
    /// The rules that do not hold at the moment; none, ever. Costs as much as the room is large.
    pub fn violations(&self, now: Time) -> Vec<&'static str> {
        if self.lifetime.is_over() {
            return Vec::new();
        }
        RULES.iter().filter(|(_, holds)| !holds(self, now)).map(|(rule, _)| *rule).collect()
    }

    /// Cheap enough for every input of a debug build.
    #[cfg(debug_assertions)]
    pub(crate) fn check_invariants(&self, now: Time) {
        if self.lifetime.is_over() {
            return;
        }
        self.presence.check();
        self.claims.check(now);
        debug_assert!(self.line.next_deadline().is_none_or(|at| at > now), "no wait is longer than it should be");
        debug_assert!(line_is_bounded(self, now), "the line is no longer than it may be");
        debug_assert!(absent_are_bounded(self, now), "no more workers are missed than peers may be here");
    }
}

fn slots_know_their_workers(room: &Room, _: Time) -> bool {
    room.claims.slots().all(|(worker, slot)| slot.is_away() == room.presence.by_id(worker).is_none())
}

fn fences_are_given(room: &Room, _: Time) -> bool {
    room.claims.slots().all(|(_, slot)| room.claims.has_given(slot.grant.fence, room.record.epoch))
}

fn leases_end(room: &Room, now: Time) -> bool {
    room.claims.slots().all(|(_, slot)| slot.is_used() || slot.grant.lease_until > now)
}

fn claim_deadlines_are_true(room: &Room, now: Time) -> bool {
    room.claims.deadlines_are_true() && room.claims.next_deadline().is_none_or(|at| at > now)
}

fn one_try_of_a_job(room: &Room, _: Time) -> bool {
    let mut tries: BTreeMap<(&MemberId, &JobId), u32> = BTreeMap::new();
    let at_work = room.claims.slots().filter(|(_, slot)| slot.granted_here && !slot.is_lost());
    at_work
        .filter_map(|(_, slot)| Some((slot.client_member.as_ref()?, &slot.grant)))
        .all(|(member, grant)| *tries.entry((member, &grant.job_id)).or_insert(grant.attempt) == grant.attempt)
}

/// A lost worker that comes back may bring its client one more than it may have.
fn members_are_bounded(room: &Room, _: Time) -> bool {
    let leased =
        |member| room.claims.of_member(member).filter(|(_, slot)| slot.granted_here && !slot.is_used()).count();
    let members = room.claims.slots().filter_map(|(_, slot)| slot.client_member.as_ref());
    members.into_iter().all(|member| leased(member) <= limits::OPEN_CLAIMS)
}

fn line_has_clients(room: &Room, now: Time) -> bool {
    room.line.entries().all(|(_, entry)| match entry.at {
        Client::Here(joined) => {
            room.presence.get(joined).is_some_and(|peer| peer.id == entry.client && peer.member == entry.member)
        }
        Client::Away(until) => until > now,
    })
}

fn line_has_no_doubles(room: &Room, _: Time) -> bool {
    room.line.entries().all(|(place, entry)| {
        let job = &entry.claim.job_id;
        let mut others = room.line.of_member(&entry.member).filter(|(other, _)| *other != place);
        let mut at_work =
            room.claims_on_job(&entry.member, job).filter(|(_, slot)| slot.granted_here && !slot.is_lost());
        others.all(|(_, other)| other.claim.job_id != *job) && at_work.next().is_none()
    })
}

fn line_is_bounded(room: &Room, _: Time) -> bool {
    room.line.len() <= limits::LINE
}

fn line_is_filed(room: &Room, now: Time) -> bool {
    room.line.is_filed() && room.line.next_deadline().is_none_or(|at| at > now)
}

fn nobody_starves(room: &Room, now: Time) -> bool {
    !room.may_grant() || room.plan(now).is_empty()
}

fn pool_is_true(room: &Room, _: Time) -> bool {
    let peers = room.presence.with_role(None).map(|(_, peer)| peer);
    let connected = peers.filter(|peer| peer.is_bookable()).map(|peer| (&peer.id, Work::of(peer)));
    let missed = room.absent.workers().map(|(worker, _)| (worker, Work::Absent));
    let all: BTreeMap<_, _> = connected.chain(missed).collect();
    room.pool.is_exactly(&all)
        && room.presence.with_role(None).all(|(_, peer)| peer.number == room.pool.number(&peer.id))
}

fn matches_are_true(room: &Room, _: Time) -> bool {
    let same = |a: &Set, b: &Set| a.both(a).eq(b.both(b));
    room.line.groups().all(|(_, group)| same(&group.matching, &room.matching_workers(&group.filters)))
}

fn absent_are_absent(room: &Room, _: Time) -> bool {
    room.absent.workers().all(|(worker, _)| room.presence.by_id(worker).is_none())
}

fn absent_are_bounded(room: &Room, _: Time) -> bool {
    room.absent.len() <= room.config.max_peers.saturating_add(room.claims.away())
}

fn holds_are_of_old_workers(room: &Room, _: Time) -> bool {
    room.holds.iter().all(|(worker, hold)| {
        let peer = room.presence.by_id(worker).and_then(|joined| room.presence.get(joined));
        let is_known = peer.is_none_or(|peer| peer.is_old_worker() && peer.member == hold.member);
        is_known && peer.is_none() == hold.away_since.is_some() && room.claims.slot(worker).is_none()
    })
}

fn holds_are_shown(room: &Room, _: Time) -> bool {
    let old = room.presence.with_role(None).filter(|(_, peer)| peer.is_old_worker());
    old.into_iter().all(|(joined, peer)| match room.holds.get(&peer.id) {
        Some(hold) => {
            let shown = peer.property("status").and_then(serde_json::Value::as_str);
            shown == Some(hold.status()) && !peer.is_free() && !room.presence.free().contains(&joined)
        }
        None => peer.shown.is_none(),
    })
}

/// A client has a worker for as long as both are connected, or for some time; a job only for some time after it was last heard of.
fn holds_have_reasons(room: &Room, now: Time) -> bool {
    let config = &room.config;
    let within = |until: Time, most_ms: u64| until > now && until <= now.plus_ms(most_ms);
    room.holds.iter().all(|(_, hold)| {
        let guest = hold.guest.as_ref().is_none_or(|guest| {
            let here = guest.conn.and_then(|conn| room.presence.by_conn(conn)).is_some();
            let most_ms = if guest.stage == Stage::Engaged { config.stale_ms } else { config.answer_ms };
            let is_sure = here && hold.away_since.is_none() && guest.stage == Stage::Engaged;
            guest.until.map_or(is_sure || guest.gone_until.is_some(), |until| within(until, most_ms))
                && guest.gone_until.is_none_or(|until| within(until, config.left_ms))
                && here == guest.conn.is_some()
        });
        let errand = hold.errand.as_ref().is_none_or(|errand| {
            within(
                errand.until,
                match errand.course {
                    Course::Assigned => config.answer_ms,
                    Course::Running => config.stale_ms,
                    Course::Ending => config.part_ms,
                },
            )
        });
        guest && errand && !hold.is_empty()
    })
}

fn holds_are_filed(room: &Room, _: Time) -> bool {
    room.holds.is_filed() && room.holds.away() <= room.config.max_peers
}
