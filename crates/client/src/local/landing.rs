//! How results land: in a folder beside the final one, which then gets its name in one step, and never over anything.
//!
//! `models/.<run name>.partial-<job>/` takes the files. It stays when the program dies, so that the next try of the same job goes on
//! from what is there; the receiver compares hashes, so nothing in it is trusted. [`Landing::finish`] checks that every file is
//! whole, makes them last over a power cut, and renames the folder to `models/<run name>/`, or `-1`, `-2`, … if that is taken.
//!
//! A folder beside the files, such as a store of chunks, may be put into [`Landing::partial`]: what was not announced is gone at the end.
//! Blocks on the disk.

mod error;

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub use error::LandingError;
use error::at;

use super::name::safe_name;
use super::results::{PathError, PathRules, safe_relative_path};
use crate::sys::folder;

/// Final names that are tried: `<run name>`, then `-1` up to this.
const MAX_NUMBER: u32 = 9_999;

/// Results on their way to `models/<run name>/`.
///
/// Dropped, it leaves what has come so far for the next try.
#[derive(Debug)]
pub struct Landing {
    models: PathBuf,
    run_name: String,
    partial: PathBuf,
    /// Files that an earlier try has left, as the folder lists them.
    left: HashSet<PathBuf>,
    resumed: bool,
    names: PathRules,
    files: BTreeMap<String, Announced>,
    /// The file of the last read or write, open.
    open: Option<(String, File)>,
    lock: Lock,
}

#[derive(Debug)]
struct Announced {
    /// Below `partial`.
    path: PathBuf,
    len: u64,
}

/// Keeps a second process from the same partial folder, and goes with this one, however it ends.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    file: File,
}

impl Landing {
    /// Opens the partial folder of `job` in `models` (made if there is none), or goes on with the one that an earlier try has left.
    /// Both names are made safe; `run_name` is the user's or the trainer's, `job` the job's id.
    ///
    /// # Errors
    /// The disk refuses, or another process receives the same job.
    pub fn open(models: &Path, run_name: &str, job: &str) -> Result<Self, LandingError> {
        let run_name = safe_name(run_name);
        let partial = models.join(format!(".{run_name}.partial-{}", safe_name(job)));
        fs::create_dir_all(models).map_err(at(models))?;
        let lock = Lock::take(partial.with_added_extension("lock"))?;
        let resumed = match fs::create_dir(&partial) {
            Ok(()) => false,
            Err(error) if error.kind() == ErrorKind::AlreadyExists && is_real_folder(&partial) => true,
            Err(error) => return Err(at(&partial)(error)),
        };
        let mut left = HashSet::new();
        if resumed {
            list(&partial, &mut left)?;
        }
        Ok(Self {
            models: models.to_owned(),
            run_name,
            partial,
            left,
            resumed,
            names: PathRules::default(),
            files: BTreeMap::new(),
            open: None,
            lock,
        })
    }

    /// Whether an earlier try has left something.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Where the files are until [`Landing::finish`].
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Puts something behind the final name. The partial folder keeps its own, so that the next try finds it.
    pub fn add_to_name(&mut self, ending: &str) {
        self.run_name = safe_name(&format!("{}{ending}", self.run_name));
    }

    /// Takes the name and length of a file that will come. The file is there from now on, perhaps with what an earlier try has left.
    ///
    /// # Errors
    /// The name is refused ([`super::results`]), clashes with another, or the disk refuses.
    pub fn announce(&mut self, name: &str, len: u64) -> Result<(), LandingError> {
        let path = self.partial.join(safe_relative_path(name)?);
        self.names.add(name).map_err(|why| PathError::new(name, why))?;
        self.make_folders(&path)?;
        // Only a file of exactly this name is gone on with: a system may take two names for one (upper and lower case, composed
        // and decomposed letters), and the second must not write into the first.
        let file =
            OpenOptions::new().write(true).create_new(!self.left.remove(&path)).open(&path).map_err(at(&path))?;
        if file.metadata().map_err(at(&path))?.len() > len {
            file.set_len(len).map_err(at(&path))?;
        }
        self.files.insert(name.to_owned(), Announced { path, len });
        Ok(())
    }

