//! File names that are the same on Linux, macOS and Windows, and that no trainer takes for an option.

/// Longest part of a path that we make, bytes. Systems allow 255 (ext4, in bytes; NTFS, in UTF-16 units); the rest is left for
/// what is put before and after (`12-`, `.predictions.slp`, `.partial-…`).
pub const MAX_MADE: usize = 120;
/// Longest part of a path that we take, bytes.
pub const MAX_TAKEN: usize = 255;
/// Names of Windows' devices, with every ending ("Naming Files, Paths, and Namespaces", Microsoft).
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
/// An ending is kept when a long name is cut, if it is not longer than this, bytes.
const MAX_ENDING: usize = 16;
/// SLEAP's double ending, kept whole.
const PACKAGE: &str = ".pkg.slp";

/// What is wrong with one part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Nothing between two separators, or nothing at all.
    #[error("has an empty part")]
    Empty,
    /// `.` or `..`.
    #[error("has a part that is only dots")]
    Dots,
    /// A character that some system does not have in names, or that turns text around on a screen.
    #[error("has the character {0:?}")]
    Character(char),
    /// A device of Windows.
    #[error("has the name of a Windows device")]
    Device,
    /// Windows drops a dot or a space at the end.
    #[error("has a part that ends with a dot or a space")]
    End,
    /// Longer than [`MAX_TAKEN`].
    #[error("has a part of more than {MAX_TAKEN} bytes")]
    TooLong,
}

/// Whether `part` can be a file's or folder's name on every system.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_part(part: &str) -> Result<(), NameFault> {
    if part.is_empty() {
        return Err(NameFault::Empty);
    }
    if part.chars().all(|c| c == '.') {
        return Err(NameFault::Dots);
    }
    if let Some(c) = part.chars().find(|c| is_forbidden(*c)) {
        return Err(NameFault::Character(c));
    }
    if part.ends_with(['.', ' ']) {
        return Err(NameFault::End);
    }
    if is_device(part) {
        return Err(NameFault::Device);
    }
    if part.len() > MAX_TAKEN { Err(NameFault::TooLong) } else { Ok(()) }
}

/// Makes a name out of anything: the last part of a path, an experiment's title. Letters of every script stay; what some system or
/// the trainer's command line would not take becomes `_`. The same input always gives the same name; two inputs may give one name.
///
/// The result passes [`check_part`], is not empty, has at most [`MAX_MADE`] bytes, and does not begin with `-`, `~` or a space.
pub fn safe_name(name: &str) -> String {
    // `$` begins an interpolation in the trainer's configuration, even within quotes.
    let clean: String = name.chars().map(|c| if is_forbidden(c) || c == '$' { '_' } else { c }).collect();
    let mut clean = clean.trim_start().trim_end_matches(is_loose_end).to_owned();
    if clean.is_empty() {
        clean.push('_');
    }
    if clean.starts_with(['-', '~']) || is_device(&clean) {
        clean.insert(0, '_');
    }
    cut(clean)
}

fn cut(name: String) -> String {
    if name.len() <= MAX_MADE {
        return name;
    }
    let (stem, ending) = name.split_at(ending_at(&name));
    let mut end = MAX_MADE - ending.len();
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    let stem = stem.get(..end).unwrap_or_default().trim_end_matches(is_loose_end);
    format!("{}{ending}", if stem.is_empty() { "_" } else { stem })
}

/// Where the ending begins that a cut must keep; the name's length if there is none.
fn ending_at(name: &str) -> usize {
    let package = name.len().saturating_sub(PACKAGE.len());
    if name.get(package..).is_some_and(|end| end.eq_ignore_ascii_case(PACKAGE)) {
        return package;
    }
    name.rfind('.').filter(|at| name.len() - at <= MAX_ENDING).unwrap_or(name.len())
}

fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
        // Marks that turn the direction of text, line ends, byte order mark: a name would not look as it is.
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn is_loose_end(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part).trim_end();
    if DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) {
        return true;
    }
    let numbered =
        stem.get(..3).is_some_and(|port| port.eq_ignore_ascii_case("COM") || port.eq_ignore_ascii_case("LPT"));
    let mut rest = stem.chars().skip(3);
    numbered && matches!((rest.next(), rest.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
}
