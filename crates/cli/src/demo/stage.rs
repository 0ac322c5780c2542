//! The folder in which the demo plays: example data on the laptop, and what server and worker keep.

use std::fs;
use std::path::{Path, PathBuf};

use crate::errors::{CliError, CliResult};
use crate::exit::Exit;

/// Two flies in one arena, 12 labelled frames with their images: `examples/README.md` says where they come from.
const FLIES: &[u8] = include_bytes!("../../../../examples/flies.pkg.slp");
/// A small model for them.
const CENTROID: &str = include_str!("../../../../examples/centroid.yaml");

/// The folder.
#[derive(Debug)]
pub(crate) struct Stage {
    root: PathBuf,
}

impl Stage {
    /// Makes a new folder with the example data in it. It stays when the program ends: the model is in it.
    pub(crate) fn set() -> CliResult<Self> {
        let temporary = std::env::temp_dir();
        let root = tempfile::Builder::new()
            .prefix("sleap-rtc-demo-")
            .tempdir()
            .map_err(|error| disk_error(&temporary, &error))?
            .keep();
        let stage = Self { root };
        for folder in [stage.laptop(), stage.server(), stage.worker()] {
            fs::create_dir_all(&folder).map_err(|error| disk_error(&folder, &error))?;
        }
        for (name, bytes) in [("flies.pkg.slp", FLIES), ("centroid.yaml", CENTROID.as_bytes())] {
            let path = stage.laptop().join(name);
            fs::write(&path, bytes).map_err(|error| disk_error(&path, &error))?;
        }
        Ok(stage)
    }

    /// The whole folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the researcher works.
    pub(crate) fn laptop(&self) -> PathBuf {
        self.root.join("laptop")
    }

    /// The server's data folder.
    pub(crate) fn server(&self) -> PathBuf {
        self.root.join("admin-box")
    }

    /// The worker's home.
    pub(crate) fn worker(&self) -> PathBuf {
        self.root.join("gpu-box")
    }

    /// Takes away what nobody needs after a demo that went well.
    pub(crate) fn clear(&self) {
        for folder in [self.server(), self.worker()] {
            // What cannot be removed is in the system's temporary folder anyway.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn disk_error(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(Exit::LocalDisk, format!("cannot write {}", path.display())).because(error)
}
