//! The sending end.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::FailCode;
use sleap_rtc_wire::manifest::{BadManifest, Chunk, FileEntry, Hash, RootHasher, Span, Tiler, check_files};
use sleap_rtc_wire::peer::{Bulk, CHUNKS_PER_PAGE, FILES_PAGE, PAGES, PIECE, PeerFrame, TransferId, WINDOW};

use super::{DiskAnswer, DiskRequest, Out, Progress, STALL_MS, TransferError};

/// Chunks that may be read, or be waiting for the link, at once.
const CHUNKS_AT_HAND: usize = 8;
/// Bytes that the link may be given before it took them.
const BYTES_AT_HAND: u64 = 8 << 20;
/// Chunks that may be asked for once more on one link. A receiver gives up long before.
const AGAIN: usize = 64;
/// What a file entry takes as JSON beside its path, bytes: names, quotes, the size.
const ENTRY: usize = 48;

/// Sends the files of a job, or its results.
#[derive(Debug)]
pub(crate) struct Sender {
    id: TransferId,
    files: Vec<FileEntry>,
    chunks: Vec<(Chunk, Span)>,
    tiler: Tiler,
    root: RootHasher,
    total: u64,
    complete: bool,
    failed: bool,
    done: bool,
    run: Option<Run>,
    out: VecDeque<Out>,
}

/// The state on one link.
#[derive(Debug)]
struct Run {
    /// Index of the first file of each page that waits for its answer.
    file_pages: VecDeque<u32>,
    files_sent: usize,
    /// Index after the last chunk of each page that waits for its answer.
    chunk_pages: VecDeque<u32>,
    chunks_sent: usize,
    sealed: bool,
    wanted: VecDeque<u32>,
    /// How many of them were asked for once more.
    again: usize,
    reading: BTreeSet<u32>,
    /// Lengths of the messages that the link has not taken yet.
    in_link: VecDeque<u64>,
    in_link_bytes: u64,
    sent: u64,
    received: u64,
    /// When something moved last.
    moved: Time,
}

impl Sender {
    /// For these files; their chunks come with [`DiskAnswer::Hashed`].
    pub(crate) fn new(id: TransferId, files: Vec<FileEntry>) -> Result<Self, BadManifest> {
        let total = check_files(&files)?;
        let mut root = RootHasher::new(files.len());
        for file in &files {
            root.file(file);
        }
        let mut tiler = Tiler::default();
        let complete = tiler.is_full(&files);
        let (chunks, out) = (Vec::new(), VecDeque::new());
        Ok(Self { id, files, chunks, tiler, root, total, complete, failed: false, done: false, run: None, out })
    }

    /// Begins on a new link.
    pub(crate) fn begin(&mut self, now: Time) {
        if self.failed {
            return;
        }
        self.run = Some(Run {
            file_pages: VecDeque::new(),
            files_sent: 0,
            chunk_pages: VecDeque::new(),
            chunks_sent: 0,
            sealed: false,
            wanted: VecDeque::new(),
            again: 0,
            reading: BTreeSet::new(),
            in_link: VecDeque::new(),
            in_link_bytes: 0,
            sent: 0,
            received: 0,
            moved: now,
        });
        let (files, bytes) = (self.files.len() as u32, self.total);
        self.out.push_back(Out::Say(PeerFrame::Transfer { transfer: self.id, files, bytes }));
        self.go();
    }

    /// The link is gone.
    pub(crate) fn cut(&mut self) {
        self.run = None;
        self.out.retain(|out| matches!(out, Out::Failed(_)));
    }

    pub(crate) fn next_out(&mut self) -> Option<Out> {
        self.out.pop_front()
    }

    /// Takes what the disk says.
    pub(crate) fn disk(&mut self, answer: DiskAnswer, now: Time) {
        match answer {
            DiskAnswer::Hashed(chunks) => self.hashed(chunks),
            DiskAnswer::SourceFailed { cause } => self.fail(TransferError::new(FailCode::TransferFailed, cause)),
            DiskAnswer::Read { chunk, bytes } => self.read(chunk, &bytes, now),
            _ => {}
        }
        self.go();
    }

    fn hashed(&mut self, chunks: Vec<Chunk>) {
        for chunk in chunks {
            match self.tiler.place(&self.files, chunk.len) {
                Ok(span) => {
                    self.root.chunk(chunk);
                    self.chunks.push((chunk, span));
                }
                Err(error) => return self.fail(TransferError::new(FailCode::Internal, error.to_string())),
            }
        }
        self.complete = self.tiler.is_full(&self.files);
    }

