//! The receiving end. It believes nothing: neither paths, nor sizes, nor bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use sleap_rtc_wire::job::FailCode;
use sleap_rtc_wire::manifest::{Chunk, FileEntry, Hash, Manifest, PathRules, RootHasher, Tiler};
use sleap_rtc_wire::peer::{Bulk, CHUNKS_PER_PAGE, PAGES, PeerFrame, TransferId, WINDOW};
use sleap_rtc_wire::{Time, limits};

use super::arrival::{Known, Part, Query, Stage, State};
use super::{DiskAnswer, DiskRequest, Out, Progress, STALL_MS, TransferError, missing};

/// Progress is told at latest after so many bytes …
const TELL_BYTES: u64 = 4 << 20;
/// … or so many milliseconds.
const TELL_MS: u64 = 200;
/// Chunks that may arrive damaged before the transfer is given up.
const DAMAGED: u32 = 8;

/// Takes the files of a job, or its results, on one link.
#[derive(Debug)]
pub(crate) struct Receiver {
    id: TransferId,
    files_announced: u32,
    total: u64,
    files: Vec<FileEntry>,
    sizes: u64,
    rules: PathRules,
    chunks: Vec<Chunk>,
    tiler: Tiler,
    root: RootHasher,
    sealed: Option<Hash>,
    known: BTreeMap<Hash, Known>,
    /// Pages that wait for the disk; answered in their order.
    queries: VecDeque<Query>,
    next_query: u64,
    part: Option<Part>,
    wanted: u64,
    storing: u64,
    damaged: u32,
    verified: u64,
    received: u64,
    told: (u64, Time),
    moved: Time,
    stage: Stage,
    out: VecDeque<Out>,
}

impl Receiver {
    /// For a transfer of `files` files with `bytes` bytes, as announced; the announcement binds.
    pub(crate) fn new(id: TransferId, files: u32, bytes: u64, first_query: u64, now: Time) -> Self {
        let mut receiver = Self {
            id,
            files_announced: files,
            total: bytes,
            files: Vec::new(),
            sizes: 0,
            rules: PathRules::default(),
            chunks: Vec::new(),
            tiler: Tiler::default(),
            root: RootHasher::new(files as usize),
            sealed: None,
            known: BTreeMap::new(),
            queries: VecDeque::new(),
            next_query: first_query,
            part: None,
            wanted: 0,
            storing: 0,
            damaged: 0,
            verified: 0,
            received: 0,
            told: (0, now),
            moved: now,
            stage: Stage::Taking,
            out: VecDeque::new(),
        };
        if files as usize > limits::FILES {
            let cause = format!("{files} files announced, at most {} are allowed", limits::FILES);
            receiver.fail(TransferError::new(FailCode::TransferFailed, cause));
        }
        receiver
    }

    pub(crate) fn next_out(&mut self) -> Option<Out> {
        self.out.pop_front()
    }

    /// The number of the next query, for the receiver on the next link.
    pub(crate) const fn next_query(&self) -> u64 {
        self.next_query
    }

    /// Whether every chunk is here, so that no link is needed any more.
    pub(crate) fn is_complete(&self) -> bool {
        self.stage == Stage::Assembling
    }

    /// Takes a frame of this transfer.
    pub(crate) fn frame(&mut self, frame: PeerFrame, now: Time) {
        if self.stage != Stage::Taking {
            return;
        }
        self.moved = now;
        match frame {
            PeerFrame::Files { first, files, .. } => self.take_files(first, files),
            PeerFrame::Chunks { first, chunks, .. } => self.take_chunks(first, chunks),
            PeerFrame::Sealed { root, .. } => self.seal(root),
            PeerFrame::TransferFailed { code, cause, .. } => self.fail(TransferError { code, cause, told: true }),
            _ => self.broken("a frame that the receiver of files cannot take"),
        }
        self.settle(now);
    }

    fn take_files(&mut self, first: u32, files: Vec<FileEntry>) {
        let end = self.files.len() + files.len();
        if first as usize != self.files.len() || files.is_empty() || end > self.files_announced as usize {
            return self.broken("more files than announced, or out of order");
        }
        for file in files {
            if let Err(why) = self.rules.add(&file.path) {
                let cause = format!("path {:?} is refused: {why}", file.path);
                return self.fail(TransferError::new(FailCode::BadData, cause));
            }
            self.sizes = self.sizes.saturating_add(file.size);
            self.root.file(&file);
            self.files.push(file);
        }
        if self.sizes > self.total || (end == self.files_announced as usize && self.sizes != self.total) {
            let cause = format!("files of {} bytes where {} were announced", self.sizes, self.total);
            return self.fail(TransferError::new(FailCode::TransferFailed, cause));
        }
        self.say(PeerFrame::Taken { transfer: self.id, files: end as u32 });
    }

