//! The environment of the trainer: what Python and CUDA need, and nothing of the worker's own.

use std::ffi::OsString;

use tokio::process::Command;

/// Inherited, if the worker has it. Everything else stays behind: secrets and tokens above all (`SLEAP_RTC_*`, cloud keys).
const INHERITED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_PATH",
    "CONDA_PREFIX",
    "VIRTUAL_ENV",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
];

/// Output at once and in UTF-8, no colours, no window, no account of somebody's.
const SET: &[(&str, &str)] = &[
    ("PYTHONUNBUFFERED", "1"),
    ("PYTHONUTF8", "1"),
    ("TERM", "dumb"),
    ("NO_COLOR", "1"),
    ("COLUMNS", "200"),
    ("MPLBACKEND", "Agg"),
    ("WANDB_MODE", "disabled"),
];

/// Gives the command this environment and no other.
pub(super) fn apply(command: &mut Command) {
    let inherited = INHERITED.iter().filter_map(|name| std::env::var_os(name).map(|value| (*name, value)));
    let set = SET.iter().map(|(name, value)| (*name, OsString::from(value)));
    command.env_clear().envs(inherited.chain(set));
}
