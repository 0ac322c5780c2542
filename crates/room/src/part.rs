//! What a worker of the deployed kind says of a job that it got through the server.

use serde_json::Value;
use sleap_rtc_wire::signal::{Report, ReportKind};

/// What a report means for the job as a whole.
///
/// The deployed worker reports a training job as `accepted`, `running` again and again, `complete` or `failed` after each model, then
/// either `running` and `complete` or `failed` with `stage: inference`, or a last `running` whose message begins with
/// `INFERENCE_SKIPPED`. A tracking job ends with its only `complete` or `failed`, any job with `rejected`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The worker takes it.
    Begins,
    GoesOn,
    /// A figure of the trainer, which may arrive after the end of the part that it is about.
    Progress,
    /// A part ends: the last one, if nothing follows soon.
    Ends,
    EndsAll,
}

impl Part {
    pub(crate) fn of(report: &Report) -> Option<Self> {
        if report.kind == ReportKind::JobProgress {
            return Some(Self::Progress);
        }
        let status = report.status.as_deref().filter(|_| report.kind == ReportKind::JobStatus)?;
        Some(match status {
            "accepted" => Self::Begins,
            "running" if is_skipped(report) => Self::EndsAll,
            "running" => Self::GoesOn,
            "complete" | "failed" if detail(report, "stage").is_some() => Self::EndsAll,
            "complete" | "failed" => Self::Ends,
            "rejected" => Self::EndsAll,
            _ => return None,
        })
    }
}

fn is_skipped(report: &Report) -> bool {
    const SKIPPED: &str = "INFERENCE_SKIPPED::";
    // Nearly every line of a log is such a report: they are not read twice.
    report.text.contains(SKIPPED)
        && detail(report, "message")
            .is_some_and(|message| message.as_str().is_some_and(|text| text.starts_with(SKIPPED)))
}

/// What a report says beside its status.
fn detail(report: &Report, key: &str) -> Option<Value> {
    serde_json::from_str::<Value>(&report.text).ok()?.get(key).cloned()
}
