//! `sleap-rtc server`.

use std::net::SocketAddr;

use serde_json::json;
use sleap_rtc_peer::env::{self, Environment};
use sleap_rtc_server::{Config, Extra, ExtraPort, GitHub, Ports, Server, ServerError, TlsFiles};
use sleap_rtc_store::OpenError;

use crate::args::ServerArgs;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::folders;
use crate::lifecycle;
use crate::printer::Printer;

/// Serves until Ctrl-C or SIGTERM; the second one does not wait for what is under way.
pub(super) async fn run(args: ServerArgs, printer: Printer) -> CliResult<Exit> {
    let data = match args.data {
        Some(data) => data,
        None => folders::data()?.join("server"),
    };
    let mut config = Config::new(data.clone());
    config.http = SocketAddr::new(args.listen, args.http_port);
    config.ws = SocketAddr::new(args.listen, args.ws_port);
    config.public_url.clone_from(&args.public_url);
    config.names = vec![sleap_rtc_worker::host_name()];
    config.trusted_proxies = args.trusted_proxies;
    config.open_deletes = args.open_deletes;
    config.relay = args.relay_port.unwrap_or(config.relay);
    config.stun = args.stun_port.unwrap_or(config.stun);
    config.ice_servers = args.ice_servers;
    config.tls = args.tls_cert.zip(args.tls_key).map(|(cert, key)| TlsFiles::new(cert, key));
    config.github = github(&Environment::of_process())?;
    let is_encrypted = config.tls.is_some();
    let relay = config.relay;
    let grace_ms = u64::try_from(args.grace.as_millis()).unwrap_or(u64::MAX);
    (config.room.grace_ms, config.identity_grace_ms) = (grace_ms, grace_ms);
    // Here, and nowhere else, is chosen who remembers and who says who is asking.
    let ports = Ports::embedded(&data).map_err(|error| server_error(&error, relay))?;
    let server = Server::bind_with(config, ports).await.map_err(|error| server_error(&error, relay))?;
    let serving = Serving {
        http: server.http_addr,
        ws: server.ws_addr,
        relay: server.relay.clone(),
        stun: server.stun.clone(),
        is_encrypted,
        data: data.display().to_string(),
        public_url: args.public_url,
    };
    // Before anybody hears that it is up: whoever does may ask it to end at once.
    let ending = lifecycle::listen_for_ending(args.until_eof).await;
    if printer.json() {
        printer.event(&serving.event());
    } else {
        for line in serving.lines() {
            printer.note(&line);
        }
    }
    // What cannot listen for signals must not run: it could not be ended in order.
    let (tell, told) = tokio::sync::oneshot::channel();
    server
        .serve(async move {
            let ending = ending.await;
            lifecycle::next_one_is_hard();
            if ending.is_ok() {
                printer.note("Ending: telling everybody who is connected …");
            }
            // The receiver waits below until this is done.
            let _ = tell.send(ending);
        })
        .await;
    told.await.map_err(|_| CliError::internal("the server ended by itself"))??;
    Ok(Exit::Ok)
}

/// Who this server is at GitHub, if the environment says so.
fn github(environment: &Environment) -> CliResult<Option<GitHub>> {
    let of = |name| environment.get(name).map(str::to_owned);
    match (of(env::GITHUB_CLIENT_ID), of(env::GITHUB_CLIENT_SECRET)) {
        (Some(id), Some(secret)) => {
            let redirect_uri = of(env::GITHUB_REDIRECT_URI);
            Ok(Some(GitHub { redirect_uri, ..GitHub::new(id, secret) }))
        }
        (None, None) => Ok(None),
        _ => Err(CliError::new(Exit::Usage, "the server did not start")
            .cause("only one of GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET is set")
            .hint("set both, to let people log in by GitHub, or none")),
    }
}

/// What is served where.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Where HTTP is expected.
    pub http: SocketAddr,
    /// Where signaling is expected.
    pub ws: SocketAddr,
    /// Where the Python package looks for the relay.
    pub relay: Extra,
    /// STUN, by UDP.
    pub stun: Extra,
    /// Whether the TCP ports speak TLS.
    pub is_encrypted: bool,
    /// The data folder.
    pub data: String,
    /// How others reach it.
    pub public_url: Option<String>,
}

impl Serving {
    /// With TLS an `s` more.
    fn scheme(&self, plain: &str) -> String {
        format!("{plain}{}", if self.is_encrypted { "s" } else { "" })
    }

    fn url(&self, plain: &str, at: SocketAddr) -> String {
        address(&self.scheme(plain), at)
    }

    /// For a program.
    pub fn event(&self) -> serde_json::Value {
        let extra = |of: &Extra, scheme: &str, slashes: &str| match of {
            Extra::On(port) => {
                let at = SocketAddr::new(self.http.ip(), *port);
                Some(format!("{scheme}:{slashes}{}", place(at)))
            }
            Extra::Off | Extra::Failed { .. } => None,
        };
        json!({
            "event": "listening",
            "http": self.url("http", self.http),
            "ws": self.url("ws", self.ws),
            "relay": extra(&self.relay, &self.scheme("http"), "//"),
            "stun": extra(&self.stun, "stun", ""),
            "tls": self.is_encrypted,
            "data": self.data,
        })
    }

