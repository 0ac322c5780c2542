//! Why no worker can be given yet, in the words of the user, with the numbers behind it.

use sleap_rtc_wire::claim::{Reason, Workers};
use sleap_rtc_wire::limits;

/// A fragment that fits after `Waiting for a worker: place 2, …`: `all 3 that match are busy`.
pub fn why(reason: Reason, workers: Workers) -> String {
    let matching = workers.matching;
    match reason {
        Reason::AllMatchingBusy => busy(workers),
        Reason::NoMatchingWorker => "none that matches is connected".to_owned(),
        Reason::Draining | Reason::Held if workers.draining > 0 && workers.held > 0 => {
            format!("of the {matching} that match {}", not_free(workers).join(", "))
        }
        Reason::Draining => format!("{} no more jobs", those(workers.draining.max(matching), "takes", "take")),
        Reason::Held => match workers.held.max(matching) {
            0 | 1 => "its owner keeps the only one that matches".to_owned(),
            n => format!("their owners keep {} that match", all(n)),
        },
        Reason::Silent => format!("{} silent", those(workers.silent, "is", "are")),
        Reason::TooManyClaims => format!("you have {} workers, as many as one member may", limits::OPEN_CLAIMS),
        Reason::BehindOthers => match free(workers) {
            0 => "those that are free are meant for others before you".to_owned(),
            1 => "1 is free, but meant for others before you".to_owned(),
            n => format!("{n} are free, but meant for others before you"),
        },
        Reason::Recovering => "the server restarted and asks its workers first".to_owned(),
        Reason::JobRuns => "another try of this job has a worker".to_owned(),
        Reason::LineFull => "so many wait already that no more are taken".to_owned(),
        Reason::Unknown => "the server did not say why".to_owned(),
    }
}

/// Workers that match and could be given now.
fn free(workers: Workers) -> u32 {
    workers.matching.saturating_sub(workers.busy).saturating_sub(workers.draining).saturating_sub(workers.held)
}

fn busy(workers: Workers) -> String {
    let Workers { matching, busy, .. } = workers;
    if busy == matching {
        return those(matching, "is busy", "are busy");
    }
    let mut parts =
        vec![format!("{busy} of the {matching} that match {}", if busy == 1 { "is busy" } else { "are busy" })];
    parts.extend(not_free(workers));
    parts.join(", ")
}

/// Those that are not busy and cannot be given all the same.
fn not_free(workers: Workers) -> Vec<String> {
    let mut parts = Vec::new();
    match workers.draining {
        0 => {}
        1 => parts.push("1 takes no more jobs".to_owned()),
        n => parts.push(format!("{n} take no more jobs")),
    }
    match workers.held {
        0 => {}
        1 => parts.push("1 is kept by its owner".to_owned()),
        n => parts.push(format!("{n} are kept by their owners")),
    }
    parts
}

/// `the only one that matches is busy`, `both that match are busy`, `all 3 that match are busy`.
fn those(n: u32, one: &str, more: &str) -> String {
    match n {
        0 => format!("all that match {more}"),
        1 => format!("the only one that matches {one}"),
        n => format!("{} that match {more}", all(n)),
    }
}

fn all(n: u32) -> String {
    if n == 2 { "both".to_owned() } else { format!("all {n}") }
}
