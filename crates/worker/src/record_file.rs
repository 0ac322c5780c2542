//! Writes a job's record: appended, fsynced, in order, on a thread of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sleap_rtc_session::{JobRecord, WorkerInput};
use tokio::sync::mpsc::{Sender, UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The record of one job. Dropped, it finishes what was asked.
#[derive(Debug)]
pub(crate) struct RecordFile {
    lines: UnboundedSender<(u64, JobRecord)>,
}

impl RecordFile {
    /// Starts the thread. The file is made with the first record; of one that is there, what is beyond `valid_len` is cut off.
    pub(crate) fn start(path: PathBuf, valid_len: u64, answers: Sender<WorkerInput>) -> Self {
        let (lines, queue) = unbounded_channel();
        tokio::task::spawn_blocking(move || run(&path, valid_len, queue, &answers));
        Self { lines }
    }

    /// Appends; [`WorkerInput::Recorded`] or [`WorkerInput::RecordFailed`] answers. The session never has more than a few under way.
    pub(crate) fn append(&self, ticket: u64, record: JobRecord) {
        self.lines.send((ticket, record)).ok();
    }
}

fn run(path: &Path, mut valid_len: u64, mut queue: UnboundedReceiver<(u64, JobRecord)>, answers: &Sender<WorkerInput>) {
    while let Some((ticket, record)) = queue.blocking_recv() {
        let answer = match append(path, valid_len, record.line().as_bytes()) {
            Ok(len) => {
                valid_len = len;
                WorkerInput::Recorded { ticket }
            }
            Err(error) => {
                undo(path, valid_len);
                WorkerInput::RecordFailed { ticket, cause: format!("{}: {error}", path.display()) }
            }
        };
        // The task may be gone while the last line is written: it is on the disk, which is what counts.
        answers.blocking_send(answer).ok();
    }
}

/// What was not surely written must not be found after a restart: it was told to nobody. If this fails as well, the next line
/// tries again.
fn undo(path: &Path, valid_len: u64) {
    let undone = match valid_len {
        0 => std::fs::remove_file(path),
        len => OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(len)),
    };
    if let Err(error) = undone
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::error!(path = %path.display(), %error, "half a line cannot be taken out of a job's record");
    }
}

/// Cuts off what a failed or torn write has left, appends, and makes it last. Answers the new length.
fn append(path: &Path, valid_len: u64, line: &[u8]) -> io::Result<u64> {
    let new = !path.exists();
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    if file.metadata()?.len() > valid_len {
        file.set_len(valid_len)?;
    }
    file.write_all(line)?;
    file.sync_all()?;
    if let (true, Some(folder)) = (new, path.parent()) {
        // The name must last as well. Not every system lets a folder be opened; the file's own sync stands.
        if let Ok(folder) = File::open(folder) {
            folder.sync_all()?;
        }
    }
    Ok(valid_len + line.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_surely_written_is_taken_out() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("record.jsonl");
        let first = append(&path, 0, b"first\n").unwrap();
        append(&path, first, b"second\n").unwrap();
        undo(&path, first);
        assert_eq!(std::fs::read(&path).unwrap(), b"first\n");
        assert_eq!(append(&path, first, b"third\n").unwrap(), 12);
        assert_eq!(std::fs::read(&path).unwrap(), b"first\nthird\n");
        undo(&path, 0);
        assert!(!path.exists());
    }
}
