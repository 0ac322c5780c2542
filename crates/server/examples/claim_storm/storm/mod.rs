//! Many clients and few workers, over real sockets; if wanted, with a server that is killed again and again.

mod book;
mod client;
mod line;
mod people;
mod worker;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sleap_rtc_wire::Time;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::rig::Error;
use super::rig::process::Process;
pub(crate) use book::{Book, Records, Restart};
use client::Client;
use people::Lab;
use worker::{VISITS, Worker};

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) clients: usize,
    pub(crate) workers: usize,
    pub(crate) time: Duration,
    /// How long a client stays in a slot.
    pub(crate) hold: Duration,
    /// How often the server is killed, if at all.
    pub(crate) kill_every: Option<Duration>,
}

/// How long those in a slot may take to leave it when the storm is over.
const FAREWELL: Duration = Duration::from_secs(10);

fn now() -> Time {
    Time(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64)
}

fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}

async fn sleep_until(at: Option<Time>) {
    let Some(at) = at else { return std::future::pending().await };
    tokio::time::sleep(Duration::from_millis(at.since(now()))).await;
}

/// Runs the plan. `server` starts the server on a port, 0 taking a free one, always with the same data.
pub(crate) async fn run<S, F>(plan: &Plan, book: Arc<Book>, server: S) -> Result<(), Error>
where
    S: Fn(u16) -> F,
    F: Future<Output = Result<Process, Error>>,
{
    let mut process = server(0).await?;
    let lab = Lab::open(process.address).await?;
    let (stop, stopped) = watch::channel(false);
    let (mut workers, mut clients, mut doors) = (JoinSet::new(), JoinSet::new(), BTreeMap::new());
    for person in lab.people("worker", plan.workers).await? {
        let (door, visits) = mpsc::channel(VISITS);
        doors.insert(person.peer_id.clone(), door);
        workers.spawn(Worker::new(person, book.clone()).run(visits));
    }
    let doors = Arc::new(doors);
    for person in lab.people("client", plan.clients).await? {
        let client = Client::new(person, plan.hold, doors.clone(), stopped.clone(), book.clone());
        clients.spawn(client.run());
    }
    let end = Instant::now() + plan.time;
    let pause = plan.kill_every.unwrap_or(plan.time);
    loop {
        tokio::time::sleep(pause.min(end.saturating_duration_since(Instant::now()))).await;
        if Instant::now() >= end {
            break;
        }
        process.kill().await?;
        process = server(process.address.port()).await?;
        book.open().restarts.push(Restart { at: Instant::now(), grants: BTreeMap::new() });
    }
    stop.send_replace(true);
    let left = async { while clients.join_next().await.is_some() {} };
    tokio::time::timeout(FAREWELL, left).await?;
    process.kill().await
}