    fn take_chunks(&mut self, first: u32, chunks: Vec<Chunk>) {
        let start = self.chunks.len();
        let in_order = first as usize == start && !chunks.is_empty() && chunks.len() <= CHUNKS_PER_PAGE;
        if !in_order || self.files.len() != self.files_announced as usize || self.queries.len() >= PAGES as usize {
            return self.broken("chunks out of order, or too many at once");
        }
        let mut hashes = Vec::new();
        for chunk in chunks {
            if let Err(error) = self.tiler.place(&self.files, chunk.len) {
                return self.broken(&error.to_string());
            }
            if !self.note(chunk, &mut hashes) {
                return self.broken("one hash with two lengths");
            }
            self.root.chunk(chunk);
            self.chunks.push(chunk);
        }
        self.queries.push_back(Query { number: self.next_query, page: start..self.chunks.len(), have: None });
        self.out.push_back(Out::Disk(DiskRequest::Query { query: self.next_query, hashes }));
        self.next_query += 1;
    }

    /// Counts a chunk; a new one is added to `asked`.
    fn note(&mut self, chunk: Chunk, asked: &mut Vec<Hash>) -> bool {
        let known = self.known.entry(chunk.hash).or_insert_with(|| {
            asked.push(chunk.hash);
            Known { len: chunk.len, count: 0, state: State::Asked }
        });
        known.count += 1;
        if known.state == State::Here {
            self.verified += u64::from(chunk.len);
        }
        known.len == chunk.len
    }

    fn seal(&mut self, root: Hash) {
        if self.files.len() != self.files_announced as usize || !self.tiler.is_full(&self.files) {
            return self.broken("sealed before all files and chunks were named");
        }
        if root != self.root.finish() {
            return self.broken("another root than that of the manifest");
        }
        self.sealed = Some(root);
    }

    /// Takes what the disk says.
    pub(crate) fn disk(&mut self, answer: DiskAnswer, now: Time) {
        match answer {
            DiskAnswer::Have { query, have } => self.have(query, have, now),
            DiskAnswer::Stored { hash } => self.stored(&hash, now),
            DiskAnswer::StoreFailed { full, cause } if self.stage == Stage::Taking => {
                self.fail(TransferError::disk(full, cause));
            }
            DiskAnswer::Assembled if self.stage == Stage::Assembling => {
                let root = self.root.finish();
                self.say(PeerFrame::TransferDone { transfer: self.id, root });
                self.stage = Stage::Over;
                self.out.push_back(Out::Done(root));
            }
            DiskAnswer::AssembleFailed { full, cause } if self.stage == Stage::Assembling => {
                self.fail(TransferError::disk(full, cause));
            }
            _ => {}
        }
        self.settle(now);
    }

    fn have(&mut self, number: u64, have: Vec<bool>, now: Time) {
        if let Some(query) = self.queries.iter_mut().find(|query| query.number == number) {
            query.have = Some(have);
            self.moved = now;
        }
        while let Some(query) = self.queries.pop_front_if(|query| query.have.is_some()) {
            self.answer(&query.page, &query.have.unwrap_or_default());
        }
    }

    /// Says what is missing of a page. The disk was asked for the hashes that no earlier page had, in their order.
    fn answer(&mut self, page: &std::ops::Range<usize>, have: &[bool]) {
        let chunks = &self.chunks[page.clone()];
        let mut have = have.iter();
        for index in missing(chunks, |_| false) {
            let Some(known) = self.known.get_mut(&chunks[index].hash).filter(|known| known.state == State::Asked)
            else {
                continue;
            };
            if have.next() == Some(&true) {
                known.state = State::Here;
                self.verified += u64::from(known.len) * u64::from(known.count);
            }
        }
        let known = &self.known;
        let wanted = missing(chunks, |hash| known.get(hash).is_none_or(|known| known.state != State::Asked));
        for index in &wanted {
            if let Some(known) = self.known.get_mut(&chunks[*index].hash) {
                known.state = State::Wanted;
                self.wanted += 1;
            }
        }
        let missing = wanted.into_iter().map(|index| (page.start + index) as u32).collect();
        self.say(PeerFrame::Want { transfer: self.id, until: page.end as u32, missing });
    }

