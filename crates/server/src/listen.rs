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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::app::App;
use crate::meter::{Meter, Metered};
use crate::tls::Tls;

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
    /// How much is read from it while it is not known whose it is.
    pub(crate) meter: Arc<Meter>,
    /// Ends the connection at once, even if its other end does not read what is being written.
    pub(crate) cut: Arc<Notify>,
    /// Keeps the connection counted for as long as anybody holds it.
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Accepts until the server ends.
pub(crate) async fn accept(listener: TcpListener, router: Router, tls: Option<Arc<Tls>>, app: Arc<App>) {
    loop {
        let accepted = tokio::select! {
            () = app.closed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => admit(stream, from, &router, tls.as_ref(), &app),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn admit(stream: TcpStream, from: SocketAddr, router: &Router, tls: Option<&Arc<Tls>>, app: &Arc<App>) {
    let Ok(permit) = app.connections.clone().try_acquire_owned() else {
        app.context.metrics.turned_away.add();
        return tracing::warn!("connection turned away: {} are open", app.context.config.connections);
    };
    // Without this, small frames wait 40 ms for each other.
    if let Err(error) = stream.set_nodelay(true) {
        return tracing::debug!(%error, "connection lost");
    }
    let local = stream.local_addr().ok().map(|local| local.ip().to_canonical());
    let remote = Remote {
        address: from.ip().to_canonical(),
        local,
        meter: Arc::default(),
        cut: Arc::default(),
        _permit: Arc::new(permit),
    };
    let (router, app) = (router.clone(), app.clone());
    match tls.cloned() {
        None => tokio::spawn(Box::pin(serve(stream, remote, router, app))),
        Some(tls) => tokio::spawn(Box::pin(serve_encrypted(tls, stream, remote, router, app))),
    };
}

async fn serve_encrypted(tls: Arc<Tls>, stream: TcpStream, remote: Remote, router: Router, app: Arc<App>) {
    let accepted = tokio::select! {
        accepted = tls.accept(stream) => accepted,
        () = app.closed() => None,
    };
    if let Some(stream) = accepted {
        serve(stream, remote, router, app).await;
    }
}

/// Serves the requests of one connection; one that becomes a WebSocket goes on elsewhere.
async fn serve<S>(stream: S, remote: Remote, router: Router, app: Arc<App>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = Metered::new(stream, remote.meter.clone());
    let head = Duration::from_millis(app.context.config.limits.head_ms);
    let cut = remote.cut.clone();
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(remote.clone());
        router.call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(BUFFER);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let result = tokio::select! {
        result = &mut connection => result,
        () = cut.notified() => return tracing::debug!("connection dropped: it reads its stream too slowly"),
        () = app.closed() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(LAST_REQUEST, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = result {
        tracing::trace!(%error, "connection ended");
    }
}
