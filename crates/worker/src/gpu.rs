//! What the box's GPUs are, asked of `nvidia-smi`: no program, no GPU.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// How long `nvidia-smi` may take: on a box with a sick driver it hangs for ever.
const PATIENCE: Duration = Duration::from_secs(5);

const QUERY: &str = "index,uuid,name,memory.total,memory.free,driver_version,compute_cap";

/// One GPU, as the driver sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// The driver's index, in PCI bus order.
    pub index: u32,
    /// `GPU-…`: the same over reboots and changes of order.
    pub uuid: String,
    /// The model, e.g. `NVIDIA GeForce RTX 4090`.
    pub name: String,
    /// MiB; `None` where the driver does not say.
    pub memory_mb: Option<u64>,
    /// MiB; `None` where the driver does not say.
    pub free_mb: Option<u64>,
    /// Version of the driver.
    pub driver: Option<String>,
}

/// Why the GPUs could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    /// There is no `nvidia-smi`: no driver, or none on PATH.
    #[error("nvidia-smi was not found: no NVIDIA driver on this machine")]
    NoDriver,
    /// It gave no answer in time.
    #[error("nvidia-smi gave no answer within {} s", PATIENCE.as_secs())]
    TimedOut,
    /// It ended with an error.
    #[error("nvidia-smi failed: {0}")]
    Failed(String),
    /// There is no GPU of that index.
    #[error("there is no GPU {wanted}; this machine has {present}")]
    NoSuchGpu {
        /// What was asked for.
        wanted: u32,
        /// What is there, in words.
        present: String,
    },
}

/// All GPUs of the box.
pub async fn list() -> Result<Vec<Gpu>, GpuError> {
    let mut command = Command::new("nvidia-smi");
    command.arg(format!("--query-gpu={QUERY}")).arg("--format=csv,noheader,nounits");
    command.stdin(Stdio::null()).kill_on_drop(true);
    let answer = tokio::time::timeout(PATIENCE, command.output()).await.map_err(|_| GpuError::TimedOut)?;
    let output = answer.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => GpuError::NoDriver,
        _ => GpuError::Failed(error.to_string()),
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(parse(&text));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().chain(text.lines()).find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(GpuError::Failed(line.trim().to_owned()))
}

/// One GPU by its index.
pub async fn find(index: u32) -> Result<Gpu, GpuError> {
    let all = list().await?;
    let present = match all.as_slice() {
        [] => "none".to_owned(),
        some => some.iter().map(|gpu| gpu.index.to_string()).collect::<Vec<_>>().join(", "),
    };
    all.into_iter().find(|gpu| gpu.index == index).ok_or(GpuError::NoSuchGpu { wanted: index, present })
}

/// Reads the table; a row without index or uuid is left out, an unknown value (`[N/A]`) is `None`.
fn parse(text: &str) -> Vec<Gpu> {
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Gpu> {
    let mut fields = line.split(',').map(str::trim);
    let mut known = || fields.next().filter(|field| !field.is_empty() && !field.starts_with('['));
    let index = known()?.parse().ok()?;
    let uuid = known()?.to_owned();
    let name = known().unwrap_or("NVIDIA GPU").to_owned();
    let memory_mb = known().and_then(|field| field.parse().ok());
    let free_mb = known().and_then(|field| field.parse().ok());
    let driver = known().map(str::to_owned);
    Some(Gpu { index, uuid, name, memory_mb, free_mb, driver })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_driver_prints() {
        let text = "0, GPU-8f2c, NVIDIA GeForce RTX 4090, 24564, 23000, 580.65.06, 8.9\n1, GPU-11aa, Tesla T4, [N/A], [N/A], 580.65.06, 7.5\nNo devices were found\n";
        let gpus = parse(text);
        assert_eq!(gpus.len(), 2);
        assert_eq!(
            (gpus[0].index, gpus[0].memory_mb, gpus[0].name.as_str()),
            (0, Some(24564), "NVIDIA GeForce RTX 4090")
        );
        assert_eq!((gpus[1].uuid.as_str(), gpus[1].memory_mb), ("GPU-11aa", None));
    }
}
