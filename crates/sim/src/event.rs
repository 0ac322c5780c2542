//! What happens in the world, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sleap_rtc_room::Ticket;
use sleap_rtc_session::DiskRequest;
use sleap_rtc_session::pool_worker::Seen;
use sleap_rtc_wire::record::Change;
use sleap_rtc_wire::{FromPeer, JobId, ToPeer};

/// One thing that happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// A process begins.
    Start { who: usize },
    /// A machine's own time has come.
    Wake { who: usize, life: u32, at: u64 },
    /// A user, or a program without rules, does the next thing.
    Whim { who: usize, life: u32 },
    /// A program of the deployed kind goes on.
    Old { who: usize, life: u32, next: crate::old::Next },
    /// A process is killed.
    Die { who: usize, life: u32, ms: u64 },
    /// A worker is told to end at once.
    EndNow { who: usize, life: u32 },
    /// A worker that has left its room ends.
    SeenOff { who: usize, life: u32 },
    /// Somebody knocks at the server.
    Knock { who: usize, life: u32, attempt: u32, fresh: bool },
    /// The socket is open.
    Open { who: usize, life: u32, attempt: u32, wire: usize },
    /// The socket could not be opened.
    Shut { who: usize, life: u32, attempt: u32 },
    /// A frame arrives at the server.
    Up { wire: usize, frame: Box<FromPeer> },
    /// A frame arrives at a peer.
    Down { wire: usize, frame: Box<ToPeer> },
    /// The server hears that a connection is gone.
    ServerHears { wire: usize },
    /// The peer hears that a connection is gone.
    PeerHears { wire: usize },
    /// A room's own time has come.
    RoomWake { hall: usize, at: u64 },
    /// The store takes a write in.
    Commit { hall: usize, write: Box<Write> },
    /// The room hears what became of a write.
    Written { hall: usize, tickets: Vec<Ticket>, stored: bool },
    /// The server looks for what is left over.
    Sweep { server: usize, whole: bool },
    /// A server process begins.
    Serve { offset_ms: i64 },
    /// A room that was deleted is made again.
    MakeRoom { room: usize },
    /// While there are two servers, connections are cut and come to either of them.
    Flap { server: usize },
    /// The second of two servers ends.
    EndSecond { server: usize },
    /// A worker's disk has done something.
    Disk { who: usize, life: u32, done: DiskDone },
    /// One end of a link is there.
    LinkUp { link: usize, at_worker: bool },
    /// A message arrives at one end of a link.
    Said { link: usize, at_worker: bool, text: String },
    /// One end hears that the link is gone.
    LinkDown { link: usize, at_worker: bool },
    /// The answer to an offer is ready, or cannot be made.
    Answered { who: usize, life: u32, to: sleap_rtc_wire::PeerId, sdp: String },
    /// The trainer of a job gets on, or ends.
    Trainer { who: usize, life: u32, job: JobId, run: u32, ends: bool },
}

/// A batch for the store.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) tickets: Vec<Ticket>,
    pub(crate) changes: Vec<Change>,
}

/// What a peer's disk has done.
#[derive(Debug)]
pub(crate) enum DiskDone {
    Fence { room: sleap_rtc_wire::RoomId, seen: Seen, good: bool, early: bool },
    Record { job: JobId, ticket: u64, line: String, good: bool },
    Accepted { job: JobId },
    Transfer { job: JobId, request: DiskRequest },
    Listed { job: JobId },
    ClientTransfer { request: DiskRequest },
}

/// Events in the order of their time, and of their making where that is the same.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(u64, u64, usize)>>,
    events: Vec<Option<Event>>,
    free: Vec<usize>,
    made: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: u64, event: Event) {
        let place = if let Some(place) = self.free.pop() {
            self.events[place] = Some(event);
            place
        } else {
            self.events.push(Some(event));
            self.events.len() - 1
        };
        self.made += 1;
        self.heap.push(Reverse((at, self.made, place)));
    }

    /// When the next one is.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, Event)> {
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.free.push(place);
        Some((at, self.events[place].take()?))
    }
}
