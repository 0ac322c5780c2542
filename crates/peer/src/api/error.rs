//! What can go wrong with a call.

use serde_json::Value;
use sleap_rtc_wire::Code;

use crate::settings::trust::{disbelief, disbelief_in};

/// A call that failed. No secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Nobody answers at that address.
    #[error("{url} cannot be reached: {cause}")]
    Unreachable {
        /// What was called, without its query: that may hold a secret.
        url: String,
        /// Why, in the system's words.
        cause: String,
    },
    /// The server said no.
    #[error("the server refused: {text}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// For a program; [`Code::Unknown`] if the server gave none.
        code: Code,
        /// In the server's words.
        text: String,
    },
    /// Something answers, but not this kind of server.
    #[error("{url} answers ({status}), but is no sleap-rtc server")]
    NotAServer {
        /// What was called, without its query.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

impl ApiError {
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        Self::Internal(error.to_string())
    }

    pub(super) fn of_transport(url: &str, error: &ureq::Error) -> Self {
        let cause = match error {
            ureq::Error::HostNotFound => "there is no such host".to_owned(),
            ureq::Error::ConnectionFailed => "the connection was refused".to_owned(),
            ureq::Error::Timeout(_) => "no answer in time".to_owned(),
            ureq::Error::Io(error) => io_cause(error),
            ureq::Error::Rustls(error) => disbelief(error).unwrap_or_else(|| error.to_string()),
            other => other.to_string(),
        };
        Self::Unreachable { url: url.to_owned(), cause }
    }

    pub(super) fn of_answer(url: &str, status: u16, text: &str) -> Self {
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        let said = ["error", "detail"].into_iter().find_map(|key| body.get(key).and_then(Value::as_str));
        let Some(said) = said else { return Self::NotAServer { url: url.to_owned(), status } };
        let code = body.get("code").and_then(|code| serde_json::from_value(code.clone()).ok()).unwrap_or(Code::Unknown);
        Self::Refused { status, code, text: said.to_owned() }
    }

    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            Self::NotAServer { status, .. } => *status >= 500,
            Self::Internal(_) => false,
        }
    }
}

/// The system's words without its numbers.
pub(crate) fn io_cause(error: &std::io::Error) -> String {
    if let Some(cause) = disbelief_in(error) {
        return cause;
    }
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        std::io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => error.to_string(),
    }
}
