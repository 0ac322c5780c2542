//! One room and its one writer: whoever holds the lock.
//!
//! Nothing waits under the lock: rooms decide without waiting, effects are queued, writes to the store run outside and come
//! back as inputs. Why a lock and not a task: `docs/decisions/0005-room-writer.md`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sleap_rtc_room::{Admission, Answer, Call, Input, Room};
use sleap_rtc_wire::record::{RoomRecord, WorkerRecord};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{ConnId, FromPeer, MemberId, PeerId, Time};
use tokio::sync::{Notify, oneshot};

use crate::app::Context;
use crate::effects::{Hands, Seated};

/// The room is not here any more: look it up again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// A loaded room.
pub(crate) struct RoomCell {
    context: Arc<Context>,
    writer: Mutex<Writer>,
    rearm: Arc<Notify>,
}

struct Writer {
    hands: Hands,
    /// A task writes to the store.
    is_writing: bool,
    /// When the timer will wake.
    armed: Option<Time>,
    /// When somebody last asked something of the room.
    used_at: Time,
}

/// A connected peer, for those who want to delete it.
pub(crate) struct PeerPlace {
    pub(crate) member: MemberId,
    pub(crate) address: Option<IpAddr>,
}

impl RoomCell {
    pub(crate) fn load(record: RoomRecord, workers: Vec<WorkerRecord>, context: &Arc<Context>) -> Arc<Self> {
        let now = context.now();
        let room = Room::load(record, workers, context.config.room.clone(), now);
        let hands = Hands::new(room, context.clone());
        let writer = Writer { hands, is_writing: false, armed: None, used_at: now };
        let rearm = Arc::new(Notify::new());
        let cell = Arc::new(Self { context: context.clone(), writer: Mutex::new(writer), rearm: rearm.clone() });
        cell.settle(&mut cell.lock());
        context.runtime.spawn(keep_time(Arc::downgrade(&cell), rearm, context.clone()));
        cell
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        // A panic in a room is a bug that takes its connection down; the others of the room go on.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the room take in an input, and sees to what follows from it.
    fn handle(self: &Arc<Self>, input: Input) {
        let mut writer = self.lock();
        writer.hands.take(input);
        self.settle(&mut writer);
    }

    fn settle(self: &Arc<Self>, writer: &mut Writer) {
        if writer.hands.has_writes() && !writer.is_writing {
            writer.is_writing = true;
            self.context.writes.begin();
            self.context.runtime.spawn(self.clone().write());
        }
        let next = writer.hands.room.next_timeout();
        if next.is_some_and(|at| writer.armed.is_none_or(|armed| at < armed)) {
            writer.armed = next;
            self.rearm.notify_one();
        }
    }

    /// Writes as long as there is something to write, one batch after the other.
    async fn write(self: Arc<Self>) {
        while let Some((tickets, changes)) = self.next_writes() {
            let result = self.context.store.apply(changes).await;
            if let Err(error) = &result {
                self.context.store_failed("write a room", error);
            }
            for ticket in tickets {
                self.handle(if result.is_ok() { Input::Persisted(ticket) } else { Input::PersistFailed(ticket) });
            }
        }
        self.context.writes.end();
    }

    fn next_writes(&self) -> Option<crate::effects::Writes> {
        let mut writer = self.lock();
        let writes = writer.hands.take_writes();
        writer.is_writing = writes.is_some();
        writes
    }

    /// A connection that `access` let in wants to be a peer. What comes back says whether the room took it in.
    pub(crate) fn register(
        self: &Arc<Self>,
        conn: ConnId,
        seated: Seated,
        admission: Admission,
        register: Box<Register>,
    ) -> Result<oneshot::Receiver<bool>, Gone> {
        let mut writer = self.lock();
        if writer.hands.is_over {
            return Err(Gone);
        }
        writer.used_at = self.context.now();
        let taken_in = writer.hands.register(seated, Input::Register { conn, admission, register });
        self.settle(&mut writer);
        Ok(taken_in)
    }

    /// A frame of a connection that is seated here.
    pub(crate) fn frame(self: &Arc<Self>, conn: ConnId, frame: FromPeer) {
        self.handle(Input::Frame { conn, frame });
    }

    /// A connection is gone.
    pub(crate) fn leave(self: &Arc<Self>, conn: ConnId) {
        let mut writer = self.lock();
        writer.used_at = self.context.now();
        writer.hands.leave(conn);
        self.settle(&mut writer);
    }

    /// Asks something of the room for HTTP.
    pub(crate) async fn call(self: &Arc<Self>, call: Call) -> Result<Answer, Gone> {
        let (send, answer) = oneshot::channel();
        let id = self.context.next_call();
        {
            let mut writer = self.lock();
            if writer.hands.is_over {
                return Err(Gone);
            }
            writer.used_at = self.context.now();
            writer.hands.expect_answer(id, send);
            writer.hands.take(Input::Call { id, call });
            self.settle(&mut writer);
        }
        answer.await.map_err(|_| Gone)
    }

    /// Looks at the room; `None` if it is not here any more.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Room) -> T) -> Option<T> {
        let writer = self.lock();
        (!writer.hands.is_over).then(|| at(&writer.hands.room))
    }

    /// Where a connected peer is.
    pub(crate) fn peer(&self, id: &PeerId) -> Option<PeerPlace> {
        let writer = self.lock();
        let (conn, member) = writer.hands.room.peer(id)?;
        let address = writer.hands.seats.get(&conn).and_then(|seated| seated.address);
        Some(PeerPlace { member: member.clone(), address })
    }

    /// Adds this room's peers to a count by role, and says whether there are any.
    pub(crate) fn count_peers(&self, by_role: &mut BTreeMap<String, usize>) -> bool {
        let stats = self.look(Room::stats).unwrap_or_default();
        for (role, count) in &stats.peers {
            *by_role.entry(role.clone()).or_default() += count;
        }
        !stats.peers.is_empty()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lock().hands.is_over
    }

    /// Ends this loading of the room if nobody has used it since `before` and nobody would notice.
    pub(crate) fn retire(&self, before: Time) -> bool {
        let mut writer = self.lock();
        let idle = writer.used_at <= before && !writer.is_writing && writer.hands.is_idle();
        writer.hands.is_over |= idle;
        idle
    }
}

impl Drop for RoomCell {
    fn drop(&mut self) {
        // The timer looks, finds nobody, and ends.
        self.rearm.notify_one();
    }
}

/// Tells the room when its time has come, until it is dropped.
async fn keep_time(cell: Weak<RoomCell>, rearm: Arc<Notify>, context: Arc<Context>) {
    loop {
        let Some(next) = cell.upgrade().map(|cell| {
            let mut writer = cell.lock();
            writer.armed = if writer.hands.is_over { None } else { writer.hands.room.next_timeout() };
            writer.armed
        }) else {
            return;
        };
        let due = async {
            match next {
                Some(at) => tokio::time::sleep(context.clock.until(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = rearm.notified() => {}
            () = due => if let Some(cell) = cell.upgrade() { cell.handle(Input::Tick) },
        }
    }
}
