//! Peers that know no claims: the slot is taken by a conditional update, and only then are they accepted.

use serde::Deserialize;
use serde_json::{Value, json};
use sleap_rtc_wire::{Code, ErrorFrame, Filters, FromPeer, JobId, Metadata, PeerId, Time};

use super::PoolWorker;
use super::effect::{Admission, Effect, Fact};
use super::slot::{Ask, Plain, Slot, Stage, Word};

/// How long the server may take to mark the slot as ours to give, ms.
pub const TAKE_MS: u64 = 10_000;
/// How long `job_assignment` may take after `accepted: true`, ms: the deployed design's number.
pub const ASSIGN_MS: u64 = 10_000;
/// How long the offer may take after `job_assignment`, and the job after the answer, ms.
pub const LINK_MS: u64 = 60_000;
/// The deployed worker's guess: minutes an epoch takes.
const EPOCH_MINUTES: f64 = 0.5;
/// The deployed worker's guess: frames tracked in a minute.
const FRAMES_A_MINUTE: f64 = 100.0;

/// Why a slot that was taken for a peer without a claim is given up.
pub(super) fn late(stage: &Stage) -> &'static str {
    match stage {
        Stage::Taking { .. } => "the server did not confirm the reservation",
        Stage::Accepted => "no job_assignment in time",
        Stage::Assigned => "no job in time",
    }
}

