//! Keys, claims, jobs, files and what a trainer says.

use std::collections::{BTreeMap, VecDeque};

use sleap_rtc_session::{ClientTimes, Grant, JobClient, KeyPair, Plan, Target, WorkerInput};
use sleap_rtc_wire::job::{EndState, FailCode, JobSpec, Phase, StageSpec, Stream, Terminal, TrainOptions, What};
use sleap_rtc_wire::manifest::{Chunk, FileEntry, Hash, cut};
use sleap_rtc_wire::{ClaimId, Fence, JobId, PeerId, RoomId, Time};

pub(crate) const CLIENT_PRINT: [u8; 32] = [1; 32];
pub(crate) const WORKER_PRINT: [u8; 32] = [2; 32];
pub(crate) const GONE_MS: u64 = 60_000;
pub(crate) const START: Time = Time(1_800_000_000_000);

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) fn client_key() -> KeyPair {
    KeyPair::from_seed(&[11; 32])
}

pub(crate) fn worker_key() -> KeyPair {
    KeyPair::from_seed(&[22; 32])
}

pub(crate) fn grant() -> Grant {
    Grant {
        room: RoomId::new("a7f3d2e1").unwrap(),
        worker: PeerId::new("gpu-box").unwrap(),
        claim_id: ClaimId::new("claim-1").unwrap(),
        fence: Fence { epoch: 3, counter: 14 },
        job_id: JobId::new("job-1").unwrap(),
        attempt: 1,
        client_key: client_key().public(),
    }
}

pub(crate) fn target() -> Target {
    let grant = grant();
    Target {
        room: grant.room,
        me: PeerId::new("laptop").unwrap(),
        worker: grant.worker,
        worker_key: worker_key().public(),
        job_id: grant.job_id,
        attempt: grant.attempt,
        claim_id: grant.claim_id,
        fence: grant.fence,
    }
}

pub(crate) fn job(stages: usize) -> JobSpec {
    let stage = |n| StageSpec { name: format!("stage-{n}"), config: format!("trainer_config:\n  max_epochs: {n}\n") };
    JobSpec {
        job_id: grant().job_id,
        attempt: 1,
        trainer: "sleap-nn".to_owned(),
        run_name: "run".to_owned(),
        labels: "labels.slp".to_owned(),
        val_labels: None,
        videos: Vec::new(),
        stages: (0..stages).map(stage).collect(),
        options: TrainOptions::default(),
    }
}

/// Bytes that differ at every place and between seeds.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// Three files: one of several pieces, an empty one, one that repeats a part of the first.
pub(crate) fn some_files() -> Files {
    let labels = noise(1, 150_000);
    let copy = labels.clone();
    [("labels.slp", labels), ("empty.txt", Vec::new()), ("videos/a.mp4", noise(2, 90_000)), ("copy.slp", copy)]
        .into_iter()
        .map(|(path, bytes)| (path.to_owned(), bytes))
        .collect()
}

pub(crate) fn some_results() -> Files {
    [("best.ckpt", noise(7, 120_000)), ("training_config.yaml", b"a: 1\n".to_vec())]
        .into_iter()
        .map(|(path, bytes)| (path.to_owned(), bytes))
        .collect()
}

pub(crate) fn entries(files: &Files) -> Vec<FileEntry> {
    files.iter().map(|(path, bytes)| FileEntry { path: path.clone(), size: bytes.len() as u64 }).collect()
}

pub(crate) fn chunks(files: &Files) -> Vec<Chunk> {
    let of = |bytes: &Vec<u8>| -> Vec<Chunk> {
        cut(bytes.len() as u64)
            .map(|(at, len)| Chunk { hash: Hash::of(&bytes[at as usize..][..len as usize]), len })
            .collect()
    };
    files.values().flat_map(of).collect()
}

pub(crate) fn ended(state: EndState) -> Terminal {
    let code = (state == EndState::Failed).then_some(FailCode::TrainerFailed);
    Terminal { state, stopped_early: false, code, cause: None, exit: Some(0), ended_at: START }
}

/// What a trainer of `stages` stages says.
pub(crate) fn script(stages: u32) -> VecDeque<WorkerInput> {
    let mut words = VecDeque::from([WorkerInput::Happened(What::Phase { phase: Phase::Importing })]);
    for index in 0..stages {
        let happened = [
            What::Stage { index, count: stages, name: format!("stage-{index}") },
            What::Phase { phase: Phase::Training },
            What::Log { stream: Stream::Out, line: format!("line of stage {index}") },
            What::Epoch { epoch: 0, train_loss: Some(0.5), val_loss: Some(0.6) },
            What::Epoch { epoch: 1, train_loss: Some(0.4), val_loss: Some(0.5) },
        ];
        words.extend(happened.into_iter().map(WorkerInput::Happened));
    }
    words.push_back(WorkerInput::Ended(ended(EndState::Completed)));
    words
}

pub(crate) fn new_client(plan: Plan, now: Time) -> JobClient {
    JobClient::new(client_key(), target(), plan, ClientTimes::default(), 1 << 30, now).unwrap()
}
