//! A job's folder and a trainer for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sleap_rtc_wire::job::TrainOptions;
use sleap_rtc_worker::trainer::{Config, Device, Progress, Running, Stage, StageRun, Timing, Trainer, TrainerEvent};
use tempfile::TempDir;

/// The repository's example data.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// A job's folder with `flies.pkg.slp`, and a stand-in with faults.
pub(crate) struct Job {
    folder: TempDir,
    program: PathBuf,
}

impl Job {
    pub(crate) fn new(knobs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let binary = Path::new(env!("CARGO_BIN_EXE_standin_trainer"));
        let program = sleap_rtc_e2e::standin::install(binary, &folder.path().join("venv"), knobs).unwrap();
        fs::create_dir(folder.path().join("job")).unwrap();
        let job = Self { folder, program };
        job.bring("flies.pkg.slp");
        job
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("job")
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn bring(&self, name: &str) {
        fs::copy(example(name), self.dir().join(name)).unwrap();
    }

    pub(crate) async fn trainer(&self) -> Trainer {
        Trainer::probe(&self.program).await.unwrap()
    }

    /// The example's centroid model, two epochs.
    pub(crate) fn run(&self) -> StageRun {
        StageRun {
            dir: self.dir(),
            config: Config::parse(&fs::read_to_string(example("centroid.yaml")).unwrap()).unwrap(),
            stage: Stage {
                labels: vec!["flies.pkg.slp".into()],
                val_labels: Vec::new(),
                videos: Vec::new(),
                run_name: "centroid".into(),
                device: Device::Cpu { threads: 1 },
                options: TrainOptions { epochs: Some(2), ..TrainOptions::default() },
            },
            timing: Timing { stop_every: Duration::from_millis(50), ..Timing::default() },
        }
    }

    pub(crate) async fn start(&self) -> Running {
        self.trainer().await.start(self.run()).await.unwrap()
    }
}

/// All that is told until the end.
pub(crate) async fn all_events(running: &mut Running) -> Vec<TrainerEvent> {
    let mut events = Vec::new();
    while let Some(event) = running.next_event().await {
        events.push(event);
    }
    events
}

/// Reads events until the first that fits.
pub(crate) async fn until(running: &mut Running, fits: impl Fn(&TrainerEvent) -> bool) {
    while let Some(event) = running.next_event().await {
        if fits(&event) {
            return;
        }
    }
    panic!("the trainer ended before");
}

pub(crate) fn is_batch(event: &TrainerEvent) -> bool {
    matches!(event, TrainerEvent::Progress { progress: Progress::Batch { .. }, .. })
}

/// What is told, without log lines, batches and raw text.
pub(crate) fn steps(events: &[TrainerEvent]) -> Vec<Progress> {
    let steps = events.iter().filter_map(|event| match event {
        TrainerEvent::Progress { progress, .. } if !is_batch(event) => Some(progress.clone()),
        _ => None,
    });
    steps.collect()
}

/// Whether the process is there and is not only waiting to be reaped.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Waits for the process to be gone.
pub(crate) async fn gone(pid: u32) {
    eventually(&format!("the end of process {pid}"), || (!is_alive(pid)).then_some(())).await;
}

/// The number that a file holds, once it does.
pub(crate) async fn number_in(path: &Path) -> u32 {
    let what = format!("a number in {}", path.display());
    eventually(&what, || fs::read_to_string(path).ok()?.trim().parse().ok()).await
}

/// Waits for what must come; far longer than it can take, so that a test that waits in vain fails instead of hanging.
pub(crate) async fn eventually<T>(what: &str, there: impl Fn() -> Option<T>) -> T {
    let wait = async {
        loop {
            match there() {
                Some(value) => return value,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), wait).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
