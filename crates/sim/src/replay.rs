//! Worlds run, again and again: by seed, by plan, many at once; a failing plan made smaller, written down and read.

use std::fmt::Write;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sleap_rtc_wire::mutation::{self, Mutation};

use crate::plan::{Act, Deed, Kind, Knobs, PeerPlan, Plan, RoomPlan};
use crate::rule::{Rule, Violation};
use crate::seen::Seen;
use crate::world::World;

/// A plan by which a rule does not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The plan.
    pub plan: Plan,
    /// The rule.
    pub violation: Violation,
    /// After how many events.
    pub events: u64,
}

/// Runs one world.
pub fn run(plan: &Plan) -> (World, Option<Failure>) {
    let mut world = World::new(plan.clone());
    // A room's own assertion, in a debug build, is a rule like the others.
    if let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(|| world.run())) {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        world.violate(Violation::new(Rule::RoomsOwnRules, text.unwrap_or_default()));
    }
    let failure = world.broken().cloned();
    let events = world.steps();
    let failure = failure.map(|violation| Failure { plan: plan.clone(), violation, events });
    (world, failure)
}

/// What many worlds have shown.
#[derive(Debug, Default)]
pub struct Sum {
    /// What occurred.
    pub seen: Seen,
    /// How many events there were.
    pub events: u64,
    /// The failures, the lowest seed first.
    pub failures: Vec<Failure>,
}

/// Runs the worlds of these seeds on so many threads. After a failure no new seed is begun.
pub fn run_many(seeds: std::ops::Range<u64>, events: u64, threads: usize) -> Sum {
    let next = AtomicU64::new(seeds.start);
    let sum = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut mine = Sum::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let (world, failure) = run(&Plan::new(seed, events));
                    mine.seen.add(world.seen());
                    mine.events += world.steps();
                    if let Some(failure) = failure {
                        mine.failures.push(failure);
                        next.store(seeds.end, Ordering::Relaxed);
                    }
                }
                let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                sum.seen.add(&mine.seen);
                sum.events += mine.events;
                sum.failures.extend(mine.failures);
            });
        }
    });
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.failures.sort_by_key(|failure| failure.plan.seed);
    sum
}

/// The first of these seeds by which a broken rule is found.
pub fn hunt(broken: Mutation, seeds: std::ops::Range<u64>, events: u64) -> Option<Failure> {
    with_broken(broken, || seeds.into_iter().find_map(|seed| run(&Plan::new(seed, events)).1))
}

/// Does something while a rule is broken, on this thread.
pub fn with_broken<T>(broken: Mutation, what: impl FnOnce() -> T) -> T {
    mutation::set(Some(broken));
    let done = what();
    mutation::set(None);
    done
}

/// Everything that happens by a plan, as text.
pub fn story(plan: &Plan) -> String {
    let mut world = World::new(plan.clone());
    world.trace.keep();
    world.run();
    let mut text = world.trace.text().to_owned();
    if let Some(violation) = world.broken() {
        let _ = writeln!(text, "\n{violation}");
    }
    text
}

/// A smaller plan by which the same rule does not hold: fewer events, acts and peers, as long as that is so.
pub fn shrink(failure: &Failure) -> Failure {
    let mut best = failure.clone();
    loop {
        let before = size(&best.plan);
        shorten(&mut best);
        drop_acts(&mut best);
        drop_peers(&mut best);
        if size(&best.plan) >= before {
            return best;
        }
    }
}

fn size(plan: &Plan) -> u64 {
    plan.events + 100 * (plan.acts.len() + plan.peers.len()) as u64
}

fn try_plan(best: &mut Failure, plan: &Plan) -> bool {
    match run(plan).1 {
        Some(failure) if failure.violation.rule == best.violation.rule => {
            *best = failure;
            true
        }
        _ => false,
    }
}

/// What comes after the rule was broken does not matter.
fn shorten(best: &mut Failure) {
    let events = best.events + 1;
    if events < best.plan.events {
        let acts = best.plan.acts.iter().copied().filter(|act| act.at < events).collect();
        let plan = Plan { events, acts, ..best.plan.clone() };
        try_plan(best, &plan);
    }
}

