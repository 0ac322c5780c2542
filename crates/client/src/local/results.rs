//! Names that come from the other side, as places on this disk.
//!
//! The rule itself is [`check_path`], the same for both ends; for whole lists, with names that meet where upper and lower case do not
//! differ, [`PathRules`].

use std::path::PathBuf;

pub use sleap_rtc_wire::manifest::{BadPath, PathRules, check_path};

/// A name from the other side that is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused the file name {name:?}: {why}")]
pub struct PathError {
    /// The name, at most its first 200 characters.
    pub name: String,
    /// What is wrong with it.
    pub why: BadPath,
}

impl PathError {
    pub(super) fn new(name: &str, why: BadPath) -> Self {
        Self { name: name.chars().take(200).collect(), why }
    }
}

/// The local form of a relative path that another machine names, `/` between its parts; to be joined to a folder of ours.
///
/// # Errors
/// It climbs (`..`), is absolute, has a drive, a backslash, a control character, a device's name, a part that ends with a dot or a
/// space, too many parts or bytes.
pub fn safe_relative_path(name: &str) -> Result<PathBuf, PathError> {
    check_path(name).map_err(|why| PathError::new(name, why))?;
    Ok(name.split('/').collect())
}
