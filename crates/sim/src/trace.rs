//! What has happened, as one number (so that two runs can be compared) and, if asked for, as text.

use std::fmt::Write;

use sleap_rtc_wire::ToPeer;

use crate::event::Event;
use crate::plan::Act;

/// The story of a world.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    text: Option<String>,
}

impl Default for Trace {
    fn default() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, text: None }
    }
}

impl Trace {
    /// Keeps the text too.
    pub(crate) fn keep(&mut self) {
        self.text = Some(String::new());
    }

    pub(crate) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or("")
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    const fn mix(&mut self, number: u64) {
        self.hash = (self.hash ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    }

    pub(crate) fn event(&mut self, now: u64, steps: u64, event: &Event) {
        self.mix(now);
        self.mix(steps);
        self.mix(key(event));
        if let Some(text) = &mut self.text {
            let _ = writeln!(text, "{steps:>6} {:>10.3}  {event:?}", now as f64 / 1000.0);
        }
    }

    pub(crate) fn act(&mut self, now: u64, act: &Act) {
        self.mix(act.at ^ act.ms);
        if let Some(text) = &mut self.text {
            let _ =
                writeln!(text, "       {:>10.3}  *** {} {} {}", now as f64 / 1000.0, act.deed.name(), act.who, act.ms);
        }
    }

    /// A frame that a room sends.
    pub(crate) fn frame(&mut self, frame: &ToPeer) {
        self.mix(match frame {
            ToPeer::Claimed(claimed) => claimed.fence.counter << 8 | claimed.fence.epoch,
            ToPeer::ClaimGranted(granted) => granted.fence.counter << 9 | granted.fence.epoch,
            ToPeer::PeerList { count, .. } => 3 << 60 | *count as u64,
            ToPeer::ClaimEnded(ended) => 5 << 60 | ended.reason as u64,
            ToPeer::ClaimRefused(refused) => 7 << 60 | refused.reason as u64,
            _ => 1,
        });
    }
}

fn key(event: &Event) -> u64 {
    let (kind, number) = match event {
        Event::Start { who } => (1, *who),
        Event::Wake { who, .. } => (2, *who),
        Event::Whim { who, .. } => (3, *who),
        Event::Old { who, .. } => (28, *who),
        Event::Knock { who, .. } => (4, *who),
        Event::Open { wire, .. } => (5, *wire),
        Event::Shut { who, .. } => (6, *who),
        Event::Up { wire, .. } => (7, *wire),
        Event::Down { wire, .. } => (8, *wire),
        Event::ServerHears { wire } => (9, *wire),
        Event::PeerHears { wire } => (10, *wire),
        Event::RoomWake { hall, .. } => (11, *hall),
        Event::Commit { hall, .. } => (12, *hall),
        Event::Written { hall, stored, .. } => (13, *hall * 2 + usize::from(*stored)),
        Event::Sweep { server, .. } => (14, *server),
        Event::Serve { .. } => (15, 0),
        Event::EndSecond { server } => (16, *server),
        Event::MakeRoom { room } => (23, *room),
        Event::Die { who, .. } => (24, *who),
        Event::EndNow { who, .. } => (26, *who),
        Event::SeenOff { who, .. } => (27, *who),
        Event::Flap { server } => (25, *server),
        Event::Disk { who, .. } => (17, *who),
        Event::LinkUp { link, .. } => (18, *link),
        Event::Said { link, text, .. } => (19, *link * 65_536 + text.len()),
        Event::LinkDown { link, .. } => (20, *link),
        Event::Answered { who, .. } => (21, *who),
        Event::Trainer { who, run, .. } => (22, *who * 65_536 + *run as usize),
    };
    kind << 56 | number as u64
}
