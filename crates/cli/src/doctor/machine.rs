//! What can be seen without the network.

use std::path::{Path, PathBuf};
use std::{env, fs};

use sleap_rtc_worker::gpu::{self, Gpu, GpuError};
use sleap_rtc_worker::trainer::Trainer;

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
        Ok(Some(found)) => match Trainer::probe(&found.path).await {
            Ok(trainer) => {
                let (version, path) = (trainer.version(), found.path.display());
                Check::ok(NAME, format!("sleap-nn {version}, {}: {path}", found.origin.words()))
            }
            Err(error) => {
                let hint = error.hint().unwrap_or_else(|| "sleap-rtc trainer install".to_owned());
                Check::fail(NAME, error.to_string(), hint)
            }
        },
    }
}

/// The GPUs and their driver.
pub(crate) async fn gpu() -> Check {
    const NAME: &str = "gpu";
    match gpu::list().await {
        Ok(gpus) if !gpus.is_empty() => {
            let list: Vec<String> = gpus.iter().map(gpu_words).collect();
            Check::ok(NAME, list.join("; "))
        }
        Ok(_) | Err(GpuError::NoDriver) => {
            Check::warn(NAME, "none; only workers need one", "to offer the CPU: sleap-rtc worker --cpu")
        }
        Err(error) => {
            let hint = "see what nvidia-smi says; after an update of the driver, restart the machine";
            Check::fail(NAME, error.to_string(), hint)
        }
    }
}

/// `0: NVIDIA H100, 81559 MiB, driver 580.65`.
fn gpu_words(gpu: &Gpu) -> String {
    let memory = gpu.memory_mb.map(|mib| format!(", {mib} MiB")).unwrap_or_default();
    let driver = gpu.driver.as_deref().map(|version| format!(", driver {version}")).unwrap_or_default();
    format!("{}: {}{memory}{driver}", gpu.index, gpu.name)
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