    /// For a person.
    pub fn lines(&self) -> Vec<String> {
        let Self { http, ws, data, public_url, .. } = self;
        let mut lines = vec![
            format!("sleap-rtc server {} is up", env!("CARGO_PKG_VERSION")),
            format!("  HTTP       {}", self.url("http", *http)),
            format!("  WebSocket  {}    (each port serves both)", self.url("ws", *ws)),
        ];
        lines.extend(extra_line("relay", "port", "the Python package looks for it there", &self.relay));
        lines.extend(extra_line("STUN", "UDP port", "peers behind NAT learn their address", &self.stun));
        lines.push(format!("  data       {data}"));
        if http.ip().is_unspecified() {
            lines.push("  reach      every address of this machine: other machines can connect".to_owned());
        } else if http.ip().is_loopback() {
            lines.push("  reach      this machine only".to_owned());
        }
        lines.push(String::new());
        lines.push("Now make a room, here in another terminal:".to_owned());
        let by_name = format!("{}://THIS-MACHINE:{}", self.scheme("http"), http.port());
        let by_name = public_url.clone().unwrap_or(by_name);
        let server = match (self.is_encrypted, http.port()) {
            // Its certificate is seldom one for 127.0.0.1.
            (true, _) => format!("SLEAP_RTC_SERVER={by_name} "),
            (false, 8001) => String::new(),
            (false, _) => format!("SLEAP_RTC_SERVER={} ", self.url("http", *http)),
        };
        lines.push(format!("  {server}sleap-rtc room create --name my-lab"));
        if self.is_encrypted {
            lines.push(
                "Where its certificate is not believed by itself, also: export SLEAP_RTC_CA=/path/cert.pem".to_owned(),
            );
        }
        if http.ip().is_loopback() && public_url.is_none() {
            return lines;
        }
        lines.push("On the other machines, beside what that prints:".to_owned());
        lines.push(format!("  export SLEAP_RTC_SERVER={by_name}"));
        lines
    }
}

fn extra_line(name: &str, port: &str, what_for: &str, of: &Extra) -> Option<String> {
    match of {
        Extra::Off => None,
        Extra::On(number) => Some(format!("  {name:<9}  {port} {number}    ({what_for})")),
        Extra::Failed { port: number, cause } => {
            Some(format!("  {name:<9}  none: {port} {number} cannot be used ({cause})"))
        }
    }
}

/// How a program on this machine reaches an address.
fn address(scheme: &str, at: SocketAddr) -> String {
    format!("{scheme}://{}", place(at))
}

fn place(at: SocketAddr) -> String {
    if !at.ip().is_unspecified() {
        return at.to_string();
    }
    format!("{}:{}", if at.is_ipv4() { "127.0.0.1" } else { "[::1]" }, at.port())
}

fn server_error(error: &ServerError, relay: ExtraPort) -> CliError {
    let base = |exit| CliError::new(exit, "the server did not start").because(error);
    match error {
        ServerError::Listen { address, source } if source.kind() == std::io::ErrorKind::AddrInUse => {
            let taken = CliError::new(Exit::Taken, "the server did not start")
                .cause(format!("port {} is in use by another program", address.port()));
            if relay == ExtraPort::Needed(address.port()) {
                return taken.hint("take another, or none: sleap-rtc server --relay-port off");
            }
            taken
                .hint("is a server running already? Else take others: sleap-rtc server --http-port 8011 --ws-port 8090")
        }
        ServerError::Stun { address, source } if source.kind() == std::io::ErrorKind::AddrInUse => {
            CliError::new(Exit::Taken, "the server did not start")
                .cause(format!("UDP port {} is in use by another program", address.port()))
                .hint("take another, or none: sleap-rtc server --stun-port off")
        }
        ServerError::Tls(_) => base(Exit::Usage).hint("--tls-cert CHAIN.pem --tls-key KEY.pem; see docs/operations.md"),
        ServerError::Listen { .. } | ServerError::Stun { .. } => {
            base(Exit::Usage).hint("name an address of this machine: sleap-rtc server --listen IP")
        }
        ServerError::Data { .. } | ServerError::Key(_) => {
            base(Exit::LocalDisk).hint("check the folder, or name another: sleap-rtc server --data DIR")
        }
        ServerError::Store(OpenError::Locked(_)) => base(Exit::Taken)
            .hint("one server a folder: end the other, or name another folder: sleap-rtc server --data DIR"),
        ServerError::Store(_) => base(Exit::LocalDisk).hint("name another folder: sleap-rtc server --data DIR"),
        ServerError::Random(text) => CliError::internal(text.clone()),
    }
}
