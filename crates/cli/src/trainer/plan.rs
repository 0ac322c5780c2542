//! What is to be installed, from where, and how large it is: said before it is done.
//!
//! sleap-nn's own way is `uv` with `--torch-backend auto`, which takes torch from torch's own index, in the build that fits
//! the machine's driver. Where that index cannot be reached, the package index has torch too: on Linux x86-64 that is the
//! build with all of CUDA in it. A machine with a GPU takes that one whole; a machine without gets the lean recipe of
//! `scripts/install-trainer-cpu.sh`, which leaves CUDA out.

use std::path::{Path, PathBuf};

use sleap_rtc_worker::gpu::{self, GpuError};
use tokio::process::Command;

use super::python;
use crate::errors::CliResult;

/// The version that we know how to talk to.
pub const SLEAP_NN: &str = "sleap-nn==0.3.5";
/// The version of uv that is fetched where there is none.
pub(super) const UV: &str = "uv==0.13.9";

/// How the trainer is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// By uv, torch from its own index, for whatever the machine has.
    TorchAuto,
    /// The same for the CPU.
    TorchCpu,
    /// By uv, everything from the package index.
    PackageIndex,
    /// Everything from the package index, CUDA left out.
    Lean,
}

/// What will be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to.
    pub dir: PathBuf,
    /// How.
    pub recipe: Recipe,
    /// The names of the machine's GPUs.
    pub gpus: Vec<String>,
    /// The Python that it is made with.
    pub python: PathBuf,
    /// For the CPU only.
    pub cpu: bool,
}

impl Plan {
    /// Looks at the machine. Whether torch's own index can be reached, uv says later: see [`Plan::without_torch_index`].
    pub async fn new(dir: PathBuf, cpu: bool) -> CliResult<Self> {
        let python = python::find().await?;
        // A broken nvidia-smi is a GPU all the same: the lean recipe must not go there.
        let gpus = match gpu::list().await {
            Ok(gpus) => gpus.into_iter().map(|gpu| gpu.name).collect(),
            Err(GpuError::NoDriver) => Vec::new(),
            Err(error) => vec![format!("a GPU that does not answer ({error})")],
        };
        let recipe = if cpu { Recipe::TorchCpu } else { Recipe::TorchAuto };
        Ok(Self { dir, recipe, gpus, python, cpu })
    }

    /// The same where torch's own index cannot be reached.
    #[must_use]
    pub fn without_torch_index(mut self) -> Self {
        let linux = cfg!(all(target_os = "linux", target_arch = "x86_64"));
        self.recipe = if linux && self.gpus.is_empty() { Recipe::Lean } else { Recipe::PackageIndex };
        self
    }

    /// What it is, how large and where, one thing a line.
    pub fn words(&self) -> Vec<String> {
        let device = if self.cpu || self.gpus.is_empty() { "the CPU".to_owned() } else { self.gpus.join(", ") };
        vec![
            format!("  what   {SLEAP_NN} and torch, for {device}"),
            format!("  size   {}", self.size()),
            format!("  where  {}", self.dir.display()),
            format!("  how    {}", self.how()),
        ]
    }

    /// Measured on Linux x86-64; torch's own CPU build was not measured and is smaller than the lean recipe.
    fn size(&self) -> &'static str {
        match self.recipe {
            Recipe::TorchAuto | Recipe::PackageIndex if !self.gpus.is_empty() => "about 6.3 GB on disk",
            Recipe::Lean => "about 860 MB to download, 2.3 GB on disk",
            Recipe::TorchAuto | Recipe::TorchCpu | Recipe::PackageIndex => "up to 2.3 GB on disk",
        }
    }

    fn how(&self) -> &'static str {
        match self.recipe {
            Recipe::TorchAuto => {
                "uv, with the torch that fits this machine; where torch's own index cannot be reached,\n         \
                                  from the package index alone"
            }
            Recipe::TorchCpu => {
                "uv, with torch for the CPU; where torch's own index cannot be reached,\n         \
                                 from the package index alone"
            }
            Recipe::PackageIndex => "uv, from the package index alone",
            Recipe::Lean => "uv, from the package index alone, without CUDA (needs gcc and binutils)",
        }
    }

    /// Free space that is needed, bytes.
    pub(super) fn needs(&self) -> u64 {
        if self.cpu || self.gpus.is_empty() { 3_000_000_000 } else { 8_000_000_000 }
    }

    /// What uv does alone: install a package, torch from where the recipe says.
    pub(super) fn uv_install(&self, uv: &Path, package: &str) -> Command {
        let mut command = Command::new(uv);
        command.args(["pip", "install", "--python"]).arg(self.dir.join(bin("python"))).arg(package);
        match self.recipe {
            Recipe::TorchAuto => command.args(["--torch-backend", "auto"]),
            Recipe::TorchCpu => command.args(["--torch-backend", "cpu"]),
            Recipe::PackageIndex | Recipe::Lean => &mut command,
        };
        command
    }
}

/// A program in a virtual environment.
pub(super) fn bin(name: &str) -> PathBuf {
    if cfg!(windows) { PathBuf::from("Scripts").join(format!("{name}.exe")) } else { PathBuf::from("bin").join(name) }
}
