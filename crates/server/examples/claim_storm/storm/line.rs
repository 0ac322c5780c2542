//! A peer's socket: what the pure halves of the signaling want of it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_wire::{FromPeer, ToPeer};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::super::rig::Error;
use super::super::rig::socket::{Socket, connect};

type Opening = Pin<Box<dyn Future<Output = Result<Socket, Error>> + Send>>;

/// How long opening a socket may take.
const OPEN: Duration = Duration::from_secs(5);

/// What happened on the line.
pub(super) enum Event {
    Connected,
    Failed(Cause),
    Frame(ToPeer),
    Closed(Cause),
}

enum State {
    Down,
    Opening(Opening),
    Up(Box<Socket>),
}

/// A line to the server at this address.
pub(super) struct Line {
    address: SocketAddr,
    state: State,
}

impl Line {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, state: State::Down }
    }

    pub(super) fn connect(&mut self) {
        let address = self.address;
        self.state = State::Opening(Box::pin(async move {
            timeout(OPEN, connect(address, "/")).await.map_err(|_| Error::from("no answer in time"))?
        }));
    }

    pub(super) fn disconnect(&mut self) {
        self.state = State::Down;
    }

    /// Queues a frame. One for a socket that is gone is dropped: the machine hears of its end next.
    pub(super) async fn feed(&mut self, frame: &FromPeer) {
        if let State::Up(socket) = &mut self.state {
            let _ = socket.feed(Message::text(frame.encode().to_string())).await;
        }
    }

    /// Sends what is queued, in one piece.
    pub(super) async fn flush(&mut self) {
        if let State::Up(socket) = &mut self.state {
            let _ = socket.flush().await;
        }
    }

    /// What comes next; nothing while there is no socket.
    pub(super) async fn next(&mut self) -> Event {
        let event = match &mut self.state {
            State::Down => std::future::pending().await,
            State::Opening(opening) => match opening.await {
                Ok(socket) => {
                    self.state = State::Up(Box::new(socket));
                    return Event::Connected;
                }
                Err(error) => Event::Failed(Cause::Unreachable(error.to_string())),
            },
            State::Up(socket) => loop {
                match socket.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return Event::Frame(ToPeer::decode(&text).unwrap_or(ToPeer::Unknown));
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let reason = frame.map_or("no reason".to_owned(), |frame| frame.reason.to_string());
                        break Event::Closed(Cause::Closed(reason));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break Event::Closed(Cause::Closed(error.to_string())),
                    None => break Event::Closed(Cause::Closed("end".to_owned())),
                }
            },
        };
        self.state = State::Down;
        event
    }
}
