//! The command line of the server.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sleap_rtc_server::ExtraPort;
use sleap_rtc_wire::signal::IceServer;

use super::span;

/// `server`.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// Address to listen on; by default all of this machine's, so that GPU machines can reach it.
    #[arg(long, value_name = "IP", default_value = "0.0.0.0")]
    pub listen: IpAddr,
    /// Port for HTTP; 0 takes a free one. All ports serve all that is spoken over TCP.
    #[arg(long, value_name = "PORT", default_value_t = 8001)]
    pub http_port: u16,
    /// Port for WebSocket; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub ws_port: u16,
    /// Port where the Python package looks for the relay, or off [default: 8081 if it is free]
    #[arg(long, value_name = "PORT", value_parser = extra_port)]
    pub relay_port: Option<ExtraPort>,
    /// UDP port for STUN, by which peers behind NAT learn their own address, or off [default: 3478 if it is free]
    #[arg(long, value_name = "PORT", value_parser = extra_port)]
    pub stun_port: Option<ExtraPort>,
    /// Another server that helps peers to find each other: stun:HOST:PORT, or @FILE for one with a login (JSON with urls, username
    /// and credential); repeatable.
    #[arg(long = "ice-server", value_name = "URL", value_parser = ice_server)]
    pub ice_servers: Vec<IceServer>,
    /// Certificate for all TCP ports, with those that it stands on (PEM); read anew when it changes.
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "TLS")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "TLS")]
    pub tls_key: Option<PathBuf>,
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

fn extra_port(text: &str) -> Result<ExtraPort, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(ExtraPort::Off);
    }
    text.parse().map(ExtraPort::Needed).map_err(|_| "write a port's number, or off".to_owned())
}

/// A file because a login is a secret, which others can read in a command line.
fn ice_server(text: &str) -> Result<IceServer, String> {
    let server = match text.strip_prefix('@') {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
            // Not what stands there: it is a secret.
            serde_json::from_str(&text)
                .map_err(|_| r#"the file must hold {"urls": ["turn:HOST:PORT"], "username": …, "credential": …}"#)?
        }
        None => IceServer { urls: vec![text.to_owned()], username: None, credential: None },
    };
    let schemes = ["stun:", "stuns:", "turn:", "turns:"];
    let is_url =
        |url: &String| schemes.iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    if server.urls.is_empty() || !server.urls.iter().all(is_url) {
        return Err("write it as stun:HOST:PORT".to_owned());
    }
    let has_login = server.username.is_some() && server.credential.is_some();
    if !has_login && server.urls.iter().any(|url| url.starts_with("turn")) {
        return Err("a relay wants a login: put it into a file, and name that as @FILE".to_owned());
    }
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_comes_from_a_file_and_is_not_repeated() {
        assert_eq!(ice_server("stun:box:3478").unwrap().urls, ["stun:box:3478"]);
        for text in ["", "box", "http://box", "stun:", "turn:box:3478", "@/no/such/file"] {
            ice_server(text).unwrap_err();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("turn.json");
        let of_file = |text: &str| {
            std::fs::write(&path, text).unwrap();
            ice_server(&format!("@{}", path.display()))
        };
        let turn = of_file(r#"{"urls": ["turn:box:3478"], "username": "ada", "credential": "SECRET"}"#).unwrap();
        assert_eq!((turn.username.as_deref(), turn.credential.as_deref()), (Some("ada"), Some("SECRET")));
        assert!(!of_file("SECRET").unwrap_err().contains("SECRET"));
        of_file(r#"{"urls": ["turn:box:3478"], "username": "ada"}"#).unwrap_err();
    }

    #[test]
    fn a_port_or_off() {
        assert_eq!(extra_port("off"), Ok(ExtraPort::Off));
        assert_eq!(extra_port("0"), Ok(ExtraPort::Needed(0)));
        extra_port("70000").unwrap_err();
    }
}
