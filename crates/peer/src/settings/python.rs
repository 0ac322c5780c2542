//! Where the Python package on this machine goes to: it reads some of the same places, in its own way.

use std::path::Path;

use super::{Layer, PROJECT_FILE, Server, Setting, SettingsError, address};
use crate::env::{self, Environment};
use crate::home::Home;

/// The servers that the Python package talks to; `None`: nobody said so, and it takes its public one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonServers {
    /// For calls.
    pub http: Option<Setting<Server>>,
    /// For signaling.
    pub ws: Option<Setting<Server>>,
    /// The page where it logs in, whatever the address is.
    pub dashboard: Option<String>,
}

impl PythonServers {
    /// Reads them: the environment, then the project's file or, only if there is none, the user's. `home` is the folder that the
    /// Python package knows, `~/.sleap-rtc`.
    pub fn load(environment: &Environment, home: &Home, folder: &Path) -> Result<Self, SettingsError> {
        let table = environment.get(env::ENV).unwrap_or("production").to_ascii_lowercase();
        let file = match Layer::of_file(&folder.join(PROJECT_FILE), &table)? {
            Some(file) => Some(file),
            None => Layer::of_file(&home.config_file(), &table)?,
        };
        let (set, file) = (Layer::of_environment(environment), file.unwrap_or_default());
        let parsed = |first: Option<Setting<String>>, second: Option<Setting<String>>| {
            let found = first.or(second);
            found
                .map(|Setting { value, source }| address(&value, &source).map(|value| Setting { value, source }))
                .transpose()
        };
        Ok(Self {
            http: parsed(set.http, file.http)?,
            ws: parsed(set.ws, file.ws)?,
            dashboard: environment.get(env::DASHBOARD_URL).map(str::to_owned),
        })
    }
}
