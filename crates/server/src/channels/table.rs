//! All channels by room and name, and what is forgotten when they become too many.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use sleap_rtc_wire::{MemberId, PeerId, RoomId, Time};
use tokio::sync::Notify;

use super::channel::{Channel, Job};
use super::watch::{Bell, Seat};
use super::{Bounds, Name, TooManyStreams};

/// See the module.
#[derive(Debug)]
pub(crate) struct Table {
    bounds: Bounds,
    rooms: HashMap<RoomId, Wing>,
    streams: HashMap<MemberId, usize>,
    /// Channels of all rooms.
    channels: usize,
    /// Bytes of all rooms' events.
    bytes: usize,
    last: u64,
}

/// The channels of one room.
#[derive(Debug, Default)]
struct Wing {
    channels: HashMap<Name, Channel>,
    bytes: usize,
}

impl Wing {
    /// The channel that has not been used for longest, of those that nobody watches.
    fn idlest(&self) -> Option<&Name> {
        let idle = self.channels.iter().filter(|(_, channel)| !channel.is_watched());
        idle.min_by_key(|(_, channel)| (channel.used_at, channel.serial)).map(|(name, _)| name)
    }

    /// The channel with most bytes.
    fn heaviest(&self) -> Option<&Name> {
        self.channels.iter().max_by_key(|(_, channel)| channel.bytes()).map(|(name, _)| name)
    }
}

