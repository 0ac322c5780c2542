//! What a load program is when it was started as one of its own children.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sleap_rtc_server::{Config, ExtraPort, Server};

use super::process::Process;
use super::{Error, forwarder};

const SERVER: &str = "child-server";
const PLAIN: &str = "child-plain";
const JSON: &str = "child-json";

/// Runs the child's part that the arguments name; `None`: they name none. Server and yardsticks have the runtime of the real
/// program.
pub(crate) fn run(arguments: &[String]) -> Option<Result<(), Error>> {
    let text: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *text.as_slice() {
        [SERVER, data, port] => Some(on_runtime(serve(data.into(), port))),
        [PLAIN] => Some(on_runtime(forwarder::serve(forwarder::Sort::Plain))),
        [JSON] => Some(on_runtime(forwarder::serve(forwarder::Sort::Json))),
        _ => None,
    }
}

fn on_runtime(part: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(part)
}

/// The real server with its data in this folder; port 0 takes a free one.
pub(crate) async fn server(data: &Path, port: u16) -> Result<Process, Error> {
    Process::start(&[OsString::from(SERVER), data.into(), port.to_string().into()]).await
}

/// The yardstick that hands on what comes, unread.
pub(crate) async fn plain() -> Result<Process, Error> {
    Process::start(&[PLAIN]).await
}

/// The yardstick that reads and writes each frame's JSON.
pub(crate) async fn json() -> Result<Process, Error> {
    Process::start(&[JSON]).await
}

/// Is that server, until it is killed.
pub(crate) async fn serve(data: PathBuf, port: &str) -> Result<(), Error> {
    let mut config = Config::new(data);
    config.ws = "127.0.0.1:0".parse()?;
    config.http = format!("127.0.0.1:{port}").parse()?;
    (config.relay, config.stun) = (ExtraPort::Off, ExtraPort::Off);
    // Everybody is at one address here.
    (config.rates.sign_ins, config.rates.rooms) = (u32::MAX, u32::MAX);
    config.limits.registrations = u32::MAX;
    // One peer sends here what thousands would.
    config.limits.frames_per_second = u32::MAX;
    let server = Server::bind(config).await?;
    println!("{}", server.http_addr);
    server.serve(std::future::pending()).await;
    Ok(())
}
