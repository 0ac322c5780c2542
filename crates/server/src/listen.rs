//! The accept loop: one a port, both serve the same.
//!
//! It is ours and not `axum::serve` because that one has no place for limits: how many sockets, how long a request's head may
//! take, how large the buffers are.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;

/// How long the head of a request may take, and a connection stay idle between two.
const HEAD: Duration = Duration::from_secs(15);
/// How long a connection may go on when the server ends.
const LAST_REQUEST: Duration = Duration::from_secs(3);
/// The largest head of a request that fits, bytes.
const BUFFER: usize = 16 << 10;
/// What to wait when the system has no socket left.
const PAUSE: Duration = Duration::from_millis(50);

/// The other end of a request's connection.
#[derive(Clone)]
pub(crate) struct Remote {
    pub(crate) address: IpAddr,
    /// Our own end of it, if the system says.
    pub(crate) local: Option<IpAddr>,
    /// Keeps the connection counted for as long as anybody holds it.
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Accepts until the server ends.
pub(crate) async fn accept(listener: TcpListener, router: Router, app: Arc<App>) {
    loop {
        let accepted = tokio::select! {
            () = app.closed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => admit(stream, from, &router, &app),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn admit(stream: TcpStream, from: SocketAddr, router: &Router, app: &Arc<App>) {
    let Ok(permit) = app.connections.clone().try_acquire_owned() else {
        app.context.metrics.turned_away.add();
        return tracing::warn!("connection turned away: {} are open", app.context.config.connections);
    };
    // Without this, small frames wait 40 ms for each other.
    if let Err(error) = stream.set_nodelay(true) {
        return tracing::debug!(%error, "connection lost");
    }
    let local = stream.local_addr().ok().map(|local| local.ip().to_canonical());
    let remote = Remote { address: from.ip().to_canonical(), local, _permit: Arc::new(permit) };
    tokio::spawn(Box::pin(serve(stream, remote, router.clone(), app.clone())));
}

/// Serves the requests of one connection; one that becomes a WebSocket goes on elsewhere.
async fn serve(stream: TcpStream, remote: Remote, router: Router, app: Arc<App>) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(remote.clone());
        router.call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let result = tokio::select! {
        result = &mut connection => result,
        () = app.closed() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(LAST_REQUEST, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = result {
        tracing::trace!(%error, "connection ended");
    }
}
