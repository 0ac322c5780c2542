//! Which trainer a worker of this machine runs: `SLEAP_RTC_TRAINER`, else the one that we installed, else one on `PATH`.

use std::env;
use std::path::{Path, PathBuf};

use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::{folders, sys};

/// A trainer on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trainer {
    /// The program.
    pub path: PathBuf,
    /// How it was found.
    pub origin: Origin,
}

/// How a trainer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `SLEAP_RTC_TRAINER` names it.
    Environment,
    /// `trainer install` put it there.
    Installed,
    /// It is on `PATH`.
    Path,
}

impl Origin {
    /// In words that follow the path.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Environment => "from SLEAP_RTC_TRAINER",
            Self::Installed => "installed by sleap-rtc",
            Self::Path => "found on PATH",
        }
    }
}

/// The folder that `trainer install` fills unless it is told another.
pub fn default_dir() -> CliResult<PathBuf> {
    Ok(folders::data()?.join("trainer"))
}

/// Written last: without it an installation does not count.
pub fn marker(dir: &Path) -> PathBuf {
    dir.join(".sleap-rtc-trainer")
}

/// The program in an installation.
pub(super) fn program(dir: &Path) -> PathBuf {
    if cfg!(windows) { dir.join("Scripts").join("sleap-nn.exe") } else { dir.join("bin").join("sleap-nn") }
}

/// The trainer in a folder that `trainer install` has finished.
pub(super) fn installed(dir: &Path) -> Option<Trainer> {
    let path = program(dir);
    (marker(dir).is_file() && sys::executable(&path)).then_some(Trainer { path, origin: Origin::Installed })
}

/// The trainer of this machine, if it has one.
pub fn find() -> CliResult<Option<Trainer>> {
    if let Some(path) = env::var_os("SLEAP_RTC_TRAINER").filter(|value| !value.is_empty()).map(PathBuf::from) {
        if !sys::executable(&path) {
            return Err(CliError::new(Exit::NoTrainer, "cannot use the trainer that SLEAP_RTC_TRAINER names")
                .cause(format!("{} is not a program", path.display()))
                .hint("export SLEAP_RTC_TRAINER=/path/to/sleap-nn, or unset it and run: sleap-rtc trainer install"));
        }
        return Ok(Some(Trainer { path, origin: Origin::Environment }));
    }
    if let Some(trainer) = installed(&default_dir()?) {
        return Ok(Some(trainer));
    }
    Ok(on_path("sleap-nn").map(|path| Trainer { path, origin: Origin::Path }))
}

/// A program on `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let name = if cfg!(windows) { format!("{name}.exe") } else { name.to_owned() };
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&name)).find(|path| sys::executable(path))
}
