//! The HDF5 side: bounded reads, and the few datasets that we look at.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hdf5_reader::error::Error;
use hdf5_reader::storage::{Storage, StorageBuffer};
use hdf5_reader::{Dataset, Datatype, Hdf5File, OpenOptions, StringSize, VarLenKind};

use super::SlpFault;

/// The first bytes of every HDF5 file (HDF5 file format specification, "Superblock").
const MAGIC: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
/// One read of the file, bytes. Tables of videos are below 1 MiB; lists of 100,000 images are some 10.
const MAX_READ: usize = 32 << 20;
/// All reads of one file together, bytes: bounds time as well, whatever loops the file describes.
const MAX_READS: u64 = 256 << 20;
/// All strings of one table together, bytes.
const MAX_TEXT: usize = 64 << 20;
/// Rows of the table of videos.
const MAX_ROWS: u64 = 100_000;

/// An open label file.
pub(super) struct Container {
    file: Hdf5File,
}

impl Container {
    /// Opens `path` and checks that the file is whole.
    pub(super) fn open(path: &Path) -> Result<Self, SlpFault> {
        // A pipe would block in `open`, so the look comes first.
        let seen = std::fs::metadata(path).map_err(SlpFault::Unreadable)?;
        if !seen.is_file() {
            return Err(SlpFault::NotAFile);
        }
        let mut source = File::open(path).map_err(SlpFault::Unreadable)?;
        let len = source.metadata().map_err(SlpFault::Unreadable)?.len();
        check_magic(&mut source, len)?;
        let storage = Bounded { file: Mutex::new(source), len, spent: AtomicU64::new(0) };
        let options = OpenOptions {
            chunk_cache_bytes: 0,
            max_chunk_bytes: MAX_READ,
            max_read_bytes: MAX_TEXT,
            max_object_header_bytes: MAX_READ,
            ..OpenOptions::default()
        };
        let file =
            Hdf5File::from_storage_with_options(Arc::new(storage), options).map_err(|error| fault(error, len, None))?;
        let head = file.superblock();
        let expected = head.base_address.saturating_add(head.eof_address);
        if expected > len {
            return Err(SlpFault::Truncated { expected, actual: len });
        }
        Ok(Self { file })
    }

    /// All rows of a one-column table of texts; `None` if there is no such table.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, SlpFault> {
        let Some(table) = self.dataset(name)? else { return Ok(None) };
        let rows = table.num_elements().map_err(|error| self.fault(error))?;
        if rows > MAX_ROWS {
            return Err(SlpFault::TooLarge(format!("{name} has {rows} rows, allowed are {MAX_ROWS}")));
        }
        let raw = table.read_raw_bytes().map_err(|error| self.fault(error))?;
        match table.dtype() {
            Datatype::String { size: StringSize::Fixed(width), .. } if *width > 0 => {
                raw.chunks_exact(*width as usize).map(|row| text(name, row)).collect::<Result<_, _>>().map(Some)
            }
            Datatype::String { size: StringSize::Variable, .. } | Datatype::VarLen { kind: VarLenKind::String, .. } => {
                self.referenced(name, &table, &raw).map(Some)
            }
            other => Err(SlpFault::Damaged(format!("{name} holds {other:?}, not texts"))),
        }
    }

    /// Texts of variable length lie elsewhere; the table has a reference to each.
    fn referenced(&self, name: &str, table: &Dataset, raw: &[u8]) -> Result<Vec<String>, SlpFault> {
        let mut total = 0_usize;
        let mut rows = Vec::new();
        for reference in raw.chunks_exact(table.vlen_reference_size()) {
            let row = table.resolve_vlen_reference_bytes(reference, 1).map_err(|error| self.fault(error))?;
            // Many references to one long text would multiply it.
            total = total.saturating_add(row.len());
            if total > MAX_TEXT {
                return Err(SlpFault::TooLarge(format!("{name} has more than {MAX_TEXT} bytes of text")));
            }
            rows.push(text(name, &row)?);
        }
        Ok(rows)
    }

    /// The number of rows of a table; `None` if there is no such table.
    pub(super) fn rows(&self, name: &str) -> Result<Option<u64>, SlpFault> {
        Ok(self.dataset(name)?.map(|table| table.shape().first().copied().unwrap_or(1)))
    }

    /// Whether a dataset is there.
    pub(super) fn has(&self, name: &str) -> Result<bool, SlpFault> {
        Ok(self.dataset(name)?.is_some())
    }

    /// A text attribute of a group; `None` if group or attribute are not there.
    pub(super) fn attribute(&self, group: &str, name: &str) -> Result<Option<String>, SlpFault> {
        let found = self.file.group(group).and_then(|group| group.attribute(name));
        match found.and_then(|attribute| attribute.read_string()) {
            Ok(text) => Ok(Some(text)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.fault(error)),
        }
    }

    fn dataset(&self, name: &str) -> Result<Option<Dataset>, SlpFault> {
        match self.file.dataset(name) {
            Ok(dataset) => Ok(Some(dataset)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.fault(error)),
        }
    }

    fn fault(&self, error: Error) -> SlpFault {
        let head = self.file.superblock();
        fault(error, self.file.storage().len(), Some(head.base_address.saturating_add(head.eof_address)))
    }
}

