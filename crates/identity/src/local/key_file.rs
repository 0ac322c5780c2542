//! The server's signing key: made at first use, kept beside the store.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use ed25519_dalek::SigningKey;

use crate::{KeyFileError, sys};

/// Reads the key, or makes one that its owner alone may read.
pub(super) fn load_or_make(path: &Path) -> Result<SigningKey, KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    match std::fs::File::open(path) {
        Ok(file) => {
            let mut text = String::new();
            // Twice what a key needs: enough to see that a longer file is none.
            file.take(128).read_to_string(&mut text).map_err(io)?;
            let secret = bytes(text.trim_end()).ok_or_else(|| KeyFileError::NotAKey(path.to_owned()))?;
            Ok(SigningKey::from_bytes(&secret))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).map_err(|error| KeyFileError::Random(error.to_string()))?;
            write(path, &hex(&secret)).map_err(io)?;
            Ok(SigningKey::from_bytes(&secret))
        }
        Err(error) => Err(io(error)),
    }
}

/// Under another name first, so that a crash leaves no half key under the right one.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("key-unfinished");
    let mut options = OpenOptions::new();
    let mut file = sys::private(options.write(true).create(true).truncate(true)).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

fn hex(secret: &[u8; 32]) -> String {
    use std::fmt::Write;

    let mut text = String::with_capacity(65);
    for byte in secret {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    text
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let pairs: Vec<u8> =
        digits.filter(|digits| digits.len() == 64)?.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    pairs.try_into().ok()
}
