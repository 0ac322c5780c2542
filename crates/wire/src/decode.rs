//! How the server reads a peer's frame: only as far as it must. A relayed frame is never parsed as a whole.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::signal::{MeshFrame, MeshKind, Relay, RelayKind, Report, ReportKind};
use crate::{Code, ErrorFrame, FromPeer, PeerId, Text};

/// Why a frame could not be read. The server answers with an error frame, or not at all where old programs expect silence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not a JSON object.
    #[error("Invalid JSON format")]
    InvalidJson,
    /// A required field is missing.
    #[error("Missing required fields: {0}")]
    Missing(String),
    /// A field has the wrong form.
    #[error("{0}")]
    Invalid(String),
    /// No such message.
    #[error("Unknown message type: {0}")]
    UnknownType(String),
    /// To be dropped without an answer: an offer, answer or candidate without its ends, or an `error`.
    #[error("ignored")]
    Ignored,
}

impl DecodeError {
    /// The answer, if there is to be one.
    pub fn frame(&self) -> Option<ErrorFrame> {
        let code = match self {
            Self::InvalidJson => Code::InvalidJson,
            Self::Missing(_) | Self::Invalid(_) => Code::InvalidMessage,
            Self::UnknownType(_) => Code::UnknownMessageType,
            Self::Ignored => return None,
        };
        Some(ErrorFrame::new(code, self.to_string()))
    }
}

/// What every frame is looked at for first; everything else is skipped, not built.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    from_peer_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    to_peer_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sender: Option<&'a RawValue>,
    #[serde(borrow, default)]
    target: Option<&'a RawValue>,
    #[serde(borrow, default)]
    peer_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    role: Option<&'a RawValue>,
    #[serde(borrow, default)]
    target_peer_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    offer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    answer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    candidate: Option<&'a RawValue>,
    #[serde(borrow, default)]
    job_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
}

/// What Python takes for a missing value.
fn is_empty(raw: Option<&RawValue>) -> bool {
    let Some(text) = raw.map(RawValue::get) else { return true };
    let inside = |open, close| text.strip_prefix(open).and_then(|text| text.strip_suffix(close));
    let is_hollow = inside('{', '}').or(inside('[', ']')).is_some_and(|inside| inside.trim_ascii().is_empty());
    is_hollow || matches!(text, "null" | "false" | "0" | "0.0" | "\"\"")
}

fn missing(fields: &[(&str, Option<&RawValue>)]) -> Result<(), DecodeError> {
    let list: Vec<&str> = fields.iter().filter(|(_, raw)| is_empty(*raw)).map(|(name, _)| *name).collect();
    if list.is_empty() { Ok(()) } else { Err(DecodeError::Missing(list.join(", "))) }
}

fn peer(raw: Option<&RawValue>) -> Option<PeerId> {
    serde_json::from_str(raw?.get()).ok()
}

