//! TLS on the TCP ports: the certificate, its renewal, and those who do not speak it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::json;
use sleap_rtc_server::{Config, ExtraPort, Server, ServerError, TlsError, TlsFiles};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::rig::{Request, Socket, TestServer, eventually};

/// A folder with a certificate and its key.
struct Files {
    folder: tempfile::TempDir,
    own: CertifiedKey<KeyPair>,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap(), own: certificate() };
        files.write(&files.own, &files.own);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, cert: &CertifiedKey<KeyPair>, key: &CertifiedKey<KeyPair>) {
        std::fs::write(self.path("cert.pem"), cert.cert.pem()).unwrap();
        std::fs::write(self.path("key.pem"), key.signing_key.serialize_pem()).unwrap();
    }

    fn tls(&self) -> TlsFiles {
        TlsFiles { look_ms: 20, ..TlsFiles::new(self.path("cert.pem"), self.path("key.pem")) }
    }

    async fn server(&self) -> TestServer {
        TestServer::with(|config| config.tls = Some(self.tls())).await
    }
}

fn certificate() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

/// A connection of somebody who trusts this certificate and no other.
async fn dial(
    to: SocketAddr,
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(to).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

async fn health(mut stream: TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    // Some clients are not told that the encrypted stream ends before the connection does.
    stream.read_to_string(&mut text).await.unwrap();
    text
}

async fn refused(files: &TlsFiles) -> TlsError {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path().join("data"));
    (config.http, config.ws) = ("127.0.0.1:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap());
    (config.relay, config.stun) = (ExtraPort::Off, ExtraPort::Off);
    config.tls = Some(files.clone());
    match Server::bind(config).await {
        Err(ServerError::Tls(error)) => error,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it serves"),
    }
}

#[tokio::test]
async fn every_port_speaks_tls_1_2_and_1_3() {
    let files = Files::new();
    let server = files.server().await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for port in [server.http, server.ws] {
            let stream = dial(port, files.own.cert.der(), &[version]).await.unwrap();
            assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
            let answer = health(stream).await;
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("healthy"), "{answer}");
        }
    }
}

#[tokio::test]
async fn signaling_goes_over_it_and_ends_with_the_server() {
    let files = Files::new();
    let server = files.server().await;
    let stream = dial(server.ws, files.own.cert.der(), rustls::ALL_VERSIONS).await.unwrap();
    let (mut socket, _): (WebSocketStream<_>, _) = client_async("wss://localhost/", stream).await.unwrap();
    socket.send(json!({"type": "discover_peers"}).to_string().into()).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    assert!(answer.to_text().unwrap().contains(r#""type":"error""#), "{answer}");
    server.stop().await;
    assert!(socket.next().await.unwrap().unwrap().is_close());
}

#[tokio::test]
async fn a_new_certificate_is_shown_once_it_is_there_and_a_broken_one_never() {
    let files = Files::new();
    let server = files.server().await;
    let (new, other) = (certificate(), certificate());
    let shows = async |trusted: &CertifiedKey<KeyPair>| {
        dial(server.http, trusted.cert.der(), rustls::ALL_VERSIONS).await.is_ok()
    };
    let before = dial(server.http, files.own.cert.der(), rustls::ALL_VERSIONS).await.unwrap();
    // A key that belongs to another, then nothing that could be read at all.
    files.write(&new, &other);
    assert!(shows(&files.own).await);
    std::fs::remove_file(files.path("key.pem")).unwrap();
    std::fs::write(files.path("cert.pem"), "half").unwrap();
    assert!(shows(&files.own).await);
    files.write(&new, &new);
    eventually("the new certificate", || shows(&new)).await;
    assert!(!shows(&files.own).await);
    assert!(health(before).await.contains("healthy"), "a connection of before goes on");
    files.write(&other, &new);
    files.write(&other, &other);
    eventually("the one after that", || shows(&other)).await;
}

#[tokio::test]
async fn whoever_forgets_tls_is_told() {
    let files = Files::new();
    let server = files.server().await;
    let answer = Request::new(server.http, "GET", "/health").send().await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["error"].as_str().unwrap().contains("https://"), "{answer:?}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_an_error_at_the_start() {
    let (files, other) = (Files::new(), Files::new());
    let names =
        |error: &TlsError, path: &Path| assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    let error = refused(&TlsFiles::new(files.path("nowhere.pem"), files.path("key.pem"))).await;
    assert!(matches!(error, TlsError::Read { .. }), "{error}");
    names(&error, &files.path("nowhere.pem"));
    let error = refused(&TlsFiles::new(files.path("key.pem"), files.path("cert.pem"))).await;
    assert!(matches!(error, TlsError::Nothing { what: "certificate", .. }), "the two in each other's place: {error}");
    let error = refused(&TlsFiles::new(files.path("cert.pem"), files.path("cert.pem"))).await;
    assert!(matches!(error, TlsError::Nothing { what: "private key", .. }), "{error}");
    let error = refused(&TlsFiles::new(files.path("cert.pem"), other.path("key.pem"))).await;
    assert!(error.to_string().ends_with("the key is not the certificate's"), "{error}");
    std::fs::write(files.path("key.pem"), "-----BEGIN PRIVATE KEY-----\nSECRET!\n-----END PRIVATE KEY-----\n").unwrap();
    let error = refused(&files.tls()).await;
    assert!(!error.to_string().contains("SECRET"), "{error}");
}

#[tokio::test]
async fn without_a_certificate_there_is_no_tls() {
    let server = TestServer::start().await;
    let own = certificate();
    assert!(dial(server.http, own.cert.der(), rustls::ALL_VERSIONS).await.is_err());
    Socket::open(server.ws, "/").await;
}
