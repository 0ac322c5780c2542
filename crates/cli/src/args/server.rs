//! The command line of the server.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::span;

/// `server`.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// Address to listen on; by default all of this machine's, so that GPU machines can reach it.
    #[arg(long, value_name = "IP", default_value = "0.0.0.0")]
    pub listen: IpAddr,
    /// Port for HTTP; 0 takes a free one. Both ports serve both protocols.
    #[arg(long, value_name = "PORT", default_value_t = 8001)]
    pub http_port: u16,
    /// Port for WebSocket; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub ws_port: u16,
    /// Folder for the database [default: in your data folder]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How others reach this server, e.g. http://admin-box:8001; told to whoever makes a room.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// A proxy in front of this server that is believed when it says for whom it calls (X-Forwarded-For); repeatable.
    #[arg(long = "trust-proxy", value_name = "IP", help_heading = "Rules")]
    pub trusted_proxies: Vec<IpAddr>,
    /// Anybody may extend and delete any room and peer, as on the original's server.
    #[arg(long, help_heading = "Rules")]
    pub open_deletes: bool,
    /// How long a room without a name, and an anonymous user, outlive their last connection; 0s: not at all.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = grace, help_heading = "Rules")]
    pub grace: Duration,
    /// End when standard input closes, so that a program that started this one never leaves it behind.
    #[arg(long, hide = true)]
    pub until_eof: bool,
}

fn grace(text: &str) -> Result<Duration, String> {
    span(&text.trim().to_ascii_lowercase())
        .ok_or_else(|| "write a number with s, m or h after it, e.g. 1m, or 0s".to_owned())
}
