//! When a job is over at the latest: said only of its last stage, and only if the trainer has said how long that may be.

use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::{Phase, What};

/// What of a job's story tells its end.
#[derive(Debug, Default)]
pub(crate) struct Estimate {
    /// Whether no stage follows the one that runs.
    last: bool,
    /// Epochs of this stage at most.
    total: Option<u32>,
    /// When its first epoch began.
    began: Option<Time>,
    /// Epochs of it that this process has done.
    done: u32,
}

impl Estimate {
    /// Takes in what happened; a new estimate after an epoch: each of those that are left takes as long as those before on average.
    pub(crate) fn happened(&mut self, what: &What, now: Time) -> Option<Time> {
        match what {
            What::Stage { index, count, .. } => *self = Self { last: index + 1 >= *count, ..Self::default() },
            What::Plan { epochs, .. } => self.total = *epochs,
            What::Phase { phase: Phase::Training } => self.began = Some(now),
            What::Epoch { epoch, .. } => {
                self.done += 1;
                return self.end(*epoch, now);
            }
            _ => {}
        }
        None
    }

    /// `epoch` is the number of the one that has ended; a resumed run goes on counting.
    fn end(&self, epoch: u32, now: Time) -> Option<Time> {
        let (total, began) = (self.total.filter(|_| self.last)?, self.began?);
        let left = u64::from(total.saturating_sub(epoch.saturating_add(1)));
        Some(now.plus_ms(left.saturating_mul(now.since(began) / u64::from(self.done))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(index: u32, count: u32) -> What {
        What::Stage { index, count, name: "s".to_owned() }
    }

    fn epoch(epoch: u32) -> What {
        What::Epoch { epoch, train_loss: None, val_loss: None }
    }

    /// A stage that trains from 1 s on.
    fn training(index: u32, count: u32, epochs: Option<u32>) -> Estimate {
        let mut estimate = Estimate::default();
        for what in [stage(index, count), What::Plan { epochs, steps: None }, What::Phase { phase: Phase::Training }] {
            assert_eq!(estimate.happened(&what, Time(1_000)), None);
        }
        estimate
    }

    #[test]
    fn the_epochs_that_are_left_take_as_long_as_those_before() {
        let mut estimate = training(0, 1, Some(5));
        assert_eq!(estimate.happened(&epoch(0), Time(11_000)), Some(Time(51_000)));
        assert_eq!(estimate.happened(&epoch(1), Time(31_000)), Some(Time(76_000)));
        assert_eq!(estimate.happened(&epoch(4), Time(40_000)), Some(Time(40_000)));
        assert_eq!(estimate.happened(&epoch(9), Time(41_000)), Some(Time(41_000)));
    }

    #[test]
    fn a_resumed_run_goes_on_counting() {
        let mut estimate = training(0, 1, Some(10));
        assert_eq!(estimate.happened(&epoch(7), Time(3_000)), Some(Time(7_000)));
    }

    #[test]
    fn nothing_is_said_before_the_last_stage_or_without_a_plan() {
        assert_eq!(training(0, 2, Some(5)).happened(&epoch(0), Time(2_000)), None);
        assert_eq!(training(1, 2, None).happened(&epoch(0), Time(2_000)), None);
        let mut estimate = training(1, 2, Some(2));
        assert_eq!(estimate.happened(&epoch(0), Time(2_000)), Some(Time(3_000)));
        // What the stage before has said says nothing of the next.
        estimate.happened(&stage(1, 2), Time(4_000));
        assert_eq!(estimate.happened(&epoch(0), Time(5_000)), None);
    }
}
