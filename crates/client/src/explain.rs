//! Errors in the words of the user, and their kinds.

use sleap_rtc_session::ClientError;
use sleap_rtc_session::pool_client::Failure;
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_wire::claim::{ClaimRefused, Reason};
use sleap_rtc_wire::job::{FailCode, Terminal};
use sleap_rtc_wire::peer::RefuseCode;
use sleap_rtc_wire::{Code as WireCode, JobId, RoomId};

use crate::error::{Code, TrainError};
use crate::jobs::{Told, Waiting};
use crate::local::Explained;
use crate::reason::why;

impl TrainError {
    /// The kind, for the exit code.
    pub fn code(&self) -> Code {
        match self {
            Self::Settings(_) | Self::RunName { .. } | Self::Filter(_) | Self::OtherRoom { .. } => Code::Usage,
            Self::Input(_) | Self::Job(_) => Code::BadInput,
            Self::Models(crate::local::LandingError::InUse(_)) => Code::Taken,
            Self::Home(_) | Self::Models(_) | Self::Disk(_) => Code::LocalDisk,
            Self::Server { cause, .. } => cause_code(cause),
            Self::NoWorker { .. } | Self::InLine { .. } | Self::NeverRan { .. } => Code::NoWorker,
            Self::Call { failure, .. } => failure_code(failure),
            Self::Worker { error, .. } => match error {
                ClientError::Refused { code: RefuseCode::UnknownJob, .. } => Code::NoSuchJob,
                ClientError::Replaced => Code::Taken,
                _ => Code::WorkerUnreachable,
            },
            Self::Failed { terminal, .. } => fail_code(terminal),
            Self::Results { error, .. } if error.code == FailCode::DiskFull && !error.told => Code::LocalDisk,
            Self::NoKey(_) | Self::Results { .. } | Self::NoResults { .. } => Code::WorkerUnreachable,
            Self::NoSuchJob(_) => Code::NoSuchJob,
            Self::Internal(_) => Code::Internal,
        }
    }

    /// The error in the three parts that a user reads. Texts of the server and the worker are as they sent them.
    pub fn explained(&self) -> Explained {
        match self {
            Self::Input(error) => error.explained(),
            Self::Models(error) => error.explained(),
            Self::Server { server, room, cause } => server_gone(server, room, cause),
            Self::NoWorker { room, refused, there } => no_worker(room, refused, there.as_deref()),
            Self::InLine { job_id, waiting } => in_line(job_id, waiting),
            Self::NeverRan { job_id, labels, cause } => explained(
                format!("job {job_id} has never had a worker"),
                cause.clone().unwrap_or_else(|| "its program ended while it waited in line".to_owned()),
                format!("start it again: sleap-rtc train {labels}"),
            ),
            Self::Call { server, worker, failure } => call(server, worker.as_deref(), failure),
            Self::Worker { job_id, worker, error } => worker_error(job_id, worker, error),
            Self::Failed { worker, terminal, folder, .. } => failed(worker, terminal, folder.as_deref()),
            Self::Results { job_id, worker, error, models, .. } => {
                let again = format!("sleap-rtc watch {job_id}");
                if error.code == FailCode::DiskFull && !error.told {
                    let what = "the model is trained, but there is no room for it here";
                    explained(what, &error.cause, format!("free some space at {}, then: {again}", models.display()))
                } else {
                    let what = format!("the model is trained, but has not arrived from {worker}");
                    explained(what, &error.cause, format!("{worker} keeps it for two weeks: {again}"))
                }
            }
            Self::NoResults { worker, .. } => explained(
                "the training ended without a model",
                format!("{worker} has no files of it"),
                format!("ask the owner of {worker} to look into its log"),
            ),
            other => other.plain(),
        }
    }

    /// Errors of this machine.
    fn plain(&self) -> Explained {
        let cause = self.to_string();
        match self {
            Self::Settings(_) => explained(
                "the settings cannot be used",
                cause,
                "export SLEAP_RTC_ROOM_ID=… SLEAP_RTC_ROOM_TOKEN=…, as `sleap-rtc room create` printed them",
            ),
            Self::RunName { .. } => {
                explained("the run cannot have this name", cause, "choose another --run-name, e.g. flies_1")
            }
            Self::Filter(_) => explained("workers cannot be looked for like this", cause, "name fewer tags"),
            Self::Job(_) => explained("the job cannot be sent", cause, "send fewer videos or configurations at once"),
            Self::Home(_) => {
                explained("a file of sleap-rtc cannot be used", cause, "check its permissions: sleap-rtc doctor")
            }
            Self::Disk(_) => {
                explained("the results would have no place", cause, "free some space, or choose another -o")
            }
            Self::NoKey(worker) => explained(
                format!("{worker} cannot prove who it is"),
                "it has signed in without a key",
                "its owner must run a newer sleap-rtc",
            ),
            Self::OtherRoom { theirs, .. } => explained(
                "the job is in another room",
                cause,
                format!("export SLEAP_RTC_ROOM_ID={theirs} and that room's SLEAP_RTC_ROOM_TOKEN"),
            ),
            Self::NoSuchJob(_) => explained(
                "there is no such job",
                cause,
                "give the job's id as `sleap-rtc train` printed it, on the machine where it was started",
            ),
            _ => explained(
                "something went wrong inside sleap-rtc",
                cause,
                "please report this, with the output of `SLEAP_RTC_LOG=debug`",
            ),
        }
    }
}

