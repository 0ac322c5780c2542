//! The operator's secret: whoever can read the data folder may call `/admin/*`.

use std::fs::OpenOptions;
use std::io::{Error, ErrorKind, Write};
use std::path::Path;

use crate::sys;

/// Bytes of a secret.
const BYTES: usize = 32;

/// Random bytes as lower-case hex.
pub(crate) fn random_hex<const N: usize>() -> Result<String, Error> {
    use std::fmt::Write;

    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::other)?;
    let mut text = String::with_capacity(2 * N);
    for byte in bytes {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Reads the secret, or makes one that its owner alone may read.
pub(crate) fn load_or_make(path: &Path) -> Result<String, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().len() >= BYTES => Ok(text.trim().to_owned()),
        Ok(_) => Err(Error::new(ErrorKind::InvalidData, "the secret is too short; remove the file to get a new one")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let secret = random_hex::<BYTES>()?;
            // Under another name first, so that a crash leaves no half secret under the right one.
            let unfinished = path.with_extension("secret-unfinished");
            let mut options = OpenOptions::new();
            let mut file = sys::private(options.write(true).create(true).truncate(true)).open(&unfinished)?;
            file.write_all(format!("{secret}\n").as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&unfinished, path)?;
            Ok(secret)
        }
        Err(error) => Err(error),
    }
}