    fn read(&mut self, index: u32, bytes: &Bytes, now: Time) {
        let Some(run) = &mut self.run else { return };
        if !run.reading.remove(&index) {
            return;
        }
        let (chunk, span) = self.chunks[index as usize];
        if bytes.len() != chunk.len as usize || Hash::of(bytes) != chunk.hash {
            let path = &self.files[span.file].path;
            let cause = format!("{path} changed while it was being sent");
            return self.fail(TransferError::new(FailCode::BadData, cause));
        }
        for offset in (0..bytes.len()).step_by(PIECE) {
            let data = bytes.slice(offset..bytes.len().min(offset + PIECE));
            run.in_link.push_back(data.len() as u64);
            run.in_link_bytes += data.len() as u64;
            let piece = Bulk { transfer: self.id, chunk: index, offset: offset as u32, data };
            self.out.push_back(Out::Bulk(piece.encode()));
        }
        run.moved = now;
    }

    /// The link took bulk messages.
    pub(crate) fn taken(&mut self, count: u32, now: Time) {
        let Some(run) = &mut self.run else { return };
        for _ in 0..count {
            let Some(len) = run.in_link.pop_front() else { break };
            run.in_link_bytes -= len;
        }
        run.moved = now;
        self.go();
    }

    /// Takes a frame of this transfer.
    pub(crate) fn frame(&mut self, frame: PeerFrame, now: Time) {
        let Some(run) = &mut self.run else { return };
        run.moved = now;
        let fine = match frame {
            PeerFrame::Taken { files, .. } => run.take_files(files),
            PeerFrame::Want { until: 0, missing, .. } => self.again(&missing),
            PeerFrame::Want { until, missing, .. } => run.want(until, &missing),
            PeerFrame::Verified { bytes, received, .. } => self.verified(bytes, received),
            PeerFrame::TransferDone { root, .. } => return self.finished(root),
            PeerFrame::TransferFailed { code, cause, .. } => {
                // It may do on a later link: there is room again on the other disk.
                self.run = None;
                return self.out.push_back(Out::Failed(TransferError { code, cause, told: true }));
            }
            _ => false,
        };
        if fine {
            self.go();
        } else {
            self.run = None;
            self.out.push_back(Out::Broken("an answer to a transfer that was not asked for".to_owned()));
        }
    }

    /// A chunk arrived damaged: it is sent once more.
    fn again(&mut self, missing: &[u32]) -> bool {
        let Some(run) = &mut self.run else { return false };
        run.again += missing.len();
        if run.again > AGAIN {
            return false;
        }
        for index in missing {
            if *index as usize >= run.chunks_sent {
                return false;
            }
            run.sent -= u64::from(self.chunks[*index as usize].0.len).min(run.sent);
            run.wanted.push_back(*index);
        }
        true
    }

    fn verified(&mut self, bytes: u64, received: u64) -> bool {
        let Some(run) = &mut self.run else { return false };
        if bytes > self.total || received < run.received {
            return false;
        }
        run.received = received;
        self.out.push_back(Out::Progress(Progress { done: bytes, total: self.total }));
        true
    }

    fn finished(&mut self, root: Hash) {
        let sealed = self.run.as_ref().is_some_and(|run| run.sealed);
        self.run = None;
        if sealed && root == self.root.finish() {
            self.done = true;
            self.out.push_back(Out::Progress(Progress { done: self.total, total: self.total }));
            self.out.push_back(Out::Done(root));
        } else {
            self.out.push_back(Out::Broken("the files that arrived are not those that were sent".to_owned()));
        }
    }

    fn fail(&mut self, error: TransferError) {
        if self.failed || self.done {
            return;
        }
        self.failed = true;
        self.run = None;
        self.out.push_back(Out::Failed(error));
    }

    /// Everything that can be said and read now.
    fn go(&mut self) {
        let Some(run) = &mut self.run else { return };
        while run.files_sent < self.files.len() && run.file_pages.len() < PAGES as usize {
            let page = file_page(&self.files[run.files_sent..]);
            let first = run.files_sent as u32;
            run.file_pages.push_back(first);
            run.files_sent += page.len();
            self.out.push_back(Out::Say(PeerFrame::Files { transfer: self.id, first, files: page.to_vec() }));
        }
        if run.files_sent == self.files.len() {
            self.say_chunks();
        }
        self.ask_disk();
    }

