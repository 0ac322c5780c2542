//! For which server a sign-in was signed.
//!
//! The client signs the host and port that it dialled. The server compares that with what it knows of itself, never with the
//! request's Host header: whoever relays a stolen signature writes that header as he likes.

use std::net::IpAddr;

use crate::config::{Config, ExtraPort};

/// Endings under which a machine's own name is known in a network without a name server of its own.
const LOCAL_DOMAINS: [&str; 4] = ["local", "lan", "home.arpa", "internal"];

/// Whether `audience` (host, or host and port) is this server: its public address, one of its names, the address of the very
/// connection that the request came on, or this machine.
pub(crate) fn is_ours(audience: &str, local: Option<IpAddr>, config: &Config) -> bool {
    let public = config.public_url.as_deref().map(authority);
    if public.is_some_and(|public| public.eq_ignore_ascii_case(audience)) {
        return true;
    }
    is_this_machine(host(audience), local, config)
}

/// Whether this URL leads to this very server, with no proxy between.
pub(crate) fn is_direct(url: &str, local: Option<IpAddr>, config: &Config) -> bool {
    let authority = authority(url);
    let (scheme, usual) = if config.tls.is_some() { ("https://", 443) } else { ("http://", 80) };
    let port = authority.rsplit_once(':').map_or(Ok(usual), |(_, port)| port.parse());
    let relay = match config.relay {
        ExtraPort::Needed(port) => Some(port),
        ExtraPort::Off | ExtraPort::IfFree(_) => None,
    };
    let ours = [Some(config.http.port()), Some(config.ws.port()), relay];
    url.starts_with(scheme)
        && port.is_ok_and(|port| ours.contains(&Some(port)))
        && is_this_machine(host(authority), local, config)
}

fn is_this_machine(host: &str, local: Option<IpAddr>, config: &Config) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || local == Some(address.to_canonical()),
        Err(_) => host.eq_ignore_ascii_case("localhost") || config.names.iter().any(|name| is_name(host, name)),
    }
}

/// Whether `host` is the machine called `name`: by its full name, its first part, or that part in a local domain.
fn is_name(host: &str, name: &str) -> bool {
    let (host, name) = (host.to_ascii_lowercase(), name.to_ascii_lowercase());
    let short = name.split('.').next().unwrap_or_default();
    let domain = host.strip_prefix(short).and_then(|rest| rest.strip_prefix('.'));
    !short.is_empty() && (host == name || host == short || domain.is_some_and(|domain| LOCAL_DOMAINS.contains(&domain)))
}

/// Host and port of a URL.
pub(crate) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`.
pub(crate) fn host(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(audience: &str) -> bool {
        let mut config = Config::new(std::path::PathBuf::new());
        config.public_url = Some("https://rtc.lab.edu:443/x?y".to_owned());
        config.names = vec!["admin-box.lab.edu".to_owned()];
        is_ours(audience, Some(IpAddr::from([10, 0, 0, 7])), &config)
    }

    #[test]
    fn a_server_knows_itself() {
        for audience in [
            "rtc.lab.edu:443",
            "admin-box.lab.edu:8001",
            "Admin-Box:8001",
            "admin-box.local:8001",
            "10.0.0.7:8001",
            "[::ffff:10.0.0.7]:8001",
            "127.0.0.1:8001",
            "[::1]:8001",
            "localhost",
        ] {
            assert!(ours(audience), "{audience}");
        }
    }

    #[test]
    fn nobody_else_is_taken_for_it() {
        for audience in [
            "",
            "evil.example:8001",
            "rtc.lab.edu",
            "rtc.lab.edu:8001",
            "admin-box.evil.example:8001",
            "admin-box.local.evil.example",
            "xadmin-box:8001",
            "10.0.0.8:8001",
            "10.0.0.7.evil.example",
            "localhost.evil.example",
        ] {
            assert!(!ours(audience), "{audience}");
        }
    }

    #[test]
    fn the_authority_of_a_url_is_its_host_and_port() {
        for url in ["https://rtc.lab.edu:8001/x/y", "rtc.lab.edu:8001", "http://rtc.lab.edu:8001?q"] {
            assert_eq!(authority(url), "rtc.lab.edu:8001", "{url}");
        }
    }
}
