//! A server with a certificate of the lab's own.

use std::path::PathBuf;

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sleap_rtc_peer::api::{Api, ApiError};
use sleap_rtc_peer::settings::{Server, Trust};
use sleap_rtc_peer::socket::Socket;
use sleap_rtc_server::TlsFiles;

use crate::rig::{Installation, TestServer};

/// An authority, and what it has signed.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn trust(&self) -> Trust {
        Trust::of_file(&self.path("ca.pem")).unwrap()
    }

    fn certificate_for(&self, name: &str) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
        TlsFiles::new(self.path("cert.pem"), self.path("key.pem"))
    }
}

async fn serving(files: TlsFiles) -> TestServer {
    TestServer::with(move |config| config.tls = Some(files.clone())).await
}

fn address(server: &TestServer, trust: Trust) -> Server {
    format!("https://{}", server.address()).parse::<Server>().unwrap().trusting(trust)
}

/// Why neither a call nor a socket comes about; both must say the same.
async fn refused(server: Server) -> String {
    let Err(ApiError::Unreachable { cause, .. }) = Api::new(server.clone()).health().await else {
        panic!("it answers")
    };
    let socket = Socket::open(&server).await.err().unwrap();
    assert!(socket.ends_with(&cause), "{socket}: {cause}");
    cause
}

#[tokio::test]
async fn calls_and_sockets_reach_a_server_whose_authority_is_believed() {
    let lab = Authority::new();
    let server = serving(lab.certificate_for("127.0.0.1")).await;
    let address = address(&server, lab.trust());
    let api = Api::new(address.clone());
    assert_eq!(api.health().await.unwrap().status, "healthy");
    assert!(Installation::new().sign_in(&api).await.is_valid(), "its audience is the same");
    Socket::open(&address).await.unwrap().close().await;
}

#[tokio::test]
async fn whom_nobody_vouches_for_is_told_nothing() {
    let (lab, other) = (Authority::new(), Authority::new());
    let server = serving(lab.certificate_for("127.0.0.1")).await;
    for trust in [other.trust(), Trust::default(), Trust::of_system()] {
        let cause = refused(address(&server, trust)).await;
        assert!(cause.contains("--ca FILE"), "{cause}");
    }
    let server = serving(lab.certificate_for("another-box")).await;
    let cause = refused(address(&server, lab.trust())).await;
    assert!(cause.contains("another name"), "{cause}");
}

#[tokio::test]
async fn a_program_that_forgets_tls_is_told() {
    let lab = Authority::new();
    let server = serving(lab.certificate_for("127.0.0.1")).await;
    let error = server.api().health().await.unwrap_err();
    assert!(error.to_string().contains("https://"), "{error}");
}
