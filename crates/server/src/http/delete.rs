//! Leaving, and cleaning up after others. The answers are the deployed server's words.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use sleap_rtc_access::{may_delete_peer, may_delete_room};
use sleap_rtc_room::{Answer, Call};
use sleap_rtc_wire::http::{DeletePeer, DeletePeersAndRoom, Deleted};
use sleap_rtc_wire::record::RoomRecord;
use sleap_rtc_wire::{PeerId, RoomId};

use super::auth::{Address, Shown};
use super::body::Body;
use super::fault::Fault;
use super::rooms::call;
use crate::app::App;
use crate::room_cell::PeerPlace;

fn status(text: &str) -> Json<Deleted> {
    Json(Deleted { status: text.to_owned() })
}

/// `POST /delete-peers-and-room`.
pub(crate) async fn peers_and_room(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Deleted>, Fault> {
    let DeletePeersAndRoom { room_id, peer_id, token } = body.json()?;
    let shown = Shown::by(&app, &headers).await?;
    let asked = Asked { app: &app, address, shown: &shown, token: token.as_deref() };
    match (room_id, peer_id) {
        (Some(room), _) => match app.registry.record(&room).await? {
            Some(record) => asked.delete_room(&record, None).await,
            None => Ok(status("room not found")),
        },
        (None, Some(peer)) => match places(&app, &peer).into_iter().next() {
            Some((record, place)) => asked.delete_room(&record, Some(&place)).await,
            None => Ok(status("peer not found")),
        },
        (None, None) => Err(Fault::validation("missing", &["body", "room_id"], "Field required")),
    }
}

/// `POST /delete-peer`.
pub(crate) async fn peer(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Deleted>, Fault> {
    let DeletePeer { peer_id, token } = body.json()?;
    let shown = Shown::by(&app, &headers).await?;
    let asked = Asked { app: &app, address, shown: &shown, token: token.as_deref() };
    // The same name may be taken in several rooms: the caller means the one where it may do this.
    let mut answer = Ok(status("peer deleted from Cognito (already removed from room)"));
    for (record, place) in places(&app, &peer_id) {
        match asked.delete_peer(&record, &place, &peer_id).await {
            Ok(deleted) => return Ok(deleted),
            Err(fault) => answer = Err(fault),
        }
    }
    answer
}

/// Where a peer of this name is connected.
fn places(app: &App, peer: &PeerId) -> Vec<(RoomRecord, PeerPlace)> {
    let here = app.registry.all().into_iter();
    here.filter_map(|cell| Some((cell.peer(peer)?, cell)))
        .filter_map(|(place, cell)| Some((cell.look(|room| room.record().clone())?, place)))
        .collect()
}

/// Somebody who wants something deleted.
struct Asked<'a> {
    app: &'a App,
    address: Address,
    shown: &'a Shown,
    token: Option<&'a str>,
}

impl Asked<'_> {
    fn is_same_address(&self, room: &RoomId, place: Option<&PeerPlace>) -> bool {
        let peers_own = place.and_then(|place| place.address).is_some_and(|of_peer| self.address.is_same(of_peer));
        peers_own || self.app.makers.is(room, self.address)
    }

    async fn delete_room(&self, record: &RoomRecord, named: Option<&PeerPlace>) -> Result<Json<Deleted>, Fault> {
        let same_address = self.is_same_address(&record.room_id, named);
        let caller = self.shown.caller(self.app, record, self.token, same_address).await?;
        may_delete_room(record, &caller)?;
        delete_room(self.app, &record.room_id).await
    }

    async fn delete_peer(&self, record: &RoomRecord, place: &PeerPlace, peer: &PeerId) -> Result<Json<Deleted>, Fault> {
        let same_address = self.is_same_address(&record.room_id, Some(place));
        let caller = self.shown.caller(self.app, record, self.token, same_address).await?;
        may_delete_peer(record, Some(&place.member), &caller)?;
        match call(self.app, &record.room_id, Call::DeletePeer(peer.clone())).await? {
            Answer::PeerDeleted { room_removed: true } => Ok(status("peer deleted successfully. Room status: deleted")),
            Answer::PeerDeleted { room_removed: false } => Ok(status("peer deleted successfully. Room status: active")),
            Answer::StoreUnavailable => Err(Fault::store_unavailable()),
            _ => Ok(status("peer deleted from Cognito (already removed from room)")),
        }
    }
}

/// Removes a room with everybody in it.
pub(crate) async fn delete_room(app: &App, room: &RoomId) -> Result<Json<Deleted>, Fault> {
    match call(app, room, Call::Delete).await? {
        Answer::RoomDeleted => Ok(status("peer deleted successfully")),
        Answer::StoreUnavailable => Err(Fault::store_unavailable()),
        _ => Ok(status("room not found")),
    }
}
