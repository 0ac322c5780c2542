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
        let Workers { matching, busy, draining, held, silent } = self.workers;
        let is_one = matching == 1 && wanted == 1;
        match reason {
            Reason::Recovering => "the server has restarted and waits for its workers".to_owned(),
            Reason::TooManyClaims => {
                format!("{open} claims open and {wanted} asked for, at most {} are allowed", limits::OPEN_CLAIMS)
            }
            Reason::Silent if wanted == 1 && silent == 1 => "the one worker that matches is silent".to_owned(),
            Reason::Silent if matching == 0 => format!("{silent} workers that match are silent, none is connected"),
            Reason::Silent => {
                format!("{} and {silent} that {} silent, {wanted} are asked for", connected(matching), are(silent))
            }
            Reason::NoMatchingWorker if matching == 0 => "no connected worker matches".to_owned(),
            Reason::NoMatchingWorker => format!("{}, {wanted} are asked for", connected(matching)),
            Reason::BehindOthers if free == 1 => "a worker that matches is free, others wait for it".to_owned(),
            Reason::BehindOthers => format!("{free} workers that match are free, others wait for them"),
            Reason::Draining if is_one => "the one worker that matches takes no more work".to_owned(),
            Reason::Draining if draining == 1 => format!("1 of {matching} workers that match takes no more work"),
            Reason::Draining => format!("{draining} of {matching} workers that match take no more work"),
            Reason::Held if is_one => "the one worker that matches is kept by its owner".to_owned(),
            Reason::Held if held == 1 => format!("1 of {matching} workers that match is kept by its owner"),
            Reason::Held => format!("{held} of {matching} workers that match are kept by their owners"),
            _ if is_one => "the one worker that matches is busy".to_owned(),
            _ if wanted == 1 && busy == matching => format!("all {matching} workers that match are busy"),
            _ if wanted == 1 => {
                format!("{busy} of {matching} workers that match {} busy, the others take no work", are(busy))
            }
            _ => format!("{free} of the {matching} workers that match {} free, {wanted} are asked for", are(free)),
        }
    }
}

fn are(count: u32) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn connected(matching: u32) -> String {
    if matching == 1 { "1 connected worker matches".to_owned() } else { format!("{matching} connected workers match") }
}
