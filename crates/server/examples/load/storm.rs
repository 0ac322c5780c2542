//! How long a relayed message takes while others ask who is there, again and again.
//!
//! Askers, server and the relaying ends share the machine: without pauses the askers take all of it that they can get. The
//! same is therefore done to the plain forwarder, with frames of the answer's size.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::Bench;
use crate::discover::{asker, fill};
use crate::relay::{in_room, through};
use crate::report::{Aim, Report};
use crate::rig::Error;
use crate::rig::forwarder::end;
use crate::rig::process::Process;
use crate::rig::room::Room;
use crate::rounds::median;
use crate::way::Way;

/// The first argument of the process that asks.
pub(crate) const CHILD: &str = "child-askers";
/// Who ask.
const ASKERS: usize = 8;
const WORKERS: usize = 1_000;
/// Discoveries a second, all askers together; 0: as many as there is time for.
const STORMS: [u64; 2] = [1_000, 0];
const ROUND: Duration = Duration::from_secs(1);
const ROUNDS: usize = 8;

/// Whom a storm meets: the askers' arguments, and a way through the same process.
struct Place {
    arguments: [String; 2],
    way: Way,
}

/// 99th percentiles, microseconds, round by round.
#[derive(Default)]
struct Times {
    quiet: Vec<f64>,
    stormy: Vec<f64>,
}

pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), Error> {
    let room = Room::make(bench.server.address).await?;
    let _workers = fill(&room, WORKERS).await?;
    let bytes = asker(&room, "size").await?.1.len();
    let server = Place { arguments: [bench.server.address.to_string(), room.to_text()], way: in_room(&room).await? };
    let plain = Place {
        arguments: [bench.plain.address.to_string(), bytes.to_string()],
        way: through(&bench.plain).await?.way,
    };
    let mut places = [server, plain];
    for rate in STORMS {
        let mut times = [Times::default(), Times::default()];
        for _ in 0..ROUNDS {
            for (place, times) in places.iter_mut().zip(&mut times) {
                times.take(place, rate).await?;
            }
        }
        let what = if rate > 0 { format!("{rate} discoveries/s") } else { format!("{ASKERS} discover without pause") };
        let [ours, bare] = times;
        let kb = bytes / 1000;
        ours.report(report, &format!("relay p99, {what}, beside quiet"), Aim::AtMost(3.0));
        bare.report(report, &format!("the same of plain, frames of {kb} kB"), Aim::None);
    }
    Ok(())
}

impl Times {
    async fn take(&mut self, place: &mut Place, rate: u64) -> Result<(), Error> {
        self.quiet.push(place.way.drive(1, ROUND).await?.at(0.99));
        let [address, what] = &place.arguments;
        let mut askers = Process::start(&[CHILD, address, what, &rate.to_string()]).await?;
        self.stormy.push(place.way.drive(1, ROUND).await?.at(0.99));
        askers.kill().await
    }

    fn report(self, report: &mut Report, what: &str, aim: Aim) {
        let ratio = median(self.stormy.iter().zip(&self.quiet).map(|(stormy, quiet)| stormy / quiet).collect());
        report.ratio(what, "us", median(self.stormy), median(self.quiet), ratio, aim);
    }
}

/// Asks until it is killed. `what` is a room, or how large a frame a bare forwarder is to hand back.
pub(crate) async fn ask_on(address: &str, what: &str, rate: &str) -> Result<(), Error> {
    let (to, rate): (SocketAddr, u64) = (address.parse()?, rate.parse()?);
    let mut ways = Vec::new();
    for n in 0..ASKERS {
        let name = format!("asker-{n}");
        ways.push(match what.parse() {
            Ok(bytes) => Way::round_trip(end(to, &name, &name).await?, &"x".repeat(bytes), ""),
            Err(_) => asker(&Room::from_text(to, what)?, &name).await?.0,
        });
    }
    // Said when the storm is on.
    println!("{address}");
    futures_util::future::try_join_all(ways.iter_mut().map(|way| ask_at(way, rate))).await?;
    Ok(())
}

async fn ask_at(way: &mut Way, rate: u64) -> Result<(), Error> {
    let pause = Duration::from_micros((ASKERS as u64 * 1_000_000).checked_div(rate).unwrap_or(1));
    let mut ticks = tokio::time::interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        if rate > 0 {
            ticks.tick().await;
        }
        way.once().await?;
    }
}