fn drop_acts(best: &mut Failure) {
    let mut part = best.plan.acts.len().div_ceil(2);
    while part > 0 {
        let mut at = 0;
        while at < best.plan.acts.len() {
            let mut plan = best.plan.clone();
            plan.acts.drain(at..(at + part).min(plan.acts.len()));
            if !try_plan(best, &plan) {
                at += part;
            }
        }
        part /= 2;
    }
}

fn drop_peers(best: &mut Failure) {
    let mut who = best.plan.peers.len();
    while who > 0 {
        who -= 1;
        if best.plan.peers.len() < 2 || who >= best.plan.peers.len() {
            continue;
        }
        let mut plan = best.plan.clone();
        plan.peers.remove(who);
        for act in &mut plan.acts {
            act.who = if act.who > who { act.who - 1 } else { act.who };
        }
        try_plan(best, &plan);
    }
}

/// A plan as text: one line an item.
pub fn write_plan(plan: &Plan) -> String {
    let Plan { seed, events, knobs, rooms, peers, acts } = plan;
    let Knobs { grace_ms, client_grace_ms, lost_ms, recover_ms, settle_ms, identity_ms } = knobs;
    let mut text = format!(
        "seed {seed} {events}\nknobs {grace_ms} {client_grace_ms} {lost_ms} {recover_ms} {settle_ms} {identity_ms}\n"
    );
    for room in rooms {
        let named = room.named.map_or_else(|| "ephemeral".to_owned(), |seconds| seconds.to_string());
        let _ = writeln!(text, "room {named} {}", room.owner);
    }
    for peer in peers {
        let _ = writeln!(text, "peer {} {} {}", kind_name(peer.kind), peer.room, peer.member);
    }
    for act in acts {
        let _ = writeln!(text, "at {} {} {} {}", act.at, act.deed.name(), act.who, act.ms);
    }
    text
}

const KINDS: [(Kind, &str); 6] = [
    (Kind::Worker, "worker"),
    (Kind::Client, "client"),
    (Kind::Plain, "plain"),
    (Kind::Rough, "rough"),
    (Kind::OldWorker, "old-worker"),
    (Kind::OldClient, "old-client"),
];

fn kind_name(kind: Kind) -> &'static str {
    KINDS.iter().find(|(one, _)| *one == kind).map_or("", |(_, name)| name)
}

/// A text that is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the plan is not one: {text:?}")]
pub struct BadPlan {
    /// From 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

/// Reads what [`write_plan`] wrote. Empty lines and those that begin with `#` do not count.
pub fn read_plan(text: &str) -> Result<Plan, BadPlan> {
    let mut plan = Plan::new(0, 0);
    (plan.rooms, plan.peers, plan.acts) = (Vec::new(), Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !words.is_empty() && !line.starts_with('#') && read_line(&mut plan, &words).is_none() {
            return Err(BadPlan { line: index + 1, text: line.to_owned() });
        }
    }
    Ok(plan)
}

fn read_line(plan: &mut Plan, words: &[&str]) -> Option<()> {
    match words {
        ["seed", seed, events] => (plan.seed, plan.events) = (seed.parse().ok()?, events.parse().ok()?),
        ["knobs", grace, client, lost, recover, settle, identity] => {
            plan.knobs = Knobs {
                grace_ms: grace.parse().ok()?,
                client_grace_ms: client.parse().ok()?,
                lost_ms: lost.parse().ok()?,
                recover_ms: recover.parse().ok()?,
                settle_ms: settle.parse().ok()?,
                identity_ms: identity.parse().ok()?,
            };
        }
        ["room", named, owner] => {
            let named = if *named == "ephemeral" { None } else { Some(named.parse().ok()?) };
            plan.rooms.push(RoomPlan { named, owner: owner.parse().ok()? });
        }
        ["peer", kind, room, member] => {
            let (kind, _) = *KINDS.iter().find(|(_, name)| name == kind)?;
            let room = room.parse().ok().filter(|room| *room < plan.rooms.len())?;
            plan.peers.push(PeerPlan { kind, room, member: member.parse().ok()? });
        }
        ["at", at, deed, who, ms] => {
            let (deed, ..) = *Deed::ALL.iter().find(|(_, name, _)| name == deed)?;
            plan.acts.push(Act { at: at.parse().ok()?, deed, who: who.parse().ok()?, ms: ms.parse().ok()? });
        }
        _ => return None,
    }
    Some(())
}
