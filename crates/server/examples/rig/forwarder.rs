//! The yardsticks: the same HTTP and WebSocket library with the same settings, and nothing else. A connection to `/a/b` is
//! called `a`, and what it says goes to `b`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::routing::any;
use axum::serve::ListenerExt;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::Error;
use super::socket::{Socket, connect};

/// What a yardstick does with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Hands it on unread.
    Plain,
    /// Reads it as JSON and writes it anew.
    Json,
}

#[derive(Clone)]
struct Ends {
    sort: Sort,
    by_name: Arc<Mutex<HashMap<String, mpsc::Sender<Utf8Bytes>>>>,
}

/// The first message to each connection.
const READY: &str = "ready";
/// Messages that wait for one connection.
const WAITING: usize = 1024;

pub(crate) async fn serve(sort: Sort) -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let app = Router::new().route("/{name}/{to}", any(upgrade)).with_state(Ends { sort, by_name: Arc::default() });
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, app).await?)
}

async fn upgrade(
    State(ends): State<Ends>,
    Path((name, to)): Path<(String, String)>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    let upgrade = upgrade.read_buffer_size(4096).write_buffer_size(4096).max_write_buffer_size(4 << 20);
    upgrade.on_upgrade(move |socket| Box::pin(forward(socket, ends, name, to)))
}

impl Ends {
    fn pass_on(&self, to: &str, text: Utf8Bytes) {
        let text = match self.sort {
            Sort::Plain => text,
            Sort::Json => {
                let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) else { return };
                value.to_string().into()
            }
        };
        let target = self.by_name.lock().unwrap_or_else(PoisonError::into_inner).get(to).cloned();
        if let Some(target) = target {
            // Gone, or 1024 behind: a bare forwarder has no better answer.
            let _ = target.try_send(text);
        }
    }
}

async fn forward(socket: WebSocket, ends: Ends, name: String, to: String) {
    let (mut sink, mut stream) = socket.split();
    let (send, mut waiting) = mpsc::channel(WAITING);
    ends.by_name.lock().unwrap_or_else(PoisonError::into_inner).insert(name, send);
    // From now on it can be sent to.
    if sink.send(Message::Text(READY.into())).await.is_err() {
        return;
    }
    let read = async {
        while let Some(Ok(message)) = stream.next().await {
            if let Message::Text(text) = message {
                ends.pass_on(&to, text);
            }
        }
    };
    let write = async {
        while let Some(text) = waiting.recv().await {
            if sink.feed(Message::Text(text)).await.is_err() {
                return;
            }
            while let Ok(text) = waiting.try_recv() {
                if sink.feed(Message::Text(text)).await.is_err() {
                    return;
                }
            }
            if sink.flush().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
}

/// A connection called `name` whose messages go to `to`.
pub(crate) async fn end(address: SocketAddr, name: &str, to: &str) -> Result<Socket, Error> {
    let mut socket = connect(address, &format!("/{name}/{to}")).await?;
    let ready = socket.next().await.ok_or("closed")??;
    if ready.to_text()? == READY { Ok(socket) } else { Err("not ready".into()) }
}
