//! The ways between peers and server, and between two peers. Each connection is TCP: what arrives on it arrives in order and
//! once; but it may be cut at any time, with what is on its way, and the two ends hear of that each in its own time.

use sleap_rtc_wire::{FromPeer, JobId, ToPeer};

use crate::event::Event;
use crate::seen::Note;
use crate::world::World;

/// How long an end that is not told still believes in a connection, ms, at most.
const HEARS_MS: u64 = 60_000;

/// A connection of a peer to a server.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what each end knows, in any combination")]
pub(crate) struct Wire {
    pub(crate) who: usize,
    /// Which process of the peer.
    pub(crate) life: u32,
    pub(crate) server: usize,
    /// Nothing arrives any more.
    pub(crate) cut: bool,
    /// The server has dropped it.
    pub(crate) server_done: bool,
    /// The server's task for it has ended.
    pub(crate) server_heard: bool,
    /// The loading of a room that has closed it.
    pub(crate) closed_by: Option<usize>,
    /// The same peer has registered on a later one.
    pub(crate) replaced: bool,
    /// Frames that this end sent last arrive then.
    up_at: u64,
    down_at: u64,
    /// What a frame takes at least, ms.
    base: u64,
}

/// A link between a client and a worker.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: usize,
    pub(crate) client_life: u32,
    pub(crate) worker: usize,
    pub(crate) worker_life: u32,
    /// What the worker thinks it is for; `None`: a peer without claims.
    pub(crate) job: Option<JobId>,
    pub(crate) cut: bool,
    /// Which ends have heard that it is gone, or have closed it.
    pub(crate) done: [bool; 2],
    at: [u64; 2],
    base: u64,
}

impl World {
    /// How long something takes now, ms.
    pub(crate) fn delay(&mut self, base: u64) -> u64 {
        let jitter = self.random.below(base + 1);
        if self.now < self.slow_until { (base + jitter) * 20 } else { base + jitter }
    }

    /// When something that is on its way to or from this peer can be there.
    fn passage(&mut self, who: usize, base: u64, after: u64) -> u64 {
        let way = self.delay(base);
        (self.now.max(self.nodes[who].blocked_until) + way).max(after)
    }

    pub(crate) fn new_wire(&mut self, who: usize, server: usize) -> usize {
        let base = self.random.between(1, 60);
        let life = self.nodes[who].life;
        self.wires.push(Wire {
            who,
            life,
            server,
            cut: false,
            server_done: false,
            server_heard: false,
            closed_by: None,
            replaced: false,
            up_at: 0,
            down_at: 0,
            base,
        });
        self.wires.len() - 1
    }

    /// A peer sends to the server.
    pub(crate) fn send_up(&mut self, wire: usize, frame: FromPeer) {
        let Wire { who, base, up_at, cut, .. } = self.wires[wire];
        if cut {
            return self.seen.note(Note::FrameLost);
        }
        let at = self.passage(who, base, up_at);
        self.wires[wire].up_at = at;
        self.queue.push(at, Event::Up { wire, frame: Box::new(frame) });
    }

    /// The server sends to a peer.
    pub(crate) fn send_down(&mut self, wire: usize, frame: ToPeer) {
        let Wire { who, base, down_at, cut, .. } = self.wires[wire];
        if cut {
            return self.seen.note(Note::FrameLost);
        }
        let at = self.passage(who, base, down_at);
        self.wires[wire].down_at = at;
        self.queue.push(at, Event::Down { wire, frame: Box::new(frame) });
    }

    /// The server closes a connection, after what it has sent.
    pub(crate) fn close_down(&mut self, wire: usize) {
        let Wire { who, base, down_at, .. } = self.wires[wire];
        self.wires[wire].server_done = true;
        let at = self.passage(who, base, down_at);
        self.queue.push(at, Event::PeerHears { wire });
        let at = at + self.random.below(200);
        self.queue.push(at, Event::ServerHears { wire });
    }

    /// A peer closes its connection, after what it has sent.
    pub(crate) fn close_up(&mut self, wire: usize) {
        let Wire { who, base, up_at, cut, .. } = self.wires[wire];
        if !cut {
            let at = self.passage(who, base, up_at);
            self.queue.push(at, Event::ServerHears { wire });
        }
    }

