//! Coming in: connect, upgrade, register, be answered.

use std::time::Instant;

use futures_util::StreamExt;

use crate::Bench;
use crate::discover::fill;
use crate::report::{Aim, Report};
use crate::rig::Error;
use crate::rig::forwarder::end;
use crate::rig::room::Room;
use crate::rounds::median;

/// Registrations at a time.
const AT_ONCE: usize = 16;
/// Registrations of one round.
const COUNT: usize = 500;
const ROUNDS: usize = 5;

pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), Error> {
    for present in [0, 1_000, 5_000] {
        let room = Room::make(bench.server.address).await?;
        let sockets = if present > 0 { fill(&room, present).await? } else { Vec::new() };
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let names = (0..COUNT).map(|n| (format!("late-{round}-{n}"), "NVIDIA RTX A5000")).collect();
            let begin = Instant::now();
            let joined = room.join_all(names, AT_ONCE).await?;
            ours.push(COUNT as f64 / begin.elapsed().as_secs_f64());
            drop(joined);
            bare.push(bare_connections(bench).await?);
        }
        let ratio = median(ours.iter().zip(&bare).map(|(ours, bare)| ours / bare).collect());
        let (ours, bare) = (median(ours), median(bare));
        let what = format!("registrations into a room of {present}, {AT_ONCE} at a time");
        report.figure(&what, "/s", ours, Aim::AtLeast(1000.0));
        report.ratio(&format!("{what}, beside connecting"), "/s", ours, bare, ratio, Aim::None);
        drop(sockets);
    }
    Ok(())
}

/// The same number of connections to the bare forwarder, each of which hears one frame, a second.
async fn bare_connections(bench: &Bench) -> Result<f64, Error> {
    let begin = Instant::now();
    let address = bench.plain.address;
    let joining = (0..COUNT).map(|n| async move { end(address, &format!("late-{n}"), "e").await });
    let joined: Vec<_> = futures_util::stream::iter(joining).buffer_unordered(AT_ONCE).collect().await;
    let joined: Result<Vec<_>, Error> = joined.into_iter().collect();
    joined?;
    Ok(COUNT as f64 / begin.elapsed().as_secs_f64())
}
