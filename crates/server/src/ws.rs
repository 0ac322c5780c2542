//! One signaling connection: a reader and a writer in one task, neither of which waits for the other.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sleap_rtc_room::not_registered;
use sleap_rtc_wire::{Code, ConnId, ErrorFrame, FromPeer, Text, ToPeer, limits};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::app::App;
use crate::http::Address;
use crate::joining::{Knocker, Seat};
use crate::outbox::{End, Out, Outbox};

/// How often the server looks whether a peer has been quiet for so long, and then pings it.
const PING: Duration = Duration::from_secs(20);
/// After how much silence a link counts as dead.
const SILENCE: Duration = Duration::from_mins(1);
/// How long a socket may stay unregistered.
const UNREGISTERED: Duration = Duration::from_millis(limits::UNREGISTERED_MS);
/// How long the last words to a peer may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Speaks with one peer until either side ends it. Dropping the future at any point leaves the room as well.
pub(crate) async fn serve(socket: WebSocket, app: Arc<App>, address: Address, unregistered: OwnedSemaphorePermit) {
    let conn = app.next_conn();
    let outbox = Arc::new(Outbox::new(unregistered));
    let (mut sink, stream) = socket.split();
    let mut reader = Reader { app: &app, conn, address, outbox: &outbox, seat: None, heard: Instant::now() };
    let end = tokio::select! {
        end = reader.run(stream) => end,
        end = write(&mut sink, &outbox) => end,
        () = outbox.cut_off() => Some(End::SlowReader),
        () = app.closed() => Some(End::ShuttingDown),
    };
    // The room hears of it before the peer does.
    drop(reader);
    if let Some(end) = end {
        farewell(&app, &mut sink, address.ip, end).await;
    }
}

async fn farewell(app: &App, sink: &mut SplitSink<WebSocket, Message>, address: IpAddr, end: End) {
    tracing::debug!(%address, reason = end.text(), "connection closed");
    if end == End::SlowReader {
        app.context.metrics.slow_readers.add();
        tracing::warn!(%address, "connection dropped: {}", end.text());
    }
    let close = CloseFrame { code: end.code(), reason: Utf8Bytes::from_static(end.text()) };
    // Somebody who does not read does not hear this either.
    let _ = timeout(FAREWELL, sink.send(Message::Close(Some(close)))).await;
}

/// Writes what is queued: a burst goes out in one piece. `None`: the link is gone.
async fn write(sink: &mut SplitSink<WebSocket, Message>, outbox: &Outbox) -> Option<End> {
    let mut next = outbox.next().await;
    loop {
        match next {
            Out::Close(end) => {
                sink.flush().await.ok()?;
                return Some(end);
            }
            Out::Frame(text) => sink.feed(Message::Text(utf8(text))).await.ok()?,
            Out::Ping => sink.feed(Message::Ping(Bytes::new())).await.ok()?,
        }
        next = if let Some(out) = outbox.take() {
            out
        } else {
            sink.flush().await.ok()?;
            outbox.next().await
        };
    }
}

fn utf8(text: Text) -> Utf8Bytes {
    // Checks again what is known to be text: 40 ns for 1 KiB, and no unsafe code.
    Utf8Bytes::try_from(text.into_bytes()).unwrap_or_default()
}

struct Reader<'a> {
    app: &'a Arc<App>,
    conn: ConnId,
    address: Address,
    outbox: &'a Arc<Outbox>,
    seat: Option<Seat>,
    heard: Instant,
}

impl Reader<'_> {
    /// Reads until the end. `None`: the peer has closed, or the link is gone.
    async fn run(&mut self, mut stream: SplitStream<WebSocket>) -> Option<End> {
        // One timer that is not touched by messages: setting it anew each time would cost more than relaying.
        let mut look = pin!(tokio::time::sleep(UNREGISTERED));
        loop {
            let message = tokio::select! {
                biased;
                () = &mut look => {
                    if let Some(end) = self.look() {
                        return Some(end);
                    }
                    look.as_mut().reset(Instant::now() + PING);
                    continue;
                }
                message = stream.next() => message?.ok()?,
            };
            self.heard = Instant::now();
            let bytes = match message {
                Message::Text(text) => text.into(),
                Message::Binary(bytes) => bytes,
                Message::Ping(_) | Message::Pong(_) => continue,
                Message::Close(_) => return None,
            };
            if let Err(error) = self.message(bytes).await {
                self.outbox.push(&ToPeer::Error(error));
            }
        }
    }

    fn look(&mut self) -> Option<End> {
        if !self.outbox.is_registered() {
            return Some(End::Unregistered);
        }
        let quiet = self.heard.elapsed();
        if quiet >= PING {
            self.outbox.ping();
        }
        (quiet >= SILENCE).then_some(End::Silent)
    }

    /// No error of the peer's ends its connection.
    async fn message(&mut self, bytes: Bytes) -> Result<(), ErrorFrame> {
        if bytes.len() > limits::FIRST_FRAME && !self.outbox.is_registered() {
            let text =
                format!("frame of {} bytes, at most {} before you are registered", bytes.len(), limits::FIRST_FRAME);
            return Err(ErrorFrame::new(Code::TooLarge, text));
        }
        let text = Text::try_from(bytes).map_err(|_| ErrorFrame::new(Code::InvalidJson, "Invalid JSON format"))?;
        let frame = match FromPeer::decode(&text) {
            Ok(frame) => frame,
            Err(error) => return error.frame().map_or(Ok(()), Err),
        };
        match (frame, &self.seat) {
            (FromPeer::Register(register), _) => {
                let (from, address) = (self.address.ip, self.address.own());
                let knocker = Knocker { app: self.app, conn: self.conn, outbox: self.outbox, from, address };
                knocker.register(register, &mut self.seat).await
            }
            (FromPeer::Ping | FromPeer::Pong, _) => Ok(()),
            (frame, Some(seat)) => {
                seat.frame(frame);
                Ok(())
            }
            (frame, None) => not_registered(&frame).map_or(Ok(()), Err),
        }
    }
}
