//! Folders: a rename that never replaces, and making it last.

use std::fs;
use std::io;
use std::path::Path;

/// Renames the folder `from` to `to`; [`io::ErrorKind::AlreadyExists`] if anything is there.
///
/// One step where the system has such a rename. Elsewhere the name is claimed by an empty folder first, which the
/// rename then replaces: nothing but that empty folder can be replaced, because a rename onto a folder with files fails
/// everywhere.
pub(crate) fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match rename_exclusive(from, to) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        done => return done,
    }
    rename_onto_claim(from, to)
}

fn rename_onto_claim(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    fs::rename(from, to).inspect_err(|_| {
        // Only the empty claim can go this way.
        let _ = fs::remove_dir(to);
    })
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn rename_exclusive(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;

    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(|errno| match errno {
        // The kernel or the file system (some network ones) does not know the flag.
        Errno::INVAL | Errno::NOSYS | Errno::NOTSUP => io::ErrorKind::Unsupported.into(),
        errno => errno.into(),
    })
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn rename_exclusive(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes the names in a folder last over a power cut, where the file system can (some network ones cannot).
#[cfg(unix)]
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    match fs::File::open(folder)?.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        done => done,
    }
}

/// Makes the names in a folder last over a power cut: NTFS journals names, and a folder cannot be opened as a file.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
pub(crate) fn sync(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways, because a file system has one or the other.
    #[test]
    fn a_rename_never_replaces() {
        for rename in [rename_to_new, rename_onto_claim] {
            let folder = tempfile::tempdir().unwrap();
            let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
            fs::create_dir(&from).unwrap();
            fs::write(from.join("new"), b"new").unwrap();

            fs::create_dir(&to).unwrap();
            assert_eq!(rename(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            fs::remove_dir(&to).unwrap();
            fs::write(&to, b"old").unwrap();
            assert_eq!(rename(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&to).unwrap(), b"old");
            fs::remove_file(&to).unwrap();

            rename(&from, &to).unwrap();
            assert_eq!(fs::read(to.join("new")).unwrap(), b"new");
            assert_eq!(rename(&from, &folder.path().join("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);
            assert!(!folder.path().join("gone").exists(), "no claim is left");
        }
    }
}
