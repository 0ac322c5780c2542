//! TLS of all TCP ports: a certificate and a key in two PEM files, which are read anew when they change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::app::App;
use crate::config::TlsFiles;

/// How long a handshake may take: whoever only connects costs a socket for so long.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Largest file that is read, bytes: a chain has some 10 KB.
const LARGEST: u64 = 1 << 20;
/// With what a TLS connection begins.
const HANDSHAKE_RECORD: u8 = 22;
/// What is read of a request that came without TLS, bytes.
const PLAIN_HEAD: usize = 4096;

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not PEM, or has nothing of what is needed. The text of a key is not repeated.
    #[error("there is no {what} in {}: {reason}", .path.display())]
    Nothing {
        /// `certificate` or `private key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The two do not belong together, or are of a kind that is not supported.
    #[error("{} and {} cannot be used together: {reason}", .cert.display(), .key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's.
        key: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The certificate that is shown to whoever connects now.
pub(crate) struct Tls {
    files: TlsFiles,
    state: Mutex<State>,
}

struct State {
    config: Arc<ServerConfig>,
    /// Of the files as they were when they were last tried.
    tried: blake3::Hash,
}

/// What the files held at one moment.
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Reads the files.
    pub(crate) async fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let contents = Contents::read(&files).await?;
        let state = State { config: contents.config(&files)?, tried: contents.hash() };
        Ok(Self { files, state: Mutex::new(state) })
    }

    fn acceptor(&self) -> TlsAcceptor {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).config.clone().into()
    }

    /// Encrypts a connection; `None` if nothing comes of that.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let handshake = async {
            let mut first = [0];
            if stream.peek(&mut first).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if first != [HANDSHAKE_RECORD] {
                return Err(say_https(stream).await);
            }
            self.acceptor().accept(stream).await
        };
        match timeout(HANDSHAKE, handshake).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "no TLS connection");
                None
            }
            Err(_) => None,
        }
    }

    /// Looks after the files until the server ends. A new pair is taken once it has stayed the same from one look to the next, so
    /// that one that is being written is left alone; one that cannot be used is logged once, and the old one goes on.
    pub(crate) async fn run(self: Arc<Self>, app: Arc<App>) {
        let mut before = None;
        loop {
            tokio::select! {
                () = app.closed() => return,
                () = sleep(Duration::from_millis(self.files.look_ms)) => {}
            }
            let contents = Contents::read(&self.files).await;
            // A file that is not there just now is as good as an old one.
            let hash = contents.as_ref().ok().map(Contents::hash);
            if let Ok(contents) = &contents
                && hash == before
            {
                self.renew(contents);
            }
            before = hash;
        }
    }

    fn renew(&self, contents: &Contents) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = contents.hash();
        if state.tried == hash {
            return;
        }
        state.tried = hash;
        match contents.config(&self.files) {
            Ok(config) => {
                state.config = config;
                tracing::info!(cert = %self.files.cert.display(), "a new certificate is shown from now on");
            }
            Err(error) => tracing::error!(%error, "the new certificate cannot be used: the old one goes on"),
        }
    }
}

impl Contents {
    async fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { cert: read(&files.cert).await?, key: read(&files.key).await? })
    }

    fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.cert.len() as u64).to_le_bytes()).update(&self.cert).update(&self.key);
        hasher.finalize()
    }

    fn config(&self, files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
        let nothing = |what, path: &Path, reason: String| TlsError::Nothing { what, path: path.to_owned(), reason };
        let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&self.cert).collect();
        let chain = chain.map_err(|error| nothing("certificate", &files.cert, error.to_string()))?;
        if chain.is_empty() {
            return Err(nothing("certificate", &files.cert, "it has no BEGIN CERTIFICATE".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| nothing("private key", &files.key, key_reason(&error)))?;
        let pair = |error: rustls::Error| TlsError::Pair {
            cert: files.cert.clone(),
            key: files.key.clone(),
            reason: match error {
                rustls::Error::InconsistentKeys(_) => "the key is not the certificate's".to_owned(),
                error => error.to_string(),
            },
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// Never more than the kind of mistake: what stands in the file is a secret.
fn key_reason(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "it has no BEGIN PRIVATE KEY".to_owned(),
        _ => "it is not PEM".to_owned(),
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let read = async {
        let mut bytes = Vec::new();
        tokio::fs::File::open(path).await?.take(LARGEST).read_to_end(&mut bytes).await?;
        Ok(bytes)
    };
    read.await.map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

/// Tells a program that forgot the `s` in `https://`.
async fn say_https(mut stream: TcpStream) -> io::Error {
    let said = async {
        // What is not read would take the answer with it when the connection is closed.
        let read = stream.read(&mut [0; PLAIN_HEAD]).await?;
        let body = r#"{"error":"this port speaks TLS: write https:// (or wss://)","detail":"this port speaks TLS: write https:// (or wss://)"}"#;
        let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
        stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
        stream.shutdown().await?;
        Ok(read)
    };
    said.await.err().unwrap_or_else(|| io::Error::other("it came without TLS"))
}
