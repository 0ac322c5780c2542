//! Who is asking: the port [`Identity`] and its embedded adapter, [`Local`].
//!
//! Somebody signs in, anonymously or with the key of an installation, and gets an *id token*. Whoever shows the token later
//! is its *subject*. What a subject may do is decided in `access`.

mod error;
mod local;
mod port;
mod sys;

pub use error::{IdentityError, KeyFileError};
pub use local::Local;
pub use port::{Identity, KeyProof, SignedIn, Subject};
