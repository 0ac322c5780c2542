//! Which paths a manifest may name: those that mean the same file, inside its folder, on every system.

use std::collections::{BTreeMap, btree_map::Entry};

use crate::limits;

/// Why a path must not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadPath {
    /// Nothing, or nothing between two `/`.
    #[error("empty")]
    Empty,
    /// Longer than [`limits::PATH`].
    #[error("longer than {max} bytes", max = limits::PATH)]
    TooLong,
    /// More parts than [`limits::PATH_PARTS`].
    #[error("more than {max} parts", max = limits::PATH_PARTS)]
    TooDeep,
    /// A part longer than the 255 bytes that file systems take.
    #[error("a part longer than 255 bytes")]
    PartTooLong,
    /// Begins at the root: `/…`, a drive, a network share.
    #[error("not relative")]
    Absolute,
    /// `.` or `..`.
    #[error("'.' or '..' in it")]
    Dots,
    /// `\`, `:`, `*`, `?`, `"`, `<`, `>` or `|`, which Windows gives a meaning.
    #[error("a character that is not portable")]
    Character,
    /// A control character, one that turns the direction of writing or has no width, or one that looks like `/`, `\` or `.`.
    #[error("a character that hides something")]
    Hidden,
    /// A part ends in `.` or a space, which Windows drops.
    #[error("a part ends in '.' or a space")]
    Trailing,
    /// `CON`, `NUL`, `COM1`, …: devices on Windows, whatever follows the first dot.
    #[error("a reserved name")]
    Reserved,
    /// Another path of the manifest is the same file where upper and lower case are the same.
    #[error("the same file as another one where case does not matter")]
    Clash,
    /// One path is a file and, in another one, a folder.
    #[error("a file and a folder at once")]
    FileAndFolder,
    /// More folders than [`limits::FILES`] in one manifest.
    #[error("more than {max} folders", max = limits::FILES)]
    TooManyFolders,
}

/// Checks one path by itself. Both ends call it: the sender to fail early, the receiver because nobody is believed.
pub fn check_path(path: &str) -> Result<(), BadPath> {
    if path.len() > limits::PATH {
        return Err(BadPath::TooLong);
    }
    if path.starts_with(['/', '\\']) || path.as_bytes().get(1) == Some(&b':') {
        return Err(BadPath::Absolute);
    }
    if path.chars().any(hides) {
        return Err(BadPath::Hidden);
    }
    if path.contains(['\\', ':', '*', '?', '"', '<', '>', '|']) {
        return Err(BadPath::Character);
    }
    if path.split('/').count() > limits::PATH_PARTS {
        return Err(BadPath::TooDeep);
    }
    path.split('/').try_for_each(check_part)
}

fn check_part(part: &str) -> Result<(), BadPath> {
    match part {
        "" => Err(BadPath::Empty),
        "." | ".." => Err(BadPath::Dots),
        _ if part.len() > 255 => Err(BadPath::PartTooLong),
        _ if part.ends_with(['.', ' ']) => Err(BadPath::Trailing),
        _ if is_reserved(part) => Err(BadPath::Reserved),
        _ => Ok(()),
    }
}

/// Control characters, direction marks, characters without width, line ends, and what fonts or Windows' code pages make
/// look like or turn into a slash, a backslash or a dot.
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
        || matches!(c, '\u{2024}' | '\u{2044}' | '\u{2215}' | '\u{2216}' | '\u{29F5}' | '\u{29F8}' | '\u{29F9}')
        || matches!(c, '\u{FE52}' | '\u{FE68}' | '\u{FF0E}' | '\u{FF0F}' | '\u{FF3C}')
}

/// The device names of Windows, which the part before the first dot makes, with the superscript digits that it also takes.
fn is_reserved(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part).trim_end().to_ascii_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    port.is_some_and(|rest| {
        let mut chars = rest.chars();
        matches!(chars.next(), Some('0'..='9' | '\u{B9}' | '\u{B2}' | '\u{B3}')) && chars.next().is_none()
    })
}

/// Checks the paths of one manifest, each by itself and against those before it.
#[derive(Clone, Debug, Default)]
pub struct PathRules {
    /// Every part of every path, by the folder it lies in and its name in lower case.
    seen: BTreeMap<(u32, String), Node>,
    folders: u32,
}

#[derive(Clone, Debug)]
struct Node {
    /// The folder's number from 1, 0 for a file; the root is folder 0 as well, but never a node.
    folder: u32,
    /// As it was written first.
    name: String,
}

impl PathRules {
    /// Takes the next path, or says why it must not be used.
    pub fn add(&mut self, path: &str) -> Result<(), BadPath> {
        check_path(path)?;
        let (folders, name) = path.rsplit_once('/').map_or((None, path), |(folders, name)| (Some(folders), name));
        let mut parent = 0;
        for part in folders.into_iter().flat_map(|folders| folders.split('/')) {
            parent = self.folder(parent, part)?;
        }
        match self.seen.entry((parent, name.to_lowercase())) {
            Entry::Vacant(free) => {
                free.insert(Node { folder: 0, name: name.to_owned() });
                Ok(())
            }
            Entry::Occupied(taken) if taken.get().folder != 0 => Err(BadPath::FileAndFolder),
            Entry::Occupied(_) => Err(BadPath::Clash),
        }
    }

    /// Two spellings of one folder would be one folder on some systems and two on others.
    fn folder(&mut self, parent: u32, part: &str) -> Result<u32, BadPath> {
        match self.seen.entry((parent, part.to_lowercase())) {
            Entry::Vacant(_) if self.folders as usize >= limits::FILES => Err(BadPath::TooManyFolders),
            Entry::Vacant(free) => {
                self.folders += 1;
                free.insert(Node { folder: self.folders, name: part.to_owned() });
                Ok(self.folders)
            }
            Entry::Occupied(taken) if taken.get().folder == 0 => Err(BadPath::FileAndFolder),
            Entry::Occupied(taken) if taken.get().name != part => Err(BadPath::Clash),
            Entry::Occupied(taken) => Ok(taken.get().folder),
        }
    }
}
