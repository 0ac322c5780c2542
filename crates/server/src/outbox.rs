//! What waits to be written to one connection: bounded, so that a slow reader costs a known amount and delays nobody.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sleap_rtc_room::CloseReason;
use sleap_rtc_wire::{Text, ToPeer};
use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::limits::Limits;

/// Frames that may wait, whatever their size: an empty frame is not free either.
const FRAMES: usize = 65_536;
/// A queue that grew beyond this is given back when it is empty, frames.
const KEPT: usize = 64;

/// The codes with which the server closes a signaling socket, beside those of the WebSocket standard.
pub mod close_code {
    /// The server ends (standard). Connect again, to it or its successor.
    pub const GOING_AWAY: u16 = 1001;
    /// Not registered in time, silent for too long, or too many frames (standard: policy).
    pub const POLICY: u16 = 1008;
    /// A frame beyond the limit, which could not be read (standard).
    pub const TOO_LARGE: u16 = 1009;
    /// The same peer registered on a later connection. Do not come back on this one.
    pub const SUPERSEDED: u16 = 4001;
    /// The peer was deleted.
    pub const DELETED: u16 = 4002;
    /// The room was removed.
    pub const ROOM_REMOVED: u16 = 4003;
    /// What the peer came in by was revoked, or its time is over.
    pub const REVOKED: u16 = 4004;
    /// The peer reads more slowly than it is written to.
    pub const SLOW_READER: u16 = 4008;
}

/// Why a connection ends at the server's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Room(CloseReason),
    Revoked,
    SlowReader,
    Unregistered,
    Silent,
    TooFast,
    /// A frame of more than so many bytes.
    TooLarge(usize),
    ShuttingDown,
}

impl End {
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::Room(CloseReason::Superseded) => close_code::SUPERSEDED,
            Self::Room(CloseReason::Deleted) => close_code::DELETED,
            Self::Room(CloseReason::RoomRemoved) => close_code::ROOM_REMOVED,
            Self::Revoked => close_code::REVOKED,
            Self::SlowReader => close_code::SLOW_READER,
            Self::Unregistered | Self::Silent | Self::TooFast => close_code::POLICY,
            Self::TooLarge(_) => close_code::TOO_LARGE,
            Self::ShuttingDown => close_code::GOING_AWAY,
        }
    }

    /// For the peer and the log: which limit it was about.
    pub(crate) fn text(self, limits: &Limits) -> String {
        let text = match self {
            Self::Room(CloseReason::Superseded) => "the same peer registered on a later connection",
            Self::Room(CloseReason::Deleted) => "the peer was deleted",
            Self::Room(CloseReason::RoomRemoved) => "the room was removed",
            Self::Revoked => "the key or membership it came in by is good no more",
            Self::SlowReader => return format!("reads too slowly: more than {} bytes wait", limits.send_buffer),
            Self::Unregistered => return format!("not registered within {} ms", limits.unregistered_ms),
            Self::Silent => "not heard of for 60 s",
            Self::TooFast => return format!("more than {} frames a second", limits.frames_per_second),
            Self::TooLarge(most) => return format!("a frame of more than {most} bytes"),
            Self::ShuttingDown => "the server is going away",
        };
        text.to_owned()
    }
}

/// One thing to write.
#[derive(Debug, PartialEq)]
pub(crate) enum Out {
    Frame(Text),
    Ping,
    Close(End),
}

/// The queue between rooms and one connection's writer.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// Bytes that may wait.
    most: usize,
    queue: Mutex<Queue>,
    ready: Notify,
    cut: Notify,
    /// Held until a room has taken the connection's peer in.
    unregistered: Mutex<Option<OwnedSemaphorePermit>>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Text>,
    bytes: usize,
    ping: bool,
    /// After the frames, this.
    end: Option<End>,
    /// Nothing is to be written now.
    held: bool,
}

