//! Where this program keeps things that are large or made by it: the user's data folder of the platform.
//!
//! Settings and keys are elsewhere, in `~/.sleap-rtc` (`SLEAP_RTC_HOME`), which the Python program shares.

use std::env;
use std::path::PathBuf;

use crate::errors::{CliError, CliResult};
use crate::exit::Exit;

/// `$XDG_DATA_HOME/sleap-rtc`, `~/.local/share/sleap-rtc`; on macOS and Windows their own places.
pub fn data() -> CliResult<PathBuf> {
    let found = if cfg!(windows) {
        absolute("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        env::home_dir().map(|home| home.join("Library/Application Support"))
    } else {
        absolute("XDG_DATA_HOME").or_else(|| env::home_dir().map(|home| home.join(".local/share")))
    };
    found.filter(|folder| folder.is_absolute()).map(|folder| folder.join("sleap-rtc")).ok_or_else(|| {
        CliError::new(Exit::Usage, "there is no folder for data")
            .cause("neither HOME nor XDG_DATA_HOME is set")
            .hint("export HOME=/path/to/your/home")
    })
}

/// An environment variable that names a folder; the standard says that a relative one is not to be used.
fn absolute(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}
