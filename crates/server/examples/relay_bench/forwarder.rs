//! The yardstick: the same HTTP and WebSocket library with the same settings, and nothing else. A connection's path is its
//! name; what `a` says goes to `b` unread.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::routing::any;
use axum::serve::ListenerExt;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::Error;
use crate::load::{Pair, Socket, connect};
use crate::process::Process;

type Ends = Arc<Mutex<HashMap<String, mpsc::Sender<Utf8Bytes>>>>;

/// The first message to each connection.
const READY: &str = "ready";
/// Messages that wait for one connection.
const WAITING: usize = 1024;

pub(crate) async fn serve() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let app = Router::new().route("/{name}", any(upgrade)).with_state(Ends::default());
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, app).await?)
}

async fn upgrade(
    State(ends): State<Ends>,
    Path(name): Path<String>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    let upgrade = upgrade.read_buffer_size(4096).write_buffer_size(4096).max_write_buffer_size(4 << 20);
    upgrade.on_upgrade(move |socket| Box::pin(forward(socket, ends, name)))
}

async fn forward(socket: WebSocket, ends: Ends, name: String) {
    let (mut sink, mut stream) = socket.split();
    let (send, mut waiting) = mpsc::channel(WAITING);
    let other = if name == "a" { "b" } else { "a" };
    ends.lock().unwrap_or_else(PoisonError::into_inner).insert(name, send);
    // From now on it can be sent to.
    if sink.send(Message::Text(READY.into())).await.is_err() {
        return;
    }
    let read = async {
        while let Some(Ok(message)) = stream.next().await {
            let Message::Text(text) = message else { continue };
            let target = ends.lock().unwrap_or_else(PoisonError::into_inner).get(other).cloned();
            if let Some(target) = target {
                // Gone, or 1024 behind: a bare forwarder has no better answer.
                let _ = target.try_send(text);
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

async fn end(forwarder: &Process, path: &str) -> Result<Socket, Error> {
    let mut socket = connect(forwarder.address, path).await?;
    let ready = socket.next().await.ok_or("closed")??;
    if ready.to_text()? == READY { Ok(socket) } else { Err("not ready".into()) }
}

pub(crate) async fn pair(forwarder: &Process) -> Result<Pair, Error> {
    Ok(Pair { from: end(forwarder, "/a").await?, to: end(forwarder, "/b").await? })
}
