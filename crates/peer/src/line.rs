//! Carries out what the pure halves of the signaling want of the socket: open it with a valid sign-in, send, drop.

use std::pin::Pin;

use sleap_rtc_session::KeyPair;
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_wire::{Code, FromPeer, ToPeer};

use crate::api::{Api, ApiError, SignedIn};
use crate::socket::{Socket, SocketEvent};

type Opening = Pin<Box<dyn Future<Output = Result<(Socket, SignedIn), Cause>> + Send>>;

/// What happened on the line.
pub(crate) enum LineEvent {
    Connected { id_token: String },
    Failed(Cause),
    Frame(ToPeer),
    Closed(Cause),
}

enum State {
    Down,
    Opening(Opening),
    Up(Socket),
}

/// The socket, and who we are to the server.
pub(crate) struct Line {
    api: Api,
    key: KeyPair,
    signed_in: Option<SignedIn>,
    state: State,
}

impl Line {
    pub(crate) fn new(api: Api, key: KeyPair) -> Self {
        Self { api, key, signed_in: None, state: State::Down }
    }

    pub(crate) fn connect(&mut self, fresh: bool) {
        let known = self.signed_in.take().filter(|who| !fresh && who.is_valid());
        self.state = State::Opening(Box::pin(open(self.api.clone(), self.key.clone(), known)));
    }

    /// Frames for a socket that is gone are dropped: the machine hears of its end next.
    pub(crate) fn send(&self, frame: &FromPeer) {
        if let State::Up(socket) = &self.state {
            socket.send(frame);
        }
    }

    pub(crate) fn drop_socket(&mut self) {
        self.state = State::Down;
    }

    /// What comes next; nothing while there is no socket. Cancel safe.
    pub(crate) async fn next(&mut self) -> LineEvent {
        match &mut self.state {
            State::Down => std::future::pending().await,
            State::Opening(opening) => match opening.await {
                Ok((socket, who)) => {
                    let id_token = who.id_token.clone();
                    self.signed_in = Some(who);
                    self.state = State::Up(socket);
                    LineEvent::Connected { id_token }
                }
                Err(cause) => {
                    self.state = State::Down;
                    LineEvent::Failed(cause)
                }
            },
            State::Up(socket) => match socket.next().await {
                SocketEvent::Frame(frame) => LineEvent::Frame(frame),
                SocketEvent::Closed(cause) => {
                    self.state = State::Down;
                    LineEvent::Closed(cause)
                }
            },
        }
    }

    /// Closes the socket after what was sent.
    pub(crate) async fn close(&mut self) {
        if let State::Up(socket) = std::mem::replace(&mut self.state, State::Down) {
            socket.close().await;
        }
    }

    /// The calls to the server and our sign-in, if there is one that is still good.
    pub(crate) fn identity(&self) -> Option<(Api, SignedIn)> {
        let who = self.signed_in.clone().filter(SignedIn::is_valid)?;
        Some((self.api.clone(), who))
    }
}

async fn open(api: Api, key: KeyPair, known: Option<SignedIn>) -> Result<(Socket, SignedIn), Cause> {
    let who = match known {
        Some(who) => who,
        None => api.sign_in(&key).await.map_err(|error| refusal(&error))?,
    };
    let socket = Socket::open(api.server()).await.map_err(Cause::Unreachable)?;
    Ok((socket, who))
}

fn refusal(error: &ApiError) -> Cause {
    match error {
        ApiError::Refused { code, text, .. } if !error.is_transient() || *code == Code::RateLimited => {
            Cause::Refused { code: *code, text: text.clone() }
        }
        ApiError::NotAServer { .. } if !error.is_transient() => {
            Cause::Refused { code: Code::Unknown, text: error.to_string() }
        }
        _ => Cause::Unreachable(error.to_string()),
    }
}