fn check_magic(source: &mut File, len: u64) -> Result<(), SlpFault> {
    if len == 0 {
        return Err(SlpFault::Empty);
    }
    let mut head = [0; MAGIC.len()];
    match source.read_exact(&mut head) {
        // A user block, which moves the magic bytes further on, is allowed by HDF5; neither SLEAP nor sleap-io writes one.
        Ok(()) if head == MAGIC => Ok(()),
        Ok(()) => Err(SlpFault::NotHdf5),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(SlpFault::NotHdf5),
        Err(error) => Err(SlpFault::Unreadable(error)),
    }
}

fn text(name: &str, bytes: &[u8]) -> Result<String, SlpFault> {
    // Fixed-width rows are filled up with zeros, whatever their declared padding; their text is UTF-8 even where it is declared as ASCII.
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let text = bytes.get(..end).unwrap_or_default();
    String::from_utf8(text.to_vec()).map_err(|_| SlpFault::Damaged(format!("a row of {name} is not UTF-8")))
}

fn is_absent(error: &Error) -> bool {
    match error {
        Error::GroupNotFound(_) | Error::DatasetNotFound(_) | Error::AttributeNotFound(_) => true,
        Error::Context { source, .. } => is_absent(source),
        _ => false,
    }
}

/// `whole`: the length that the file's own header promises, if that was read.
fn fault(error: Error, len: u64, whole: Option<u64>) -> SlpFault {
    match error {
        Error::Context { source, .. } => fault(*source, len, whole),
        Error::Io(error) => SlpFault::Unreadable(error),
        Error::ResourceLimit(text) => SlpFault::TooLarge(text),
        Error::UnexpectedEof { offset, needed, .. } if whole.is_none() => {
            SlpFault::Truncated { expected: offset.saturating_add(needed), actual: len }
        }
        other => SlpFault::Damaged(other.to_string()),
    }
}

/// Reads ranges of the file at their places: no memory map, because a file that shrinks under a map kills the process.
struct Bounded {
    file: Mutex<File>,
    len: u64,
    spent: AtomicU64,
}

impl Storage for Bounded {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_range(&self, offset: u64, len: usize) -> hdf5_reader::error::Result<StorageBuffer> {
        let needed = len as u64;
        if offset.checked_add(needed).is_none_or(|end| end > self.len) {
            return Err(Error::UnexpectedEof { offset, needed, available: self.len.saturating_sub(offset) });
        }
        if len > MAX_READ || self.spent.fetch_add(needed, Ordering::Relaxed).saturating_add(needed) > MAX_READS {
            return Err(Error::ResourceLimit(format!(
                "a read of {len} bytes; allowed are {MAX_READ} at once and {MAX_READS} in all"
            )));
        }
        let mut bytes = vec![0; len];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut bytes)?;
        Ok(StorageBuffer::from_vec(bytes))
    }
}
