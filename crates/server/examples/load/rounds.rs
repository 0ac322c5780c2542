//! Rounds of several systems in turn.

use std::time::Duration;

use crate::rig::Error;
use crate::rig::process::Process;
use crate::way::{Round, Way};

/// How long one round lasts. Short: so neighbouring rounds meet the same neighbours.
const ROUND: Duration = Duration::from_millis(500);
/// How many there are; the first is not counted.
const ROUNDS: usize = 12;

/// A way through a process.
pub(crate) struct System<'a> {
    pub(crate) process: &'a Process,
    pub(crate) way: Way,
}

/// One system's rounds.
#[derive(Debug, Default)]
pub(crate) struct Series(Vec<Round>);

/// Drives each in turn, each round beginning with another one.
pub(crate) async fn in_turn<const N: usize>(
    systems: &mut [System<'_>; N],
    in_flight: usize,
) -> Result<[Series; N], Error> {
    let mut all = [const { Series(Vec::new()) }; N];
    for round in 0..=ROUNDS {
        for n in (0..N).map(|n| (n + round) % N) {
            let System { process, way } = &mut systems[n];
            let before = process.cpu_seconds()?;
            let mut one = way.drive(in_flight, ROUND).await?;
            one.cpu = process.cpu_seconds()? - before;
            if round > 0 {
                all[n].0.push(one);
            }
        }
    }
    Ok(all)
}

/// The middle one.
pub(crate) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Series {
    /// The median of a figure over the rounds.
    pub(crate) fn median(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.0.iter().map(figure).collect())
    }

    /// The median over the rounds of the ratio to the other's neighbouring round.
    pub(crate) fn ratio(&self, other: &Self, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(ours, theirs)| figure(ours) / figure(theirs)).collect())
    }

    /// CPU time of the process a frame, microseconds, over all rounds: the kernel counts too coarsely for one.
    pub(crate) fn cpu_us(&self) -> f64 {
        let cpu: f64 = self.0.iter().map(|round| round.cpu).sum();
        let frames: usize = self.0.iter().map(|round| round.times.len()).sum();
        cpu * 1e6 / frames as f64
    }
}
