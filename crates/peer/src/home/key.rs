//! The installation's key: made once, by whichever process comes first.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sleap_rtc_session::KeyPair;
use sleap_rtc_wire::PeerId;

use super::files::{prepare, read, sync_folder};
use super::{Home, HomeError};

/// What the file begins with, before the secret half in url-safe base64 without padding.
const HEAD: &str = "sleap-rtc ed25519 v1 ";

impl Home {
    /// The installation's key. Made if there is none; of two processes that come first at once, both get the same.
    pub fn installation_key(&self) -> Result<KeyPair, HomeError> {
        let path = self.folder.join("installation.key");
        if let Some(text) = read(&path)? {
            return parse(&path, &text);
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| HomeError::Random(error.to_string()))?;
        let file = prepare(&path, &format!("{HEAD}{}\n", URL_SAFE_NO_PAD.encode(seed)))?;
        match file.persist_noclobber(&path) {
            Ok(_) => {
                sync_folder(&path)?;
                Ok(KeyPair::from_seed(&seed))
            }
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                let text = read(&path)?.ok_or_else(|| HomeError::invalid(&path, "was removed while it was read"))?;
                parse(&path, &text)
            }
            Err(error) => Err(HomeError::io(&path)(error.error)),
        }
    }
}

fn parse(path: &Path, text: &str) -> Result<KeyPair, HomeError> {
    let seed = text
        .strip_prefix(HEAD)
        .and_then(|secret| URL_SAFE_NO_PAD.decode(secret.trim_end()).ok())
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    match seed {
        Some(seed) => Ok(KeyPair::from_seed(&seed)),
        None => Err(HomeError::invalid(path, "is not a key; move it away to get a new one")),
    }
}

/// The peer id of one client process: two of one user at once differ by `random`, and each keeps its own over reconnects.
pub fn client_peer_id(key: &KeyPair, random: u32) -> PeerId {
    let text = format!("client-{}-{random:08x}", &key.public().member().as_str()[..8]);
    // 24 letters, digits and '-' are always a peer id.
    PeerId::new(&text).unwrap_or_else(|_| unreachable!())
}
