//! Every environment variable that our programs read, in one place.
//!
//! They are looked up through [`Environment`], so that tests need not change the process's own.

use std::collections::BTreeMap;

/// One base address of the server, e.g. `http://admin-box:8001`: both HTTP and WebSocket are there, because each port serves
/// both.
pub const SERVER: &str = "SLEAP_RTC_SERVER";
/// Where the server's HTTP side has an address of its own. The Python program's variable.
pub const SIGNALING_HTTP: &str = "SLEAP_RTC_SIGNALING_HTTP";
/// Where the server's WebSocket side has an address of its own. The Python program's variable.
pub const SIGNALING_WS: &str = "SLEAP_RTC_SIGNALING_WS";
/// Which `[environments.…]` table of the configuration files counts, `production` if unset. The Python program's variable.
pub const ENV: &str = "SLEAP_RTC_ENV";
/// The page where the Python program logs in. Read by `doctor`, which says whether it is the server's.
pub const DASHBOARD_URL: &str = "SLEAP_DASHBOARD_URL";
/// The key of an account that the Python program shows. A secret. `doctor` looks whether it is set.
pub const ACCOUNT_KEY: &str = "SLEAP_RTC_ACCOUNT_KEY";
/// The token by which a worker of the Python program comes into its room. A secret. `doctor` looks whether it is set.
pub const API_KEY: &str = "SLEAP_RTC_API_KEY";
/// Who the server is at GitHub, where people log in by it. Read by `server`; the deployed server's variable.
pub const GITHUB_CLIENT_ID: &str = "GITHUB_CLIENT_ID";
/// The secret that goes with it. A secret.
pub const GITHUB_CLIENT_SECRET: &str = "GITHUB_CLIENT_SECRET";
/// Where GitHub sends browsers back to, if it is not what is registered there.
pub const GITHUB_REDIRECT_URI: &str = "GITHUB_REDIRECT_URI";
/// The room, as `room create` printed it.
pub const ROOM_ID: &str = "SLEAP_RTC_ROOM_ID";
/// The room's password. A secret.
pub const ROOM_TOKEN: &str = "SLEAP_RTC_ROOM_TOKEN";
/// The user that `test-room` made: its id token. A secret. Set for the command that it runs, read by nobody of ours.
pub const ID_TOKEN: &str = "SLEAP_RTC_ID_TOKEN";
/// The peer id that goes with it. Set for the command that `test-room` runs, read by nobody of ours.
pub const PEER_ID: &str = "SLEAP_RTC_PEER_ID";
/// Set to anything: a server that is not in a private network may be talked to without encryption.
pub const INSECURE: &str = "SLEAP_RTC_INSECURE";
/// File with the certificates (PEM) by whose word a server is believed, and nobody else's.
pub const CA: &str = "SLEAP_RTC_CA";
/// Folder of settings and keys, `~/.sleap-rtc` if unset.
pub const HOME: &str = "SLEAP_RTC_HOME";
/// The `sleap-nn` program that workers run. Read by the command line.
pub const TRAINER: &str = "SLEAP_RTC_TRAINER";
/// `error`, `warn`, `info` or `debug`. Read by the command line.
pub const LOG: &str = "SLEAP_RTC_LOG";
/// Set to anything: no colours. Read by the command line.
pub const NO_COLOR: &str = "NO_COLOR";

/// Variables and their values. Empty ones count as unset.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's own.
    pub fn of_process() -> Self {
        Self::of(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// These and no others.
    pub fn of<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }
}
