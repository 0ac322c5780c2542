//! A store of chunks on disk, each in a file named by its BLAKE3 hash: what an earlier try or an earlier job has brought is not
//! sent again. Blocks on the disk.

use std::fs::{self, File, FileTimes};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sleap_rtc_wire::manifest::{Hash, Manifest, check_path};

/// A chunk that was used so lately may belong to a transfer that is under way, of this process or of another one that shares
/// the store: it is not pruned.
const IN_USE: Duration = Duration::from_hours(24);

/// Tells apart the parts that this process writes at once.
static PARTS: AtomicU64 = AtomicU64::new(0);

/// The disk refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct DiskError {
    /// Whether disk or quota is full.
    pub full: bool,
    /// With the path, for a person.
    pub cause: String,
}

impl DiskError {
    /// What went wrong at a path.
    pub fn at(path: &Path, error: &io::Error) -> Self {
        let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        Self { full, cause: format!("{}: {error}", path.display()) }
    }
}

/// Chunks by hash, in 256 folders.
#[derive(Clone, Debug)]
pub struct ChunkStore {
    root: PathBuf,
}

impl ChunkStore {
    /// Opens the store, made if there is none.
    pub fn open(root: PathBuf) -> Result<Self, DiskError> {
        fs::create_dir_all(&root).map_err(|error| DiskError::at(&root, &error))?;
        Ok(Self { root })
    }

    fn path(&self, hash: &Hash) -> PathBuf {
        let name = hash.to_string();
        self.root.join(&name[..2]).join(&name[2..])
    }

    /// Whether the chunk is there. Its bytes are checked when they are read.
    pub fn has(&self, hash: &Hash) -> bool {
        self.path(hash).is_file()
    }

    /// Whether the chunk is there; if so it is not pruned for as long as a transfer may take.
    pub fn reserve(&self, hash: &Hash) -> bool {
        let here = self.has(hash);
        if here {
            self.touch(hash);
        }
        here
    }

