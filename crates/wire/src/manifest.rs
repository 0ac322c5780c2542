//! The files of a job, or of its results, named by content: a list of files, each cut into chunks, each chunk named by
//! its BLAKE3 hash, and one root hash over all of it.

mod path;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use path::{BadPath, PathRules, check_path};

use crate::limits;

/// A BLAKE3 hash: the name of a chunk, or the root of a manifest. Written as 64 lower-case hex characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// A text that is not a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 64 lower-case hex characters")]
pub struct InvalidHash;

impl Hash {
    /// The name of a chunk: the plain BLAKE3 hash of its bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let hash = blake3::Hash::from_hex(text).map_err(|_| InvalidHash)?;
        if lower { Ok(Self(*hash.as_bytes())) } else { Err(InvalidHash) }
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One file of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Where it lands, relative, with `/` between its parts; see [`check_path`].
    pub path: String,
    /// Its length, bytes.
    pub size: u64,
}

/// One chunk: a piece of one file of 1 to [`limits::CHUNK`] bytes. Written as `[hash, len]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(Hash, u32)", into = "(Hash, u32)")]
pub struct Chunk {
    /// Its name.
    pub hash: Hash,
    /// Its length, bytes.
    pub len: u32,
}

impl From<(Hash, u32)> for Chunk {
    fn from((hash, len): (Hash, u32)) -> Self {
        Self { hash, len }
    }
}

impl From<Chunk> for (Hash, u32) {
    fn from(chunk: Chunk) -> Self {
        (chunk.hash, chunk.len)
    }
}

/// Where a chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Index of its file.
    pub file: usize,
    /// First byte in the file.
    pub offset: u64,
    /// Length, bytes.
    pub len: u32,
}

/// A manifest that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadManifest {
    /// More files than [`limits::FILES`].
    #[error("{0} files, at most {max} are allowed", max = limits::FILES)]
    TooManyFiles(usize),
    /// More chunks than [`limits::CHUNKS`].
    #[error("more than {max} chunks", max = limits::CHUNKS)]
    TooManyChunks,
    /// A path that must not be used.
    #[error("path {path:?}: {why}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        why: BadPath,
    },
    /// The sizes do not add up in 64 bits.
    #[error("the sizes of the files are too large")]
    Size,
    /// A chunk is empty or longer than [`limits::CHUNK`].
    #[error("chunk {index} has {len} bytes, 1 to {max} are allowed", max = limits::CHUNK)]
    ChunkLength {
        /// Which.
        index: usize,
        /// Its length.
        len: u32,
    },
    /// A chunk goes over the end of its file.
    #[error("chunk {index} goes over the end of its file")]
    ChunkOutside {
        /// Which.
        index: usize,
    },
    /// The chunks end before the files do.
    #[error("the chunks end before the files do")]
    ChunksMissing,
}

/// Files and their chunks: the chunks of the first file in order, then those of the second, and so on. Chunks never cross
/// files; an empty file has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The files, in the sender's order.
    pub files: Vec<FileEntry>,
    /// Their chunks.
    pub chunks: Vec<Chunk>,
}

impl Manifest {
    /// Checks every limit, every path and that the chunks fill the files exactly.
    pub fn check(&self) -> Result<(), BadManifest> {
        check_files(&self.files)?;
        let mut tiler = Tiler::default();
        for chunk in &self.chunks {
            tiler.place(&self.files, chunk.len)?;
        }
        if tiler.is_full(&self.files) { Ok(()) } else { Err(BadManifest::ChunksMissing) }
    }

    /// All files together, bytes; saturates.
    pub fn bytes(&self) -> u64 {
        total(&self.files)
    }

    /// The root hash: [`RootHasher`] over the whole manifest.
    pub fn root(&self) -> Hash {
        let mut hasher = RootHasher::new(self.files.len());
        self.files.iter().for_each(|file| hasher.file(file));
        self.chunks.iter().for_each(|chunk| hasher.chunk(*chunk));
        hasher.finish()
    }

