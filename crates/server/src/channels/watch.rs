//! One reader of a channel.

use std::sync::Arc;

use bytes::Bytes;
use sleap_rtc_wire::{MemberId, RoomId};
use tokio::sync::Notify;

use super::channel::Turn;
use super::{Channels, Name};

/// Rings when there is something to read, or nothing more to come.
#[derive(Debug)]
pub(crate) struct Bell {
    rung: Notify,
    /// Of the reader's connection.
    cut: Arc<Notify>,
}

impl Bell {
    pub(crate) fn new(cut: Arc<Notify>) -> Self {
        Self { rung: Notify::new(), cut }
    }

    /// `is_cut`: the reader's connection is dropped, even if it waits for its other end to read.
    pub(crate) fn ring(&self, is_cut: bool) {
        self.rung.notify_one();
        if is_cut {
            self.cut.notify_one();
        }
    }
}

/// A reader's place.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The channel, see [`super::channel::Channel::serial`].
    pub(crate) serial: u64,
    pub(crate) watcher: u64,
    pub(crate) bell: Arc<Bell>,
}

/// Somebody who watches a channel, until this is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    channels: Arc<Channels>,
    room: RoomId,
    name: Name,
    member: MemberId,
    seat: Seat,
}

impl Watch {
    pub(super) fn new(channels: Arc<Channels>, room: RoomId, name: Name, member: MemberId, seat: Seat) -> Self {
        Self { channels, room, name, member, seat }
    }

    /// The next event, as it stands in the stream. `None`: nothing more comes, as the room is gone or this was too slow.
    pub(crate) async fn next(&self) -> Option<Bytes> {
        loop {
            match self.look() {
                Turn::Read(event) => return Some(event),
                Turn::Behind => return None,
                Turn::Wait => self.seat.bell.rung.notified().await,
            }
        }
    }

    /// What there is for it now.
    pub(super) fn look(&self) -> Turn {
        let mut table = self.channels.table();
        match table.get_mut(&self.room, &self.name).filter(|channel| channel.serial == self.seat.serial) {
            Some(channel) => channel.turn(self.seat.watcher),
            None => Turn::Behind,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.channels.table().stand_up(&self.room, &self.name, &self.member, &self.seat);
    }
}