    /// A connection breaks. Each end hears of it after a while of its own.
    pub(crate) fn cut_wire(&mut self, wire: usize, server_after: u64, peer_after: u64) {
        if self.wires[wire].cut {
            return;
        }
        self.wires[wire].cut = true;
        self.queue.push(self.now + server_after, Event::ServerHears { wire });
        self.queue.push(self.now + peer_after, Event::PeerHears { wire });
    }

    /// A peer is cut off from everybody for a while. Short ones only delay; connections do not live through longer ones.
    pub(crate) fn partition(&mut self, who: usize, ms: u64) {
        self.seen.note(Note::Partition);
        self.nodes[who].blocked_until = self.nodes[who].blocked_until.max(self.now + ms);
        if ms < 20_000 {
            return;
        }
        if let Some(wire) = self.nodes[who].wire {
            let hears = self.random.between(1_000, HEARS_MS);
            self.cut_wire(wire, hears, ms.max(1_000));
        }
        for link in 0..self.links.len() {
            if !self.links[link].cut && (self.links[link].client == who || self.links[link].worker == who) {
                let (one, other) = (self.random.between(1_000, 40_000), self.random.between(1_000, 40_000));
                self.cut_link(link, [one, other]);
            }
        }
    }

    /// A link that a worker's answer has made; both ends hear of it.
    pub(crate) fn new_link(&mut self, client: usize, worker: usize, job: Option<JobId>) -> usize {
        let base = self.random.between(1, 40);
        let (client_life, worker_life) = (self.nodes[client].life, self.nodes[worker].life);
        let (cut, done, at) = (false, [false; 2], [0; 2]);
        self.links.push(Link { client, client_life, worker, worker_life, job, cut, done, at, base });
        self.links.len() - 1
    }

    /// The link's way is found.
    pub(crate) fn raise_link(&mut self, link: usize) {
        let Link { base, client, worker, .. } = self.links[link];
        for at_worker in [false, true] {
            let who = if at_worker { worker } else { client };
            let at = self.passage(who, base, 0);
            self.links[link].at[usize::from(at_worker)] = at;
            self.queue.push(at, Event::LinkUp { link, at_worker });
        }
    }

    /// Says something over a link; `to_worker` is the direction.
    pub(crate) fn say(&mut self, link: usize, to_worker: bool, text: String) {
        let Link { cut, base, client, worker, at, .. } = self.links[link];
        if cut {
            return;
        }
        let blocked = self.nodes[client].blocked_until.max(self.nodes[worker].blocked_until);
        let end = usize::from(to_worker);
        let arrives = (self.now.max(blocked) + self.delay(base)).max(at[end]);
        self.links[link].at[end] = arrives;
        self.queue.push(arrives, Event::Said { link, at_worker: to_worker, text });
    }

    /// One end closes a link after what it has said; both hear that it is gone.
    pub(crate) fn close_link(&mut self, link: usize, by_worker: bool) {
        if self.links[link].cut {
            return;
        }
        let other = usize::from(!by_worker);
        let arrives = self.links[link].at[other].max(self.now + 1);
        self.queue.push(arrives, Event::LinkDown { link, at_worker: !by_worker });
        self.queue.push(self.now + 1, Event::LinkDown { link, at_worker: by_worker });
    }

    /// A link breaks; the client hears of it after the first time, the worker after the second.
    pub(crate) fn cut_link(&mut self, link: usize, after: [u64; 2]) {
        if self.links[link].cut {
            return;
        }
        self.links[link].cut = true;
        for (after, at_worker) in after.into_iter().zip([false, true]) {
            self.queue.push(self.now + after, Event::LinkDown { link, at_worker });
        }
    }

    /// A peer's process is gone: the machine under it closes what it had open.
    pub(crate) fn drop_everything(&mut self, who: usize) {
        if let Some(wire) = self.nodes[who].wire.take()
            && !self.wires[wire].cut
        {
            // What it sent before may be lost or not; the other end mostly hears at once.
            self.wires[wire].cut = self.random.one_in(2);
            let after =
                if self.random.one_in(5) { self.random.between(1, HEARS_MS) } else { self.random.between(1, 200) };
            let at = self.wires[wire].up_at.max(self.now + after);
            self.queue.push(at, Event::ServerHears { wire });
        }
        for link in 0..self.links.len() {
            if !self.links[link].cut && (self.links[link].client == who || self.links[link].worker == who) {
                let after = self.random.between(1, 30_000);
                self.cut_link(link, [after, after]);
            }
        }
    }
}
