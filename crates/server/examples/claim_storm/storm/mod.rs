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
use book::Restart;
pub(crate) use book::{Book, Records};
use client::Client;
use people::Lab;
use worker::{VISITS, Worker};

/// Who takes part.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) clients: usize,
    pub(crate) workers: usize,
    /// How long a client stays in a slot.
    pub(crate) hold: Duration,
}

/// How a storm goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Wait,
    /// The server is killed, and started again.
    Kill,
    End,
}

/// How often it is asked how to go on.
const LOOK: Duration = Duration::from_millis(20);
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

/// Runs a storm. `server` starts the server on a port, 0 taking a free one, always with the same data; `next` says how to go
/// on by what has happened so far.
pub(crate) async fn run<S, F>(
    plan: &Plan,
    book: Arc<Book>,
    server: S,
    mut next: impl FnMut(&Records) -> Next,
) -> Result<(), Error>
where
    S: Fn(u16) -> F,
    F: Future<Output = Result<Process, Error>>,
{
    let mut process = server(0).await?;
    let lab = Lab::open(process.address).await?;
    let mut crowd = Crowd::gather(plan, &lab, &book).await?;
    loop {
        tokio::time::sleep(LOOK).await;
        let next = next(&book.open());
        match next {
            Next::Wait => {}
            Next::Kill => {
                process.kill().await?;
                process = server(process.address.port()).await?;
                book.open().restarts.push(Restart { at: Instant::now(), grants: BTreeMap::new() });
            }
            Next::End => break,
        }
    }
    book.open().is_over = true;
    crowd.leave().await?;
    process.kill().await
}

/// All peers. Dropping it ends them.
struct Crowd {
    _workers: JoinSet<()>,
    clients: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Crowd {
    async fn gather(plan: &Plan, lab: &Lab, book: &Arc<Book>) -> Result<Self, Error> {
        let (stop, stopped) = watch::channel(false);
        let (mut workers, mut clients) = (JoinSet::new(), JoinSet::new());
        let (mut doors, mut behind) = (BTreeMap::new(), Vec::new());
        for person in lab.people("worker", plan.workers).await? {
            let (door, visits) = mpsc::channel(VISITS);
            doors.insert(person.peer_id.clone(), door);
            behind.push((Worker::new(person, book.clone()), visits));
        }
        let doors = Arc::new(doors);
        for person in lab.people("client", plan.clients).await? {
            let client = Client::new(person, plan.hold, doors.clone(), stopped.clone(), book.clone());
            clients.spawn(client.run());
        }
        // One after the other, else all slots would change hands in the same instant for as long as the storm lasts.
        let apart = plan.hold / u32::try_from(plan.workers.max(1))?;
        for (n, (worker, visits)) in (1..).zip(behind) {
            workers.spawn(async move {
                tokio::time::sleep(apart * n).await;
                worker.run(visits).await;
            });
        }
        Ok(Self { _workers: workers, clients, stop })
    }

    /// Those in a slot leave it, those in line go home.
    async fn leave(&mut self) -> Result<(), Error> {
        self.stop.send_replace(true);
        let left = async {
            while let Some(client) = self.clients.join_next().await {
                client?;
            }
            Ok(())
        };
        tokio::time::timeout(FAREWELL, left).await?
    }
}
