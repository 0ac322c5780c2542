//! The claim race in short, with the real halves of the signaling and workers that keep their own truth about their slots. The
//! long one is `examples/claim_storm`.

#[path = "../../examples/rig/mod.rs"]
#[expect(dead_code, reason = "shared with the load programs")]
mod rig;
#[path = "../../examples/claim_storm/storm/mod.rs"]
#[expect(dead_code, reason = "times are for the long one")]
mod storm;

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rig::process::Process;
use rig::{Error, children};
use storm::{Book, Next, Plan, Records};

/// Where the server's data are, and its port: only in the server's own process.
const DATA: &str = "SLEAP_RTC_RACE_DATA";
const PORT: &str = "SLEAP_RTC_RACE_PORT";
/// A race that has not ended by then never does.
const PATIENCE: Duration = Duration::from_mins(2);

/// The server as a process of its own, which is this program with this one test: it can be killed.
async fn server(data: &Path, port: u16) -> Result<Process, Error> {
    let arguments = ["--exact", "race::is_the_server_where_it_is_asked_to_be", "--nocapture"];
    let port = port.to_string();
    Process::with_environment(&arguments, &[(DATA, data.as_os_str()), (PORT, OsStr::new(&port))]).await
}

#[tokio::test]
async fn is_the_server_where_it_is_asked_to_be() {
    let (Some(data), Ok(port)) = (std::env::var_os(DATA), std::env::var(PORT)) else { return };
    // The test's name stands in the line that it would be said in.
    println!();
    children::serve(data.into(), &port).await.unwrap();
}

async fn race(plan: &Plan, next: impl FnMut(&Records) -> Next) -> Arc<Book> {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let book = Arc::new(Book::default());
    let storm = storm::run(plan, book.clone(), |port| server(&data, port), next);
    let ended = tokio::time::timeout(PATIENCE, storm).await;
    let records = book.open();
    ended.unwrap_or_else(|_| panic!("it does not end: {records:?}")).unwrap();
    assert_eq!(records.violations, [""; 0]);
    drop(records);
    book
}

/// How often the client was served that was served least.
fn least(plan: &Plan, records: &Records) -> usize {
    if records.waits.len() < plan.clients { 0 } else { records.waits.values().map(Vec::len).min().unwrap_or(0) }
}

#[tokio::test]
async fn nobody_is_beside_another_and_nobody_starves() {
    let plan = Plan { clients: 16, workers: 3, hold: Duration::from_millis(20) };
    let book = race(&plan, |records| if least(&plan, records) < 6 { Next::Wait } else { Next::End }).await;
    assert!(book.open().hand_overs.len() > plan.clients, "slots went from one to the next");
}

#[tokio::test]
async fn the_same_with_a_server_that_is_killed() {
    const KILLS: usize = 3;
    let plan = Plan { clients: 8, workers: 2, hold: Duration::from_millis(50) };
    let book = race(&plan, |records| {
        // Whoever waited when the server died is served by the next one.
        let kills = records.restarts.len();
        let all_served = least(&plan, records) > 2 * kills;
        let all_granted = records.restarts.last().is_none_or(|last| last.grants.len() == plan.workers);
        match all_served && all_granted {
            false => Next::Wait,
            true if kills < KILLS => Next::Kill,
            true => Next::End,
        }
    })
    .await;
    assert_eq!(book.open().restarts.len(), KILLS);
}
