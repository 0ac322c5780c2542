//! The words of every error. A change here is a change of what users read and search for.

use std::fmt::Write as _;
use std::path::PathBuf;

use sleap_rtc_client::TrainError;
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
        refused(Code::RoomNotFound, "Room not found"),
        refused(Code::AuthFailed, "Invalid token"),
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
