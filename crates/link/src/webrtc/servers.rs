//! ICE servers: which of those that were told can be used, where they are, and which are silent.
//!
//! What the signaling server tells is not trusted: it is read with bounds. Names are resolved here and not by the stack,
//! which gathers nothing while it waits for a name.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::webrtc::peer_connection::RTCIceServer;
use tokio::task::JoinSet;

use crate::port::IceServer;

/// Most addresses of servers that are used, the first ones.
const MOST: usize = 8;
/// Longest address, bytes: a name has 253 at most.
const LONGEST_URL: usize = 300;
/// Longest user name or password, bytes (RFC 8489 allows 509 for the name).
const LONGEST_LOGIN: usize = 512;
/// The port of STUN and TURN, if none is told.
const PORT: u16 = 3478;
/// How long names are looked up.
const LOOK_UP: Duration = Duration::from_millis(500);
/// How long servers that did not answer are not asked again.
const SILENT_FOR: Duration = Duration::from_mins(1);

/// What an address offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Stun,
    Turn,
}

/// An address that was understood.
#[derive(Clone, PartialEq, Eq)]
struct Url {
    kind: Kind,
    host: String,
    port: u16,
    username: String,
    credential: String,
}

/// Servers that can be asked, by their IP addresses.
pub(super) struct Servers {
    servers: Vec<RTCIceServer>,
    relays: bool,
}

impl Servers {
    /// Reads what was told and looks up its names, for a bounded time.
    pub(super) async fn find(told: &[IceServer]) -> Self {
        let mut looking = JoinSet::new();
        for url in read(told) {
            looking.spawn(url.servers());
        }
        let (mut servers, mut relays) = (Vec::new(), false);
        let all = async {
            while let Some(found) = looking.join_next().await {
                let (kind, found) = found.unwrap_or((Kind::Stun, Vec::new()));
                relays |= kind == Kind::Turn && !found.is_empty();
                servers.extend(found);
            }
        };
        if tokio::time::timeout(LOOK_UP, all).await.is_err() {
            tracing::debug!("the name of an ICE server is not known in time: going on without");
        }
        Self { servers, relays }
    }

    /// Whether there is somebody to ask, and then whether that is a relay.
    pub(super) fn asks(&self) -> Option<bool> {
        (!self.servers.is_empty()).then_some(self.relays)
    }

    pub(super) fn into_inner(self) -> Vec<RTCIceServer> {
        self.servers
    }
}

impl Url {
    fn read(text: &str, of: &IceServer) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, is_ours) = match scheme.to_ascii_lowercase().as_str() {
            // Real lists have a transport there as well, against the RFC.
            "stun" => (Kind::Stun, true),
            "turn" => (Kind::Turn, matches!(query, "" | "transport=udp")),
            _ => return None,
        };
        let has_login = !of.username.is_empty() && !of.credential.is_empty();
        let fits = text.len() <= LONGEST_URL && of.username.len().max(of.credential.len()) <= LONGEST_LOGIN;
        if !is_ours || !fits || (kind == Kind::Turn && !has_login) {
            return None;
        }
        let (host, port) = place_of(place)?;
        let login = |text: &String| if kind == Kind::Turn { text.clone() } else { String::new() };
        Some(Self { kind, host, port, username: login(&of.username), credential: login(&of.credential) })
    }

    /// The same with IP addresses: one of each family at most. The stack cannot reach relays by IPv6.
    async fn servers(self) -> (Kind, Vec<RTCIceServer>) {
        let found = match tokio::net::lookup_host((self.host.as_str(), self.port)).await {
            Ok(found) => found.collect(),
            Err(error) => {
                tracing::debug!(host = %self.host, %error, "the name of an ICE server cannot be looked up");
                Vec::new()
            }
        };
        let first = |v4: bool| found.iter().copied().find(|address: &SocketAddr| address.is_ipv4() == v4);
        let scheme = match self.kind {
            Kind::Stun => "stun",
            Kind::Turn => "turn",
        };
        let v6 = first(false).filter(|_| self.kind == Kind::Stun);
        let server = |address: SocketAddr| RTCIceServer {
            urls: vec![format!("{scheme}:{address}")],
            username: self.username.clone(),
            credential: self.credential.clone(),
        };
        (self.kind, first(true).into_iter().chain(v6).map(server).collect())
    }
}

fn read(told: &[IceServer]) -> Vec<Url> {
    let urls = told.iter().flat_map(|server| server.urls.iter().map(move |url| Url::read(url, server)));
    urls.flatten().take(MOST).collect()
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn place_of(place: &str) -> Option<(String, u16)> {
    let (host, rest) = match place.strip_prefix('[') {
        Some(inner) => {
            let (host, rest) = inner.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, rest)
        }
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let port = match rest.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        None => rest.is_empty().then_some(PORT)?,
    };
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    let is_host = match host.parse::<IpAddr>() {
        Ok(ip) => !ip.is_unspecified() && !ip.is_multicast(),
        Err(_) => is_name && !host.is_empty(),
    };
    is_host.then(|| (host.to_owned(), port))
}

/// Servers that did not answer: they must not delay the next link as well.
#[derive(Debug, Clone, Default)]
pub(super) struct Silent(Arc<Mutex<Option<Silence>>>);

