//! Which connections and streams came in by which key and as whom, so that a key that is revoked ends with everything it opened.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sleap_rtc_access::Person;
use sleap_rtc_wire::record::ApiKeyRecord;
use sleap_rtc_wire::{ConnId, KeyHash, PublicKey, RoomId, Time};
use tokio::sync::Notify;

use crate::outbox::{End, Outbox};

/// The connections that have registered, or are about to.
#[derive(Default)]
pub(crate) struct InUse(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    last: u64,
    uses: HashMap<u64, Use>,
    by_key: BTreeSet<(KeyHash, u64)>,
    by_room: HashMap<RoomId, BTreeSet<u64>>,
}

struct Use {
    opened: Opened,
    key: Option<KeyHash>,
    /// When the key ends.
    expires_at: Option<Time>,
    room: Option<RoomId>,
    person: Option<Person>,
}

/// What somebody came in to.
enum Opened {
    Connection(ConnId, Arc<Outbox>),
    /// A stream of events, with what cuts its connection.
    Stream(Arc<Notify>),
}

/// Keeps a use known; dropping it ends it.
pub(crate) struct Using {
    of: Arc<InUse>,
    id: u64,
}

impl InUse {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection is about to show this key, or none. Told before the key is looked up: then a key that is revoked meanwhile is
    /// either seen revoked, or closes this connection.
    pub(crate) fn begin(self: &Arc<Self>, conn: ConnId, outbox: &Arc<Outbox>, key: Option<KeyHash>) -> Using {
        self.open(Opened::Connection(conn, outbox.clone()), key)
    }

    /// The same of a stream.
    pub(crate) fn begin_stream(self: &Arc<Self>, cut: &Arc<Notify>, key: Option<KeyHash>) -> Using {
        self.open(Opened::Stream(cut.clone()), key)
    }

    fn open(self: &Arc<Self>, opened: Opened, key: Option<KeyHash>) -> Using {
        let mut tables = self.tables();
        tables.last += 1;
        let id = tables.last;
        if let Some(key) = key {
            tables.by_key.insert((key, id));
        }
        tables.uses.insert(id, Use { opened, key, expires_at: None, room: None, person: None });
        Using { of: self.clone(), id }
    }

    /// A key was revoked or forgotten: all that came in by it go.
    pub(crate) fn key_is_over(&self, key: KeyHash) {
        let tables = self.tables();
        for (_, id) in tables.by_key.range((key, 0)..=(key, u64::MAX)) {
            tables.close(*id);
        }
    }

    /// Keys whose time is over go as revoked ones do.
    pub(crate) fn time_passes(&self, now: Time) {
        let tables = self.tables();
        for (id, one) in &tables.uses {
            if one.expires_at.is_some_and(|at| at <= now) {
                tables.close(*id);
            }
        }
    }

    /// Somebody belongs to a room no longer: what is connected there as them goes.
    pub(crate) fn left_room(&self, room: &RoomId, person: &Person) {
        let tables = self.tables();
        for id in tables.by_room.get(room).into_iter().flatten() {
            let other = tables.uses.get(id).and_then(|one| one.person.as_ref());
            if other.is_some_and(|other| other.members().any(|member| person.is(member))) {
                tables.close(*id);
            }
        }
    }

    /// A computer belongs to its account no longer: what came in by its key goes.
    pub(crate) fn computer_left_room(&self, room: &RoomId, key: PublicKey) {
        let tables = self.tables();
        for id in tables.by_room.get(room).into_iter().flatten() {
            let other = tables.uses.get(id).and_then(|one| one.person.as_ref());
            if other.and_then(Person::key) == Some(key) {
                tables.close(*id);
            }
        }
    }

    /// By which key each connection of a room came in, where it was one.
    pub(crate) fn keys_in(&self, room: &RoomId) -> HashMap<ConnId, KeyHash> {
        let tables = self.tables();
        let uses = tables.by_room.get(room).into_iter().flatten().filter_map(|id| tables.uses.get(id));
        uses.filter_map(|one| match one.opened {
            Opened::Connection(conn, _) => Some((conn, one.key?)),
            Opened::Stream(_) => None,
        })
        .collect()
    }
}

impl Tables {
    fn close(&self, id: u64) {
        match self.uses.get(&id).map(|one| &one.opened) {
            Some(Opened::Connection(_, outbox)) => outbox.close(End::Revoked),
            Some(Opened::Stream(cut)) => cut.notify_one(),
            None => {}
        }
    }
}

impl Using {
    /// The connection is in this room.
    pub(crate) fn is_in(&self, room: &RoomId, person: Option<&Person>, key: Option<&ApiKeyRecord>) {
        let mut tables = self.of.tables();
        let id = self.id;
        if let Some(one) = tables.uses.get_mut(&id) {
            one.room = Some(room.clone());
            one.person = person.cloned();
            one.expires_at = key.and_then(|key| key.expires_at);
            tables.by_room.entry(room.clone()).or_default().insert(id);
        }
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        let mut tables = self.of.tables();
        let Some(one) = tables.uses.remove(&self.id) else { return };
        if let Some(key) = one.key {
            tables.by_key.remove(&(key, self.id));
        }
        if let Some(room) = one.room
            && let Some(ids) = tables.by_room.get_mut(&room)
        {
            ids.remove(&self.id);
            if ids.is_empty() {
                tables.by_room.remove(&room);
            }
        }
    }
}