    /// What is there of an announced file from `offset` on, at most `len` bytes; less if the file is shorter. Bytes that never came
    /// before ones that did are zeros: compare hashes.
    ///
    /// # Errors
    /// The name was not announced, or the disk refuses.
    pub fn read_at(&mut self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>, LandingError> {
        let (file, path, _) = self.file(name)?;
        let mut bytes = Vec::with_capacity(len);
        file.seek(SeekFrom::Start(offset)).map_err(at(&path))?;
        file.take(len as u64).read_to_end(&mut bytes).map_err(at(&path))?;
        Ok(bytes)
    }

    /// Writes a piece of an announced file, in any order.
    ///
    /// # Errors
    /// The name was not announced, the piece goes beyond the announced length, the disk is full or refuses.
    pub fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), LandingError> {
        let (file, path, len) = self.file(name)?;
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > len) {
            return Err(LandingError::TooLong { name: name.to_owned(), len });
        }
        file.seek(SeekFrom::Start(offset)).map_err(at(&path))?;
        file.write_all(bytes).map_err(at(&path))
    }

    /// Gives the folder its final name and returns it. Files of earlier tries that were not announced are removed first.
    ///
    /// # Errors
    /// A file is not whole, or the disk refuses; nothing is then under the final name, and the next try may go on.
    pub fn finish(mut self) -> Result<PathBuf, LandingError> {
        self.open = None;
        for (name, file) in &self.files {
            let written = OpenOptions::new().write(true).open(&file.path).map_err(at(&file.path))?;
            let have = written.metadata().map_err(at(&file.path))?.len();
            if have != file.len {
                return Err(LandingError::Incomplete { name: name.clone(), have, len: file.len });
            }
            written.sync_all().map_err(at(&file.path))?;
        }
        let keep: HashSet<&Path> = self.files.values().map(|file| file.path.as_path()).collect();
        tidy(&self.partial, &keep)?;
        let landed = self.name_it()?;
        folder::sync(&self.models).map_err(at(&self.models))?;
        self.lock.remove();
        Ok(landed)
    }

    /// Removes what has come so far.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn discard(mut self) -> Result<(), LandingError> {
        self.open = None;
        fs::remove_dir_all(&self.partial).map_err(at(&self.partial))?;
        self.lock.remove();
        Ok(())
    }

    fn name_it(&self) -> Result<PathBuf, LandingError> {
        for number in 0..=MAX_NUMBER {
            let name = if number == 0 { self.run_name.clone() } else { format!("{}-{number}", self.run_name) };
            let to = self.models.join(name);
            match folder::rename_to_new(&self.partial, &to) {
                Ok(()) => return Ok(to),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(at(&to)(error)),
            }
        }
        Err(LandingError::NoName { models: self.models.clone(), run_name: self.run_name.clone() })
    }

    /// The folders between the partial folder and a file, none of them a link to elsewhere.
    fn make_folders(&self, path: &Path) -> Result<(), LandingError> {
        let between = path.parent().and_then(|parent| parent.strip_prefix(&self.partial).ok()).unwrap_or(Path::new(""));
        let mut folder = self.partial.clone();
        for part in between {
            folder.push(part);
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && is_real_folder(&folder) => {}
                made => made.map_err(at(&folder))?,
            }
        }
        Ok(())
    }

    /// The file, its path and its announced length. The last one stays open: pieces mostly come in order.
    fn file(&mut self, name: &str) -> Result<(&mut File, PathBuf, u64), LandingError> {
        let announced = self.files.get(name).ok_or_else(|| LandingError::Unknown(name.to_owned()))?;
        let (path, len) = (announced.path.clone(), announced.len);
        let file = match self.open.take() {
            Some((open, file)) if open == name => file,
            _ => OpenOptions::new().read(true).write(true).open(&path).map_err(at(&path))?,
        };
        let (_, file) = self.open.insert((name.to_owned(), file));
        Ok((file, path, len))
    }
}

impl Lock {
    fn take(path: PathBuf) -> Result<Self, LandingError> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(at(&path))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(LandingError::InUse(path)),
            // A file system without locks, as some clusters have for home folders, is no reason to lose results.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { path, file }),
        }
    }

    fn remove(&self) {
        // A lock file that stays does no harm: it is empty, and free once this process has ended.
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing does not do: a process that is just being started elsewhere in this one has the file open as well, until it is
        // its own program.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(path = %self.path.display(), %error, "a lock could not be given back");
        }
    }
}

/// The files below a folder, not links.
fn list(folder: &Path, files: &mut HashSet<PathBuf>) -> Result<(), LandingError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let kind = entry.file_type().map_err(at(folder))?;
        if kind.is_dir() {
            list(&entry.path(), files)?;
        } else if kind.is_file() {
            files.insert(entry.path());
        }
    }
    Ok(())
}

fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|seen| seen.is_dir())
}

/// Removes everything that is not to be kept, and makes the folders' names last.
fn tidy(folder: &Path, keep: &HashSet<&Path>) -> Result<(), LandingError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(at(&path))?;
        if kind.is_dir() {
            tidy(&path, keep)?;
            if fs::read_dir(&path).map_err(at(&path))?.next().is_none() {
                fs::remove_dir(&path).map_err(at(&path))?;
            }
        } else if !keep.contains(path.as_path()) {
            fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    folder::sync(folder).map_err(at(folder))
}
