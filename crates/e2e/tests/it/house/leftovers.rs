//! Processes of a house that are still there: by its folder in their environment, their arguments or their current folder.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::wait::within;

/// How long an ending process may take.
const GRACE: Duration = Duration::from_secs(20);

/// A process that is there.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) group: u32,
    pub(crate) words: String,
}

/// All that are there now.
pub(crate) fn processes(folder: &Path) -> Vec<Process> {
    let marker = folder.to_str().expect("a path of text");
    let numbers = fs::read_dir("/proc").expect("/proc").flatten();
    numbers
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| process(pid, marker))
        .collect()
}

/// Those of the trainer: they run in a job's folder.
pub(crate) fn trainers(folder: &Path) -> Vec<Process> {
    let mut all = processes(folder);
    all.retain(|process| process.words.contains("sleap-nn"));
    all
}

/// The members of a process group.
pub(crate) fn group(id: u32) -> Vec<u32> {
    let numbers = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(state, group)| state != "Z" && group == id)).collect()
}

/// Those that are still there after a while.
pub(super) fn after_a_while(folder: &Path) -> Vec<Process> {
    within(GRACE, || processes(folder).is_empty().then(Vec::new)).unwrap_or_else(|| processes(folder))
}

/// Whether the process is there and not only waiting to be reaped.
pub(crate) fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z")
}

fn process(pid: u32, marker: &str) -> Option<Process> {
    let text = |name: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let (state, group) = stat(pid)?;
    let words = text("cmdline");
    let here = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
    let ours = words.contains(marker) || text("environ").contains(marker) || here.starts_with(marker);
    (ours && state != "Z").then_some(Process { pid, group, words })
}

/// State and process group.
fn stat(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything.
    let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
    let state = rest.next()?.to_owned();
    Some((state, rest.nth(1)?.parse().ok()?))
}