impl FromPeer {
    /// Reads one frame.
    pub fn decode(text: &Text) -> Result<Self, DecodeError> {
        if !text.trim_ascii_start().starts_with('{') {
            // A list would be read as a frame's fields in their order.
            return Err(DecodeError::InvalidJson);
        }
        let head: Head<'_> = serde_json::from_str(text).map_err(|_| DecodeError::InvalidJson)?;
        let kind = head.kind.as_deref().unwrap_or("");
        match kind {
            "peer_message" => {
                missing(&[
                    ("from_peer_id", head.from_peer_id),
                    ("to_peer_id", head.to_peer_id),
                    ("payload", head.payload),
                ])?;
                relay(RelayKind::PeerMessage, head.from_peer_id, head.to_peer_id, text.clone())
                    .ok_or_else(|| DecodeError::Invalid("from_peer_id and to_peer_id must be peer ids".to_owned()))
            }
            "offer" | "answer" | "candidate" | "error" => relay_plain(kind, &head, text),
            "register" => body(text).map(|register| Self::Register(Box::new(register))),
            "discover_peers" => {
                missing(&[("from_peer_id", head.from_peer_id)])?;
                body(text).map(Self::DiscoverPeers)
            }
            "update_metadata" => {
                missing(&[("peer_id", head.peer_id), ("metadata", head.metadata)])?;
                body(text).map(Self::UpdateMetadata)
            }
            "claim" => body(text).map(Self::Claim),
            "release" => body(text).map(Self::Release),
            "withdraw" => body(text).map(Self::Withdraw),
            "leave" => Ok(Self::Leave),
            "claim_used" => body(text).map(Self::ClaimUsed),
            "claim_released" => body(text).map(Self::ClaimReleased),
            "ping" => Ok(Self::Ping),
            "pong" => Ok(Self::Pong),
            other => match (ReportKind::named(other), MeshKind::named(other)) {
                (Some(kind), _) => Ok(report(kind, &head, text)),
                (_, Some(kind)) => mesh(kind, &head),
                _ => Err(DecodeError::UnknownType(other.chars().filter(|c| !c.is_control()).take(64).collect())),
            },
        }
    }
}

fn report(kind: ReportKind, head: &Head<'_>, text: &Text) -> FromPeer {
    let word = |raw: Option<&RawValue>| raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
    FromPeer::Report(Report { kind, job_id: word(head.job_id), status: word(head.status), text: text.clone() })
}

fn mesh(kind: MeshKind, head: &Head<'_>) -> Result<FromPeer, DecodeError> {
    let (_, _, name) = kind.names();
    let body = match kind {
        MeshKind::Connect => head.offer,
        MeshKind::Answer => head.answer,
        MeshKind::Candidate => head.candidate,
    };
    missing(&[("from_peer_id", head.from_peer_id), ("target_peer_id", head.target_peer_id), (name, body)])?;
    let ends = peer(head.from_peer_id).zip(peer(head.target_peer_id));
    let (from, to) =
        ends.ok_or_else(|| DecodeError::Invalid("from_peer_id and target_peer_id must be peer ids".to_owned()))?;
    let body = body.map(RawValue::get).unwrap_or_default().into();
    Ok(FromPeer::Mesh(MeshFrame { kind, from, to, body }))
}

fn relay(kind: RelayKind, from: Option<&RawValue>, to: Option<&RawValue>, text: Text) -> Option<FromPeer> {
    Some(FromPeer::Relay(Relay { kind, from: peer(from)?, to: peer(to)?, text }))
}

fn relay_plain(kind: &str, head: &Head<'_>, text: &Text) -> Result<FromPeer, DecodeError> {
    let kind = match kind {
        "offer" => RelayKind::Offer,
        "answer" => RelayKind::Answer,
        "candidate" => RelayKind::Candidate,
        _ => RelayKind::Error,
    };
    // An old worker's `error` names only its target; whoever sent it is known by its connection.
    let from = if kind == RelayKind::Error { head.sender.or(head.target) } else { head.sender };
    if kind == RelayKind::Error && head.sender.is_some() && peer(head.sender) == peer(head.target) {
        return Err(DecodeError::Ignored);
    }
    // A worker skips its challenge for an offer with `role: "client"`, so no peer may say that of itself.
    let text = if kind == RelayKind::Offer && head.role.is_some() { without_role(text)? } else { text.clone() };
    relay(kind, from, head.target, text).ok_or(DecodeError::Ignored)
}

fn without_role(text: &Text) -> Result<Text, DecodeError> {
    let mut value: serde_json::Map<String, Value> = serde_json::from_str(text).map_err(|_| DecodeError::InvalidJson)?;
    value.remove("role");
    Ok(Value::Object(value).to_string().into())
}

fn body<'a, T: Deserialize<'a>>(text: &'a Text) -> Result<T, DecodeError> {
    serde_json::from_str(text).map_err(|error| DecodeError::Invalid(error.to_string()))
}
