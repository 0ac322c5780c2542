//! Which trainer this worker uses.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::error::TrainerError;

/// The environment variable that names a `sleap-nn`.
pub const TRAINER_VARIABLE: &str = "SLEAP_RTC_TRAINER";

#[cfg(windows)]
const PROGRAM: &str = "sleap-nn.exe";
#[cfg(not(windows))]
const PROGRAM: &str = "sleap-nn";

#[cfg(windows)]
const SCRIPTS: &str = "Scripts";
#[cfg(not(windows))]
const SCRIPTS: &str = "bin";

/// The folder into which `sleap-rtc trainer install` installs.
pub fn installed_venv(data: &Path) -> PathBuf {
    data.join("trainer")
}

/// The first of: `named` (the value of [`TRAINER_VARIABLE`] or of the configuration), the one that was installed into `data`,
/// the user's data folder, and `sleap-nn` on `path` (the value of `PATH`).
///
/// # Errors
/// `NotFound` if there is none, or if the one that is named is not there: then no other is taken in its place.
pub fn find(named: Option<&Path>, data: &Path, path: Option<&OsStr>) -> Result<PathBuf, TrainerError> {
    if let Some(named) = named.filter(|named| !named.as_os_str().is_empty()) {
        let looked = || format!("{TRAINER_VARIABLE} names {}, which is not there", named.display());
        return if named.is_file() { Ok(named.to_owned()) } else { Err(TrainerError::NotFound { looked: looked() }) };
    }
    let installed = installed_venv(data).join(SCRIPTS).join(PROGRAM);
    if installed.is_file() {
        return Ok(installed);
    }
    let folders = path.map(|path| std::env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
    folders.iter().map(|folder| folder.join(PROGRAM)).find(|program| program.is_file()).ok_or_else(|| {
        let looked = format!("neither {} nor a sleap-nn on PATH is there", installed.display());
        TrainerError::NotFound { looked }
    })
}
