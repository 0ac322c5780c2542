//! `sleap-rtc server`.

use std::net::SocketAddr;

use serde_json::json;
use sleap_rtc_server::{Config, Ports, Server, ServerError};
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
    let grace_ms = u64::try_from(args.grace.as_millis()).unwrap_or(u64::MAX);
    (config.room.grace_ms, config.identity_grace_ms) = (grace_ms, grace_ms);
    // Here, and nowhere else, is chosen who remembers and who says who is asking.
    let ports = Ports::embedded(&data).map_err(|error| server_error(&error))?;
    let server = Server::bind_with(config, ports).await.map_err(|error| server_error(&error))?;
    let url = address("http", server.http_addr);
    if printer.json() {
        printer.event(&json!({
            "event": "listening",
            "http": url,
            "ws": address("ws", server.ws_addr),
            "data": data.display().to_string(),
        }));
    } else {
        for line in lines(server.http_addr, server.ws_addr, &data.display().to_string(), args.public_url.as_deref()) {
            printer.note(&line);
        }
    }
    // What cannot listen for signals must not run: it could not be ended in order.
    let (tell, told) = tokio::sync::oneshot::channel();
    server
        .serve(async move {
            let ending = lifecycle::ending(args.until_eof).await;
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

/// What it prints when it is up.
pub fn lines(http: SocketAddr, ws: SocketAddr, data: &str, public_url: Option<&str>) -> Vec<String> {
    let mut lines = vec![
        format!("sleap-rtc server {} is up", env!("CARGO_PKG_VERSION")),
        format!("  HTTP       {}", address("http", http)),
        format!("  WebSocket  {}    (each port serves both)", address("ws", ws)),
        format!("  data       {data}"),
    ];
    if http.ip().is_unspecified() {
        lines.push("  reach      every address of this machine: other machines can connect".to_owned());
    } else if http.ip().is_loopback() {
        lines.push("  reach      this machine only".to_owned());
    }
    lines.push(String::new());
    lines.push("Now make a room, here in another terminal:".to_owned());
    let server =
        if http.port() == 8001 { String::new() } else { format!("SLEAP_RTC_SERVER={} ", address("http", http)) };
    lines.push(format!("  {server}sleap-rtc room create --name my-lab"));
    if http.ip().is_loopback() && public_url.is_none() {
        return lines;
    }
    let url = public_url.map_or_else(|| format!("http://THIS-MACHINE:{}", http.port()), str::to_owned);
    lines.push("On the other machines, beside what that prints:".to_owned());
    lines.push(format!("  export SLEAP_RTC_SERVER={url}"));
    lines
}

/// How a program on this machine reaches an address.
fn address(scheme: &str, at: SocketAddr) -> String {
    if at.ip().is_unspecified() {
        let host = if at.is_ipv4() { "127.0.0.1" } else { "[::1]" };
        format!("{scheme}://{host}:{}", at.port())
    } else {
        format!("{scheme}://{at}")
    }
}

fn server_error(error: &ServerError) -> CliError {
    let base = |exit| CliError::new(exit, "the server did not start").because(error);
    match error {
        ServerError::Listen { address, source } if source.kind() == std::io::ErrorKind::AddrInUse => {
            CliError::new(Exit::Taken, "the server did not start")
                .cause(format!("port {} is in use by another program", address.port()))
                .hint("is a server running already? Else take others: sleap-rtc server --http-port 8011 --ws-port 8090")
        }
        ServerError::Listen { .. } => {
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
