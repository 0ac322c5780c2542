//! The three parts of an error that a user reads.

use std::fmt;

/// An error in the words of the user: printed as `error:`, `cause:` and `hint:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What did not happen.
    pub what: String,
    /// The object and the number.
    pub cause: String,
    /// What to do: where possible, something that can be pasted.
    pub hint: String,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\ncause: {}\nhint: {}", self.what, self.cause, self.hint)
    }
}
