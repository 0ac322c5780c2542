//! Files that are whole or not there.

use std::fs;
use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use super::HomeError;

/// The contents of a file, `None` if there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, HomeError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(HomeError::io(path)(error)),
    }
}

/// A whole new file that only this user can read, not yet under its name.
pub(super) fn prepare(path: &Path, text: &str) -> Result<NamedTempFile, HomeError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder).map_err(HomeError::io(folder))?;
    // Temporary files are made with mode 0600.
    let mut file = NamedTempFile::new_in(folder).map_err(HomeError::io(folder))?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(HomeError::io(path))?;
    Ok(file)
}

/// Writes a file, over an old one if there is one: whoever reads sees the old or the new one, also after a power cut.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), HomeError> {
    prepare(path, text)?.persist(path).map_err(|error| HomeError::io(path)(error.error))?;
    sync_folder(path)
}

/// Makes the new name of a file last.
pub(super) fn sync_folder(path: &Path) -> Result<(), HomeError> {
    // Windows cannot open a folder; there, names last with the file.
    if cfg!(windows) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(HomeError::io(path))
}
