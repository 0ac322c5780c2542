//! The world: what is in it, and the loop that lets one thing happen after the other.

use std::sync::LazyLock;

use sleap_rtc_session::KeyPair;
use sleap_rtc_wire::record::{
    Change, IdentityKind, IdentityRecord, MemberRole, MembershipRecord, RoomKind, RoomRecord, Switches,
};
use sleap_rtc_wire::{MemberId, PeerId, PublicKey, RoomId};

use crate::clock::Clock;
use crate::event::{Event, Queue};
use crate::model::{Model, Violation};
use crate::network::{Link, Wire};
use crate::plan::{Kind, MEMBERS, Plan};
use crate::random::Random;
use crate::seen::{Note, Seen};
use crate::server::{Hall, Server};
use crate::store::Store;
use crate::tape::Tape;
use crate::trace::Trace;
use crate::{client, old, rough, worker};

/// More events than this in one millisecond never end.
const AT_ONCE: u32 = 10_000;
/// How often everything is looked at, events.
const WHOLE: u64 = 100;

/// Somebody with a key.
pub(crate) struct Member {
    pub(crate) key: KeyPair,
    pub(crate) public: PublicKey,
    pub(crate) id: MemberId,
}

/// The same few in every world, because making a key costs more than an event.
static KEYS: LazyLock<Vec<Member>> = LazyLock::new(|| {
    (0..MEMBERS as u8)
        .map(|index| {
            let key = KeyPair::from_seed(&[index + 1; 32]);
            let public = key.public();
            Member { key, public, id: public.member() }
        })
        .collect()
});

pub(crate) fn member(index: usize) -> &'static Member {
    &KEYS[index % MEMBERS]
}

/// A room as people know it: by its name and its password, whether it is there or not.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) id: RoomId,
    pub(crate) token: String,
    /// How often it was made.
    pub(crate) made: u32,
}

/// A machine of a peer, and what runs on it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) room: usize,
    pub(crate) member: usize,
    pub(crate) clock: Clock,
    /// Which process it is on; nothing of an earlier one counts.
    pub(crate) life: u32,
    pub(crate) wire: Option<usize>,
    /// Which try to connect.
    pub(crate) attempt: u32,
    pub(crate) blocked_until: u64,
    pub(crate) disk_fails_until: u64,
    /// It is killed while it writes its next record, for so long.
    pub(crate) dies_writing: Option<u64>,
    /// It is told to end at once while it writes down how a job ended.
    pub(crate) ends_at_end: bool,
    /// When its machine wants to be woken.
    pub(crate) wake: Option<u64>,
    pub(crate) worker: Option<Box<worker::Process>>,
    pub(crate) client: Option<Box<client::Process>>,
    pub(crate) rough: Option<Box<rough::Process>>,
    pub(crate) old: Option<Box<old::Process>>,
    /// When the last of what its disk was asked for is done.
    pub(crate) disk_at: u64,
    pub(crate) disk: worker::Disk,
    pub(crate) desk: client::Desk,
}

