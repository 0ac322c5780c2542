//! `credentials.json`: written by the Python program and by us; each keeps what it does not know.

use std::fs::File;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sleap_rtc_session::KeyPair;
use sleap_rtc_wire::PublicKey;

use super::files::{read, replace};
use super::{Home, HomeError};

/// The contents of `credentials.json`. Secrets: never printed.
#[derive(Clone, Default)]
pub struct Credentials(pub Map<String, Value>);

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Credentials {
    /// The public half of the Python program's own key, if there is one.
    pub fn python_key(&self) -> Option<PublicKey> {
        let text = self.0.get("private_key")?.as_str()?.trim_end_matches('=');
        let seed: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        Some(KeyPair::from_seed(&seed).public())
    }
}

impl Home {
    /// What is there; empty if there is no file.
    pub fn credentials(&self) -> Result<Credentials, HomeError> {
        let path = self.folder.join("credentials.json");
        let Some(text) = read(&path)? else { return Ok(Credentials::default()) };
        // The error of a parser may quote what it read.
        let value = serde_json::from_str(&text).map_err(|error| {
            HomeError::invalid(&path, format!("not a JSON object (line {}, column {})", error.line(), error.column()))
        })?;
        Ok(Credentials(value))
    }

    /// Changes the file, keeping what `change` does not touch. One process at a time; readers see the old or the new one.
    pub fn change_credentials(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), HomeError> {
        let path = self.folder.join("credentials.json");
        let lock_path = self.folder.join("credentials.lock");
        std::fs::create_dir_all(&self.folder).map_err(HomeError::io(&self.folder))?;
        let lock = File::create(&lock_path).map_err(HomeError::io(&lock_path))?;
        lock.lock().map_err(HomeError::io(&lock_path))?;
        let mut credentials = self.credentials()?;
        change(&mut credentials.0);
        let text = format!("{:#}\n", Value::Object(credentials.0));
        replace(&path, &text)
    }
}