#[derive(Debug)]
struct Silence {
    of: Vec<IceServer>,
    since: Instant,
}

impl Silent {
    fn last(&self) -> MutexGuard<'_, Option<Silence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether these were silent a short time ago.
    pub(super) fn are(&self, servers: &[IceServer]) -> bool {
        self.last().as_ref().is_some_and(|silence| silence.of == servers && silence.since.elapsed() < SILENT_FOR)
    }

    /// That these did not answer. A list with a relay is never left out: one lost second would keep peers apart for a minute that
    /// have no other way to each other.
    pub(super) fn remember(&self, servers: &[IceServer]) {
        if !servers.iter().flat_map(|server| &server.urls).any(|url| is_relay(url)) {
            *self.last() = Some(Silence { of: servers.to_vec(), since: Instant::now() });
        }
    }

    /// The next link asks all servers again.
    pub(super) fn forget(&self) {
        *self.last() = None;
    }
}

/// `turn:` or `turns:`.
fn is_relay(url: &str) -> bool {
    url.split_once(':')
        .is_some_and(|(scheme, _)| ["turn", "turns"].iter().any(|relay| scheme.eq_ignore_ascii_case(relay)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str, username: &str, credential: &str) -> IceServer {
        IceServer { urls: vec![url.to_owned()], username: username.to_owned(), credential: credential.to_owned() }
    }

    fn place(url: &str) -> Option<(Kind, String, u16)> {
        Url::read(url, &server(url, "ada", "secret")).map(|url| (url.kind, url.host, url.port))
    }

    #[test]
    fn what_can_be_used_is_read() {
        for (url, kind, host, port) in [
            ("stun:admin-box:3479", Kind::Stun, "admin-box", 3479),
            ("STUN:10.0.0.1", Kind::Stun, "10.0.0.1", 3478),
            ("stun:[2001:db8::1]:5000", Kind::Stun, "2001:db8::1", 5000),
            ("stun:rtc.lab.edu:3478?transport=udp", Kind::Stun, "rtc.lab.edu", 3478),
            ("turn:relay", Kind::Turn, "relay", 3478),
            ("turn:relay:80?transport=udp", Kind::Turn, "relay", 80),
        ] {
            assert_eq!(place(url), Some((kind, host.to_owned(), port)), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_left_out() {
        let long = format!("stun:{}", "x".repeat(LONGEST_URL));
        for url in [
            "",
            "stun",
            "stun:",
            "stun::1",
            "stun:a:b",
            "stun:a:0",
            "stun:a:70000",
            "stun://a",
            "stun:a b",
            "stun:[x]:1",
            "stun:2001:db8::1",
            "stun:0.0.0.0",
            "stun:224.0.0.1:1",
            "stuns:a:1",
            "turns:a:1",
            "turn:a?transport=tcp",
            "http:a:80",
            "file:a",
            &long,
        ] {
            assert_eq!(place(url), None, "{url}");
        }
        assert!(read(&[server("turn:a", "", "secret"), server("turn:a", "ada", "")]).is_empty(), "a login is needed");
        assert!(read(&[server("turn:a", "ada", &"x".repeat(LONGEST_LOGIN + 1))]).is_empty());
        let many =
            IceServer { urls: vec!["stun:a".to_owned(); 1000], username: String::new(), credential: String::new() };
        assert_eq!(read(&[many]).len(), MOST);
    }

    #[test]
    fn a_login_is_for_relays_only() {
        let [stun, turn] = &read(&[server("stun:a", "ada", "secret"), server("turn:a", "ada", "secret")])[..] else {
            panic!("two")
        };
        assert_eq!((stun.username.as_str(), stun.credential.as_str()), ("", ""));
        assert_eq!((turn.username.as_str(), turn.credential.as_str()), ("ada", "secret"));
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_is_no_server() {
        let told = [server("stun:no-such-host.invalid", "", ""), server("stun:127.0.0.1:1", "", "")];
        let servers = Servers::find(&told).await;
        let urls: Vec<_> = servers.servers.iter().flat_map(|server| server.urls.clone()).collect();
        assert_eq!((urls, servers.asks()), (vec!["stun:127.0.0.1:1".to_owned()], Some(false)));
        assert_eq!(Servers::find(&[]).await.asks(), None);
    }

    #[test]
    fn silence_is_remembered_of_these_servers_and_no_others() {
        let (silent, servers) = (Silent::default(), [server("stun:a", "", "")]);
        assert!(!silent.are(&servers));
        silent.remember(&servers);
        assert!(silent.are(&servers) && silent.clone().are(&servers));
        assert!(!silent.are(&[server("stun:b", "", "")]));
        silent.forget();
        assert!(!silent.are(&servers));
    }

    #[test]
    fn the_silence_of_a_list_with_a_relay_is_not_remembered() {
        for relay in ["turn:a", "TURN:a?transport=udp", "turns:a:443"] {
            let (silent, servers) = (Silent::default(), [server("stun:a", "", ""), server(relay, "ada", "secret")]);
            silent.remember(&servers);
            assert!(!silent.are(&servers), "{relay}");
        }
    }
}
