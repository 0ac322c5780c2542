//! The results on their way home: chunks into a store inside the landing's partial folder, then the files, then the
//! final name.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sleap_rtc_peer::chunks::{ChunkStore, DiskError};
use sleap_rtc_peer::disk::Assemble;
use sleap_rtc_session::DiskRequest;
use sleap_rtc_wire::JobId;
use sleap_rtc_wire::manifest::Manifest;

use crate::local::{Landing, LandingError};
use crate::outcome::Landed;
use crate::sys;

/// The store of chunks inside the partial folder. Landing removes it with everything that was not announced.
const CHUNKS: &str = ".chunks";

/// Where a job's results land.
pub(crate) struct Results {
    models: PathBuf,
    begun: AtomicBool,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    landing: Option<Landing>,
    landed: Option<Landed>,
}

impl Results {
    /// Takes the partial folder of the job, or goes on with what an earlier try has left there. Blocks on the disk.
    pub(crate) fn open(models: PathBuf, run_name: &str, job: &JobId) -> Result<Self, LandingError> {
        let landing = Landing::open(&models, run_name, job.as_str())?;
        let begun = AtomicBool::new(landing.resumed());
        Ok(Self { models, begun, shared: Arc::new(Mutex::new(Shared { landing: Some(landing), landed: None })) })
    }

    /// The store for their chunks.
    pub(crate) fn chunks(&self) -> Result<ChunkStore, DiskError> {
        let partial = self.lock().landing.as_ref().map(|landing| landing.partial().to_owned());
        ChunkStore::open(partial.unwrap_or_else(|| self.models.clone()).join(CHUNKS))
    }

    /// How many bytes of results there is room for: for a while they are there twice, as chunks and as files.
    pub(crate) fn room(&self) -> u64 {
        sys::disk::free(&self.models).map_or(u64::MAX, |free| free / 2)
    }

    /// Puts the files in place under their final name, all or none.
    pub(crate) fn assemble(&self) -> Assemble {
        let shared = self.shared.clone();
        Box::new(move |manifest, store| {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            // Without files there is nothing to have a name.
            if manifest.files.is_empty() || shared.landed.is_some() {
                return Ok(());
            }
            let folder = match shared.landing.as_mut() {
                None => Err(DiskError { full: false, cause: "the results have been given up".to_owned() }),
                Some(landing) => write(landing, manifest, store),
            };
            folder?;
            let landing = shared.landing.take();
            let folder = landing.map(Landing::finish).transpose().map_err(|error| disk_error(&error))?;
            let (files, bytes) = (manifest.files.len(), manifest.bytes());
            shared.landed = folder.map(|folder| Landed { folder, files, bytes });
            Ok(())
        })
    }

    /// The job failed: what it left does not get the run's plain name, so that nobody takes half a model for a whole
    /// one.
    pub(crate) fn failed(&self) {
        if let Some(landing) = &mut self.lock().landing {
            landing.add_to_name(".failed");
        }
    }

    /// Takes note that results come.
    pub(crate) fn note(&self, request: &DiskRequest) {
        if matches!(request, DiskRequest::Store { .. } | DiskRequest::Assemble { .. }) {
            self.begun.store(true, Ordering::Relaxed);
        }
    }

    /// Whether anything of the results has come, now or in an earlier try.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// What has landed.
    pub(crate) fn landed(&self) -> Option<Landed> {
        self.lock().landed.clone()
    }

    /// Ends it: `keep` leaves what has come for the next try. Blocks on the disk.
    pub(crate) fn close(&self, keep: bool) {
        if let Some(landing) = self.lock().landing.take().filter(|_| !keep)
            && let Err(error) = landing.discard()
        {
            tracing::warn!(%error, "what was left of the results could not be removed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever gives up on the way leaves only what is worth coming back to.
impl Drop for Results {
    fn drop(&mut self) {
        self.close(self.has_begun());
    }
}

/// Writes every file of the manifest. The store checks each chunk's hash once more when it is read.
fn write(landing: &mut Landing, manifest: &Manifest, store: &ChunkStore) -> Result<(), DiskError> {
    for file in &manifest.files {
        landing.announce(&file.path, file.size).map_err(|error| disk_error(&error))?;
    }
    for (span, chunk) in manifest.spans() {
        let bytes = store.read(&chunk.hash)?;
        let path = &manifest.files[span.file].path;
        landing.write_at(path, span.offset, &bytes).map_err(|error| disk_error(&error))?;
    }
    Ok(())
}

fn disk_error(error: &LandingError) -> DiskError {
    DiskError { full: error.is_full(), cause: error.explained().cause }
}
