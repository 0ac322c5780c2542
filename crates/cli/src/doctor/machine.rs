//! What can be seen without the network.

use std::path::{Path, PathBuf};
use std::{env, fs};

use super::check::Check;
use crate::folders;
use crate::sys;
use crate::text::bytes;
use crate::trainer;

/// What a link wants for its socket: below it, transfers are several times slower.
const UDP_BUFFER: u64 = 4 << 20;
/// A trainer, a job with its results, and room to breathe.
const DISK: u64 = 10_000_000_000;

/// The trainer and whether it answers.
pub(crate) async fn trainer() -> Check {
    const NAME: &str = "trainer";
    match trainer::find() {
        Err(error) => Check::fail(NAME, error.causes.join(": "), error.hints.join("; ")),
        Ok(None) => Check::warn(NAME, "none; only workers need it", "sleap-rtc trainer install"),
        Ok(Some(found)) => match found.version().await {
            Ok(version) => {
                let text = format!("sleap-nn {version}, {}: {}", found.origin.words(), found.path.display());
                if old(&version) {
                    Check::warn(NAME, text, "0.3.4 or newer is needed: sleap-rtc trainer install")
                } else {
                    Check::ok(NAME, text)
                }
            }
            Err(why) => {
                Check::fail(NAME, format!("{} does not run: {why}", found.path.display()), "sleap-rtc trainer install")
            }
        },
    }
}

/// Trainers before 0.3.4 can hang at their end.
fn old(version: &str) -> bool {
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    parts.as_slice() < [0, 3, 4].as_slice()
}

/// The GPUs and their driver.
pub(crate) async fn gpu() -> Check {
    const NAME: &str = "gpu";
    match trainer::gpus().await {
        Ok(gpus) if gpus.is_empty() => {
            Check::warn(NAME, "none; only workers need one", "to offer the CPU: sleap-rtc worker --cpu")
        }
        Ok(gpus) => {
            let list: Vec<String> = gpus.iter().map(|line| gpu_words(line)).collect();
            Check::ok(NAME, list.join("; "))
        }
        Err(why) => Check::fail(NAME, why, "see what nvidia-smi says; after a driver update, restart the machine"),
    }
}

/// `0: NVIDIA H100, 81,559 MiB, driver 580.65` out of nvidia-smi's line.
fn gpu_words(line: &str) -> String {
    let fields: Vec<&str> = line.split(", ").collect();
    match fields.as_slice() {
        [index, name, memory, driver] => format!("{index}: {name}, {memory} MiB, driver {driver}"),
        _ => line.to_owned(),
    }
}

/// How large a socket's buffer may be.
pub(crate) fn udp_buffer() -> Option<Check> {
    const NAME: &str = "network";
    let limit = fs::read_to_string("/proc/sys/net/core/rmem_max").ok()?.trim().parse::<u64>().ok()?;
    Some(if limit < UDP_BUFFER {
        Check::warn(
            NAME,
            format!("sockets may buffer {} (net.core.rmem_max); transfers will be slow", bytes(limit)),
            format!("sudo sysctl -w net.core.rmem_max={UDP_BUFFER}"),
        )
    } else {
        Check::ok(NAME, format!("sockets may buffer {}", bytes(limit)))
    })
}

/// The data folder's file system.
pub(crate) fn disk() -> Check {
    const NAME: &str = "disk";
    let folder = match folders::data() {
        Ok(folder) => folder,
        Err(error) => return Check::fail(NAME, error.error, error.hints.join("; ")),
    };
    let there = folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/")).to_owned();
    match sys::disk(&there) {
        Ok((free, _)) if free < DISK => Check::warn(
            NAME,
            format!("{} free in {}", bytes(free), folder.display()),
            format!("a trainer and a job need about {}: make room", bytes(DISK)),
        ),
        Ok((free, _)) => Check::ok(NAME, format!("{} free in {}", bytes(free), folder.display())),
        Err(error) => Check::warn(NAME, format!("cannot look at {}: {error}", there.display()), "check it by hand"),
    }
}

/// Other programs of this name on `PATH`: usually the Python package's.
pub(crate) fn other_program() -> Check {
    const NAME: &str = "program";
    let own = env::current_exe().and_then(fs::canonicalize).unwrap_or_default();
    let name = if cfg!(windows) { "sleap-rtc.exe" } else { "sleap-rtc" };
    let path = env::var_os("PATH").unwrap_or_default();
    let found: Vec<PathBuf> =
        env::split_paths(&path).map(|folder| folder.join(name)).filter(|path| sys::executable(path)).collect();
    let version = env!("CARGO_PKG_VERSION");
    let other = found.iter().find(|path| fs::canonicalize(path).is_ok_and(|real| real != own));
    match (found.first(), other) {
        (Some(first), Some(other)) => {
            let place = if first == other { "comes first" } else { "comes after this one" };
            Check::warn(
                NAME,
                format!("sleap-rtc {version} at {}; another, {}, {place} on PATH", own.display(), other.display()),
                format!("say which you mean by its whole path: {}", own.display()),
            )
        }
        _ => Check::ok(NAME, format!("sleap-rtc {version} at {}", own.display())),
    }
}
