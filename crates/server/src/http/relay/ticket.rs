//! Tickets: a browser's `EventSource` cannot show a credential, so it shows in the address what an authenticated call was given.
//!
//! A ticket says for whom, where and until when it is good, and is sealed with a key that only the server has; nothing is remembered
//! of it. It is good for one channel, and for as many streams as are opened in its time.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use sleap_rtc_wire::{ApiKey, KeyId, MemberId, RoomId, Time};

use super::ask::member_of;
use crate::app::App;
use crate::channels::Name;
use crate::http::auth::bearer;
use crate::http::body::Body;
use crate::http::fault::Fault;

/// How long a ticket is good, ms.
const GOOD_MS: u64 = 60_000;
/// For what the key is derived from the operator's secret.
const KEY: &str = "sleap-rtc 2026-11 stream tickets v1";

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) room: RoomId,
    pub(super) member: MemberId,
    /// By which key it was asked for, if it was one: a ticket is good no longer than that.
    pub(super) key: Option<KeyId>,
    until: Time,
}

impl Ticket {
    /// The ticket as text. None of its parts has a dot in it.
    fn seal(&self, secret: &str, channel: &Name) -> String {
        let Self { room, member, key, until } = self;
        let key = key.as_ref().map_or("", KeyId::as_str);
        let said = format!("{}.{room}.{member}.{key}", until.0);
        format!("{said}.{}", seal(secret, &said, channel))
    }

    /// The ticket, if it is one of ours, for this channel, and still good.
    pub(super) fn open(text: &str, secret: &str, channel: &Name, now: Time) -> Option<Self> {
        let (said, sealed) = text.rsplit_once('.')?;
        // Compared in a time that does not tell how much of it is right.
        if seal(secret, said, channel) != blake3::Hash::from_hex(sealed).ok()? {
            return None;
        }
        let mut parts = said.split('.');
        let until = Time(parts.next()?.parse().ok()?);
        let (room, member) = (RoomId::new(parts.next()?).ok()?, MemberId::new(parts.next()?).ok()?);
        let key = Some(parts.next()?).filter(|key| !key.is_empty()).map(KeyId::new).transpose().ok()?;
        // Nothing more: what stood behind it would be the beginning of another channel's name.
        (parts.next().is_none() && until > now).then_some(Self { room, member, key, until })
    }
}

fn seal(secret: &str, said: &str, channel: &Name) -> blake3::Hash {
    let key = blake3::derive_key(KEY, secret.as_bytes());
    blake3::keyed_hash(&key, format!("{said}.{channel}").as_bytes())
}

#[derive(Deserialize)]
struct Asked {
    room_id: RoomId,
    channel: String,
}

/// `POST /api/stream-ticket`.
pub(crate) async fn give(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Result<Json<Value>, Fault> {
    let Asked { room_id, channel } = body.json()?;
    let channel: Name =
        channel.parse().map_err(|error| Fault::validation("value_error", &["body", "channel"], format!("{error}")))?;
    let (shown, _) = member_of(&app, &headers, &room_id).await?;
    let member = shown.person()?.member().clone();
    let key = bearer(&headers)?.parse().ok().map(|key: ApiKey| key.hash().id());
    let ticket = Ticket { room: room_id, member, key, until: app.context.now().plus_ms(GOOD_MS) };
    let text = ticket.seal(&app.admin_secret, &channel);
    Ok(Json(json!({"ticket": text, "channel": channel.to_string(), "expires_in_seconds": GOOD_MS / 1000})))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "of the operator";
    const NOW: Time = Time(1_000_000);

    fn ticket() -> Ticket {
        Ticket {
            room: RoomId::new("pool").unwrap(),
            member: MemberId::new("u_0a1b").unwrap(),
            key: Some(KeyId::new("key_0a1b").unwrap()),
            until: NOW.plus_ms(GOOD_MS),
        }
    }

    fn channel(name: &str) -> Name {
        name.parse().unwrap()
    }

    #[test]
    fn a_ticket_is_good_for_its_channel_until_its_time_is_over() {
        let text = ticket().seal(SECRET, &channel("worker:gpu.1"));
        let open = |channel: &Name, now| Ticket::open(&text, SECRET, channel, now);
        assert_eq!(open(&channel("worker:gpu.1"), NOW), Some(ticket()));
        assert_eq!(open(&channel("worker:gpu.1"), NOW.plus_ms(GOOD_MS - 1)), Some(ticket()), "many times");
        assert_eq!(open(&channel("worker:gpu.1"), NOW.plus_ms(GOOD_MS)), None);
        assert_eq!(open(&channel("worker:gpu.2"), NOW), None);
        assert_eq!(Ticket::open(&text, "of another server", &channel("worker:gpu.1"), NOW), None);
    }

    #[test]
    fn nothing_in_a_ticket_can_be_changed() {
        let text = ticket().seal(SECRET, &channel("job_1"));
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(Ticket::open(&changed, SECRET, &channel("job_1"), NOW), None, "{changed}");
        }
        // Nor moved into the name of another channel.
        let text = ticket().seal(SECRET, &channel("worker:a.job_2"));
        let (said, sealed) = text.rsplit_once('.').unwrap();
        assert_eq!(Ticket::open(&format!("{said}.worker:a.{sealed}"), SECRET, &channel("job_2"), NOW), None);
        for text in ["", ".", "...", "x.y.z.0", &text[1..], &text[..text.len() - 1]] {
            assert_eq!(Ticket::open(text, SECRET, &channel("job_1"), NOW), None, "{text}");
        }
    }
}