/// Everything.
pub struct World {
    pub(crate) plan: Plan,
    /// ms since the beginning.
    pub(crate) now: u64,
    pub(crate) random: Random,
    pub(crate) queue: Queue,
    pub(crate) slow_until: u64,
    pub(crate) wires: Vec<Wire>,
    pub(crate) links: Vec<Link>,
    pub(crate) store: Store,
    pub(crate) servers: Vec<Server>,
    /// Each loading of a room.
    pub(crate) halls: Vec<Option<Box<Hall>>>,
    pub(crate) places: Vec<Place>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) model: Model,
    pub(crate) seen: Seen,
    pub(crate) trace: Trace,
    /// What each loading of a room is told, if that is kept.
    pub(crate) tapes: Option<Vec<Tape>>,
    /// How many events there have been.
    pub(crate) steps: u64,
    next_act: usize,
    /// Faults have stopped.
    pub(crate) calm: bool,
    /// Nobody comes any more.
    pub(crate) over: bool,
    /// Workers go as well.
    pub(crate) closing: bool,
    pub(crate) broken: Option<Violation>,
    /// How many events there have been in this moment.
    at_once: u32,
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(plan: Plan) -> Self {
        let mut random = Random::new(plan.seed.wrapping_mul(0x9e37_79b9).wrapping_add(1));
        let nodes = plan.peers.iter().map(|peer| Node::new(peer, &mut random)).collect();
        let mut world = Self {
            now: 0,
            random,
            queue: Queue::default(),
            slow_until: 0,
            wires: Vec::new(),
            links: Vec::new(),
            store: Store::default(),
            servers: Vec::new(),
            halls: Vec::new(),
            places: Vec::new(),
            nodes,
            model: Model::default(),
            seen: Seen::default(),
            trace: Trace::default(),
            tapes: None,
            steps: 0,
            next_act: 0,
            calm: false,
            over: false,
            closing: false,
            broken: None,
            at_once: 0,
            plan,
        };
        world.serve(0);
        for room in 0..world.plan.rooms.len() {
            let id = RoomId::new(&format!("room{room}")).unwrap_or_else(|_| unreachable!("a valid id"));
            world.places.push(Place { id, token: String::new(), made: 0 });
            world.make_room(room);
        }
        for who in 0..world.nodes.len() {
            let at = world.random.below(3_000);
            world.queue.push(at, Event::Start { who });
        }
        world
    }

    /// Has a room made, as `/create-room` and the operator's `room create` do.
    pub(crate) fn make_room(&mut self, room: usize) {
        let plan = self.plan.rooms[room].clone();
        let now = self.server_time();
        let place = &mut self.places[room];
        if self.store.rooms.contains_key(&place.id) || self.over {
            return;
        }
        place.made += 1;
        if place.made > 1 {
            self.seen.note(Note::RoomMadeAgain);
        }
        place.token = format!("token-{room}-{}", place.made);
        let (kind, ttl_ms) = match plan.named {
            None => (RoomKind::Ephemeral, Some(7_200_000)),
            Some(0) => (RoomKind::Named, None),
            Some(seconds) => (RoomKind::Named, Some(seconds * 1000)),
        };
        let created_by = member(plan.owner).id.clone();
        let record = RoomRecord {
            room_id: place.id.clone(),
            token: place.token.clone(),
            created_by: created_by.clone(),
            created_at: now,
            name: plan.named.map(|_| format!("room {room}")),
            kind,
            ttl_ms,
            expires_at: ttl_ms.map(|ttl_ms| now.plus_ms(ttl_ms)),
            epoch: now.0,
            switches: Switches::default(),
        };
        let (room_id, role) = (place.id.clone(), MemberRole::Owner);
        let membership = MembershipRecord { room_id, member: created_by, role, joined_at: now };
        self.store.apply(&[Change::PutRoom(record), Change::PutMembership(membership)]);
    }

    /// Signs somebody in.
    pub(crate) fn sign_in(&mut self, member: &MemberId, key: Option<PublicKey>) {
        if self.store.identities.contains_key(member) {
            return;
        }
        let kind = if key.is_some() { IdentityKind::Key } else { IdentityKind::Anonymous };
        let username = member.as_str().to_owned();
        let created_at = self.server_time();
        let record = IdentityRecord { member: member.clone(), kind, username, key, created_at };
        self.store.apply(&[Change::PutIdentity(record)]);
    }

    /// The peer id of a node's process.
    pub(crate) fn peer_id(&self, who: usize) -> PeerId {
        let node = &self.nodes[who];
        let text = match node.kind {
            Kind::Worker => format!("worker{who}"),
            Kind::Client => format!("client{who}-{}", node.life),
            Kind::Plain => format!("plain{}", who % 2),
            Kind::Rough => format!("rough{who}"),
            Kind::OldWorker => format!("old{who}-{}", node.life),
            // A person's name, of which there are two.
            Kind::OldClient => format!("user{}", who % 2),
        };
        PeerId::new(&text).unwrap_or_else(|_| unreachable!("a valid id"))
    }

    /// Lets one thing happen; `false`: nothing is left, or a rule is broken.
    pub fn step(&mut self) -> bool {
        while let Some(act) =
            self.plan.acts.get(self.next_act).copied().filter(|act| act.at <= self.steps && !self.calm)
        {
            self.next_act += 1;
            self.trace.act(self.now, &act);
            self.act(act);
        }
        let Some((at, event)) = self.queue.pop() else { return false };
        self.at_once = if at > self.now { 0 } else { self.at_once + 1 };
        self.now = self.now.max(at);
        if self.at_once > AT_ONCE {
            let text = format!("{} events at {}, the last {event:?}", self.at_once, self.now);
            self.violate(Violation::new(crate::model::Rule::EverythingComesToAnEnd, text));
        }
        self.trace.event(self.now, self.steps, &event);
        if self.happens(event) {
            self.steps += 1;
            if self.steps.is_multiple_of(WHOLE) {
                self.check_everything();
            }
        }
        self.broken.is_none()
    }

    /// `false`: nobody was there to hear of it, or it was not time yet.
    fn happens(&mut self, event: Event) -> bool {
        match event {
            Event::Start { who } => self.start(who),
            Event::Wake { who, life, at } => return self.wake(who, life, at),
            Event::Whim { who, life } => return self.whim(who, life),
            Event::Old { who, life, next } => return self.old_does(who, life, next),
            Event::Knock { who, life, attempt, fresh } => self.knock(who, life, attempt, fresh),
            Event::Open { who, life, attempt, wire } => self.opened(who, life, attempt, wire),
            Event::Shut { who, life, attempt } => self.shut(who, life, attempt),
            Event::Up { wire, frame } => return self.up(wire, *frame),
            Event::Down { wire, frame } => return self.down(wire, *frame),
            Event::ServerHears { wire } => self.server_hears(wire),
            Event::PeerHears { wire } => self.peer_hears(wire),
            Event::RoomWake { hall, at } => return self.room_wake(hall, at),
            Event::Commit { hall, write } => self.commit(hall, *write),
            Event::Written { hall, tickets, stored } => self.written(hall, &tickets, stored),
            Event::Sweep { server, whole } => return self.sweep(server, whole),
            Event::Serve { offset_ms } => self.serve(offset_ms),
            Event::EndSecond { server } => self.end_second(server),
            Event::MakeRoom { room } => self.make_room(room),
            Event::Die { who, life, ms } => self.dies(who, life, ms),
            Event::SeenOff { who, life } => self.seen_off(who, life),
            Event::EndNow { who, life } => self.ends_now(who, life),
            Event::Flap { server } => return self.flap(server),
            Event::Disk { who, life, done } => return self.disk_done(who, life, done),
            Event::LinkUp { link, at_worker } => self.link_up(link, at_worker),
            Event::Said { link, at_worker, text } => return self.said(link, at_worker, text),
            Event::LinkDown { link, at_worker } => self.link_down(link, at_worker),
            Event::Answered { who, life, to, sdp } => self.answered(who, life, to, sdp),
            Event::Trainer { who, life, job, run, ends } => self.trainer(who, life, &job, run, ends),
        }
        true
    }

    /// Breaks off: a rule does not hold.
    pub(crate) fn violate(&mut self, violation: Violation) {
        self.broken.get_or_insert(violation);
    }

    /// How many events there have been.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// What has occurred.
    pub const fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The rule that does not hold, if any.
    pub const fn broken(&self) -> Option<&Violation> {
        self.broken.as_ref()
    }

    /// The hash of everything that has happened.
    pub const fn hash(&self) -> u64 {
        self.trace.hash()
    }
}