impl Outbox {
    /// Of a connection that has still to register, for so many bytes at most.
    pub(crate) fn new(unregistered: OwnedSemaphorePermit, most: usize) -> Self {
        Self {
            most,
            queue: Mutex::default(),
            ready: Notify::new(),
            cut: Notify::new(),
            unregistered: Mutex::new(Some(unregistered)),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Every change under this lock is complete before anything in it can panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a frame. If that is too much, the connection is cut off instead.
    pub(crate) fn push(&self, frame: &ToPeer) {
        let text = frame.encode();
        let mut queue = self.queue();
        if queue.end.is_some() {
            return;
        }
        queue.bytes += text.len();
        if queue.bytes > self.most || queue.frames.len() >= FRAMES {
            *queue = Queue { end: Some(End::SlowReader), held: queue.held, ..Queue::default() };
            drop(queue);
            return self.cut.notify_one();
        }
        queue.frames.push_back(text);
        drop(queue);
        self.ready.notify_one();
    }

    /// Asks the other end for a sign of life.
    pub(crate) fn ping(&self) {
        self.queue().ping = true;
        self.ready.notify_one();
    }

    /// Ends the connection after what is queued. The first reason given stays.
    pub(crate) fn close(&self, end: End) {
        self.queue().end.get_or_insert(end);
        self.ready.notify_one();
    }

    /// Writes nothing until what comes back is dropped, so that a connection which moves hears of its new room after the old one
    /// has forgotten it.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.queue().held = true;
        Held(self)
    }

    /// What to write next, without waiting.
    pub(crate) fn take(&self) -> Option<Out> {
        let mut queue = self.queue();
        if queue.held {
            return None;
        }
        if let Some(text) = queue.frames.pop_front() {
            queue.bytes -= text.len();
            if queue.frames.is_empty() && queue.frames.capacity() > KEPT {
                queue.frames = VecDeque::new();
            }
            return Some(Out::Frame(text));
        }
        if std::mem::take(&mut queue.ping) {
            return Some(Out::Ping);
        }
        queue.end.map(Out::Close)
    }

    /// What to write next.
    pub(crate) async fn next(&self) -> Out {
        loop {
            if let Some(out) = self.take() {
                return out;
            }
            self.ready.notified().await;
        }
    }

    /// Returns when the reader was too slow: nothing more is to be written then.
    pub(crate) async fn cut_off(&self) {
        self.cut.notified().await;
    }

    /// A room has taken the connection's peer in: it makes room for others who want to register.
    pub(crate) fn set_registered(&self) {
        drop(self.unregistered().take());
    }

    pub(crate) fn is_registered(&self) -> bool {
        self.unregistered().is_none()
    }

    fn unregistered(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.unregistered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing is written meanwhile.
pub(crate) struct Held<'a>(&'a Outbox);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.queue().held = false;
        self.0.ready.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    const MOST: usize = 1 << 20;

    fn outbox() -> Outbox {
        Outbox::new(Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap(), MOST)
    }

    fn frame(bytes: usize) -> ToPeer {
        ToPeer::Relayed("x".repeat(bytes).into())
    }

    #[test]
    fn frames_come_in_order_and_the_end_comes_last() {
        let outbox = outbox();
        outbox.push(&ToPeer::Relayed("one".into()));
        outbox.close(End::ShuttingDown);
        outbox.push(&ToPeer::Relayed("too late".into()));
        outbox.close(End::Silent);
        assert_eq!(outbox.take(), Some(Out::Frame("one".into())));
        assert_eq!(outbox.take(), Some(Out::Close(End::ShuttingDown)));
    }

    #[test]
    fn what_is_held_is_written_afterwards() {
        let outbox = outbox();
        let held = outbox.hold();
        outbox.push(&ToPeer::Relayed("one".into()));
        assert_eq!(outbox.take(), None);
        drop(held);
        assert_eq!(outbox.take(), Some(Out::Frame("one".into())));
    }

    #[test]
    fn too_many_bytes_cut_the_connection_off() {
        let outbox = outbox();
        for _ in 0..8 {
            outbox.push(&frame(MOST / 8));
        }
        assert!(matches!(outbox.take(), Some(Out::Frame(_))));
        outbox.push(&frame(MOST / 8));
        outbox.push(&frame(1));
        assert_eq!(outbox.take(), Some(Out::Close(End::SlowReader)));
    }

    #[test]
    fn too_many_frames_cut_the_connection_off() {
        let outbox = outbox();
        for _ in 0..=FRAMES {
            outbox.push(&frame(0));
        }
        assert_eq!(outbox.take(), Some(Out::Close(End::SlowReader)));
    }
}