    /// Where each chunk lies, in order. Ends early if the chunks do not fit the files.
    pub fn spans(&self) -> impl Iterator<Item = (Span, Chunk)> + '_ {
        let mut tiler = Tiler::default();
        self.chunks.iter().map_while(move |chunk| Some((tiler.place(&self.files, chunk.len).ok()?, *chunk)))
    }
}

/// Checks number, paths and sizes of files; answers how many bytes they have together.
pub fn check_files(files: &[FileEntry]) -> Result<u64, BadManifest> {
    if files.len() > limits::FILES {
        return Err(BadManifest::TooManyFiles(files.len()));
    }
    let mut rules = PathRules::default();
    files.iter().try_fold(0u64, |sum, file| {
        rules.add(&file.path).map_err(|why| BadManifest::Path { path: file.path.clone(), why })?;
        sum.checked_add(file.size).ok_or(BadManifest::Size)
    })
}

/// All files together, bytes; saturates.
pub fn total(files: &[FileEntry]) -> u64 {
    files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
}

/// How our senders cut a file of `size` bytes: `(offset, length)` of each chunk. Receivers take any lengths up to
/// [`limits::CHUNK`].
pub fn cut(size: u64) -> impl Iterator<Item = (u64, u32)> {
    let step = limits::CHUNK as u64;
    (0..size.div_ceil(step)).map(move |n| (n * step, (size - n * step).min(step) as u32))
}

/// Lays chunks into files, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Tiler {
    file: usize,
    offset: u64,
    index: usize,
}

impl Tiler {
    /// Where the next chunk lies.
    pub fn place(&mut self, files: &[FileEntry], len: u32) -> Result<Span, BadManifest> {
        if len == 0 || len as usize > limits::CHUNK {
            return Err(BadManifest::ChunkLength { index: self.index, len });
        }
        if self.index == limits::CHUNKS {
            return Err(BadManifest::TooManyChunks);
        }
        self.skip_full(files);
        let file = files.get(self.file).ok_or(BadManifest::ChunkOutside { index: self.index })?;
        if file.size - self.offset < u64::from(len) {
            return Err(BadManifest::ChunkOutside { index: self.index });
        }
        let span = Span { file: self.file, offset: self.offset, len };
        self.offset += u64::from(len);
        self.index += 1;
        Ok(span)
    }

    /// Whether every byte of every file has its chunk.
    pub fn is_full(&mut self, files: &[FileEntry]) -> bool {
        self.skip_full(files);
        self.file == files.len()
    }

    /// How many chunks were laid.
    pub fn placed(&self) -> usize {
        self.index
    }

    fn skip_full(&mut self, files: &[FileEntry]) {
        while files.get(self.file).is_some_and(|file| file.size == self.offset) {
            self.file += 1;
            self.offset = 0;
        }
    }
}

/// Names the use of the root hash, so that no other hash can be taken for one.
const ROOT_CONTEXT: &str = "sleap-rtc 2026-11 manifest root v1";

/// The root hash of a manifest as it streams by: BLAKE3 in its key derivation mode with a context of its own, over the number
/// of files (u64), each file (length of its path u32, path, size u64), then each chunk (hash, length u32); little endian.
#[derive(Clone, Debug)]
pub struct RootHasher(blake3::Hasher);

impl RootHasher {
    /// Begins with the number of files.
    pub fn new(files: usize) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(ROOT_CONTEXT);
        hasher.update(&(files as u64).to_le_bytes());
        Self(hasher)
    }

    /// The next file.
    pub fn file(&mut self, file: &FileEntry) {
        self.0.update(&(file.path.len() as u32).to_le_bytes());
        self.0.update(file.path.as_bytes());
        self.0.update(&file.size.to_le_bytes());
    }

    /// The next chunk, after all files.
    pub fn chunk(&mut self, chunk: Chunk) {
        self.0.update(&chunk.hash.0);
        self.0.update(&chunk.len.to_le_bytes());
    }

    /// The root.
    pub fn finish(&self) -> Hash {
        Hash(*self.0.finalize().as_bytes())
    }
}
