//! The claim race over real sockets: many clients wait in line for few workers, each stays in a slot for half a second.
//!
//!     cargo run --release -p sleap-rtc-server --example claim_storm -- \
//!         [--seconds 60] [--clients 64] [--workers 4] [--kill-every 6]
//!
//! Server and bare forwarder are processes of their own; with `--kill-every` the server is killed (as by a power cut) so
//! often, and started again on its data. Workers and clients are the real halves of the signaling. Workers keep their own
//! truth about their slots: that fences grow, that no claim is granted on a slot that has one, that nobody is in a slot that
//! somebody is in, that no job runs twice.

#[path = "../rig/mod.rs"]
#[expect(dead_code, reason = "shared with the other load program")]
mod rig;

mod storm;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use rig::{Error, children, forwarder};
use storm::{Book, Next, Plan, Records};
use tokio_tungstenite::tungstenite::Message;

/// Between two round trips to the bare forwarder.
const EVERY: Duration = Duration::from_millis(20);

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(outcome) = children::run(&arguments) {
        return outcome;
    }
    let race = Race::from_arguments(&arguments)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(race.run())
}

/// What is asked for.
struct Race {
    plan: Plan,
    time: Duration,
    kill_every: Option<Duration>,
}

impl Race {
    fn from_arguments(arguments: &[String]) -> Result<Self, Error> {
        let plan = Plan { clients: 64, workers: 4, hold: Duration::from_millis(500) };
        let mut race = Self { plan, time: Duration::from_mins(1), kill_every: None };
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { return Err(format!("{} needs a number", pair[0]).into()) };
            let number: u32 = value.parse()?;
            let seconds = Duration::from_secs(number.into());
            match name.as_str() {
                "--seconds" => race.time = seconds,
                "--clients" => race.plan.clients = number as usize,
                "--workers" => race.plan.workers = number as usize,
                "--kill-every" => race.kill_every = Some(seconds),
                _ => return Err(format!("no such argument: {name}").into()),
            }
        }
        Ok(race)
    }

    /// Up to half a stay in a slot sooner or later than asked for: else it would always meet the same moment of the race.
    fn next_kill(&self) -> Option<Instant> {
        let jitter = self.plan.hold.mul_f64(f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX));
        self.kill_every.map(|pause| Instant::now() + pause.saturating_sub(self.plan.hold / 2) + jitter)
    }

    async fn run(&self) -> Result<(), Error> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let bare = children::plain().await?;
        let book = Arc::new(Book::default());
        let echo = forwarder::end(bare.address, "e", "e").await?;
        let (begin, mut kill_at) = (Instant::now(), self.next_kill());
        let next = |_: &Records| {
            if begin.elapsed() >= self.time {
                return Next::End;
            }
            if kill_at.is_none_or(|at| Instant::now() < at) {
                return Next::Wait;
            }
            kill_at = self.next_kill();
            Next::Kill
        };
        tokio::select! {
            outcome = storm::run(&self.plan, book.clone(), |port| children::server(&data, port), next) => outcome?,
            outcome = round_trips(echo, &book) => outcome?,
        }
        verdict::print(self, &book.open())
    }
}

/// A frame to the bare forwarder and back, again and again, under whatever load there is.
async fn round_trips(mut echo: rig::socket::Socket, book: &Book) -> Result<(), Error> {
    loop {
        tokio::time::sleep(EVERY).await;
        let begin = Instant::now();
        echo.send(Message::text("there and back")).await?;
        echo.next().await.ok_or("closed")??;
        book.open().round_trips.push(begin.elapsed());
    }
}
