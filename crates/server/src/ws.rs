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
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{Code, ConnId, ErrorFrame, FromPeer, Text, ToPeer};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite;

use crate::allowance::{Allowance, Verdict};
use crate::app::App;
use crate::http::{Address, READ_BUFFER};
use crate::joining::{Knocker, Seat};
use crate::limits::Limits;
use crate::meter::Meter;
use crate::outbox::{End, Out, Outbox};

/// How often the server looks whether a peer has been quiet for so long, and then pings it.
const PING: Duration = Duration::from_secs(20);
/// After how much silence a link counts as dead.
const SILENCE: Duration = Duration::from_mins(1);
/// How long the last words to a peer may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Somebody who has connected, and what is known of it.
pub(crate) struct Guest {
    pub(crate) address: Address,
    /// By which host it knows the server.
    pub(crate) dialled: Option<Box<str>>,
    /// Held until it has registered.
    pub(crate) unregistered: OwnedSemaphorePermit,
    /// What is read of it until then.
    pub(crate) meter: Arc<Meter>,
}

/// Speaks with one peer until either side ends it. Dropping the future at any point leaves the room as well.
pub(crate) async fn serve(socket: WebSocket, app: Arc<App>, guest: Guest) {
    let Guest { address, dialled, unregistered, meter } = guest;
    let (conn, limits, now) = (app.next_conn(), app.context.config.limits, Instant::now());
    let outbox = Arc::new(Outbox::new(unregistered, limits.send_buffer));
    let (mut sink, stream) = socket.split();
    let allowance = Allowance::new(&limits, now);
    let mut reader =
        Reader { app: &app, conn, address, dialled, outbox: &outbox, seat: None, heard: now, meter, allowance };
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
    let reason = end.text(&app.context.config.limits);
    tracing::debug!(%address, reason, "connection closed");
    if end == End::SlowReader {
        app.context.metrics.slow_readers.add();
        tracing::warn!(%address, "connection dropped: {reason}");
    }
    let close = CloseFrame { code: end.code(), reason: reason.into() };
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
    /// By which host it knows the server.
    dialled: Option<Box<str>>,
    outbox: &'a Arc<Outbox>,
    seat: Option<Seat>,
    heard: Instant,
    meter: Arc<Meter>,
    allowance: Allowance,
}

impl Reader<'_> {
    /// Reads until the end. `None`: the peer has closed, or the link is gone.
    async fn run(&mut self, mut stream: SplitStream<WebSocket>) -> Option<End> {
        // One timer that is not touched by messages: setting it anew each time would cost more than relaying.
        let mut look = pin!(tokio::time::sleep(Duration::from_millis(self.limits().unregistered_ms)));
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
                message = stream.next() => match message? {
                    Ok(message) => message,
                    Err(error) => return self.unreadable(error),
                },
            };
            self.heard = Instant::now();
            let bytes = match message {
                Message::Text(text) => text.into(),
                Message::Binary(bytes) => bytes,
                Message::Ping(bytes) | Message::Pong(bytes) => {
                    if self.allowance.take(bytes.len(), self.heard) == Verdict::End {
                        return self.last_words(End::TooFast).await;
                    }
                    continue;
                }
                Message::Close(_) => return None,
            };
            let answer = match self.allowance.take(bytes.len(), self.heard) {
                Verdict::Fine => self.message(bytes).await,
                Verdict::Warn => Err(self.too_fast()),
                Verdict::Drop => continue,
                Verdict::End => return self.last_words(End::TooFast).await,
            };
            if let Err(error) = answer {
                self.outbox.push(&ToPeer::Error(error));
            }
            if self.outbox.is_registered() { self.meter.open() } else { self.meter.allow(self.first_frame()) }
        }
    }

    fn limits(&self) -> &Limits {
        &self.app.context.config.limits
    }

    /// What may be read before a peer registers: a frame, and what was read with the end of the one before.
    fn first_frame(&self) -> usize {
        self.limits().first_frame + 2 * READ_BUFFER
    }

    /// Why nothing more can be read, if that is not the link's own end.
    fn unreadable(&self, error: axum::Error) -> Option<End> {
        if self.meter.is_spent() {
            return Some(End::TooLarge(self.limits().first_frame));
        }
        match error.into_inner().downcast_ref() {
            Some(tungstenite::Error::Capacity(_)) => Some(End::TooLarge(self.limits().frame)),
            _ => None,
        }
    }

    fn too_fast(&self) -> ErrorFrame {
        self.app.context.metrics.rate_limited.add();
        let Limits { frames_per_second, frame_burst, .. } = self.limits();
        let text = format!("more than {frames_per_second} frames a second, or {frame_burst} at once: not read");
        ErrorFrame::new(Code::RateLimited, text)
    }

    /// Nothing more is read; what was said to the peer is still written, if it reads.
    async fn last_words(&self, end: End) -> Option<End> {
        self.outbox.close(end);
        tokio::time::sleep(FAREWELL).await;
        Some(end)
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
        let most = self.limits().first_frame;
        if bytes.len() > most && !self.outbox.is_registered() {
            let text = format!("frame of {} bytes, at most {most} before you are registered", bytes.len());
            return Err(ErrorFrame::new(Code::TooLarge, text));
        }
        let text = Text::try_from(bytes).map_err(|_| ErrorFrame::new(Code::InvalidJson, "Invalid JSON format"))?;
        let frame = match FromPeer::decode(&text) {
            Ok(frame) => frame,
            Err(error) => return error.frame().map_or(Ok(()), Err),
        };
        match (frame, &self.seat) {
            (FromPeer::Register(register), _) => self.register(register).await,
            (FromPeer::Ping | FromPeer::Pong, _) => Ok(()),
            (frame, Some(seat)) => {
                seat.frame(frame);
                Ok(())
            }
            (frame, None) => not_registered(&frame).map_or(Ok(()), Err),
        }
    }
    async fn register(&mut self, register: Box<Register>) -> Result<(), ErrorFrame> {
        let (from, address) = (self.address.ip, self.address.own());
        if !self.app.registrations.allows(from, self.app.context.now()) {
            self.app.context.metrics.rate_limited.add();
            let text = format!("more than {} registrations a minute from this address", self.limits().registrations);
            return Err(ErrorFrame::new(Code::RateLimited, text));
        }
        let dialled = self.dialled.as_deref();
        let knocker = Knocker { app: self.app, conn: self.conn, outbox: self.outbox, from, address, dialled };
        // Boxed: a connection is held for days, and this step of it, which is the largest, takes a moment.
        Box::pin(knocker.register(register, &mut self.seat)).await
    }
}