impl Table {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, rooms: HashMap::new(), streams: HashMap::new(), channels: 0, bytes: 0, last: 0 }
    }

    pub(crate) fn get(&self, room: &RoomId, name: &Name) -> Option<&Channel> {
        self.rooms.get(room)?.channels.get(name)
    }

    pub(crate) fn get_mut(&mut self, room: &RoomId, name: &Name) -> Option<&mut Channel> {
        self.rooms.get_mut(room)?.channels.get_mut(name)
    }

    /// A channel, made if it is not there; others are forgotten for it if need be.
    pub(crate) fn open(&mut self, room: &RoomId, name: &Name, now: Time) -> &mut Channel {
        if self.get(room, name).is_none() {
            self.make_place(room);
            self.channels += 1;
        }
        let serial = self.next();
        let wing = self.rooms.entry(room.clone()).or_default();
        let channel = wing.channels.entry(name.clone()).or_insert_with(|| Channel::new(serial, now));
        channel.used_at = now;
        channel
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Makes place for one more channel of this room. Those that are watched stay: they are as many as streams at most.
    fn make_place(&mut self, room: &RoomId) {
        let of_room = self.rooms.get(room).map_or(0, |wing| wing.channels.len());
        if of_room >= self.bounds.channels_of_room {
            self.forget_idlest(room);
        }
        if self.channels >= self.bounds.channels
            && let Some(largest) = self.largest(|wing| wing.channels.len())
        {
            self.forget_idlest(&largest);
        }
    }

    /// The room that has most of something.
    fn largest(&self, of: impl Fn(&Wing) -> usize) -> Option<RoomId> {
        self.rooms.iter().max_by_key(|(_, wing)| of(wing)).map(|(room, _)| room.clone())
    }

    fn forget_idlest(&mut self, room: &RoomId) {
        if let Some(name) = self.rooms.get(room).and_then(Wing::idlest).cloned() {
            self.forget(room, &name);
        }
    }

    /// Puts an event into a channel that is there, and keeps less of others if that is too much.
    pub(crate) fn publish(&mut self, room: &RoomId, name: &Name, event: Bytes) {
        let bounds = self.bounds;
        self.change(room, name, |channel| channel.push(event, &bounds));
        while self.rooms.get(room).is_some_and(|wing| wing.bytes > bounds.bytes_of_room) {
            self.shorten_heaviest(room);
        }
        while self.bytes > bounds.bytes {
            let Some(largest) = self.largest(|wing| wing.bytes) else { return };
            self.shorten_heaviest(&largest);
        }
    }

    /// Forgets the oldest event of a room's channel that has most to forget.
    fn shorten_heaviest(&mut self, room: &RoomId) {
        if let Some(name) = self.rooms.get(room).and_then(Wing::heaviest).cloned() {
            self.change(room, &name, Channel::shorten);
        }
    }

    fn change(&mut self, room: &RoomId, name: &Name, change: impl FnOnce(&mut Channel)) {
        let Some(wing) = self.rooms.get_mut(room) else { return };
        let Some(channel) = wing.channels.get_mut(name) else { return };
        let before = channel.bytes();
        change(channel);
        let after = channel.bytes();
        wing.bytes = wing.bytes - before + after;
        self.bytes = self.bytes - before + after;
    }

    /// The jobs on a worker of which this holds.
    pub(crate) fn jobs_of(&mut self, room: &RoomId, worker: &PeerId, holds: impl Fn(&mut Job) -> bool) -> Vec<String> {
        let Some(wing) = self.rooms.get_mut(room) else { return Vec::new() };
        let jobs = wing.channels.iter_mut().filter_map(|(name, channel)| match name {
            Name::Job(id) => Some((id, channel.job.as_mut().filter(|job| job.worker == *worker)?)),
            Name::Worker(_) => None,
        });
        jobs.filter_map(|(id, job)| holds(job).then(|| id.clone())).collect()
    }

    pub(crate) fn forget(&mut self, room: &RoomId, name: &Name) {
        let Some(wing) = self.rooms.get_mut(room) else { return };
        let Some(mut channel) = wing.channels.remove(name) else { return };
        wing.bytes -= channel.bytes();
        self.bytes -= channel.bytes();
        self.channels -= 1;
        channel.end();
        if wing.channels.is_empty() {
            self.rooms.remove(room);
        }
    }

    pub(crate) fn end_room(&mut self, room: &RoomId) {
        self.forget_those_of(room, |_| true);
    }

    /// Forgets what was last used before this and is not watched.
    pub(crate) fn forget_older(&mut self, before: Time) {
        let rooms: Vec<RoomId> = self.rooms.keys().cloned().collect();
        for room in rooms {
            self.forget_those_of(&room, |channel| !channel.is_watched() && channel.used_at < before);
        }
    }

    fn forget_those_of(&mut self, room: &RoomId, which: impl Fn(&Channel) -> bool) {
        let channels = self.rooms.get(room).map(|wing| wing.channels.iter());
        let channels = channels.into_iter().flatten().filter(|(_, channel)| which(channel));
        let names: Vec<Name> = channels.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.forget(room, &name);
        }
    }

    /// Takes a place at a channel for a member.
    pub(crate) fn sit(
        &mut self,
        room: &RoomId,
        name: &Name,
        member: &MemberId,
        cut: Arc<Notify>,
        now: Time,
    ) -> Result<Seat, TooManyStreams> {
        let most = self.bounds.streams;
        let streams = self.streams.entry(member.clone()).or_default();
        if *streams >= most {
            return Err(TooManyStreams(most));
        }
        *streams += 1;
        let (watcher, bell) = (self.next(), Arc::new(Bell::new(cut)));
        let channel = self.open(room, name, now);
        channel.add(watcher, bell.clone());
        Ok(Seat { serial: channel.serial, watcher, bell })
    }

    pub(crate) fn stand_up(&mut self, room: &RoomId, name: &Name, member: &MemberId, seat: &Seat) {
        if let Some(streams) = self.streams.get_mut(member) {
            *streams -= 1;
            if *streams == 0 {
                self.streams.remove(member);
            }
        }
        if let Some(channel) = self.get_mut(room, name).filter(|channel| channel.serial == seat.serial) {
            channel.remove(seat.watcher);
        }
    }

    /// How many channels there are, and how many streams.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.channels, self.streams.values().sum())
    }

    /// How many bytes are kept.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        let counted = self.rooms.values().flat_map(|wing| wing.channels.values()).map(Channel::bytes).sum();
        assert_eq!(self.bytes, counted, "what is counted is what is there");
        counted
    }
}
