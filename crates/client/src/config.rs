//! Where the server and the room are, who we are, and how links are made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sleap_rtc_link::Connector;
use sleap_rtc_peer::home::Home;
use sleap_rtc_peer::settings::Settings;
use sleap_rtc_session::ClientTimes;

/// What every verb needs.
#[derive(Clone)]
pub struct Config {
    /// The installation's key and the jobs' files.
    pub home: Home,
    /// The server, the room and its token.
    pub settings: Settings,
    /// Makes links to workers.
    pub connector: Arc<dyn Connector>,
    /// How long making one link may take, from the worker's answer on.
    pub link_timeout: Duration,
    /// How patient a session is with its worker.
    pub times: ClientTimes,
}

impl Config {
    /// With the default times: 20 s for a link, and [`ClientTimes::default`].
    pub fn new(home: Home, settings: Settings, connector: Arc<dyn Connector>) -> Self {
        Self { home, settings, connector, link_timeout: Duration::from_secs(20), times: ClientTimes::default() }
    }
}

/// Without the room's token, which [`Settings`] holds.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("home", &self.home)
            .field("server", &self.settings.server)
            .finish_non_exhaustive()
    }
}
