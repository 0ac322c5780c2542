//! Carries out what a session's transfer wants of the disk, on a thread of its own.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sleap_rtc_session::{DiskAnswer, DiskRequest};
use sleap_rtc_wire::manifest::{Chunk, FileEntry, Hash, Manifest, cut};
use tokio::sync::mpsc::{Sender, UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::chunks::{ChunkStore, DiskError};

/// Chunks that are reported at once while files are hashed.
const BATCH: usize = 64;

/// Puts the files of a manifest in place, all or none.
pub type Assemble = Box<dyn FnMut(&Manifest, &ChunkStore) -> Result<(), DiskError> + Send>;

/// The files that a session sends, by their path in the manifest.
pub type Sources = Arc<HashMap<String, PathBuf>>;

/// The disk of one session. Cheap to clone; with the last one dropped, it finishes what was asked and ends.
#[derive(Clone, Debug)]
pub struct Disk {
    requests: UnboundedSender<Request>,
}

#[derive(Debug)]
enum Request {
    Session(DiskRequest),
    Sources(Sources),
}

impl Disk {
    /// Starts the thread. Answers go to `answers`, in the order of the requests.
    pub fn start(store: ChunkStore, assemble: Assemble, answers: Sender<DiskAnswer>) -> Self {
        let (requests, queue) = unbounded_channel();
        tokio::task::spawn_blocking(move || run(&store, assemble, queue, &answers));
        Self { requests }
    }

    /// Carries out one request. There are never more than the session has under way.
    pub fn request(&self, request: DiskRequest) {
        self.requests.send(Request::Session(request)).ok();
    }

    /// Says which files are sent from now on.
    pub fn set_sources(&self, sources: Sources) {
        self.requests.send(Request::Sources(sources)).ok();
    }
}

fn run(
    store: &ChunkStore,
    mut assemble: Assemble,
    mut queue: UnboundedReceiver<Request>,
    answers: &Sender<DiskAnswer>,
) {
    let mut sources = Sources::default();
    while let Some(request) = queue.blocking_recv() {
        let answer = match request {
            Request::Sources(new) => {
                sources = new;
                continue;
            }
            Request::Session(DiskRequest::Read { chunk, path, offset, len }) => {
                read(&sources, chunk, &path, offset, len)
            }
            Request::Session(DiskRequest::Query { query, hashes }) => {
                DiskAnswer::Have { query, have: hashes.iter().map(|hash| store.reserve(hash)).collect() }
            }
            Request::Session(DiskRequest::Store { hash, bytes }) => match store.put(&hash, &bytes) {
                Ok(()) => DiskAnswer::Stored { hash },
                Err(DiskError { full, cause }) => DiskAnswer::StoreFailed { full, cause },
            },
            Request::Session(DiskRequest::Assemble { manifest }) => match assemble(&manifest, store) {
                Ok(()) => DiskAnswer::Assembled,
                Err(DiskError { full, cause }) => DiskAnswer::AssembleFailed { full, cause },
            },
        };
        if answers.blocking_send(answer).is_err() {
            return;
        }
    }
}

/// Where a file to be sent is. What a manifest names is never a path of this machine by itself.
fn source<'a>(sources: &'a Sources, path: &str) -> Result<&'a Path, DiskError> {
    let cause = || DiskError { full: false, cause: format!("{path} is not among the files to be sent") };
    sources.get(path).map(PathBuf::as_path).ok_or_else(cause)
}

fn read(sources: &Sources, chunk: u32, path: &str, offset: u64, len: u32) -> DiskAnswer {
    let file = match source(sources, path) {
        Ok(file) => file,
        Err(DiskError { cause, .. }) => return DiskAnswer::SourceFailed { cause },
    };
    let mut bytes = vec![0; len as usize];
    let mut fill = || {
        let mut open = File::open(file)?;
        open.seek(SeekFrom::Start(offset))?;
        open.read_exact(&mut bytes)
    };
    match fill() {
        Ok(()) => DiskAnswer::Read { chunk, bytes: bytes.into() },
        Err(error) => DiskAnswer::SourceFailed { cause: DiskError::at(file, &error).cause },
    }
}

/// Hashes the files in order on a thread of its own and reports their chunks as they come, then ends. A file that is not as
/// long as its entry says has changed under our hands: that is reported, and the rest left out.
pub fn hash_files(files: Vec<FileEntry>, sources: Sources, answers: Sender<DiskAnswer>) {
    tokio::task::spawn_blocking(move || {
        if let Err(error) = hash_all(&files, &sources, &answers) {
            answers.blocking_send(DiskAnswer::SourceFailed { cause: error.cause }).ok();
        }
    });
}

fn hash_all(files: &[FileEntry], sources: &Sources, answers: &Sender<DiskAnswer>) -> Result<(), DiskError> {
    let mut batch = Vec::with_capacity(BATCH);
    for file in files {
        let path = source(sources, &file.path)?;
        let mut open = File::open(path).map_err(|error| DiskError::at(path, &error))?;
        let len = open.metadata().map_err(|error| DiskError::at(path, &error))?.len();
        if len != file.size {
            let cause = format!("{} changed: it had {} bytes and has {len}", path.display(), file.size);
            return Err(DiskError { full: false, cause });
        }
        let mut buffer = Vec::new();
        for (_, len) in cut(file.size) {
            buffer.resize(len as usize, 0);
            open.read_exact(&mut buffer).map_err(|error| DiskError::at(path, &error))?;
            batch.push(Chunk { hash: Hash::of(&buffer), len });
            if batch.len() == BATCH && !flush(&mut batch, answers) {
                return Ok(());
            }
        }
    }
    flush(&mut batch, answers);
    Ok(())
}

/// `false` if nobody listens any more.
fn flush(batch: &mut Vec<Chunk>, answers: &Sender<DiskAnswer>) -> bool {
    batch.is_empty() || answers.blocking_send(DiskAnswer::Hashed(std::mem::take(batch))).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_files_that_were_named_are_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, b"not to be sent").unwrap();
        let (answers, mut inbox) = tokio::sync::mpsc::channel(1);
        let entry = FileEntry { path: secret.display().to_string(), size: 14 };
        hash_files(vec![entry], Sources::default(), answers);
        let answer = inbox.recv().await;
        assert!(
            matches!(&answer, Some(DiskAnswer::SourceFailed { cause }) if cause.contains("not among")),
            "{answer:?}"
        );
        assert_eq!(inbox.recv().await, None);
    }
}
