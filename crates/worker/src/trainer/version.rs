//! The trainer's version.

use std::fmt;

/// Older ones can hang at the very end.
pub const MINIMUM: Version = Version(0, 3, 4);

/// Major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The version in an answer to `--version`: `sleap-nn 0.3.5`.
    pub fn parse(answer: &str) -> Option<Self> {
        let text = answer.lines().find_map(|line| line.strip_prefix("sleap-nn"))?.split_whitespace().last()?;
        let mut parts = text.trim_start_matches('v').splitn(3, '.').map(leading_number);
        Some(Self(parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
    }
}

/// `5` of `5`, `5rc1`, `5.dev3`.
fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}
