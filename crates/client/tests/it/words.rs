//! The words of every error. A change here is a change of what users read and search for.

use std::fmt::Write as _;
use std::path::PathBuf;

use sleap_rtc_client::jobs::{Told, Waiting};
use sleap_rtc_client::{TrainError, why};
use sleap_rtc_peer::settings::SettingsError;
use sleap_rtc_session::pool_client::Failure;
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_session::{ClientError, TransferError};
use sleap_rtc_wire::claim::{ClaimRefused, Reason, Workers};
use sleap_rtc_wire::job::{EndState, FailCode, Terminal};
use sleap_rtc_wire::peer::RefuseCode;
use sleap_rtc_wire::{Code, JobId, PeerId, RoomId, Time};

fn job() -> JobId {
    JobId::new("4f1c09d2ab37").unwrap()
}

fn room() -> RoomId {
    RoomId::new("a7f3d2e1").unwrap()
}

fn server(cause: Cause) -> TrainError {
    TrainError::Server { server: "http://admin-box:8001".to_owned(), room: room(), cause }
}

fn refused(code: Code, text: &str) -> TrainError {
    server(Cause::Refused { code, text: text.to_owned() })
}

fn no_worker(reason: Reason, message: &str, counts: (u32, u32), there: Option<&str>) -> TrainError {
    let (matching, busy) = counts;
    let message = message.to_owned();
    let workers = Workers { matching, busy, ..Workers::default() };
    let refused = ClaimRefused { request_id: "r1".to_owned(), code: Code::NoFreeWorker, reason, message, workers };
    TrainError::NoWorker { room: room(), refused: Box::new(refused), there: there.map(str::to_owned) }
}

fn in_line() -> TrainError {
    let workers = Workers { matching: 3, busy: 3, ..Workers::default() };
    let told = Told { place: 2, reason: Reason::AllMatchingBusy, workers, estimate_ms: None };
    let waiting = Waiting { pid: 4711, since: Time(0), updated_at: Time(0), told };
    TrainError::InLine { job_id: job(), waiting: Box::new(waiting) }
}

fn call(failure: Failure) -> TrainError {
    let server = "http://admin-box:8001".to_owned();
    TrainError::Call { server, worker: Some("gpu-box".to_owned()), failure: Box::new(failure) }
}

fn worker(error: ClientError) -> TrainError {
    TrainError::Worker { job_id: job(), worker: "gpu-box".to_owned(), error }
}

fn ended(state: EndState, code: Option<FailCode>, cause: &str) -> Terminal {
    let cause = Some(cause.to_owned());
    Terminal { state, stopped_early: false, code, cause, exit: Some(1), ended_at: Time(0) }
}

fn failed(code: FailCode, cause: &str) -> TrainError {
    let terminal = Box::new(ended(EndState::Failed, Some(code), cause));
    let folder = (code == FailCode::TrainerFailed).then(|| PathBuf::from("models/run.failed"));
    TrainError::Failed { job_id: job(), worker: "gpu-box".to_owned(), terminal, folder }
}

fn results(code: FailCode, cause: &str) -> TrainError {
    TrainError::Results {
        job_id: job(),
        worker: "gpu-box".to_owned(),
        terminal: Box::new(ended(EndState::Completed, None, "")),
        error: TransferError { code, cause: cause.to_owned(), told: false },
        models: PathBuf::from("models"),
    }
}

fn errors() -> Vec<TrainError> {
    let gpu_box = || PeerId::new("worker-gpu-box").unwrap();
    vec![
        SettingsError::NoRoom.into(),
        TrainError::RunName { name: "a b".to_owned(), why: "it may have letters, digits and . _ - = + only" },
        server(Cause::Unreachable(
            "http://admin-box:8001/key-signin cannot be reached: the connection was refused".into(),
        )),
        server(Cause::Replaced),
        refused(Code::RoomNotFound, "Room not found"),
        refused(Code::AuthFailed, "Invalid token"),
        refused(Code::InvalidMessage, "Missing required fields during registration."),
        refused(Code::RoomExpired, "Room expired"),
        no_worker(Reason::AllMatchingBusy, "all 2 workers that match are busy", (2, 2), None),
        no_worker(Reason::NoMatchingWorker, "no connected worker matches", (0, 0), None),
        no_worker(
            Reason::NoMatchingWorker,
            "no connected worker matches",
            (0, 0),
            Some("2 workers are there; the largest GPU is that of gpu-box, 8188 MB"),
        ),
        no_worker(Reason::TooManyClaims, "8 claims are open, at most 8 are allowed", (1, 0), None),
        no_worker(Reason::BehindOthers, "others are before you", (3, 1), None),
        no_worker(Reason::Silent, "the workers that match are silent", (0, 0), None),
        no_worker(Reason::Held, "the workers that match are held", (1, 0), None),
        no_worker(Reason::JobRuns, "attempt 1 of this job has a worker", (1, 1), None),
        no_worker(Reason::LineFull, "1000 claims wait", (1, 1), None),
        in_line(),
        TrainError::NeverRan { job_id: job(), labels: "data.slp".to_owned(), cause: None },
        call(Failure::WorkerSilent { worker: gpu_box() }),
        call(Failure::NoClaims),
        TrainError::NoKey("gpu-box".to_owned()),
        worker(ClientError::Unreachable { cause: "no connection to the peer within 20 s".to_owned() }),
        worker(ClientError::Lost { for_ms: 600_000, cause: "it is not in the room".to_owned() }),
        worker(ClientError::Unproven {
            code: RefuseCode::WrongKey,
            message: "its key is not the room's word".to_owned(),
        }),
        worker(ClientError::Refused { code: RefuseCode::UnknownJob, message: "no such job".to_owned() }),
        worker(ClientError::Replaced),
        failed(FailCode::BadConfig, "centroid: trainer_config.ckpt_dir is not allowed"),
        failed(FailCode::BadData, "labels/data.slp: no labelled frames"),
        failed(FailCode::TrainerFailed, "ValueError: no instances"),
        failed(FailCode::NoTrainer, "sleap-nn is not installed"),
        failed(FailCode::NoGpu, "CUDA error: no device"),
        failed(FailCode::DiskFull, "3 GB are free, the job needs 21 GB"),
        failed(FailCode::WorkerLost, "the worker was started again while the job was there"),
        failed(FailCode::TransferFailed, "fly.mp4 changed: it had 10 bytes and has 11"),
        results(FailCode::DiskFull, "models/.run.partial-4f1c09d2ab37: No space left on device (os error 28)"),
        results(FailCode::TransferFailed, "9 chunks arrived damaged"),
        TrainError::NoResults { job_id: job(), worker: "gpu-box".to_owned() },
        TrainError::NoSuchJob(Some("nosuch".to_owned())),
        TrainError::OtherRoom { job_id: job(), theirs: room(), ours: RoomId::new("other").unwrap() },
    ]
}

