//! What an account, a key and a computer may be called.

use std::ops::RangeInclusive;

/// Characters of an account's name: GitHub's bound.
const USERNAME: RangeInclusive<usize> = 1..=39;
/// Characters of what a key or a computer is called.
const LABEL: usize = 64;

/// A name that nothing may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Of an account.
    #[error("invalid username: must be 1 to 39 letters, digits, '-', '_' or '.', and begin with a letter or digit")]
    Username,
    /// Of a key or a computer.
    #[error("invalid name: must be 1 to 64 characters without control characters")]
    Label,
}

/// Checks what a person wants to be called.
pub fn username(name: &str) -> Result<(), NameError> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let is_good = USERNAME.contains(&name.len()) && begins && name.bytes().all(is_word);
    if is_good { Ok(()) } else { Err(NameError::Username) }
}

/// Checks what a key or a computer is called.
pub fn label(name: &str) -> Result<(), NameError> {
    let is_good = !name.trim().is_empty() && name.chars().count() <= LABEL && !name.chars().any(char::is_control);
    if is_good { Ok(()) } else { Err(NameError::Label) }
}
