//! Calls about who belongs to a room: invites, members, the tokens of workers of the Python package, and what the owner switches.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sleap_rtc_wire::record::{MemberRole, Mesh};
use sleap_rtc_wire::{KeyId, MemberId, RoomId};

use super::{Api, ApiError};

/// A way into a room, for whoever has the code.
#[derive(Clone, Deserialize)]
pub struct Invite {
    /// To be given to whom it is meant for.
    pub invite_code: String,
    /// The room.
    pub room_id: RoomId,
    /// How long it is good.
    pub expires_in_seconds: u64,
}

/// Into which room a code has led.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Joined {
    /// What happened, in the words of the deployed server.
    pub message: String,
    /// The room.
    pub room_id: RoomId,
}

/// Somebody who belongs to a room.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Member {
    /// Who.
    pub user_id: MemberId,
    /// The account's name; that of a computer without an account is the member itself.
    pub username: String,
    /// What they are in it.
    pub role: MemberRole,
    /// ISO 8601.
    pub joined_at: String,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Member>,
}

/// What a room's owner may change; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoomChange {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How workers of the Python package form a mesh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mesh: Option<Mesh>,
    /// Whether an offer to a worker that is taken is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_offers: Option<bool>,
}

/// How a room is after a change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RoomChanged {
    /// The room.
    pub room_id: RoomId,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// How workers of the Python package form a mesh.
    pub mesh: Mesh,
    /// Whether an offer to a worker that is taken is refused.
    pub strict_offers: bool,
}

/// A worker's token that was just made.
#[derive(Clone, Deserialize)]
pub struct NewWorkerToken {
    /// The secret: shown this once.
    pub token_id: String,
    /// Its public name, under which lists have it.
    pub id: KeyId,
    /// ISO 8601; `None`: never.
    #[serde(default)]
    pub expires_at: Option<String>,
}

/// A worker's token, as lists have it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WorkerToken {
    /// Its public name.
    pub token_id: String,
    /// The room that it opens.
    pub room_id: RoomId,
    /// That room's name.
    #[serde(default)]
    pub room_name: Option<String>,
    /// The worker's name.
    pub worker_name: String,
    /// ISO 8601.
    pub created_at: String,
    /// ISO 8601; `None`: never.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// Since when it is good no more.
    #[serde(default)]
    pub revoked_at: Option<String>,
    /// Whether it is good now.
    pub is_active: bool,
}

#[derive(Deserialize)]
struct WorkerTokens {
    tokens: Vec<WorkerToken>,
}

impl Api {
    /// Makes a code by which others become members; for the room's owner.
    pub async fn invite(&self, bearer: &str, room: &RoomId) -> Result<Invite, ApiError> {
        self.post(&format!("/api/auth/rooms/{room}/invite"), Some(bearer), &json!({})).await
    }

    /// Becomes a member by a code.
    pub async fn join_room(&self, bearer: &str, code: &str) -> Result<Joined, ApiError> {
        self.post("/api/auth/rooms/join", Some(bearer), &json!({"invite_code": code})).await
    }

    /// Who belongs to a room.
    pub async fn members(&self, bearer: &str, room: &RoomId) -> Result<Vec<Member>, ApiError> {
        let path = format!("/api/auth/rooms/{room}/members");
        self.get(&path, Some(bearer)).await.map(|list: Members| list.members)
    }

    /// Takes somebody out of a room: its owner others, everybody themselves.
    pub async fn remove_member(&self, bearer: &str, room: &RoomId, member: &MemberId) -> Result<(), ApiError> {
        let path = format!("/api/auth/rooms/{room}/members/{member}");
        self.delete::<serde_json::Value>(&path, Some(bearer)).await.map(drop)
    }

    /// Changes a room; for its owner.
    pub async fn change_room(&self, bearer: &str, room: &RoomId, change: &RoomChange) -> Result<RoomChanged, ApiError> {
        self.patch(&format!("/api/auth/rooms/{room}"), Some(bearer), change).await
    }

    /// Makes a token for a worker of the Python package. `days`: `None` is for ever.
    pub async fn create_worker_token(
        &self,
        bearer: &str,
        room: &RoomId,
        worker_name: &str,
        days: Option<u32>,
    ) -> Result<NewWorkerToken, ApiError> {
        let body = json!({"room_id": room, "worker_name": worker_name, "expires_in_days": days});
        self.post("/api/auth/token", Some(bearer), &body).await
    }

    /// The tokens that the caller made, of one room or of all.
    pub async fn worker_tokens(&self, bearer: &str, room: Option<&RoomId>) -> Result<Vec<WorkerToken>, ApiError> {
        let query = room.map_or_else(String::new, |room| format!("?room_id={room}"));
        let path = format!("/api/auth/tokens{query}");
        self.get(&path, Some(bearer)).await.map(|list: WorkerTokens| list.tokens)
    }

    /// Ends a token, by its public name.
    pub async fn revoke_worker_token(&self, bearer: &str, token: &KeyId) -> Result<(), ApiError> {
        self.delete::<serde_json::Value>(&format!("/api/auth/token/{token}"), Some(bearer)).await.map(drop)
    }
}
