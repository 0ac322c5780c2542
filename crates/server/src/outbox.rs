//! What waits to be written to one connection: bounded, so that a slow reader costs a known amount and delays nobody.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sleap_rtc_room::CloseReason;
use sleap_rtc_wire::{Text, ToPeer, limits};
use tokio::sync::{Notify, OwnedSemaphorePermit};

/// Frames that may wait, whatever their size: an empty frame is not free either.
const FRAMES: usize = 65_536;
/// A queue that grew beyond this is given back when it is empty, frames.
const KEPT: usize = 64;

/// The codes with which the server closes a signaling socket, beside those of the WebSocket standard.
pub mod close_code {
    /// The server ends (standard). Connect again, to it or its successor.
    pub const GOING_AWAY: u16 = 1001;
    /// Not registered in time, or silent for too long (standard: policy).
    pub const POLICY: u16 = 1008;
    /// The same peer registered on a later connection. Do not come back on this one.
    pub const SUPERSEDED: u16 = 4001;
    /// The peer was deleted.
    pub const DELETED: u16 = 4002;
    /// The room was removed.
    pub const ROOM_REMOVED: u16 = 4003;
    /// The peer reads more slowly than it is written to.
    pub const SLOW_READER: u16 = 4008;
}

/// Why a connection ends at the server's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Room(CloseReason),
    SlowReader,
    Unregistered,
    Silent,
    ShuttingDown,
}

impl End {
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::Room(CloseReason::Superseded) => close_code::SUPERSEDED,
            Self::Room(CloseReason::Deleted) => close_code::DELETED,
            Self::Room(CloseReason::RoomRemoved) => close_code::ROOM_REMOVED,
            Self::SlowReader => close_code::SLOW_READER,
            Self::Unregistered | Self::Silent => close_code::POLICY,
            Self::ShuttingDown => close_code::GOING_AWAY,
        }
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Room(CloseReason::Superseded) => "the same peer registered on a later connection",
            Self::Room(CloseReason::Deleted) => "the peer was deleted",
            Self::Room(CloseReason::RoomRemoved) => "the room was removed",
            Self::SlowReader => "reads too slowly: 8 MiB waited",
            Self::Unregistered => "not registered within 10 s",
            Self::Silent => "not heard of for 60 s",
            Self::ShuttingDown => "the server is going away",
        }
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
#[derive(Debug, Default)]
pub(crate) struct Outbox {
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
    /// Of a connection that has still to register.
    pub(crate) fn new(unregistered: OwnedSemaphorePermit) -> Self {
        Self { unregistered: Mutex::new(Some(unregistered)), ..Self::default() }
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
        if queue.bytes > limits::SEND_BUFFER || queue.frames.len() >= FRAMES {
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
    use super::*;

    fn frame(bytes: usize) -> ToPeer {
        ToPeer::Relayed("x".repeat(bytes).into())
    }

    #[test]
    fn frames_come_in_order_and_the_end_comes_last() {
        let outbox = Outbox::default();
        outbox.push(&ToPeer::Relayed("one".into()));
        outbox.close(End::ShuttingDown);
        outbox.push(&ToPeer::Relayed("too late".into()));
        outbox.close(End::Silent);
        assert_eq!(outbox.take(), Some(Out::Frame("one".into())));
        assert_eq!(outbox.take(), Some(Out::Close(End::ShuttingDown)));
    }

    #[test]
    fn what_is_held_is_written_afterwards() {
        let outbox = Outbox::default();
        let held = outbox.hold();
        outbox.push(&ToPeer::Relayed("one".into()));
        assert_eq!(outbox.take(), None);
        drop(held);
        assert_eq!(outbox.take(), Some(Out::Frame("one".into())));
    }

    #[test]
    fn too_many_bytes_cut_the_connection_off() {
        let outbox = Outbox::default();
        for _ in 0..8 {
            outbox.push(&frame(limits::SEND_BUFFER / 8));
        }
        assert!(matches!(outbox.take(), Some(Out::Frame(_))));
        outbox.push(&frame(limits::SEND_BUFFER / 8));
        outbox.push(&frame(1));
        assert_eq!(outbox.take(), Some(Out::Close(End::SlowReader)));
    }

    #[test]
    fn too_many_frames_cut_the_connection_off() {
        let outbox = Outbox::default();
        for _ in 0..=FRAMES {
            outbox.push(&frame(0));
        }
        assert_eq!(outbox.take(), Some(Out::Close(End::SlowReader)));
    }
}
