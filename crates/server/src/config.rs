//! Every knob of the server, with its default.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use sleap_rtc_room::RoomConfig;
use sleap_rtc_wire::signal::IceServer;

use crate::github::GitHub;
use crate::limits::Limits;

/// How the server is to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where HTTP is expected; it serves the other as well. Default: all addresses, port 8001.
    pub http: SocketAddr,
    /// Where signaling is expected; it serves the other as well. Default: all addresses, port 8080.
    pub ws: SocketAddr,
    /// Where the original's programs look for the relay; it serves what the others serve. On the address of `http`. Default: 8081
    /// if it is free.
    pub relay: ExtraPort,
    /// The STUN responder (UDP), on the address of `http`. Default: 3478 if it is free.
    pub stun: ExtraPort,
    /// The certificate of all TCP ports (`--tls-cert`, `--tls-key`). Default: none, and no TLS.
    pub tls: Option<TlsFiles>,
    /// What peers are told beside the server's own STUN responder (`--ice-server`). Default: nothing.
    pub ice_servers: Vec<IceServer>,
    /// The data folder: `server.sqlite`, `server.key`, `admin.secret`, `lock`. Made if it is not there.
    pub data: PathBuf,
    /// The address that programs dial: `http://admin-box:8001`, or `https://rtc.lab.edu` where a proxy stands in front. Keys may
    /// sign in for its authority too. Behind a proxy that is not named below callers' addresses, which are then all the proxy's,
    /// say nothing about who may delete what.
    pub public_url: Option<String>,
    /// Proxies that are believed when they say in `X-Forwarded-For` for whom they call (`--trust-proxy`). Default: none.
    pub trusted_proxies: Vec<IpAddr>,
    /// Names of this machine, by which programs may dial it without `public_url`. Default: none.
    pub names: Vec<String>,
    /// Signing in by GitHub (`GITHUB_CLIENT_ID`, `GITHUB_CLIENT_SECRET`, `GITHUB_REDIRECT_URI`). Default: not.
    pub github: Option<GitHub>,
    /// Anybody may extend and delete rooms, as with the deployed server. Default: no.
    pub open_deletes: bool,
    /// What all rooms share.
    pub room: RoomConfig,
    /// How long an anonymous identity outlives its last connection, ms. Default: 60 s.
    pub identity_grace_ms: u64,
    /// When an anonymous identity that is not in use is forgotten, ms after it signed in. Default: an hour, when its token ends
    /// and nobody can use it any more.
    pub identity_age_ms: u64,
    /// Sockets at once, signaling and HTTP together; more are turned away. Default: 20 000.
    pub connections: usize,
    /// Of those, signaling sockets that have not registered. Default: 1000.
    pub unregistered: usize,
    /// After how much silence a stream of events writes a comment, ms. Default: 30 s.
    pub keepalive_ms: u64,
    /// What one address may ask for.
    pub rates: Rates,
    /// What one connection, address and person may cost.
    pub limits: Limits,
}

/// A certificate and its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that it stands on, the server's first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// How often is looked whether they have changed, ms. Default: 5 s.
    pub look_ms: u64,
}

impl TlsFiles {
    /// These files.
    pub fn new(cert: PathBuf, key: PathBuf) -> Self {
        Self { cert, key, look_ms: 5000 }
    }
}

/// A port beside the two that there must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtraPort {
    /// Nothing listens there.
    Off,
    /// This one; if it cannot be had the server goes on without it.
    IfFree(u16),
    /// This one, or the server does not start. 0 takes a free one.
    Needed(u16),
}

/// Calls a minute that one address (for IPv6: one /64 network) may make.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// `/anonymous-signin` and `/key-signin`. Default: 600, as a whole lab may sit behind one address.
    pub sign_ins: u32,
    /// `/create-room`. Default: 60.
    pub rooms: u32,
    /// `POST /api/auth/account`. Default: 60.
    pub accounts: u32,
    /// STUN requests. Default: 3000; making one link takes up to 16 of them.
    pub stun: u32,
}

impl Config {
    /// The defaults, with this data folder.
    pub fn new(data: PathBuf) -> Self {
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self {
            http: SocketAddr::new(any, 8001),
            ws: SocketAddr::new(any, 8080),
            relay: ExtraPort::IfFree(8081),
            stun: ExtraPort::IfFree(3478),
            tls: None,
            ice_servers: Vec::new(),
            data,
            public_url: None,
            trusted_proxies: Vec::new(),
            names: Vec::new(),
            github: None,
            open_deletes: false,
            room: RoomConfig::default(),
            identity_grace_ms: 60_000,
            identity_age_ms: 3_600_000,
            connections: 20_000,
            unregistered: 1000,
            keepalive_ms: 30_000,
            limits: Limits::default(),
            rates: Rates { sign_ins: 600, rooms: 60, accounts: 60, stun: 3000 },
        }
    }
}
