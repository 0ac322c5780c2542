//! What the server costs over real sockets, each figure beside a yardstick in the same run.
//!
//!     cargo run --release -p sleap-rtc-server --example load -- all|relay|update|discover|register|idle|storm
//!
//! The server is a process of its own, and so are the yardsticks: forwarders of the same WebSocket library with the same
//! settings, one of which hands frames on unread (*plain*), one of which reads and writes each frame's JSON (*json*). All are
//! driven by the same code in short rounds in turn, so that a noisy neighbour meets all of them; what is printed is the median
//! over the rounds of each round's ratio. Absolute numbers depend on the machine: read the ratios.

#[path = "../rig/mod.rs"]
mod rig;

mod discover;
mod idle;
mod register;
mod relay;
mod report;
mod rounds;
mod storm;
mod update;
mod way;

use report::Report;
use rig::{Error, children};
use tempfile::TempDir;

use rig::process::Process;

/// The parts in the order of `all`.
const PARTS: [&str; 6] = ["relay", "update", "discover", "register", "idle", "storm"];

/// The server and its yardsticks.
struct Bench {
    server: Process,
    plain: Process,
    json: Process,
    _data: TempDir,
}

impl Bench {
    async fn start() -> Result<Self, Error> {
        let data = tempfile::tempdir()?;
        let server = children::server(&data.path().join("data"), 0).await?;
        Ok(Self { server, plain: children::plain().await?, json: children::json().await?, _data: data })
    }
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(outcome) = children::run(&arguments) {
        return outcome;
    }
    // One thread: what is measured is not how the load's own threads wake each other.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments.as_slice() {
        [] | ["all"] => runtime.block_on(run(&PARTS)),
        [storm::CHILD, address, what, rate] => runtime.block_on(storm::ask_on(address, what, rate)),
        ref parts if parts.iter().all(|part| PARTS.contains(part)) => runtime.block_on(run(parts)),
        _ => Err(format!("parts are {}, or all", PARTS.join(", ")).into()),
    }
}

async fn run(parts: &[&str]) -> Result<(), Error> {
    let mut report = Report::default();
    for part in parts {
        // Fresh processes for each part: none of them pays for what another has left behind.
        let bench = Bench::start().await?;
        match *part {
            "relay" => relay::measure(&bench, &mut report).await?,
            "update" => update::measure(&bench, &mut report).await?,
            "discover" => discover::measure(&bench, &mut report).await?,
            "register" => register::measure(&bench, &mut report).await?,
            "idle" => idle::measure(&bench, &mut report).await?,
            _ => storm::measure(&bench, &mut report).await?,
        }
    }
    report.print();
    Ok(())
}
