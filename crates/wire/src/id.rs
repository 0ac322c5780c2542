//! Names of rooms, peers, jobs, claims, members and connections.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that cannot be the id it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {kind}: must be 1 to {max} {rule}")]
pub struct InvalidId {
    kind: &'static str,
    max: usize,
    rule: &'static str,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn is_visible(c: char) -> bool {
    !c.is_control()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal, $allowed:path, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes over a text.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                let fits = !text.is_empty() && text.len() <= $max && text.chars().all($allowed);
                if fits { Ok(Self(text.into())) } else { Err(InvalidId { kind: $kind, max: $max, rule: $rule }) }
            }

            /// The id as it is written on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A room. Old servers make 8 lower-case hex characters; any word of up to 64 is accepted.
    RoomId, "room id", 64, is_word, "letters, digits, '-' or '_'"
);
id!(
    /// A peer in a room. Old clients use plain user names, so every visible character may occur.
    PeerId, "peer id", 128, is_visible, "bytes without control characters"
);
id!(
    /// A job, named by the client that starts it; the same over attempts, reconnects and restarts.
    JobId, "job id", 64, is_word, "letters, digits, '-' or '_'"
);
id!(
    /// A claim, unique in its room for ever.
    ClaimId, "claim id", 64, is_word, "letters, digits, '-' or '_'"
);
id!(
    /// Who owns rooms and claims: the hash of an installation's key, an account, or the subject of an anonymous sign-in.
    MemberId, "member id", 128, is_word, "letters, digits, '-' or '_'"
);

id!(
    /// The public name of a key of an account, a worker or an installation.
    KeyId, "key id", 64, is_word, "letters, digits, '-' or '_'"
);

/// A fencing number: it only ever grows in its room, over restarts and changes of owner too.
///
/// `epoch` is raised and committed each time a room is loaded, `counter` each time a claim is granted; they compare as a
/// pair, and travel as `[epoch, counter]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Fence {
    /// Raised once when a room is loaded.
    pub epoch: u64,
    /// Raised with each grant.
    pub counter: u64,
}

impl From<(u64, u64)> for Fence {
    fn from((epoch, counter): (u64, u64)) -> Self {
        Self { epoch, counter }
    }
}

impl From<Fence> for (u64, u64) {
    fn from(fence: Fence) -> Self {
        (fence.epoch, fence.counter)
    }
}

/// A server process among those that share rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A connection: which node accepted it, in which run of that node, and its number there. Rooms know peers by it, so that
/// sockets and rooms may sit on two nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    /// The node that holds the socket.
    pub node: NodeId,
    /// Which run of the node: a number that no earlier run of it had.
    pub incarnation: u64,
    /// The socket's number in that run.
    pub n: u64,
}
