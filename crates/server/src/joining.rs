//! From a `register` frame to a seat in a room.

use std::net::IpAddr;
use std::sync::Arc;

use sleap_rtc_access::{Admitted, admit};
use sleap_rtc_identity::{IdentityError, Subject};
use sleap_rtc_room::Admission;
use sleap_rtc_store::StoreError;
use sleap_rtc_wire::record::{IdentityKind, IdentityRecord};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{CLAIMS, Code, ConnId, ErrorFrame, FromPeer, RoomId};

use crate::app::App;
use crate::effects::Seated;
use crate::forgetting::Staying;
use crate::outbox::Outbox;
use crate::room_cell::RoomCell;

/// A room may be removed or unloaded between finding and entering it; then it is looked up again.
const TRIES: usize = 3;

/// A connection's place in a room. Dropping it tells the room, once, that the connection is gone; but not when the server ends:
/// then nobody has left, and who comes back in time finds its room as it was.
pub(crate) struct Seat {
    app: Arc<App>,
    cell: Arc<RoomCell>,
    conn: ConnId,
}

impl Seat {
    /// Hands on a frame.
    pub(crate) fn frame(&self, frame: FromPeer) {
        self.cell.frame(self.conn, frame);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.app.is_closing() {
            self.cell.leave(self.conn);
        }
    }
}

/// Who knocks.
pub(crate) struct Knocker<'a> {
    pub(crate) app: &'a Arc<App>,
    pub(crate) conn: ConnId,
    pub(crate) outbox: &'a Arc<Outbox>,
    /// For the log.
    pub(crate) from: IpAddr,
    /// The address, if it is known for sure.
    pub(crate) address: Option<IpAddr>,
}

impl Knocker<'_> {
    /// Lets the connection into the room that it names, if `access` agrees; the room answers then. `seat` is where it was
    /// before: it stays there unless it is taken in.
    pub(crate) async fn register(&self, register: Box<Register>, seat: &mut Option<Seat>) -> Result<(), ErrorFrame> {
        let subject = self.subject(&register).await?;
        let stays = self.stays(subject.as_ref()).await?;
        let subject = subject.as_ref().filter(|_| stays.is_some());
        let (room, admitted) = self.admit(subject, &register).await?;
        let anonymous = subject.is_some_and(|subject| subject.kind == IdentityKind::Anonymous);
        let claims = register.features.iter().any(|feature| feature == CLAIMS);
        let seated = Seated { outbox: self.outbox.clone(), anonymous, claims, address: self.address };
        let Admitted { member, key, fallback_peer_id } = admitted;
        let admission = Admission { member, key, fallback_peer_id, ice_servers: Vec::new() };
        for _ in 0..TRIES {
            let found = self.app.registry.open(&room).await.map_err(|error| self.store_failed(&error))?;
            let Some(cell) = found else { break };
            let is_here = seat.as_ref().is_some_and(|seat| Arc::ptr_eq(&seat.cell, &cell));
            let _held = (seat.is_some() && !is_here).then(|| self.outbox.hold());
            let Ok(taken_in) = cell.register(self.conn, seated.clone(), admission.clone(), register.clone()) else {
                continue;
            };
            // Whoever gives up from here on leaves this room, and not the one before.
            let new = (!is_here).then(|| Seat { app: self.app.clone(), cell, conn: self.conn });
            if taken_in.await == Ok(true) && new.is_some() {
                *seat = new;
            }
            return Ok(());
        }
        Err(ErrorFrame::new(Code::RoomNotFound, "Room not found"))
    }

    /// Sees to it that whose id token it is, is not forgotten meanwhile; `None`: it was, or there is none.
    async fn stays<'a>(&'a self, subject: Option<&'a Subject>) -> Result<Option<Staying<'a>>, ErrorFrame> {
        match subject {
            Some(subject) => Staying::of(self.app, subject).await.map_err(|error| self.store_failed(&error)),
            None => Ok(None),
        }
    }

    /// Whose id token it is; `None` if there is none or it is not good.
    async fn subject(&self, register: &Register) -> Result<Option<Subject>, ErrorFrame> {
        let Some(id_token) = &register.id_token else { return Ok(None) };
        match self.app.context.identity.verify(id_token, self.app.context.now()).await {
            Ok(subject) => Ok(Some(subject)),
            Err(IdentityError::Store(error)) => Err(self.store_failed(&error)),
            Err(error) => {
                tracing::debug!(%error, address = %self.from, "an id token was refused");
                Ok(None)
            }
        }
    }

    async fn admit(&self, subject: Option<&Subject>, register: &Register) -> Result<(RoomId, Admitted), ErrorFrame> {
        let now = self.app.context.now();
        let identity = subject.map(|subject| IdentityRecord {
            member: subject.member.clone(),
            kind: subject.kind,
            username: subject.username.clone(),
            key: subject.key,
            created_at: now,
        });
        let room = match (&register.room_id, &identity) {
            // Strangers do not make the store read.
            (Some(room), Some(_)) => self.app.registry.record(room).await.map_err(|error| self.store_failed(&error))?,
            _ => None,
        };
        let admitted = admit(room.as_ref(), identity.as_ref(), register, now).map_err(|refusal| {
            tracing::debug!(%refusal, address = %self.from, "a registration was refused");
            refusal.frame()
        })?;
        let room = room.ok_or_else(|| ErrorFrame::new(Code::RoomNotFound, "Room not found"))?;
        Ok((room.room_id, admitted))
    }

    fn store_failed(&self, error: &StoreError) -> ErrorFrame {
        self.app.context.store_failed("register a peer", error);
        ErrorFrame::new(Code::StoreUnavailable, "the store did not answer, you are not registered")
    }
}
