//! What the server tells of ICE servers, in the words of the link.

use sleap_rtc_link::IceServer;
use sleap_rtc_wire::signal;

/// As they were told; the link reads what it can use.
pub(crate) fn told(servers: &[signal::IceServer]) -> Vec<IceServer> {
    servers
        .iter()
        .map(|server| IceServer {
            urls: server.urls.clone(),
            username: server.username.clone().unwrap_or_default(),
            credential: server.credential.clone().unwrap_or_default(),
        })
        .collect()
}
