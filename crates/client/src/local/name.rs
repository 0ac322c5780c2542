//! File names that are the same on Linux, macOS and Windows, and that no trainer takes for an option.

use sleap_rtc_wire::manifest::{BadPath, check_path};

/// Longest part of a path that we make, bytes. Systems allow 255 (ext4, in bytes; NTFS, in UTF-16 units); the rest is left for
/// what is put before and after (`12-`, `.predictions.slp`, `.partial-…`).
pub const MAX_MADE: usize = 120;
/// An ending is kept when a long name is cut, if it is not longer than this, bytes.
const MAX_ENDING: usize = 16;
/// SLEAP's double ending, kept whole.
const PACKAGE: &str = ".pkg.slp";

/// Makes a name out of anything: the last part of a path, an experiment's title. Letters of every script stay; what some system or
/// the trainer's command line would not take becomes `_`. The same input always gives the same name; two inputs may give one name.
///
/// The result is one part that passes [`check_path`], is not empty, has at most [`MAX_MADE`] bytes, and does not begin with `-`, `~` or a space.
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

/// What no name may have: everything that [`check_path`] refuses for the character's sake.
fn is_forbidden(c: char) -> bool {
    matches!(check_path(c.encode_utf8(&mut [0; 4])), Err(BadPath::Absolute | BadPath::Character | BadPath::Hidden))
}

fn is_loose_end(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

fn is_device(part: &str) -> bool {
    check_path(part) == Err(BadPath::Reserved)
}
