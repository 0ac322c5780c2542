//! What must be remembered over a restart: the port [`Store`] and its adapters.
//!
//! A store only remembers. What may be written, when a room ends and who may ask are decided elsewhere; the one rule that
//! lives here is the *fence*: a room is never overwritten by a server that opened it earlier than another one did.
//!
//! Two adapters pass one suite (`tests/it/conformance.rs`): [`Memory`], which forgets with the process, and [`Sqlite`], one
//! file that survives `kill -9` and power cuts.

mod error;
mod memory;
mod port;
mod sqlite;
mod sys;

pub use error::{OpenError, StoreError};
pub use memory::Memory;
pub use port::{ExpiredAfter, IdentityAfter, Store};
pub use sqlite::Sqlite;
