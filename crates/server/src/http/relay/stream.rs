//! Streams of events, as `EventSource` reads them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use sleap_rtc_access::Person;
use sleap_rtc_wire::record::ApiKeyRecord;
use sleap_rtc_wire::{ApiKey, Code, KeyId, RoomId};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::ask::{member_of, not_a_member};
use super::ticket::Ticket;
use crate::app::App;
use crate::channels::{Name, TooManyStreams, Watch};
use crate::http::auth::{bearer, belongs};
use crate::http::fault::Fault;
use crate::in_use::Using;
use crate::listen::Remote;
use crate::persons;

/// How often is looked whether who watches still belongs to the room.
const LOOK: Duration = Duration::from_mins(1);
/// What is written when there is nothing to tell: proxies and browsers give up a connection on which nothing comes.
const KEEPALIVE: Bytes = Bytes::from_static(b": keepalive\n\n");

#[derive(Deserialize)]
pub(crate) struct Asked {
    /// For browsers.
    #[serde(default)]
    ticket: Option<String>,
    /// With a Bearer credential: the room, as two rooms may have channels of the same name.
    #[serde(default)]
    room_id: Option<RoomId>,
}

/// `GET /stream/{channel}` and `GET /relay/stream/{channel}`.
pub(crate) async fn watch(
    State(app): State<Arc<App>>,
    Extension(remote): Extension<Remote>,
    Path(channel): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let Query(asked) = asked.map_err(|refused| Fault::validation("value_error", &["query"], refused.body_text()))?;
    let channel: Name =
        channel.parse().map_err(|error| Fault::new(StatusCode::NOT_FOUND, Code::NotFound, format!("{error}")))?;
    let Admitted { room, person, using } = match asked.ticket {
        Some(ticket) => by_ticket(&app, &ticket, &channel, &remote.cut).await?,
        None => by_name(&app, &headers, asked.room_id, &remote.cut).await?,
    };
    let (channels, now) = (&app.context.channels, app.context.now());
    let watch = channels.watch(&room, &channel, person.member(), remote.cut.clone(), now);
    let watch = watch.map_err(|TooManyStreams(most)| {
        let text = format!("{most} streams are open, at most {most} are allowed to a member");
        Fault::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, text)
    })?;
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        (header::CACHE_CONTROL.as_str(), "no-cache"),
        ("x-accel-buffering", "no"),
    ];
    let stream = Stream::new(app, watch, Admitted { room, person, using });
    Ok((headers, Body::from_stream(stream::unfold(stream, Stream::next))).into_response())
}

/// Who may watch.
struct Admitted {
    room: RoomId,
    person: Person,
    /// What it came in by: with that the stream ends.
    using: Using,
}

/// Who came with a ticket, which belongs to the room still.
async fn by_ticket(app: &App, text: &str, channel: &Name, cut: &Arc<Notify>) -> Result<Admitted, Fault> {
    let ticket = Ticket::open(text, &app.admin_secret, channel, app.context.now());
    let Ticket { room, member, key, .. } = ticket.ok_or_else(bad_ticket)?;
    let (using, key) = match key {
        Some(key) => by_key(app, &key, cut).await?,
        None => (app.in_use.begin_stream(cut, None), None),
    };
    let person = persons::of_member(&*app.context.store, &member).await?;
    using.is_in(&room, Some(&person), key.as_ref());
    let record = app.registry.record(&room).await?.ok_or_else(Fault::room_not_found)?;
    if belongs(app, &record, &person).await? { Ok(Admitted { room, person, using }) } else { Err(not_a_member()) }
}

/// The key by which a ticket was asked for, in use from now on. Looked at after that, so that it does not end unseen.
async fn by_key(app: &App, key: &KeyId, cut: &Arc<Notify>) -> Result<(Using, Option<ApiKeyRecord>), Fault> {
    let store = &*app.context.store;
    let hash = store.api_key_named(key).await?.ok_or_else(bad_ticket)?.hash;
    let using = app.in_use.begin_stream(cut, Some(hash));
    let record = store.api_key_named(key).await?.filter(|key| key.is_active(app.context.now()));
    Ok((using, Some(record.ok_or_else(bad_ticket)?)))
}

fn bad_ticket() -> Fault {
    Fault::unauthorized("this ticket is not good, or not any more; POST /api/stream-ticket gives another")
}

async fn by_name(app: &App, headers: &HeaderMap, room: Option<RoomId>, cut: &Arc<Notify>) -> Result<Admitted, Fault> {
    if !headers.contains_key(header::AUTHORIZATION) {
        let text = "a stream needs a ticket of POST /api/stream-ticket, or a Bearer credential and room_id";
        return Err(Fault::unauthorized(text));
    }
    let Some(room) = room else {
        return Err(Fault::validation("missing", &["query", "room_id"], "Field required"));
    };
    let key: Option<ApiKey> = bearer(headers)?.parse().ok();
    let using = app.in_use.begin_stream(cut, key.as_ref().map(ApiKey::hash));
    let (shown, record) = member_of(app, headers, &room).await?;
    let person = shown.person()?.clone();
    let key = match &key {
        Some(key) => app.context.store.api_key(key).await?,
        None => None,
    };
    using.is_in(&room, Some(&person), key.as_ref());
    // Looked at again, now that its end would be heard of.
    if belongs(app, &record, &person).await? { Ok(Admitted { room, person, using }) } else { Err(not_a_member()) }
}

/// `GET /relay/health`.
pub(crate) async fn health(State(app): State<Arc<App>>) -> Json<Value> {
    let (channels, streams) = app.context.channels.counts();
    Json(json!({"status": "ok", "channels": channels, "total_subscribers": streams}))
}

/// What one stream writes.
struct Stream {
    app: Arc<App>,
    watch: Watch,
    of: Admitted,
    quiet_until: Instant,
    look_at: Instant,
}

type Written = (Result<Bytes, Infallible>, Stream);

impl Stream {
    fn new(app: Arc<App>, watch: Watch, of: Admitted) -> Self {
        let now = Instant::now();
        let mut stream = Self { app, watch, of, quiet_until: now, look_at: now + LOOK };
        stream.quiet_until = stream.quiet();
        stream
    }

    fn quiet(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.app.context.config.keepalive_ms)
    }

    /// What it writes next. `None`: it ends.
    async fn next(mut self) -> Option<Written> {
        loop {
            let write = tokio::select! {
                biased;
                () = self.app.closed() => return None,
                event = self.watch.next() => event?,
                () = sleep_until(self.look_at) => {
                    if !self.is_of_the_room().await {
                        return None;
                    }
                    self.look_at = Instant::now() + LOOK;
                    continue;
                }
                () = sleep_until(self.quiet_until) => KEEPALIVE,
            };
            self.quiet_until = self.quiet();
            return Some((Ok(write), self));
        }
    }

    async fn is_of_the_room(&self) -> bool {
        match self.app.registry.record(&self.of.room).await {
            Ok(None) => false,
            // A fault is in the log already. Who watches is looked at again in a minute.
            Ok(Some(record)) => belongs(&self.app, &record, &self.of.person).await.unwrap_or(true),
            Err(error) => {
                self.app.context.store_failed("look who watches", &error);
                true
            }
        }
    }
}
