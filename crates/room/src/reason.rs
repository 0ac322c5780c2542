//! Why a claim waits or is refused, with the numbers behind it.
//!
//! Precedence, the first that holds:
//!
//! 1. `recovering`: nothing is granted to anybody yet;
//! 2. `too_many_claims`: whatever the workers do, the member must give one back first;
//! 3. `silent`, `no_matching_worker`: too few workers match that are connected; `silent` if the missing ones would do;
//! 4. `behind_others`: enough are free, and those ahead in line wait for them;
//! 5. `all_matching_busy`: enough are free or will be;
//! 6. `draining`, `held`: too few will be free; whichever keeps more of them, `draining` of equals.
//!
//! `job_runs` and `line_full` are refusals from the start: no waiting helps.

use sleap_rtc_wire::claim::{Reason, Workers};
use sleap_rtc_wire::{Code, limits};

/// What one claim may hope for at the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlook {
    /// How many workers it asks for.
    pub(crate) wanted: u32,
    pub(crate) workers: Workers,
    /// Of those that match, how many are free.
    pub(crate) free: u32,
    /// How many claims its member holds.
    pub(crate) open: usize,
    pub(crate) is_recovering: bool,
}

impl Outlook {
    pub(crate) fn exceeds_limit(&self) -> bool {
        self.open + self.wanted as usize > limits::OPEN_CLAIMS
    }

    pub(crate) fn reason(&self) -> Reason {
        let Workers { matching, busy, draining, held, silent } = self.workers;
        if self.is_recovering {
            Reason::Recovering
        } else if self.exceeds_limit() {
            Reason::TooManyClaims
        } else if matching < self.wanted {
            if silent > 0 && matching + silent >= self.wanted { Reason::Silent } else { Reason::NoMatchingWorker }
        } else if self.free >= self.wanted {
            Reason::BehindOthers
        } else if self.free + busy >= self.wanted {
            Reason::AllMatchingBusy
        } else if draining >= held {
            Reason::Draining
        } else {
            Reason::Held
        }
    }

    /// For a program, and for a person.
    pub(crate) fn refusal(&self) -> (Code, Reason, String) {
        let reason = self.reason();
        let code = if reason == Reason::TooManyClaims { Code::RateLimited } else { Code::NoFreeWorker };
        (code, reason, self.text(reason))
    }

    fn text(&self, reason: Reason) -> String {
        let Self { wanted, free, open, .. } = *self;
        let Workers { matching, draining, held, silent, .. } = self.workers;
        match reason {
            Reason::Recovering => "the server has restarted and waits for its workers".to_owned(),
            Reason::TooManyClaims => {
                format!("{open} claims open and {wanted} asked for, at most {} are allowed", limits::OPEN_CLAIMS)
            }
            Reason::Silent if wanted == 1 => format!("{silent} workers match, none of them is connected"),
            Reason::Silent => {
                format!("{matching} connected workers match and {silent} silent ones, {wanted} are asked for")
            }
            Reason::NoMatchingWorker if matching == 0 => "no connected worker matches".to_owned(),
            Reason::NoMatchingWorker => format!("{matching} connected workers match, {wanted} are asked for"),
            Reason::BehindOthers => format!("{free} workers that match are free, others wait for them"),
            Reason::Draining => format!("of {matching} workers that match {draining} take no more work"),
            Reason::Held => format!("of {matching} workers that match {held} are kept by their owners"),
            _ if wanted == 1 && matching == 1 => "the one worker that matches is busy".to_owned(),
            _ if wanted == 1 => format!("all {matching} workers that match are busy"),
            _ => format!("{free} of the {matching} workers that match are free, {wanted} are asked for"),
        }
    }
}
