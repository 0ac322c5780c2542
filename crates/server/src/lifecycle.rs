//! The server's life: bind, serve, end in order.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sleap_rtc_identity::{Identity, KeyFileError, Local};
use sleap_rtc_store::{OpenError, Sqlite, Store};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::app::{App, Context};
use crate::config::{Config, ExtraPort};
use crate::stun::Responder;
use crate::tls::{Tls, TlsError};
use crate::{http, listen, secret_file, sweeper, sys};

/// How long open connections and writes under way may take when the server ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// For what the line's key is derived from the server's. Another text would make every seat worthless that was given before.
const LINE_KEY: &str = "sleap-rtc 2026-11 line key v1";

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data folder or a file in it cannot be used.
    #[error("cannot use {}: {source}", .path.display())]
    Data {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The server's key cannot be had.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The STUN responder's address cannot be bound.
    #[error("cannot answer STUN on {address} (UDP): {source}")]
    Stun {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The system gave no random numbers.
    #[error("no random numbers: {0}")]
    Random(String),
}

/// What the server stands on: the adapters behind its ports.
pub struct Ports {
    /// What must be remembered.
    pub store: Arc<dyn Store>,
    /// Who is asking.
    pub identity: Arc<dyn Identity>,
    /// With which rooms sign the seats that they give to those who wait. A secret that is the same after a restart.
    pub line_key: [u8; 32],
}

impl Ports {
    /// The embedded adapters, with their files in the data folder.
    pub fn embedded(data: &Path) -> Result<Self, ServerError> {
        make_folder(data)?;
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&data.join("server.sqlite"))?);
        let identity = Local::open(&data.join("server.key"), store.clone())?;
        let line_key = identity.derive(LINE_KEY);
        Ok(Self { store, identity: Arc::new(identity), line_key })
    }
}

fn make_folder(data: &Path) -> Result<(), ServerError> {
    sys::private_folder(data).map_err(|source| ServerError::Data { path: data.to_owned(), source })
}

/// What became of a port that the server can do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extra {
    /// It was not wanted.
    Off,
    /// It is served.
    On(u16),
    /// It could not be had.
    Failed {
        /// Which one.
        port: u16,
        /// Why, in the system's words.
        cause: String,
    },
}

/// A server that listens and does not serve yet.
pub struct Server {
    /// Where HTTP is expected.
    pub http_addr: SocketAddr,
    /// Where signaling is expected.
    pub ws_addr: SocketAddr,
    /// Where the original's programs look for the relay.
    pub relay: Extra,
    /// The STUN responder.
    pub stun: Extra,
    listeners: Vec<TcpListener>,
    responder: Option<Responder>,
    tls: Option<Arc<Tls>>,
    app: Arc<App>,
}

/// Binds, serves until `shutdown` ends, and shuts down in order.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
    Server::bind(config).await?.serve(shutdown).await;
    Ok(())
}

impl Server {
    /// Opens the data folder with the embedded adapters, and the ports.
    pub async fn bind(config: Config) -> Result<Self, ServerError> {
        let ports = Ports::embedded(&config.data)?;
        Self::bind_with(config, ports).await
    }