    /// Keeps a chunk whose hash the caller has checked. It is there whole or not at all.
    pub fn put(&self, hash: &Hash, bytes: &[u8]) -> Result<(), DiskError> {
        let path = self.path(hash);
        if self.reserve(hash) {
            return Ok(());
        }
        let number = PARTS.fetch_add(1, Ordering::Relaxed);
        let part = path.with_extension(format!("part-{}-{number}", std::process::id()));
        let write = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            File::create(&part)?.write_all(bytes)?;
            fs::rename(&part, &path)
        };
        write().map_err(|error| {
            // The half-written part is of no use, and on a full disk in the way.
            fs::remove_file(&part).ok();
            DiskError::at(&path, &error)
        })
    }

    /// The chunk's bytes, their hash checked again: disks rot. A bad one is removed, so that it is sent anew.
    pub fn read(&self, hash: &Hash) -> Result<Vec<u8>, DiskError> {
        let path = self.path(hash);
        let bytes = fs::read(&path).map_err(|error| DiskError::at(&path, &error))?;
        if Hash::of(&bytes) == *hash {
            return Ok(bytes);
        }
        fs::remove_file(&path).map_err(|error| DiskError::at(&path, &error))?;
        Err(DiskError { full: false, cause: format!("{} was damaged on the disk and is removed", path.display()) })
    }

    /// Removes the longest unused chunks until at most `keep` bytes are left, or only such as were used within a day. Answers
    /// how many bytes went.
    pub fn prune(&self, keep: u64) -> Result<u64, DiskError> {
        let spared = SystemTime::now().checked_sub(IN_USE).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut chunks = Vec::new();
        self.list(&mut chunks).map_err(|error| DiskError::at(&self.root, &error))?;
        let mut total: u64 = chunks.iter().map(|(_, len, _)| len).sum();
        let before = total;
        chunks.sort();
        for (used, len, path) in chunks {
            if total <= keep || used > spared {
                break;
            }
            match fs::remove_file(&path) {
                // Another process prunes the same store.
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(DiskError::at(&path, &error)),
                _ => total -= len,
            }
        }
        Ok(before - total)
    }

    fn list(&self, into: &mut Vec<(SystemTime, u64, PathBuf)>) -> io::Result<()> {
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                let file = file?;
                // Gone meanwhile: it was a part, or another process prunes.
                let Ok(facts) = file.metadata() else { continue };
                into.push((facts.modified()?, facts.len(), file.path()));
            }
        }
        Ok(())
    }

    /// Makes the files of a manifest below `folder` out of chunks. Files that are there are replaced.
    pub fn assemble(&self, manifest: &Manifest, folder: &Path) -> Result<(), DiskError> {
        for file in &manifest.files {
            check_path(&file.path).map_err(|why| DiskError { full: false, cause: format!("{}: {why}", file.path) })?;
            let path = folder.join(&file.path);
            let make = || {
                fs::create_dir_all(path.parent().unwrap_or(folder))?;
                File::create(&path)
            };
            make().map_err(|error| DiskError::at(&path, &error))?;
        }
        let mut open: Option<(usize, PathBuf, File)> = None;
        for (span, chunk) in manifest.spans() {
            let (path, file) = match &mut open {
                Some((index, path, file)) if *index == span.file => (path, file),
                other => {
                    let path = folder.join(&manifest.files[span.file].path);
                    let file =
                        File::options().append(true).open(&path).map_err(|error| DiskError::at(&path, &error))?;
                    let (_, path, file) = other.insert((span.file, path, file));
                    (path, file)
                }
            };
            let bytes = self.read(&chunk.hash)?;
            file.write_all(&bytes).map_err(|error| DiskError::at(path, &error))?;
            self.touch(&chunk.hash);
        }
        Ok(())
    }

    /// Marks a chunk as used now: the last to be pruned.
    fn touch(&self, hash: &Hash) {
        let times = FileTimes::new().set_modified(SystemTime::now());
        if let Ok(file) = File::options().append(true).open(self.path(hash)) {
            // Only the order of pruning depends on it.
            file.set_times(times).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use sleap_rtc_wire::manifest::{Chunk, FileEntry};

    use super::*;

    fn store() -> (tempfile::TempDir, ChunkStore) {
        let folder = tempfile::tempdir().expect("folder");
        let store = ChunkStore::open(folder.path().join("chunks")).expect("store");
        (folder, store)
    }

    fn put(store: &ChunkStore, bytes: &[u8]) -> Chunk {
        let hash = Hash::of(bytes);
        store.put(&hash, bytes).expect("put");
        Chunk { hash, len: bytes.len() as u32 }
    }

    fn age(store: &ChunkStore, chunk: &Chunk, days: u64) {
        let past = SystemTime::now() - Duration::from_hours(24 * days);
        let file = File::options().append(true).open(store.path(&chunk.hash)).unwrap();
        file.set_times(FileTimes::new().set_modified(past)).unwrap();
    }

    #[test]
    fn files_are_made_of_chunks() {
        let (folder, store) = store();
        let chunks = vec![put(&store, b"one "), put(&store, b"two"), put(&store, b"three")];
        let file = |path: &str, size| FileEntry { path: path.to_owned(), size };
        let files = vec![file("empty", 0), file("a/b", 7), file("c", 5)];
        let manifest = Manifest { files, chunks };
        manifest.check().expect("a manifest");
        for _ in 0..2 {
            store.assemble(&manifest, folder.path()).expect("assembled");
            assert_eq!(fs::read(folder.path().join("a/b")).unwrap(), b"one two");
            assert_eq!(fs::read(folder.path().join("c")).unwrap(), b"three");
            assert_eq!(fs::read(folder.path().join("empty")).unwrap(), b"");
        }
    }

    #[test]
    fn a_damaged_chunk_is_not_there_any_more() {
        let (_folder, store) = store();
        let chunk = put(&store, b"good");
        fs::write(store.path(&chunk.hash), b"bad!").unwrap();
        assert!(!store.read(&chunk.hash).unwrap_err().full);
        assert!(!store.has(&chunk.hash));
    }

    #[test]
    fn the_longest_unused_go_first() {
        let (_folder, store) = store();
        let (old, new) = (put(&store, b"old!"), put(&store, b"new!"));
        age(&store, &old, 3);
        age(&store, &new, 2);
        assert_eq!(store.prune(8).unwrap(), 0);
        assert_eq!(store.prune(4).unwrap(), 4);
        assert!(!store.has(&old.hash) && store.has(&new.hash));
    }

    #[test]
    fn a_chunk_that_a_transfer_has_found_is_not_pruned() {
        let (_folder, store) = store();
        let (found, other) = (put(&store, b"found"), put(&store, b"other"));
        age(&store, &found, 3);
        age(&store, &other, 2);
        assert!(store.reserve(&found.hash));
        assert_eq!(store.prune(0).unwrap(), 5);
        assert!(store.has(&found.hash) && !store.has(&other.hash));
    }

    #[test]
    fn two_jobs_may_bring_the_same_chunk_at_once() {
        let (_folder, store) = store();
        for n in 0..200_u32 {
            let bytes = n.to_le_bytes().repeat(50_000);
            let hash = Hash::of(&bytes);
            std::thread::scope(|scope| {
                let both = [(); 2].map(|()| scope.spawn(|| store.put(&hash, &bytes)));
                for put in both {
                    put.join().unwrap().expect("kept");
                }
            });
            assert_eq!(store.read(&hash).unwrap(), bytes);
        }
    }

    #[test]
    fn no_file_is_made_outside_the_folder() {
        let (folder, store) = store();
        let manifest = Manifest { files: vec![FileEntry { path: "../out".to_owned(), size: 0 }], chunks: vec![] };
        assert!(store.assemble(&manifest, &folder.path().join("in")).is_err());
        assert!(!folder.path().join("out").exists());
    }
}
