//! The server's address, in its two forms.

use std::fmt;
use std::str::FromStr;

use ureq::http::Uri;

use super::private::is_private;
use super::trust::Trust;

/// The port of a server that is named without one.
const PORT: u16 = 8001;

/// Where a server is: `http(s)` for calls, `ws(s)` for signaling. Each of its ports serves both.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    http: String,
    ws: String,
    trust: Trust,
}

/// A text that is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address like http://admin-box:8001: {why}")]
pub struct BadAddress {
    text: String,
    why: &'static str,
}

impl Server {
    /// Base for HTTP calls, without a slash at the end.
    pub fn http(&self) -> &str {
        &self.http
    }

    /// For signaling.
    pub fn websocket(&self) -> &str {
        &self.ws
    }

    /// The host and port of the HTTP side, as a `Host` header has them: what a sign-in is bound to.
    pub fn audience(&self) -> &str {
        let rest = self.http.split_once("://").map_or(self.http.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// By whose word it is believed, if it is asked for its certificate.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The same, believed by another word.
    #[must_use]
    pub fn trusting(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// Whether one of its sides is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.http.starts_with("https://") || self.ws.starts_with("wss://")
    }

    /// The host of a side that is neither encrypted nor in a network of our own.
    pub(super) fn open_host(&self) -> Option<&str> {
        let plain = [self.http.strip_prefix("http://"), self.ws.strip_prefix("ws://")];
        plain.into_iter().flatten().map(host).find(|host| !is_private(host))
    }

    /// The HTTP side of this one with the WebSocket side of another.
    pub(super) fn with_websocket_of(&self, other: &Self) -> Self {
        Self { http: self.http.clone(), ws: other.ws.clone(), trust: self.trust.clone() }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.http)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.http, self.ws)
    }
}

impl FromStr for Server {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |why| BadAddress { text: shown(text), why };
        let text = text.trim();
        // A bare name is our own server on its default port.
        let (scheme, rest, bare) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme, rest, false),
            None => ("http", text, true),
        };
        let (http, ws) = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => ("http", "ws"),
            "https" | "wss" => ("https", "wss"),
            _ => return Err(bad("it must begin with http:// or https://")),
        };
        let rest = rest.trim_end_matches('/');
        let uri: Uri = format!("{http}://{rest}").parse().map_err(|_| bad("it cannot be read"))?;
        let authority = uri.authority().ok_or_else(|| bad("there is no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it must not hold a user name"));
        }
        if authority.host().is_empty() {
            return Err(bad("there is no host"));
        }
        if uri.query().is_some() {
            return Err(bad("it must not hold a query"));
        }
        let local = matches!(authority.host(), "localhost" | "127.0.0.1");
        let port = authority.port_u16().or((bare || local && http == "http").then_some(PORT));
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let path = uri.path().trim_end_matches('/');
        let place = format!("{}{port}{path}", authority.host());
        Ok(Self { http: format!("{http}://{place}"), ws: format!("{ws}://{place}"), trust: Trust::default() })
    }
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`, with or without a path.
fn host(place: &str) -> &str {
    let authority = place.split('/').next().unwrap_or(place);
    match authority.rfind(']') {
        Some(end) => authority.get(..=end).unwrap_or(authority),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

/// What an error may quote: not a password before an `@`.
fn shown(text: &str) -> String {
    text.rsplit('@').next().unwrap_or(text).to_owned()
}
