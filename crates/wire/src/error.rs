//! Error codes and the one shape in which every error frame is sent.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What went wrong, for a program.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $name,)+
            /// A code of a newer or another program.
            #[serde(other, rename = "UNKNOWN")]
            Unknown,
        }

        impl Code {
            /// Every one of them.
            pub const ALL: [Self; [$($text,)+ "UNKNOWN"].len()] = [$(Self::$name,)+ Self::Unknown];

            /// The code as it is written on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ Self::Unknown => "UNKNOWN" }
            }
        }
    };
}

codes! {
    // Of the deployed programs:
    /// The sender has not registered on this connection.
    NotInRoom = "NOT_IN_ROOM",
    /// There is no such room, or no longer.
    RoomNotFound = "ROOM_NOT_FOUND",
    /// There is no such peer in the sender's room.
    PeerNotInRoom = "PEER_NOT_IN_ROOM",
    /// The target of a message is not there.
    PeerNotFound = "PEER_NOT_FOUND",
    /// A field is missing or has the wrong form.
    InvalidMessage = "INVALID_MESSAGE",
    /// The target is there but could not be given the message.
    DeliveryFailed = "DELIVERY_FAILED",
    /// The server does not know such a message.
    UnknownMessageType = "UNKNOWN_MESSAGE_TYPE",
    /// The frame is not a JSON object.
    InvalidJson = "INVALID_JSON",
    // Ours:
    /// The credential or the room's token is wrong.
    AuthFailed = "AUTH_FAILED",
    /// The room's time is over.
    RoomExpired = "ROOM_EXPIRED",
    /// The frame speaks for a peer of another connection, or the sender may not do this.
    Forbidden = "FORBIDDEN",
    /// Too many of something in too short a time.
    RateLimited = "RATE_LIMITED",
    /// A limit is exceeded; the message names it.
    TooLarge = "TOO_LARGE",
    /// The condition of a conditional update does not hold.
    Conflict = "CONFLICT",
    /// The store did not answer; nothing was changed.
    StoreUnavailable = "STORE_UNAVAILABLE",
    /// No worker that the claim matches is free.
    NoFreeWorker = "NO_FREE_WORKER",
    /// No such claim, or it is not the sender's.
    ClaimNotFound = "CLAIM_NOT_FOUND",
    /// The worker runs something else.
    WorkerBusy = "WORKER_BUSY",
    /// There is no such thing, or it is not the caller's.
    NotFound = "NOT_FOUND",
    /// The peer cannot do what was asked of it.
    Unsupported = "UNSUPPORTED",
    /// The server cannot go on.
    Internal = "INTERNAL",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The body of an `error` frame.
///
/// Deployed programs look for the text under `reason` (workers, registration) or `message` (api clients): it is sent as both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorFrame {
    /// For a program; [`Code::Unknown`] if absent.
    #[serde(default = "unknown")]
    pub code: Code,
    /// For a person.
    #[serde(default)]
    pub reason: String,
    /// The same text again.
    #[serde(default)]
    pub message: String,
    /// The same text again, only for a bad id token, where the oldest programs look for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The request that failed, for frames that carry a `request_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Whom it is for: old clients get `worker_busy` in the form in which a worker would say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<crate::PeerId>,
    /// Of a worker that is busy, its `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_status: Option<String>,
    /// The worker that a `mesh_connect` did not find.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_peer_id: Option<crate::PeerId>,
}

/// The longest text of an error, bytes.
const TEXT: usize = 1024;

fn unknown() -> Code {
    Code::Unknown
}

impl ErrorFrame {
    /// An error with one text for everybody. It is cut where it quotes too much of what it is about: it is sent twice, and must fit into
    /// a frame.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.truncate(text.floor_char_boundary(TEXT));
        Self {
            code,
            reason: text.clone(),
            message: text,
            error: None,
            request_id: None,
            target: None,
            current_status: None,
            target_peer_id: None,
        }
    }

    /// The answer to an offer to a worker that is taken, in the words of a deployed worker.
    pub fn worker_busy(client: &crate::PeerId, status: &str) -> Self {
        Self {
            reason: "worker_busy".to_owned(),
            target: Some(client.clone()),
            current_status: Some(status.to_owned()),
            ..Self::new(Code::WorkerBusy, format!("Worker is currently {status}"))
        }
    }

    /// The text, wherever the sender put it.
    pub fn text(&self) -> &str {
        [&self.message, &self.reason]
            .into_iter()
            .find(|text| !text.is_empty())
            .map_or_else(|| self.error.as_deref().unwrap_or_default(), String::as_str)
    }
}
