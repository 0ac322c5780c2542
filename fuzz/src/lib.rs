//! What the fuzz targets do with their bytes. `tests/corpus.rs` does the same with the seeds and with everything that was ever found.

pub mod bodies;
pub mod decode;
pub mod room;
