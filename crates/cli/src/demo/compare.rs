//! Whether the model that came home is the one on the worker, byte by byte.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Files of the two folders, by what they hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Compared {
    /// Files that are the same on both sides.
    pub(crate) same: usize,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Files at home that the worker does not have in this form.
    pub(crate) different: Vec<PathBuf>,
}

/// Looks for what each file under `home` holds among the files under `worker`, by BLAKE3 hash: names differ, since results
/// are sorted by model at home. Blocks.
pub(crate) fn compare(home: &Path, worker: &Path) -> io::Result<Compared> {
    let theirs = files(worker)?.iter().map(|path| hash(path)).collect::<io::Result<HashSet<_>>>()?;
    let mut compared = Compared { same: 0, bytes: 0, different: Vec::new() };
    for path in files(home)? {
        if theirs.contains(&hash(&path)?) {
            compared.same += 1;
            compared.bytes += path.metadata()?.len();
        } else {
            compared.different.push(path);
        }
    }
    Ok(compared)
}

/// All plain files under a folder, sorted; links are not followed.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn hash(path: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let (home, worker) = (folder.path().join("home"), folder.path().join("worker/deep"));
        fs::create_dir_all(&home).expect("a folder");
        fs::create_dir_all(&worker).expect("a folder");
        for (name, here, there) in [("best.ckpt", "abc", "abc"), ("log.csv", "abe", "abd"), ("extra", "x", "")] {
            fs::write(home.join(name), here).expect("a file");
            if !there.is_empty() {
                fs::write(worker.join(name), there).expect("a file");
            }
        }
        let compared = compare(&home, folder.path().join("worker").as_path()).expect("both can be read");
        assert_eq!(compared.same, 1);
        assert_eq!(compared.bytes, 3);
        assert_eq!(compared.different, [home.join("extra"), home.join("log.csv")]);
    }
}