fn explained(what: impl Into<String>, cause: impl Into<String>, hint: impl Into<String>) -> Explained {
    Explained { what: what.into(), cause: cause.into(), hint: hint.into() }
}

fn cause_code(cause: &Cause) -> Code {
    match cause {
        Cause::Refused { code: WireCode::StoreUnavailable | WireCode::Internal | WireCode::RateLimited, .. } => {
            Code::ServerUnreachable
        }
        Cause::Refused { .. } => Code::RoomRefused,
        Cause::Replaced => Code::Taken,
        _ => Code::ServerUnreachable,
    }
}

fn failure_code(failure: &Failure) -> Code {
    match failure {
        Failure::WorkerRefused { .. } | Failure::WorkerSilent { .. } | Failure::ClaimEnded(_) => {
            Code::WorkerUnreachable
        }
        Failure::Refused(_) => Code::NoWorker,
        Failure::Left => Code::Internal,
        Failure::GivenUp(cause) | Failure::ServerLost(cause) => cause_code(cause),
        Failure::NoClaims | Failure::Server(_) | Failure::TimedOut => Code::ServerUnreachable,
    }
}

fn fail_code(terminal: &Terminal) -> Code {
    match terminal.code {
        Some(FailCode::BadConfig | FailCode::BadData) => Code::BadInput,
        Some(FailCode::NoTrainer) => Code::NoTrainer,
        Some(FailCode::WorkerLost) => Code::WorkerUnreachable,
        _ => Code::JobFailed,
    }
}

fn server_gone(server: &str, room: &RoomId, cause: &Cause) -> Explained {
    if *cause == Cause::Replaced {
        let what = format!("this program has lost its place in room {room}");
        return explained(what, cause.to_string(), "end one of the two, and start this one again");
    }
    let Cause::Refused { code, text } = cause else {
        let hint = "is it running, and is its port open? On its machine: sleap-rtc doctor";
        return explained(format!("the server at {server} cannot be reached"), cause.to_string(), hint);
    };
    match code {
        WireCode::RoomNotFound => explained(
            format!("there is no room {room}"),
            format!("the server at {server} says: {text}"),
            "check SLEAP_RTC_ROOM_ID, or make a room: sleap-rtc room create --name NAME",
        ),
        WireCode::RoomExpired => explained(
            format!("room {room} has expired"),
            format!("the server at {server} says: {text}"),
            "make a new one: sleap-rtc room create --name NAME",
        ),
        WireCode::AuthFailed => explained(
            format!("room {room} did not let you in"),
            format!("the server at {server} says: {text}"),
            "check SLEAP_RTC_ROOM_TOKEN: it must be the one that `sleap-rtc room create` printed for this room",
        ),
        // All that a `register` of ours may lack is the room's token. Without one, a stranger is not told whether there is a room.
        WireCode::InvalidMessage => explained(
            format!("room {room} did not let you in"),
            format!(
                "no token of the room is set, and you are not a member, or there is no such room; the server at {server} says: \
                 {text}"
            ),
            "which rooms are yours: sleap-rtc room list; for another, ask its owner for a code: sleap-rtc room join CODE; or set \
             SLEAP_RTC_ROOM_TOKEN",
        ),
        WireCode::RateLimited => {
            explained(format!("the server at {server} refused"), text.clone(), "wait a minute and try again")
        }
        _ => explained(format!("the server at {server} refused"), text.clone(), "sleap-rtc doctor"),
    }
}

fn in_line(job_id: &JobId, waiting: &Waiting) -> Explained {
    let Waiting { told: Told { place, reason, workers, .. }, pid, .. } = waiting;
    explained(
        format!("job {job_id} still waits for a worker"),
        format!("place {place}, {}", why(*reason, *workers)),
        format!("process {pid} waits and will watch it; to leave the line: sleap-rtc cancel {job_id}"),
    )
}

