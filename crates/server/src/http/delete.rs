//! Leaving, and cleaning up after others. The answers are the deployed server's words.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use sleap_rtc_access::{Denied, may_delete_peer, may_delete_room};
use sleap_rtc_room::{Answer, Call};
use sleap_rtc_store::StoreError;
use sleap_rtc_wire::http::{DeletePeer, DeletePeersAndRoom, Deleted};
use sleap_rtc_wire::record::{MemberRole, RoomRecord};
use sleap_rtc_wire::{MemberId, PeerId, RoomId};

use super::address::Address;
use super::auth::Shown;
use super::body::Body;
use super::fault::Fault;
use super::guess;
use super::rooms::call;
use crate::app::App;
use crate::forgetting::forget_due;
use crate::room_cell::PeerPlace;

/// What is asked for.
#[derive(Clone, Copy)]
enum Deed {
    Room,
    Peer,
}

/// A room, and the named peer where it is connected there.
struct Place {
    record: RoomRecord,
    peer: Option<PeerPlace>,
}

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
    let (places, absent) = match (&room_id, &peer_id) {
        (Some(room), peer) => (here(&app, room, peer.as_ref()).await?, "room not found"),
        (None, Some(peer)) => (places(&app, peer).await?, "peer not found"),
        (None, None) => return Err(Fault::validation("missing", &["body", "room_id"], "Field required")),
    };
    match asked.choose(places, Deed::Room).await? {
        Some(place) => delete_room(&app, &place.record.room_id).await,
        None => Ok(status(absent)),
    }
}

/// `POST /delete-peer`.
pub(crate) async fn peer(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Deleted>, Fault> {
    let DeletePeer { peer_id, room_id, token } = body.json()?;
    let shown = Shown::by(&app, &headers).await?;
    let asked = Asked { app: &app, address, shown: &shown, token: token.as_deref() };
    let places = match &room_id {
        // Also one that is away with a claim, which only its room knows.
        Some(room) => here(&app, room, Some(&peer_id)).await?,
        None => connected(&app, &peer_id),
    };
    match asked.choose(places, Deed::Peer).await? {
        Some(place) => delete_peer(&app, &place.record.room_id, peer_id).await,
        None => Ok(status(ALREADY_GONE)),
    }
}

const ALREADY_GONE: &str = "peer deleted from Cognito (already removed from room)";

/// The room that is named.
async fn here(app: &App, room: &RoomId, peer: Option<&PeerId>) -> Result<Vec<Place>, StoreError> {
    let Some(record) = app.registry.record(room).await? else { return Ok(Vec::new()) };
    let peer = peer.and_then(|peer| app.registry.live(room)?.peer(peer));
    Ok(vec![Place { record, peer }])
}

/// The rooms where a peer of this name is connected, and nobody else has the name: a deployed client that has ended asks for this by
/// its user's name, whose other session works on.
fn connected(app: &App, peer: &PeerId) -> Vec<Place> {
    let rooms = app.context.whereabouts.rooms(peer).into_iter();
    let now = app.context.now();
    rooms
        .filter_map(|room| {
            let cell = app.registry.live(&room)?;
            let place = cell.peer(peer)?;
            let record = cell.look(|room| (!room.is_shared(peer, now)).then(|| room.record().clone()))??;
            Some(Place { record, peer: Some(place) })
        })
        .collect()
}

/// The rooms that a peer's name stands for: those where it is connected; if there is none, those that it made. The deployed
/// programs take the name of their anonymous identity as their peer's.
async fn places(app: &App, peer: &PeerId) -> Result<Vec<Place>, StoreError> {
    let mut places = connected(app, peer);
    if places.is_empty()
        && let Ok(maker) = MemberId::new(peer.as_str())
    {
        for one in app.context.store.memberships(&maker).await? {
            if one.role == MemberRole::Owner
                && let Some(record) = app.registry.record(&one.room_id).await?
            {
                places.push(Place { record, peer: None });
            }
        }
    }
    Ok(places)
}

/// Somebody who wants something deleted.
struct Asked<'a> {
    app: &'a App,
    address: Address,
    shown: &'a Shown,
    token: Option<&'a str>,
}

impl Asked<'_> {
    /// Which of these places is meant: among those where the caller may do this, the only one, or the only one whose peer
    /// registered from the caller's address. `None`: there is no place at all.
    async fn choose(&self, places: Vec<Place>, deed: Deed) -> Result<Option<Place>, Fault> {
        guess::may_show(self.app, self.address, self.token)?;
        let (mut allowed, mut refused) = (Vec::new(), None);
        for place in places {
            match self.may(&place, deed).await? {
                Ok(()) => allowed.push(place),
                Err(denied) => refused = Some((denied, place.record.room_id)),
            }
        }
        if allowed.iter().filter(|place| self.is_peers_address(place)).count() == 1 {
            allowed.retain(|place| self.is_peers_address(place));
        }
        match (allowed.len(), refused) {
            (0, Some((denied, room))) => {
                guess::was_wrong(self.app, self.address, &room, self.token);
                Err(denied.into())
            }
            (0 | 1, _) => Ok(allowed.pop()),
            (rooms, _) => Err(Fault::conflict(format!(
                "this peer stands for {rooms} rooms that you may do this in; say which one with room_id"
            ))),
        }
    }

    async fn may(&self, place: &Place, deed: Deed) -> Result<Result<(), Denied>, Fault> {
        let record = &place.record;
        let same_address = self.is_peers_address(place) || self.app.makers.is(&record.room_id, self.address.own());
        let caller = self.shown.caller(self.app, record, self.token, same_address).await?;
        Ok(match deed {
            Deed::Room => may_delete_room(record, &caller),
            Deed::Peer => may_delete_peer(record, place.peer.as_ref().map(|peer| &peer.member), &caller),
        })
    }

    fn is_peers_address(&self, place: &Place) -> bool {
        let of_peer = place.peer.as_ref().and_then(|peer| peer.address);
        of_peer.is_some() && of_peer == self.address.own()
    }
}

async fn delete_peer(app: &App, room: &RoomId, peer: PeerId) -> Result<Json<Deleted>, Fault> {
    let answer = call(app, room, Call::DeletePeer(peer.clone())).await?;
    if matches!(answer, Answer::PeerDeleted { .. }) {
        // A worker that ends closes its connection first, and then asks for this.
        app.context.channels.worker_is_gone(room, &peer, app.context.now());
    }
    match answer {
        Answer::PeerDeleted { room_removed: true } => {
            forget_due(app).await;
            Ok(status("peer deleted successfully. Room status: deleted"))
        }
        Answer::PeerDeleted { room_removed: false } => Ok(status("peer deleted successfully. Room status: active")),
        Answer::StoreUnavailable => Err(Fault::store_unavailable()),
        _ => Ok(status(ALREADY_GONE)),
    }
}

/// Removes a room with everybody in it, and forgets those who were nowhere else.
pub(crate) async fn delete_room(app: &App, room: &RoomId) -> Result<Json<Deleted>, Fault> {
    match call(app, room, Call::Delete).await? {
        Answer::RoomDeleted => {
            forget_due(app).await;
            Ok(status("peer deleted successfully"))
        }
        Answer::StoreUnavailable => Err(Fault::store_unavailable()),
        _ => Ok(status("room not found")),
    }
}