    /// The next pages of chunks. A short one only if nothing else is on its way, so that the first chunk need not wait for the
    /// hashing of the last one, and pages are full otherwise.
    fn say_chunks(&mut self) {
        let Some(run) = &mut self.run else { return };
        while run.chunks_sent < self.chunks.len() && run.chunk_pages.len() < PAGES as usize {
            let end = self.chunks.len().min(run.chunks_sent + CHUNKS_PER_PAGE);
            if end - run.chunks_sent < CHUNKS_PER_PAGE && !self.complete && !run.chunk_pages.is_empty() {
                break;
            }
            let chunks = self.chunks[run.chunks_sent..end].iter().map(|(chunk, _)| *chunk).collect();
            let first = run.chunks_sent as u32;
            self.out.push_back(Out::Say(PeerFrame::Chunks { transfer: self.id, first, chunks }));
            run.chunk_pages.push_back(end as u32);
            run.chunks_sent = end;
        }
        if self.complete && run.chunks_sent == self.chunks.len() && !run.sealed {
            run.sealed = true;
            self.out.push_back(Out::Say(PeerFrame::Sealed { transfer: self.id, root: self.root.finish() }));
        }
    }

    fn ask_disk(&mut self) {
        let Some(run) = &mut self.run else { return };
        while run.reading.len() < CHUNKS_AT_HAND && run.in_link_bytes < BYTES_AT_HAND {
            let Some(index) = run.wanted.front().copied() else { break };
            let Some((_, span)) = self.chunks.get(index as usize) else { break };
            let len = u64::from(span.len);
            if run.sent > run.received && run.sent + len - run.received > WINDOW {
                break;
            }
            run.wanted.pop_front();
            if run.reading.insert(index) {
                run.sent += len;
                let path = self.files[span.file].path.clone();
                let request = DiskRequest::Read { chunk: index, path, offset: span.offset, len: span.len };
                self.out.push_back(Out::Disk(request));
            }
        }
    }

    /// Whether the other end does not take what it asked for.
    pub(crate) fn is_stalled(&self, now: Time) -> bool {
        self.stalls_at().is_some_and(|at| now >= at)
    }

    /// When that would be.
    pub(crate) fn stalls_at(&self) -> Option<Time> {
        let run = self.run.as_ref()?;
        let waits = !run.in_link.is_empty() || (run.sent > run.received && run.reading.is_empty());
        waits.then(|| run.moved.plus_ms(STALL_MS))
    }
}

impl Run {
    /// Pages are answered in order, each with the index after its last file.
    fn take_files(&mut self, files: u32) -> bool {
        let Some(first) = self.file_pages.pop_front() else { return false };
        let end = self.file_pages.front().copied().unwrap_or(self.files_sent as u32);
        first < files && files == end
    }

    /// Pages are answered in order, each with indices of its own.
    fn want(&mut self, until: u32, missing: &[u32]) -> bool {
        if self.chunk_pages.pop_front() != Some(until) || missing.len() > CHUNKS_PER_PAGE {
            return false;
        }
        self.wanted.extend(missing);
        missing.iter().all(|index| *index < until)
    }
}

/// As many files as one control message takes, at least one.
fn file_page(files: &[FileEntry]) -> &[FileEntry] {
    let mut room = FILES_PAGE;
    let fits = files.iter().take_while(|file| {
        // A path has neither quotes nor backslashes nor control characters: as JSON it is as long as it is.
        let cost = file.path.len() + ENTRY;
        let fits = cost <= room;
        room = room.saturating_sub(cost);
        fits
    });
    &files[..fits.count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_the_same_chunk_without_end_is_not_served() {
        let bytes = Bytes::from_static(b"content");
        let file = FileEntry { path: "a".to_owned(), size: bytes.len() as u64 };
        let mut sender = Sender::new(TransferId::RESULTS, vec![file]).unwrap();
        let now = Time(1);
        sender.begin(now);
        let chunk = Chunk { hash: Hash::of(&bytes), len: bytes.len() as u32 };
        sender.disk(DiskAnswer::Hashed(vec![chunk]), now);
        let transfer = TransferId::RESULTS;
        sender.frame(PeerFrame::Taken { transfer, files: 1 }, now);
        sender.frame(PeerFrame::Want { transfer, until: 1, missing: vec![0] }, now);
        let mut asked = 0;
        let broken =
            |sender: &mut Sender| std::iter::from_fn(|| sender.next_out()).any(|out| matches!(out, Out::Broken(_)));
        while !broken(&mut sender) {
            asked += 1;
            assert!(asked <= AGAIN + 1, "no end");
            sender.frame(PeerFrame::Want { transfer, until: 0, missing: vec![0] }, now);
        }
        assert_eq!(asked, AGAIN + 1);
    }
}
