//! A worker with the stand-in for its trainer.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use super::binary::standin;
use super::leftovers::{self, Process};
use super::program::{Ended, Program};
use super::wait::until;
use super::{Desk, House};

/// A worker, of one CPU slot unless something else is said.
pub(crate) struct Worker {
    desk: Desk,
    devices: Vec<String>,
    program: Option<Program>,
}

impl Worker {
    /// Starts one and waits until it is in the room.
    pub(super) fn start(house: &House, knobs: &[(&str, &str)], more: &[&str]) -> Self {
        let desk = house.desk("gpu-box");
        let trainer = sleap_rtc_e2e::standin::install(standin(), &desk.path().join("venv"), knobs).expect("a trainer");
        let mut worker = Self::not_started(desk.with("SLEAP_RTC_TRAINER", trainer.to_str().expect("a path of text")));
        worker.restart(&[&["--until-eof"], more].concat());
        worker
    }

    /// One that is started later.
    pub(crate) fn not_started(desk: Desk) -> Self {
        Self { desk, devices: vec!["--cpu".to_owned()], program: None }
    }

    /// On these GPUs instead.
    pub(crate) fn on_gpus(mut self, indices: &[&str]) -> Self {
        self.devices = indices.iter().flat_map(|index| ["--gpu".to_owned(), (*index).to_owned()]).collect();
        self
    }

    /// Starts it (again) on the same folder, and waits until it is in the room.
    pub(crate) fn restart(&mut self, more: &[&str]) {
        self.start_only(more);
        self.program().event("ready");
    }

    /// Starts it without waiting.
    pub(crate) fn start_only(&mut self, more: &[&str]) {
        let data = self.data();
        let data = data.to_str().expect("a path of text");
        let words = ["--json", "worker", "--name", "gpu-box", "--data", data].into_iter();
        let words: Vec<&str> =
            words.chain(self.devices.iter().map(String::as_str)).chain(more.iter().copied()).collect();
        self.program = Some(self.desk.start(&words));
    }

    /// Faults and delays of the trainer's next processes.
    pub(crate) fn set(&self, knobs: &[(&str, &str)]) {
        let lines: Vec<String> = knobs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        fs::write(self.desk.path().join("venv/standin.env"), lines.join("\n")).expect("a file");
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Its process.
    pub(crate) fn program(&self) -> &Program {
        self.program.as_ref().expect("it runs")
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.desk.path().join("data")
    }

    /// As a power cut.
    pub(crate) fn kill(&mut self) {
        self.program.take().expect("it runs").kill();
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.program().signal(signal);
    }

    /// Whoever started it is gone.
    pub(crate) fn close_input(&mut self) {
        self.program.as_mut().expect("it runs").close_input();
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> Ended {
        self.program.take().expect("it runs").end()
    }

    /// The folder of a job.
    pub(crate) fn job(&self, job: &str) -> PathBuf {
        let mut found = Vec::new();
        folders(&self.data().join("worker"), 3, &mut found);
        let folder = found.into_iter().find(|folder| folder.ends_with(Path::new("jobs").join(job)));
        folder.unwrap_or_else(|| panic!("the worker has no job {job}"))
    }

    /// The lines of a job's record.
    pub(crate) fn record(&self, job: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.job(job).join("record.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How the job ended, once its record says so. It says so once.
    pub(crate) fn ended(&self, job: &str) -> Value {
        let ends = until(&format!("job {job} has ended"), || {
            let ends: Vec<Value> = self.record(job).into_iter().filter(|line| line["record"] == "ended").collect();
            (!ends.is_empty()).then_some(ends)
        });
        assert_eq!(ends.len(), 1, "{ends:?}");
        ends[0]["terminal"].clone()
    }

    /// The trainer's processes that train now.
    pub(crate) fn trainers(&self) -> Vec<Process> {
        leftovers::trainers(self.desk.path())
    }

    /// Waits until the trainer runs.
    pub(crate) fn trainer(&self) -> Process {
        until("the trainer runs", || self.trainers().pop())
    }
}

fn folders(folder: &Path, depth: u32, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
            if depth > 1 {
                folders(&entry.path(), depth - 1, found);
            }
        }
    }
}
