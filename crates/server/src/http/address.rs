//! Where a call comes from.
//!
//! The address of the connection is the caller's, unless a proxy stands between. A proxy says for whom it calls in
//! `X-Forwarded-For`, and so could anybody: only those that the operator trusts are believed. Where a proxy that is not trusted
//! may stand between, the address is nobody's; neither is a page's that calls out of somebody's browser.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;

use super::audience;
use super::fault::Fault;
use crate::app::App;
use crate::config::Config;
use crate::listen::Remote;

/// What a proxy adds to a request.
const FORWARDED: [&str; 4] = ["forwarded", FORWARDED_FOR, "x-real-ip", "via"];
/// Where it says for whom it calls: the last one is what the last proxy saw.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address that a call comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    /// Of the caller as far as it is known, for limits.
    pub(crate) ip: IpAddr,
    /// The server's own end of the connection.
    pub(crate) local: Option<IpAddr>,
    /// Whether `ip` is the caller's own, and not that of a proxy which stands for everybody.
    is_own: bool,
}

impl FromRequestParts<Arc<App>> for Address {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Fault> {
        let remote = parts.extensions.get::<Remote>().ok_or_else(Fault::internal)?;
        let mut address = Self::of(remote.address, remote.local, &parts.headers, &app.context.config);
        // A browser says this of every page that calls. It lends its address to any page that somebody has opened, and we have none.
        address.is_own &= !parts.headers.contains_key(ORIGIN);
        Ok(address)
    }
}

impl Address {
    pub(crate) fn of(remote: IpAddr, local: Option<IpAddr>, headers: &HeaderMap, config: &Config) -> Self {
        if config.trusted_proxies.contains(&remote) {
            let client = forwarded_for(headers, &config.trusted_proxies);
            return Self { ip: client.unwrap_or(remote), local, is_own: client.is_some() };
        }
        let forwarded = is_forwarded(headers);
        // With a public address somewhere else and no proxy named, there is one that we do not know.
        let unknown_proxy = config.trusted_proxies.is_empty()
            && config.public_url.as_deref().is_some_and(|url| !audience::is_direct(url, local, config));
        Self { ip: remote, local, is_own: !forwarded && !unknown_proxy }
    }

    /// The address, if it is the caller's own.
    pub(crate) fn own(self) -> Option<IpAddr> {
        self.is_own.then_some(self.ip)
    }
}

/// Whether a proxy stands between, as far as it says so.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(*name))
}

/// Whom the nearest trusted proxies call for: the last address that is not one of theirs. `None` if that is no address.
fn forwarded_for(headers: &HeaderMap, trusted: &[IpAddr]) -> Option<IpAddr> {
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(',')).map(|hop| parse(hop.trim()));
    hops.find(|hop| hop.is_none_or(|ip| !trusted.contains(&ip)))?
}

/// `10.0.0.1`, `10.0.0.1:5000`, `::1`, `[::1]:5000`.
fn parse(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn own(config: &Config, remote: &str, headers: &[(&'static str, &str)]) -> Option<IpAddr> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Address::of(ip(remote), Some(ip("10.0.0.7")), &map, config).own()
    }

    fn config() -> Config {
        Config::new(std::path::PathBuf::new())
    }

    #[test]
    fn without_a_proxy_it_is_the_connections() {
        assert_eq!(own(&config(), "10.0.0.1", &[]), Some(ip("10.0.0.1")));
        for name in FORWARDED {
            assert_eq!(own(&config(), "10.0.0.1", &[(name, "10.0.0.9")]), None, "{name}: anybody can say so");
        }
    }

    #[test]
    fn a_public_address_elsewhere_speaks_of_a_proxy_and_our_own_does_not() {
        let mut config = config();
        config.names = vec!["admin-box".to_owned()];
        for (url, is_own) in [
            ("https://rtc.lab.edu", false),
            ("https://admin-box:8001", false),
            ("http://admin-box", false),
            ("http://other-box:8001", false),
            ("http://admin-box:8001", true),
            ("http://10.0.0.7:8080", true),
        ] {
            config.public_url = Some(url.to_owned());
            assert_eq!(own(&config, "10.0.0.1", &[]).is_some(), is_own, "{url}");
        }
    }

    #[test]
    fn a_trusted_proxy_says_for_whom_it_calls() {
        let mut config = config();
        config.public_url = Some("https://rtc.lab.edu".to_owned());
        config.trusted_proxies = vec![ip("10.0.0.2"), ip("10.0.0.3")];
        let name = FORWARDED_FOR;
        assert_eq!(own(&config, "10.0.0.2", &[(name, "192.0.2.1")]), Some(ip("192.0.2.1")));
        assert_eq!(own(&config, "10.0.0.2", &[(name, "forged, 192.0.2.1:5000, 10.0.0.3")]), Some(ip("192.0.2.1")));
        assert_eq!(own(&config, "10.0.0.2", &[(name, "forged"), (name, "[2001:db8::1]:1")]), Some(ip("2001:db8::1")));
        for lost in ["", "unknown", "192.0.2.1, unknown", "10.0.0.3"] {
            assert_eq!(own(&config, "10.0.0.2", &[(name, lost)]), None, "{lost:?}");
        }
        assert_eq!(own(&config, "10.0.0.2", &[]), None, "a proxy that stands for everybody");
        assert_eq!(own(&config, "10.0.0.9", &[]), Some(ip("10.0.0.9")), "past the proxy");
        assert_eq!(own(&config, "10.0.0.9", &[(name, "192.0.2.1")]), None, "somebody who plays the proxy");
    }
}
