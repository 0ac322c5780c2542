//! The rule for names that come from the other side: which relative paths may be written, alone and together.

use std::collections::HashMap;
use std::path::PathBuf;

use sleap_rtc_wire::limits;

use super::name::{NameFault, check_part};

/// A name from the other side that is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused the file name {name:?}: it {fault}")]
pub struct PathError {
    /// The name, at most its first 200 characters.
    pub name: String,
    /// Why.
    pub fault: PathFault,
}

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// One part of it is not a name on every system. Absolute paths and `a//b` have an empty part, drives a `:`.
    #[error("{0}")]
    Part(#[from] NameFault),
    /// More than [`limits::PATH`] bytes.
    #[error("is longer than {} bytes", limits::PATH)]
    TooLong,
    /// More than [`limits::PATH_PARTS`] parts.
    #[error("has more than {} parts", limits::PATH_PARTS)]
    TooDeep,
    /// The list has this very name already.
    #[error("is there twice")]
    Twice,
    /// Another name of the list is the same where upper and lower case do not differ.
    #[error("differs from {0:?} only in upper and lower case")]
    CaseClash(String),
    /// One name of the list is a file, another wants it as a folder.
    #[error("is a file and a folder at once")]
    FileAndFolder,
    /// More than [`limits::FILES`] names.
    #[error("is one of more than {} files", limits::FILES)]
    TooMany,
}

/// The local form of a relative path that another machine names, `/` between its parts; to be joined to a folder of ours.
///
/// # Errors
/// It climbs (`..`), is absolute, has a drive, a backslash, a control character, a device's name, a part that ends with a dot or a
/// space, too many parts or bytes.
pub fn safe_relative_path(name: &str) -> Result<PathBuf, PathError> {
    check(name).map_err(|fault| refusal(name, fault))
}

fn check(name: &str) -> Result<PathBuf, PathFault> {
    if name.len() > limits::PATH {
        return Err(PathFault::TooLong);
    }
    if name.split('/').count() > limits::PATH_PARTS {
        return Err(PathFault::TooDeep);
    }
    let mut path = PathBuf::new();
    for part in name.split('/') {
        check_part(part)?;
        path.push(part);
    }
    Ok(path)
}

fn refusal(name: &str, fault: PathFault) -> PathError {
    PathError { name: name.chars().take(200).collect(), fault }
}

/// A list of names that can all be written into one folder, on a system that tells upper from lower case and on one that does not.
#[derive(Debug, Default)]
pub struct PathSet {
    /// By their folded form.
    files: HashMap<String, String>,
    folders: HashMap<String, String>,
}

impl PathSet {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many names are in it.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether it has no names.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Takes one more name and gives its local form.
    ///
    /// # Errors
    /// Those of [`safe_relative_path`], and that it clashes with a name that is there. The list is then as before.
    pub fn insert(&mut self, name: &str) -> Result<PathBuf, PathError> {
        self.try_insert(name).map_err(|fault| refusal(name, fault))
    }

    fn try_insert(&mut self, name: &str) -> Result<PathBuf, PathFault> {
        let path = check(name)?;
        if self.files.len() >= limits::FILES {
            return Err(PathFault::TooMany);
        }
        let key = fold(name);
        match self.files.get(&key) {
            Some(other) if other == name => return Err(PathFault::Twice),
            Some(other) => return Err(PathFault::CaseClash(other.clone())),
            None => {}
        }
        if self.folders.contains_key(&key) {
            return Err(PathFault::FileAndFolder);
        }
        let folders: Vec<_> = name.match_indices('/').filter_map(|(at, _)| name.get(..at)).collect();
        for folder in &folders {
            let key = fold(folder);
            if self.files.contains_key(&key) {
                return Err(PathFault::FileAndFolder);
            }
            if let Some(other) = self.folders.get(&key).filter(|other| other != folder) {
                return Err(PathFault::CaseClash(other.clone()));
            }
        }
        self.folders.extend(folders.into_iter().map(|folder| (fold(folder), folder.to_owned())));
        self.files.insert(key, name.to_owned());
        Ok(path)
    }
}

/// One form for all spellings that some system takes as the same: upper first, so that `ß`/`SS` and `ς`/`σ` meet as well.
fn fold(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}
