//! What a worker says while it serves.

use std::collections::HashSet;

use serde_json::{Value, json};
use sleap_rtc_session::pool_worker::Fact;
use sleap_rtc_wire::job::{EndState, Terminal};
use sleap_rtc_worker::{Notice, What};

use crate::printer::Printer;
use crate::text::clean;

/// Prints notices: lines for people, events for programs.
#[derive(Debug)]
pub(crate) struct Notices {
    printer: Printer,
    /// Peers that have been in the room.
    known: HashSet<String>,
    /// Peers that are out of reach of the server now.
    away: HashSet<String>,
}

impl Notices {
    pub(crate) fn new(printer: Printer) -> Self {
        Self { printer, known: HashSet::new(), away: HashSet::new() }
    }

    /// Prints one, if there is anything to say.
    pub(crate) fn say(&mut self, notice: &Notice) {
        let Some((event, line)) = self.words(notice) else { return };
        if self.printer.json() {
            self.printer.event(&event);
        } else {
            self.printer.note(&format!("{:<5} {line}", notice.device));
        }
    }

    fn words(&mut self, notice: &Notice) -> Option<(Value, String)> {
        let peer = notice.peer.as_str();
        let event = |name: &str, more: Value| {
            let mut event = json!({"event": name, "peer_id": peer, "device": notice.device});
            if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
                event.extend(more);
            }
            event
        };
        match &notice.what {
            What::Signaling(fact) => self.signaling(peer, fact).map(|(name, more, line)| (event(name, more), line)),
            What::Started(job) => Some((event("started", json!({"job_id": job})), format!("job {job} is accepted"))),
            What::Ended(job, end) => {
                let more = json!({"job_id": job, "end": end});
                Some((event("ended", more), format!("job {job} {}", ended(end))))
            }
            What::Delivered(job) => {
                Some((event("delivered", json!({"job_id": job})), format!("job {job}: the client has the results")))
            }
        }
    }

    fn signaling(&mut self, peer: &str, fact: &Fact) -> Option<(&'static str, Value, String)> {
        match fact {
            Fact::Registered(answer) => {
                let back = self.away.remove(peer);
                let more = json!({"room_id": answer.room_id});
                if self.known.insert(peer.to_owned()) {
                    Some(("ready", more, format!("is in room {} as {peer} and waits for jobs", answer.room_id)))
                } else {
                    back.then(|| ("back", more, format!("is in room {} again", answer.room_id)))
                }
            }
            Fact::Away { cause, retry_in_ms } if *retry_in_ms > 0 => {
                // Once for each time; the tries in between would fill the screen.
                let first = self.away.insert(peer.to_owned());
                let line = format!("the server is away: {cause}; trying again, a job that runs goes on");
                first.then(|| ("away", json!({"cause": cause.to_string(), "retry_ms": retry_in_ms}), line))
            }
            Fact::GrantRefused { why, .. } => {
                Some(("grant_refused", json!({"why": why}), format!("a claim was refused: {why}")))
            }
            Fact::FenceFailed { cause, .. } => {
                let line = format!("a claim was given back, the disk refuses: {}", clean(cause));
                Some(("fence_failed", json!({"cause": cause}), line))
            }
            Fact::Refused { peer: who, why } => {
                let line = format!("{} was turned away: {why}", clean(who.as_str()));
                Some(("refused", json!({"peer": who, "why": why}), line))
            }
            Fact::ServerError(frame) => {
                let line = format!("the server says: {}", clean(frame.text()));
                Some(("server_error", json!({"code": frame.code, "text": frame.text()}), line))
            }
            // Away and asked again at once, with a fresh sign-in: nobody need know unless that fails too.
            Fact::Away { .. } | Fact::Expecting { .. } | Fact::ClaimEnded { .. } | Fact::Started { .. } => None,
        }
    }
}

fn ended(end: &Terminal) -> String {
    let cause = end.cause.as_deref().map(|cause| format!(": {}", clean(cause))).unwrap_or_default();
    match end.state {
        EndState::Completed if end.stopped_early => "is completed, stopped early".to_owned(),
        EndState::Completed => "is completed".to_owned(),
        EndState::Failed => format!("failed{cause}"),
        EndState::Cancelled => format!("was cancelled{cause}"),
    }
}