    /// Takes a piece of a chunk.
    pub(crate) fn bulk(&mut self, piece: &Bulk, now: Time) {
        if self.stage != Stage::Taking {
            return;
        }
        self.moved = now;
        let Some(chunk) = self.chunks.get(piece.chunk as usize).copied() else {
            return self.broken("a piece of a chunk that was not named");
        };
        if piece.offset == 0 {
            self.part = Some(Part { index: piece.chunk, bytes: BytesMut::with_capacity(chunk.len as usize) });
        }
        let Some(part) = self.part.as_mut().filter(|part| part.index == piece.chunk) else {
            return self.broken("pieces of a chunk out of order");
        };
        let end = part.bytes.len() + piece.data.len();
        if piece.offset as usize != part.bytes.len() || end > chunk.len as usize {
            return self.broken("pieces of a chunk out of order, or longer than it");
        }
        part.bytes.extend_from_slice(&piece.data);
        if end == chunk.len as usize {
            let bytes = self.part.take().map(|part| part.bytes.freeze()).unwrap_or_default();
            self.whole(piece.chunk, chunk, bytes);
        }
        self.settle(now);
    }

    fn whole(&mut self, index: u32, chunk: Chunk, bytes: Bytes) {
        let Some(known) = self.known.get_mut(&chunk.hash) else { return };
        match known.state {
            State::Wanted => {}
            // Kept for an earlier link after this one had asked for it: nothing is lost.
            State::Here | State::Storing => return,
            State::Asked => return self.broken("a chunk that was not asked for"),
        }
        if Hash::of(&bytes) != chunk.hash {
            self.damaged += 1;
            if self.damaged > DAMAGED {
                let cause = format!("{} chunks arrived damaged", self.damaged);
                return self.fail(TransferError::new(FailCode::TransferFailed, cause));
            }
            return self.say(PeerFrame::Want { transfer: self.id, until: 0, missing: vec![index] });
        }
        known.state = State::Storing;
        self.storing += u64::from(chunk.len);
        if self.storing > 2 * WINDOW {
            return self.broken("more chunks on their way than allowed");
        }
        self.out.push_back(Out::Disk(DiskRequest::Store { hash: chunk.hash, bytes }));
    }

    fn stored(&mut self, hash: &Hash, now: Time) {
        let Some(known) = self.known.get_mut(hash) else { return };
        let len = u64::from(known.len);
        match known.state {
            State::Here | State::Asked => return,
            State::Storing => self.storing -= len,
            State::Wanted => {}
        }
        known.state = State::Here;
        self.wanted -= 1;
        self.verified += len * u64::from(known.count);
        self.received += len;
        self.moved = now;
    }

    /// Tells how far it is, and goes on once everything is here.
    fn settle(&mut self, now: Time) {
        if self.stage != Stage::Taking {
            return;
        }
        let all = self.sealed.is_some() && self.queries.is_empty() && self.wanted == 0;
        let news = self.verified - self.told.0.min(self.verified);
        if news > 0 && (all || news >= TELL_BYTES || now.since(self.told.1) >= TELL_MS || self.wanted == 0) {
            self.told = (self.verified, now);
            self.say(PeerFrame::Verified { transfer: self.id, bytes: self.verified, received: self.received });
            self.out.push_back(Out::Progress(Progress { done: self.verified, total: self.total }));
        }
        if all {
            self.stage = Stage::Assembling;
            let (files, chunks) = (std::mem::take(&mut self.files), std::mem::take(&mut self.chunks));
            let manifest = Arc::new(Manifest { files, chunks });
            self.out.push_back(Out::Disk(DiskRequest::Assemble { manifest }));
        }
    }

    /// Looks at the time.
    pub(crate) fn tick(&mut self, now: Time) {
        self.settle(now);
    }

    /// When to look at the time again.
    pub(crate) fn next_timeout(&self) -> Option<Time> {
        let tell = self.stage == Stage::Taking && self.verified > self.told.0;
        let tell = tell.then(|| self.told.1.plus_ms(TELL_MS));
        tell.into_iter().chain(self.stalls_at()).min()
    }

    /// Whether nothing comes of what was asked for.
    pub(crate) fn is_stalled(&self, now: Time) -> bool {
        self.stalls_at().is_some_and(|at| now >= at)
    }

    fn stalls_at(&self) -> Option<Time> {
        let waits = self.stage == Stage::Taking && self.wanted > 0 && self.storing == 0;
        waits.then(|| self.moved.plus_ms(STALL_MS))
    }

    fn say(&mut self, frame: PeerFrame) {
        self.out.push_back(Out::Say(frame));
    }

    fn fail(&mut self, error: TransferError) {
        self.stage = Stage::Over;
        self.out.push_back(Out::Failed(error));
    }

    fn broken(&mut self, why: &str) {
        self.stage = Stage::Over;
        self.out.push_back(Out::Broken(why.to_owned()));
    }
}