    /// Opens the ports over these adapters. Port 0 takes a free one; [`Server::http_addr`] says which.
    pub async fn bind_with(mut config: Config, ports: Ports) -> Result<Self, ServerError> {
        make_folder(&config.data)?;
        let secret_path = config.data.join("admin.secret");
        let admin_secret = secret_file::load_or_make(&secret_path)
            .map_err(|source| ServerError::Data { path: secret_path, source })?;
        let tls = match config.tls.clone() {
            Some(files) => Some(Arc::new(Tls::open(files).await?)),
            None => None,
        };
        let incarnation = getrandom::u64().map_err(|error| ServerError::Random(error.to_string()))?;
        let (http, http_addr) = listen_on(config.http).await?;
        let (ws, ws_addr) = listen_on(config.ws).await?;
        let ip = config.http.ip();
        let (relay, relay_listener) = extra(config.relay, ip, async |at| {
            let (listener, bound) = listen_on(at).await?;
            Ok((bound.port(), listener))
        })
        .await?;
        let (stun, responder) = extra(config.stun, ip, async |at| {
            let responder = Responder::bind(at).map_err(|source| ServerError::Stun { address: at, source })?;
            Ok((responder.port, responder))
        })
        .await?;
        // Which ports were taken, for those who ask whether a URL leads here.
        (config.http, config.ws) = (http_addr, ws_addr);
        (config.relay, config.stun) = (relay.settled(), stun.settled());
        config.room.line_key = ports.line_key;
        for proxy in &mut config.trusted_proxies {
            // The form in which the other end of a connection is known.
            *proxy = proxy.to_canonical();
        }
        let context = Arc::new(Context::new(config, ports.store, ports.identity));
        let app = Arc::new(App::new(context, admin_secret, incarnation));
        let listeners = [http, ws].into_iter().chain(relay_listener).collect();
        Ok(Self { http_addr, ws_addr, relay, stun, listeners, responder, tls, app })
    }

    /// Serves until `shutdown` ends. Then nothing new is accepted, every socket is closed with the reason, and what was asked
    /// for is written before this returns.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { http_addr, ws_addr, relay, stun, listeners, responder, tls, app } = self;
        tracing::info!(http = %http_addr, ws = %ws_addr, ?relay, ?stun, version = env!("CARGO_PKG_VERSION"), "serving");
        let router = http::router(app.clone());
        let mut tasks = vec![tokio::spawn(sweeper::run(app.clone()))];
        for listener in listeners {
            tasks.push(tokio::spawn(listen::accept(listener, router.clone(), tls.clone(), app.clone())));
        }
        tasks.extend(tls.map(|tls| tokio::spawn(tls.run(app.clone()))));
        tasks.extend(responder.map(|responder| tokio::spawn(responder.run(app.clone()))));
        shutdown.await;
        tracing::info!("shutting down");
        app.closing.send_replace(true);
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the server failed");
            }
        }
        wait_for_the_last(&app).await;
    }
}

async fn wait_for_the_last(app: &App) {
    let all = u32::try_from(app.context.config.connections).unwrap_or(u32::MAX);
    let closed = timeout(LAST_WORDS, app.connections.acquire_many(all)).await;
    let written = timeout(LAST_WORDS, app.context.writes.idle()).await;
    if closed.is_err() || written.is_err() {
        tracing::warn!("ended before every connection and write did");
    }
}

impl Extra {
    /// The setting that says what there is now.
    fn settled(&self) -> ExtraPort {
        match self {
            Self::On(port) => ExtraPort::Needed(*port),
            Self::Off | Self::Failed { .. } => ExtraPort::Off,
        }
    }
}

/// Opens a port that the server can do without, unless it was asked for.
async fn extra<T>(
    wanted: ExtraPort,
    ip: std::net::IpAddr,
    open: impl AsyncFnOnce(SocketAddr) -> Result<(u16, T), ServerError>,
) -> Result<(Extra, Option<T>), ServerError> {
    let (ExtraPort::IfFree(port) | ExtraPort::Needed(port)) = wanted else { return Ok((Extra::Off, None)) };
    match open(SocketAddr::new(ip, port)).await {
        Ok((port, opened)) => Ok((Extra::On(port), Some(opened))),
        Err(error) if matches!(wanted, ExtraPort::Needed(_)) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "going on without this port");
            let cause = match error {
                ServerError::Listen { source, .. } | ServerError::Stun { source, .. } => source.to_string(),
                error => error.to_string(),
            };
            Ok((Extra::Failed { port, cause }, None))
        }
    }
}

async fn listen_on(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let error = |source| ServerError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(error)?;
    let bound = listener.local_addr().map_err(error)?;
    Ok((listener, bound))
}