fn no_worker(room: &RoomId, refused: &ClaimRefused, there: Option<&str>) -> Explained {
    let ClaimRefused { reason, workers, message, .. } = refused;
    let none_free = || format!("no worker in room {room} is free");
    match reason {
        Reason::AllMatchingBusy | Reason::BehindOthers | Reason::Recovering => explained(
            none_free(),
            why(*reason, *workers),
            "see who trains: sleap-rtc status; or wait in line: --wait 2h",
        ),
        Reason::Draining | Reason::Held | Reason::Silent => {
            explained(none_free(), why(*reason, *workers), "see who is there: sleap-rtc status; or wait: --wait 2h")
        }
        Reason::NoMatchingWorker => match there {
            None => explained(
                format!("no worker is in room {room}"),
                message.clone(),
                "on a GPU machine, with this room's settings: sleap-rtc worker --gpu 0",
            ),
            Some(there) => explained(
                format!("no worker in room {room} matches"),
                there,
                "ask for less: --min-gpu-memory, --tag; see who is there: sleap-rtc status",
            ),
        },
        Reason::TooManyClaims => explained(
            "you have too many trainings at once",
            why(*reason, *workers),
            "wait in line until one ends: --wait 2h; or stop one: sleap-rtc stop JOB",
        ),
        Reason::JobRuns => explained("the job has a worker already", message.clone(), "sleap-rtc jobs"),
        Reason::LineFull => explained(
            format!("the line of room {room} is full"),
            why(*reason, *workers),
            "see what of yours waits: sleap-rtc jobs; or try again later",
        ),
        Reason::Unknown => explained(none_free(), message.clone(), "sleap-rtc status"),
    }
}

fn call(server: &str, worker: Option<&str>, failure: &Failure) -> Explained {
    let cause = failure.to_string();
    match (failure, worker) {
        (Failure::NoClaims, _) => {
            explained("no worker can be booked", format!("the server at {server} knows no claims"), "update the server")
        }
        (Failure::WorkerRefused { .. } | Failure::WorkerSilent { .. } | Failure::ClaimEnded(_), worker) => {
            let worker = worker.unwrap_or("the worker");
            explained(format!("{worker} cannot be reached"), cause, "try again; if it stays so: sleap-rtc status")
        }
        _ => explained(format!("the server at {server} did not help"), cause, "try again; sleap-rtc doctor"),
    }
}

fn worker_error(job_id: &JobId, worker: &str, error: &ClientError) -> Explained {
    match error {
        ClientError::Unreachable { cause } => explained(
            format!("{worker} cannot be reached"),
            cause.clone(),
            "is it behind a firewall that lets no UDP through? Try again; sleap-rtc status shows who is there",
        ),
        ClientError::Lost { for_ms, cause } => explained(
            format!("{worker} is lost"),
            format!("nothing has been heard of it for {}: {cause}", span(*for_ms)),
            format!(
                "the job may still run there: sleap-rtc watch {job_id} comes back to it; or train it elsewhere, as \
                 --retry 1 would have done by itself"
            ),
        ),
        ClientError::Unproven { message, .. } => explained(
            format!("{worker} is not who it must be"),
            message.clone(),
            "nothing was sent; tell the owner of the room, and update both sides",
        ),
        ClientError::Refused { code: RefuseCode::UnknownJob, .. } => explained(
            format!("{worker} knows nothing of job {job_id}"),
            "it has ended, and its results are not kept any more",
            "sleap-rtc status",
        ),
        ClientError::Refused { message, .. } => {
            explained(format!("{worker} did not take the job"), message.clone(), "try again; sleap-rtc status")
        }
        ClientError::Replaced => explained(
            format!("job {job_id} is watched from another terminal now"),
            "the same installation has come back to it there",
            "look there; the job goes on",
        ),
    }
}

/// `40 s`, `12 min`.
pub(crate) fn span(ms: u64) -> String {
    if ms < 120_000 { format!("{} s", ms / 1000) } else { format!("{} min", ms / 60_000) }
}

fn failed(worker: &str, terminal: &Terminal, folder: Option<&std::path::Path>) -> Explained {
    let cause = terminal.cause.clone().unwrap_or_else(|| "the worker gave no cause".to_owned());
    let log = folder.map(|folder| format!("what it left, with its log, is in {}", folder.display()));
    match terminal.code {
        Some(FailCode::BadConfig) => explained(
            format!("{worker} cannot train with this configuration"),
            cause,
            "mend the YAML file, or the options, and try again",
        ),
        Some(FailCode::BadData) => explained(
            format!("{worker} cannot train on these labels"),
            cause,
            "open them in SLEAP, save them again, and try again",
        ),
        Some(FailCode::NoTrainer) => {
            explained(format!("{worker} has no trainer"), cause, format!("on {worker}: sleap-rtc trainer install"))
        }
        Some(FailCode::NoGpu) => {
            explained(format!("the GPU of {worker} cannot be used"), cause, format!("on {worker}: sleap-rtc doctor"))
        }
        Some(FailCode::DiskFull) => explained(
            format!("the disk of {worker} is full"),
            cause,
            "its owner must free some space; another worker may do: sleap-rtc status",
        ),
        Some(FailCode::WorkerLost) => explained(
            format!("{worker} was interrupted, and the training with it"),
            cause,
            "start it again: sleap-rtc train",
        ),
        Some(FailCode::TransferFailed) => explained("the job's files could not be sent", cause, "try again"),
        _ => explained("the training failed", cause, log.unwrap_or_else(|| format!("the whole log is on {worker}"))),
    }
}
