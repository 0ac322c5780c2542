//! By whose word a server is believed to be the one that was named.
//!
//! `--ca FILE`, or `SLEAP_RTC_CA`: a lab's own authority, or the server's own certificate, and nobody else. Without it, those that
//! this machine trusts; where it has no list of its own, Mozilla's, which this program brings along.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Certificates of authorities.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// `None`: Mozilla's.
    roots: Option<Arc<Vec<CertificateDer<'static>>>>,
}

impl Trust {
    /// Those in this PEM file. The error is for people.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let found: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| error.to_string());
        let found = found?;
        if found.is_empty() {
            return Err("it has no BEGIN CERTIFICATE".to_owned());
        }
        let mut store = RootCertStore::empty();
        for certificate in &found {
            store.add(certificate.clone()).map_err(|error| error.to_string())?;
        }
        Ok(Self { roots: Some(Arc::new(found)) })
    }

    /// Those of this machine.
    pub fn of_system() -> Self {
        // Read once: it is some 150 certificates.
        static SYSTEM: OnceLock<Trust> = OnceLock::new();
        SYSTEM.get_or_init(Self::read_system).clone()
    }

    fn read_system() -> Self {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!(%error, "a certificate of this machine cannot be read");
        }
        let (mut store, mut roots) = (RootCertStore::empty(), found.certs);
        // Old lists hold some that cannot be used.
        roots.retain(|certificate| store.add(certificate.clone()).is_ok());
        Self { roots: (!roots.is_empty()).then(|| Arc::new(roots)) }
    }

    /// For the signaling socket; `None`: the library's own default, which is Mozilla's list as well. Never that where somebody
    /// named whom to believe.
    pub(crate) fn of_socket(&self) -> Result<Option<Arc<ClientConfig>>, rustls::Error> {
        let Some(roots) = &self.roots else { return Ok(None) };
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Some(Arc::new(config.with_root_certificates(store).with_no_client_auth())))
    }

    /// For HTTP calls.
    pub(crate) fn of_calls(&self) -> TlsConfig {
        let certificates = |roots: &Arc<Vec<CertificateDer<'static>>>| -> Vec<Certificate<'static>> {
            roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect()
        };
        let roots =
            self.roots.as_ref().map_or(RootCerts::WebPki, |roots| RootCerts::new_with_certs(&certificates(roots)));
        TlsConfig::builder().root_certs(roots).build()
    }
}

/// Why a server was not believed, if it was that.
pub(crate) fn disbelief(error: &rustls::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(error) = error else { return None };
    Some(match error {
        // The other one is what an authority that was made anew under its old name says.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "nobody who is believed here vouches for its certificate (--ca FILE says who is)".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name or address".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; is this machine's clock right?".to_owned()
        }
        CertificateError::Other(_) | CertificateError::InvalidPurpose => {
            format!("its certificate is not a server's ({error}); one for itself needs CA:FALSE")
        }
        error => format!("its certificate is not good: {error}"),
    })
}

/// The same within what a socket says.
pub(crate) fn disbelief_in(error: &std::io::Error) -> Option<String> {
    disbelief(error.get_ref()?.downcast_ref::<rustls::Error>()?)
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.roots {
            Some(roots) => write!(f, "{} authorities", roots.len()),
            None => f.write_str("Mozilla's authorities"),
        }
    }
}
