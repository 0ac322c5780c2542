//! Calls about rooms and identities.
//!
//! Each shows a Bearer credential: an id token, of a key or anonymous, or the secret in the server's data folder, which makes
//! the caller its operator.

use sleap_rtc_wire::http::{
    CleanUp, CleanedUp, CreateOwnRoom, CreateRoom, DeletePeer, DeletePeersAndRoom, Deleted, ExtendRoom, RoomCreated,
    RoomExtended, RoomInfo, RoomList, RoomShown,
};
use sleap_rtc_wire::{PeerId, RoomId};

use super::{Api, ApiError};

impl Api {
    /// Makes a room.
    pub async fn create_room(&self, bearer: &str, room: &CreateRoom) -> Result<RoomCreated, ApiError> {
        self.post("/create-room", Some(bearer), room).await
    }

    /// Makes a room of the operator.
    pub async fn create_own_room(&self, operator: &str, room: &CreateOwnRoom) -> Result<RoomCreated, ApiError> {
        self.post("/admin/rooms", Some(operator), room).await
    }

    /// The rooms that the caller made or belongs to; the operator's are all.
    pub async fn rooms(&self, bearer: &str) -> Result<Vec<RoomInfo>, ApiError> {
        let (mut rooms, mut page) = (Vec::new(), "/rooms".to_owned());
        loop {
            let RoomList { rooms: more, next } = self.get(&page, Some(bearer)).await?;
            rooms.extend(more);
            let Some(next) = next else { return Ok(rooms) };
            page = format!("/rooms?after={next}");
        }
    }

    /// One room; its owner and the operator see its password.
    pub async fn room(&self, bearer: &str, room: &RoomId) -> Result<RoomShown, ApiError> {
        self.get(&format!("/rooms/{room}"), Some(bearer)).await
    }

    /// Moves a room's end on.
    pub async fn extend_room(&self, bearer: &str, room: &RoomId) -> Result<RoomExtended, ApiError> {
        self.post("/extend-room", Some(bearer), &ExtendRoom { room_id: room.clone(), token: None }).await
    }

    /// Removes a room and everybody in it. Its password does as well as a Bearer credential, and lasts longer than an hour.
    pub async fn delete_room(&self, bearer: &str, room: &RoomId, token: Option<&str>) -> Result<Deleted, ApiError> {
        let body = DeletePeersAndRoom { room_id: Some(room.clone()), peer_id: None, token: token.map(str::to_owned) };
        self.post("/delete-peers-and-room", Some(bearer), &body).await
    }

    /// Takes a peer out of its room, and no namesake of it out of another.
    pub async fn delete_peer(&self, bearer: &str, room: &RoomId, peer: &PeerId) -> Result<Deleted, ApiError> {
        let body = DeletePeer { peer_id: peer.clone(), room_id: Some(room.clone()), token: None };
        self.post("/delete-peer", Some(bearer), &body).await
    }

    /// Forgets anonymous identities that are no longer used.
    pub async fn clean_up(&self, bearer: &str, wanted: &CleanUp) -> Result<CleanedUp, ApiError> {
        self.post("/identities/cleanup", Some(bearer), wanted).await
    }
}
