//! Which servers a peer is told of, so that it finds a way to other peers.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;
use axum::http::header::HOST;
use sleap_rtc_wire::signal::IceServer;

use crate::config::{Config, ExtraPort};
use crate::http::{authority, host, is_forwarded};

/// Longest name of a host, bytes (RFC 1035).
const LONGEST_NAME: usize = 253;
/// Longest part of one, bytes.
const LONGEST_LABEL: usize = 63;

/// As what this connection knows the server: the host of its Host header, if that is one; else the server's end of the connection.
/// A proxy may have put its own view of the server there: then neither this machine's name for itself nor that end says anything.
pub(crate) fn dialled(headers: &HeaderMap, local: Option<IpAddr>) -> Option<Box<str>> {
    let named = headers.get(HOST).and_then(|value| value.to_str().ok()).and_then(|value| written(host(value)));
    let found = if is_forwarded(headers) {
        named.filter(|host| host != "localhost" && host != "[::1]" && !host.starts_with("127."))
    } else {
        named.or_else(|| local.and_then(|ip| written(&ip.to_string())))
    };
    found.map(Into::into)
}

/// What a peer that dialled this host is told: the server's own responder, by the name by which the server is known to everybody
/// or else to this peer, and what the operator named.
///
/// Peers `of_old` fail at an IPv6 address: their library cannot read it, and the offer is never answered.
pub(crate) fn servers(config: &Config, dialled: Option<&str>, of_old: bool) -> Vec<IceServer> {
    let public = config.public_url.as_deref().and_then(|url| written(host(authority(url))));
    let own = match config.stun {
        ExtraPort::Off => None,
        ExtraPort::IfFree(port) | ExtraPort::Needed(port) => public.as_deref().or(dialled).map(|host| (host, port)),
    };
    let own = own.map(|(host, port)| IceServer {
        urls: vec![format!("stun:{host}:{port}")],
        username: None,
        credential: None,
    });
    let mut servers: Vec<IceServer> = own.into_iter().chain(config.ice_servers.iter().cloned()).collect();
    if of_old {
        for server in &mut servers {
            server.urls.retain(|url| !url.contains('['));
        }
        servers.retain(|server| !server.urls.is_empty());
    }
    servers
}

/// A host as URLs have it, if it is an address that can be dialled or a name.
fn written(host: &str) -> Option<String> {
    match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(ip) if ip.is_unspecified() || ip.is_multicast() => None,
        // One that means something on its own machine only has a zone, which no URL has.
        Ok(IpAddr::V6(ip)) if is_link_local(ip) => None,
        Ok(IpAddr::V6(ip)) => Some(format!("[{ip}]")),
        Ok(IpAddr::V4(ip)) => Some(ip.to_string()),
        Err(_) => is_name(host).then(|| host.to_ascii_lowercase()),
    }
}

fn is_link_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfe80
}

fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.len() <= LONGEST_NAME && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config { stun: ExtraPort::Needed(3478), ..Config::new(std::path::PathBuf::new()) }
    }

    fn told(config: &Config, header: &str, of_old: bool) -> Vec<String> {
        let mut headers = HeaderMap::new();
        if let Ok(value) = header.parse() {
            headers.insert(HOST, value);
        }
        let dialled = dialled(&headers, Some([10, 0, 0, 7].into()));
        servers(config, dialled.as_deref(), of_old).into_iter().flat_map(|server| server.urls).collect()
    }

    #[test]
    fn a_peer_is_told_the_host_that_it_dialled() {
        for (header, url) in [
            ("admin-box:8001", "stun:admin-box:3478"),
            ("Admin-Box.lab.edu", "stun:admin-box.lab.edu:3478"),
            ("192.0.2.1:8080", "stun:192.0.2.1:3478"),
            ("[2001:db8::1]:8080", "stun:[2001:db8::1]:3478"),
        ] {
            assert_eq!(told(&config(), header, false), [url]);
        }
    }

    #[test]
    fn what_is_no_host_is_not_repeated() {
        let long = format!("{}.edu", "x".repeat(64));
        for header in ["", "a b", "x?transport=tcp", "x/y", "a@b", "0.0.0.0:1", "[fe80::1]:1", "224.0.0.1", "..", &long]
        {
            assert_eq!(told(&config(), header, false), ["stun:10.0.0.7:3478"], "{header:?}");
        }
    }

    #[test]
    fn behind_a_proxy_its_own_view_is_not_repeated() {
        for (header, host) in
            [("rtc.lab.edu", Some("rtc.lab.edu")), ("127.0.0.1:8001", None), ("localhost", None), ("", None)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, header.parse().unwrap());
            headers.insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
            assert_eq!(dialled(&headers, Some([10, 0, 0, 7].into())).as_deref(), host, "{header:?}");
        }
    }

    #[test]
    fn a_public_address_goes_before_and_the_operators_servers_come_after() {
        let turn = IceServer { urls: vec!["turn:relay:3478".into()], username: Some("u".into()), credential: None };
        let config =
            Config { public_url: Some("https://rtc.lab.edu:8001/x".to_owned()), ice_servers: vec![turn], ..config() };
        assert_eq!(told(&config, "10.0.0.9:8001", true), ["stun:rtc.lab.edu:3478", "turn:relay:3478"]);
        let off = Config { stun: ExtraPort::Off, ..config };
        assert_eq!(told(&off, "10.0.0.9:8001", true), ["turn:relay:3478"]);
    }

    #[test]
    fn an_old_peer_is_told_no_ipv6_address() {
        let config = Config {
            ice_servers: vec![IceServer {
                urls: vec!["stun:[2001:db8::2]:3478".into(), "stun:elsewhere:3478".into()],
                username: None,
                credential: None,
            }],
            ..config()
        };
        assert_eq!(told(&config, "[2001:db8::1]:8080", true), ["stun:elsewhere:3478"]);
        assert_eq!(told(&config, "[2001:db8::1]:8080", false).len(), 3);
    }
}
