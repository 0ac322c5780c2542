//! The embedded adapter: tokens that this server signs, identities in its own store.

mod adapter;
mod key_file;
mod nonce;
mod token;

pub use adapter::Local;
