//! Which servers may be talked to without encryption: those that no stranger's network lies before.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ends of names that exist within one network only (RFC 6762, 8375, ICANN for `internal`), and this machine's.
const LOCAL: [&str; 4] = ["local", "localhost", "home.arpa", "internal"];

/// Whether a host is this machine, or one of its own network or tailnet, as far as its name or address says.
///
/// A name of several parts may lead anywhere: it counts as public.
pub(super) fn is_private(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => is_private_v4(ip),
        Ok(IpAddr::V6(ip)) => is_private_v6(ip),
        Err(_) => is_private_name(bare),
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    // 100.64.0.0/10: behind a provider's NAT, and tailnets (RFC 6598).
    let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
    ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
}

fn is_private_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_single = !name.contains('.') && !name.bytes().all(|byte| byte.is_ascii_digit());
    // An address in another spelling (`0x7f000001`, `2130706433`) may be any address.
    let is_number = name.starts_with("0x");
    let is_local = LOCAL.iter().any(|end| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.')));
    !name.is_empty() && ((is_single && !is_number) || is_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_its_networks_are_private() {
        for host in [
            "127.0.0.1",
            "127.8.9.10",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "[::1]",
            "::1",
            "[fd00::1]",
            "[fe80::1]",
            "[::ffff:10.0.0.1]",
            "localhost",
            "admin-box",
            "admin-box.",
            "Admin-Box.local",
            "a.b.internal",
            "x.home.arpa",
            "a.localhost",
        ] {
            assert!(is_private(host), "{host}");
        }
    }

    #[test]
    fn everything_else_is_not() {
        for host in [
            "",
            "8.8.8.8",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "192.169.0.1",
            "[2001:db8::1]",
            "[::ffff:8.8.8.8]",
            "rtc.lab.edu",
            "local.evil.example",
            "evil.xlocal",
            "0x08080808",
            "134744072",
            "127.1",
            "0.0.0.0",
        ] {
            assert!(!is_private(host), "{host}");
        }
    }
}
