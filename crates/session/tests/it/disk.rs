//! One end's disk, as the transfers see it.

use std::collections::BTreeMap;

use bytes::Bytes;
use sleap_rtc_session::{DiskAnswer, DiskRequest};
use sleap_rtc_wire::manifest::Hash;

use crate::fixtures::Files;

/// One end's disk.
#[derive(Default)]
pub(crate) struct Disk {
    /// What it sends.
    pub(crate) source: Files,
    /// Chunks kept.
    pub(crate) store: BTreeMap<Hash, Bytes>,
    /// Files made.
    pub(crate) made: Files,
    /// Bytes that still fit.
    pub(crate) room: Option<usize>,
    /// Every chunk that was written, in order.
    pub(crate) written: Vec<Hash>,
    pub(crate) assembled: u32,
}

impl Disk {
    pub(crate) fn with(source: Files) -> Self {
        Self { source, ..Self::default() }
    }

    fn full(&self, bytes: usize) -> bool {
        self.room.is_some_and(|room| room < bytes)
    }

    pub(crate) fn answer(&mut self, request: DiskRequest) -> DiskAnswer {
        match request {
            DiskRequest::Read { chunk, path, offset, len } => match self.source.get(&path) {
                Some(bytes) => {
                    let piece = bytes.get(offset as usize..offset as usize + len as usize).unwrap_or_default();
                    DiskAnswer::Read { chunk, bytes: Bytes::copy_from_slice(piece) }
                }
                None => DiskAnswer::SourceFailed { cause: format!("{path}: no such file") },
            },
            DiskRequest::Query { query, hashes } => {
                DiskAnswer::Have { query, have: hashes.iter().map(|hash| self.store.contains_key(hash)).collect() }
            }
            DiskRequest::Store { bytes, .. } if self.full(bytes.len()) => {
                DiskAnswer::StoreFailed { full: true, cause: "no space left on device".to_owned() }
            }
            DiskRequest::Store { hash, bytes } => {
                assert_eq!(Hash::of(&bytes), hash, "only checked chunks are stored");
                self.room = self.room.map(|room| room - bytes.len());
                self.written.push(hash);
                self.store.insert(hash, bytes);
                DiskAnswer::Stored { hash }
            }
            DiskRequest::Assemble { manifest } => {
                manifest.check().unwrap();
                self.assembled += 1;
                self.made = manifest.files.iter().map(|file| (file.path.clone(), Vec::new())).collect();
                for (span, chunk) in manifest.spans() {
                    let path = &manifest.files[span.file].path;
                    self.made.get_mut(path).unwrap().extend_from_slice(&self.store[&chunk.hash]);
                }
                DiskAnswer::Assembled
            }
        }
    }
}