/// What we read of a `peer_message`'s payload.
#[derive(Deserialize)]
#[serde(tag = "app_message_type", rename_all = "snake_case")]
enum Message {
    JobRequest(JobRequest),
    JobAssignment {
        job_id: JobId,
    },
    JobCancel {
        job_id: JobId,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct JobRequest {
    job_id: JobId,
    #[serde(default)]
    job_type: Option<String>,
    #[serde(default)]
    dataset_info: Value,
    #[serde(default)]
    config: Value,
    #[serde(default)]
    requirements: Value,
}

impl PoolWorker {
    pub(super) fn message(&mut self, from: &PeerId, payload: Value, now: Time) {
        match serde_json::from_value(payload) {
            Ok(Message::JobRequest(request)) => self.job_request(from, &request, now),
            Ok(Message::JobAssignment { job_id }) => self.job_assignment(from, &job_id, now),
            Ok(Message::JobCancel { job_id }) => self.job_cancel(from, &job_id),
            Ok(Message::Other) => {}
            Err(_) => self.out.push_back(Effect::Report(Fact::Refused {
                peer: from.clone(),
                why: "a peer_message that cannot be read",
            })),
        }
    }

    fn job_request(&mut self, from: &PeerId, request: &JobRequest, now: Time) {
        if let Some(reason) = self.misfit(request) {
            return self.respond(from, &request.job_id, Err(reason));
        }
        let minutes = request.minutes();
        match &self.slot {
            Slot::Free if !self.draining => {
                self.take(from.clone(), Some(request.job_id.clone()), Ask::Request { minutes }, now);
            }
            // Asked again: the same answer again.
            Slot::Plain(plain)
                if plain.client == *from
                    && plain.job.as_ref() == Some(&request.job_id)
                    && plain.stage == Stage::Accepted =>
            {
                self.respond(from, &request.job_id, Ok(minutes));
            }
            _ => self.respond(from, &request.job_id, Err("busy")),
        }
    }

    fn job_assignment(&mut self, from: &PeerId, job: &JobId, now: Time) {
        if let Slot::Plain(plain) = &mut self.slot
            && plain.client == *from
            && plain.job.as_ref() == Some(job)
            && plain.stage == Stage::Accepted
        {
            plain.stage = Stage::Assigned;
            plain.ends = now.plus_ms(LINK_MS);
        }
    }

    /// Only before the job runs: after that, the link carries the wish of whoever proved that the job is theirs.
    fn job_cancel(&mut self, from: &PeerId, job: &JobId) {
        if matches!(&self.slot, Slot::Plain(plain) if plain.client == *from && plain.job.as_ref() == Some(job)) {
            self.slot = Slot::Free;
            self.withdraw(from, None);
            let payload = json!({
                "app_message_type": "job_cancelled", "job_id": job, "status": "cancelled", "cleanup_complete": true,
            });
            self.tell(from, &payload);
        }
    }

    /// Asks the server to mark the slot as taken, if it is available: two who look at once are told apart there.
    pub(super) fn take(&mut self, client: PeerId, job: Option<JobId>, ask: Ask, now: Time) {
        self.requests += 1;
        let request_id = format!("take-{}", self.requests);
        let Ok(condition) = Filters::parse(json!({"properties": {"status": "available"}})) else { return };
        self.update(&Word::reserved(job.clone()), Some(condition), Some(request_id.clone()));
        self.slot =
            Slot::Plain(Plain { client, job, stage: Stage::Taking { request_id, ask }, ends: now.plus_ms(TAKE_MS) });
    }

    /// The server confirmed an update. Deployed servers give no `request_id` back.
    pub(super) fn updated(&mut self, metadata: &Metadata, request_id: Option<&str>, now: Time) {
        let Slot::Plain(Plain { client, job, stage, ends }) = &mut self.slot else { return };
        let Stage::Taking { request_id: ours, ask } = stage else { return };
        let reserved = metadata.property("status").and_then(Value::as_str) == Some("reserved");
        if request_id.is_some_and(|id| id != ours) || !reserved {
            return;
        }
        self.said = Some(Word::reserved(job.clone()));
        let (client, job, ask) = (client.clone(), job.clone(), ask.clone());
        match (ask, job) {
            (Ask::Request { minutes }, Some(job)) => {
                (*stage, *ends) = (Stage::Accepted, now.plus_ms(ASSIGN_MS));
                self.respond(&client, &job, Ok(minutes));
            }
            (Ask::Offer { sdp }, job) => {
                (*stage, *ends) = (Stage::Assigned, now.plus_ms(LINK_MS));
                self.answer(client, sdp, Admission::Plain { job }, now);
            }
            (Ask::Request { .. }, None) => self.slot = Slot::Free,
        }
    }

    /// Whether an error says that our conditional update did not take the slot.
    pub(super) fn not_taken(&mut self, error: &ErrorFrame) -> bool {
        let Slot::Plain(Plain { stage: Stage::Taking { request_id, .. }, .. }) = &self.slot else { return false };
        let ours = error.request_id.as_ref().map_or(error.code == Code::Conflict, |id| id == request_id);
        if ours {
            self.forget_taking();
        }
        ours
    }

    /// The slot could not be taken: the peer hears that the worker is busy.
    pub(super) fn forget_taking(&mut self) {
        let Slot::Plain(Plain { client, job, stage: Stage::Taking { ask, .. }, .. }) = &self.slot else { return };
        let (client, job, offered) = (client.clone(), job.clone(), matches!(ask, Ask::Offer { .. }));
        self.slot = Slot::Free;
        // Whether the update took effect is not known; `settle` says again that we are available.
        self.said = self.said.take().map(|_| Word { status: "unknown", ..Word::default() });
        match job {
            Some(job) if !offered => self.respond(&client, &job, Err("busy")),
            _ => self.refuse(&client, Code::WorkerBusy, "the worker is taken"),
        }
    }

    /// Why this worker can never run such a job.
    fn misfit(&self, request: &JobRequest) -> Option<&'static str> {
        let own = |name: &str| self.setup.metadata.property(name);
        let supports = |name: &str, wanted: &str| {
            own(name)
                .and_then(Value::as_array)
                .is_none_or(|list| list.iter().filter_map(Value::as_str).any(|one| one == wanted))
        };
        let needed = request.requirements.get("min_gpu_memory_mb").and_then(Value::as_f64).unwrap_or(0.0);
        let memory = own("gpu_memory_mb").and_then(Value::as_f64).unwrap_or(0.0);
        if needed > memory {
            return Some("insufficient_memory");
        }
        let model = request.config.get("model_type").and_then(Value::as_str);
        let fits = request.job_type.as_deref().is_none_or(|kind| supports("supported_job_types", kind))
            && model.is_none_or(|model| supports("supported_models", model));
        (!fits).then_some("incompatible")
    }

    /// `job_response`: yes with the minutes that it may take, or no with the reason.
    fn respond(&mut self, to: &PeerId, job: &JobId, outcome: Result<f64, &'static str>) {
        let payload = match outcome {
            Ok(minutes) => json!({
                "app_message_type": "job_response", "job_id": job, "accepted": true,
                "estimated_start_time_sec": 0, "estimated_duration_minutes": minutes,
                "worker_info": {"available_memory_mb": self.setup.metadata.property("gpu_memory_mb")},
            }),
            Err(reason) => {
                self.out.push_back(Effect::Report(Fact::Refused { peer: to.clone(), why: reason }));
                json!({"app_message_type": "job_response", "job_id": job, "accepted": false, "reason": reason})
            }
        };
        self.tell(to, &payload);
    }

    fn tell(&mut self, to: &PeerId, payload: &Value) {
        self.send(FromPeer::peer_message(&self.setup.peer_id, to, payload));
    }
}

impl JobRequest {
    fn minutes(&self) -> f64 {
        let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_f64);
        number(&self.requirements, "estimated_duration_minutes")
            .or_else(|| number(&self.config, "epochs").map(|epochs| epochs * EPOCH_MINUTES))
            .or_else(|| number(&self.dataset_info, "frame_count").map(|frames| frames / FRAMES_A_MINUTE))
            .unwrap_or(0.0)
    }
}

impl Plain {
    /// Whether this job may have the slot that was taken for its client.
    pub(super) fn fits(&self, start: &super::Start) -> bool {
        self.stage == Stage::Assigned
            && start.claim.is_none()
            && start.client == self.client
            && self.job.as_ref().is_none_or(|job| *job == start.job)
    }
}