#[test]
fn every_error_says_what_why_and_what_to_do() {
    let mut text = String::new();
    for error in errors() {
        writeln!(text, "[{:?}]\n{}\n", error.code(), error.explained()).unwrap();
    }
    insta::assert_snapshot!(text);
}

/// Workers as (matching, busy, draining, held, silent).
fn workers((matching, busy, draining, held, silent): (u32, u32, u32, u32, u32)) -> Workers {
    Workers { matching, busy, draining, held, silent }
}

#[test]
fn every_reason_says_its_numbers() {
    let cases = [
        (Reason::AllMatchingBusy, (1, 1, 0, 0, 0)),
        (Reason::AllMatchingBusy, (2, 2, 0, 0, 0)),
        (Reason::AllMatchingBusy, (3, 3, 0, 0, 0)),
        (Reason::AllMatchingBusy, (3, 1, 1, 1, 0)),
        (Reason::AllMatchingBusy, (9, 4, 3, 2, 0)),
        (Reason::NoMatchingWorker, (0, 0, 0, 0, 0)),
        (Reason::Draining, (1, 0, 1, 0, 0)),
        (Reason::Draining, (2, 0, 2, 0, 0)),
        (Reason::Held, (1, 0, 0, 1, 0)),
        (Reason::Held, (3, 0, 0, 3, 0)),
        (Reason::Held, (3, 0, 1, 2, 0)),
        (Reason::Silent, (0, 0, 0, 0, 1)),
        (Reason::Silent, (0, 0, 0, 0, 4)),
        (Reason::TooManyClaims, (9, 8, 0, 0, 0)),
        (Reason::BehindOthers, (3, 2, 0, 0, 0)),
        (Reason::BehindOthers, (3, 1, 0, 0, 0)),
        (Reason::Recovering, (0, 0, 0, 0, 2)),
        (Reason::JobRuns, (1, 1, 0, 0, 0)),
        (Reason::LineFull, (1, 1, 0, 0, 0)),
        (Reason::Unknown, (0, 0, 0, 0, 0)),
    ];
    let mut text = String::new();
    for (reason, numbers) in cases {
        writeln!(text, "{reason:?} {numbers:?}: {}", why(reason, workers(numbers))).unwrap();
    }
    insta::assert_snapshot!(text, @r"
    AllMatchingBusy (1, 1, 0, 0, 0): the only one that matches is busy
    AllMatchingBusy (2, 2, 0, 0, 0): both that match are busy
    AllMatchingBusy (3, 3, 0, 0, 0): all 3 that match are busy
    AllMatchingBusy (3, 1, 1, 1, 0): 1 of the 3 that match is busy, 1 takes no more jobs, 1 is kept by its owner
    AllMatchingBusy (9, 4, 3, 2, 0): 4 of the 9 that match are busy, 3 take no more jobs, 2 are kept by their owners
    NoMatchingWorker (0, 0, 0, 0, 0): none that matches is connected
    Draining (1, 0, 1, 0, 0): the only one that matches takes no more jobs
    Draining (2, 0, 2, 0, 0): both that match take no more jobs
    Held (1, 0, 0, 1, 0): its owner keeps the only one that matches
    Held (3, 0, 0, 3, 0): their owners keep all 3 that match
    Held (3, 0, 1, 2, 0): of the 3 that match 1 takes no more jobs, 2 are kept by their owners
    Silent (0, 0, 0, 0, 1): the only one that matches is silent
    Silent (0, 0, 0, 0, 4): all 4 that match are silent
    TooManyClaims (9, 8, 0, 0, 0): you have 8 workers, as many as one member may
    BehindOthers (3, 2, 0, 0, 0): 1 is free, but meant for others before you
    BehindOthers (3, 1, 0, 0, 0): 2 are free, but meant for others before you
    Recovering (0, 0, 0, 0, 2): the server restarted and asks its workers first
    JobRuns (1, 1, 0, 0, 0): another try of this job has a worker
    LineFull (1, 1, 0, 0, 0): so many wait already that no more are taken
    Unknown (0, 0, 0, 0, 0): the server did not say why
    ");
}
