//! A Python worker process.

use super::lab::word_after;
use super::{Home, Screen};

/// What it says of a connection to the server that has ended, from the first word to the last.
const LOST: [&str; 5] = [
    "presumed stale",
    "Signaling connection ended",
    "Will attempt to reconnect",
    "Reconnection attempt",
    // Of a client's link it says so too, in other words.
    " reconnected! (",
];

/// It, on a terminal.
pub(crate) struct PyWorker {
    pub(crate) home: Home,
    pub(crate) screen: Screen,
    pub(crate) id: String,
}

impl PyWorker {
    /// Starts one and waits until it says that it is ready.
    pub(crate) fn start(home: Home, arguments: &[&str]) -> Self {
        Self::named("gpu-box", home, arguments)
    }

    /// The same under another name.
    pub(crate) fn named(name: &str, home: Home, arguments: &[&str]) -> Self {
        let screen = home.cli(&[&["worker", "--name", name], arguments].concat());
        let text = screen.shows("Peer ID:");
        let id = word_after(&text, "Peer ID:");
        Self { home, screen, id }
    }

    /// What a training of the flies asks for, for the api.
    pub(crate) fn training(&self, epochs: u32, wait_for_inference: bool) -> String {
        let options = serde_json::json!({
            "worker_id": self.id,
            "config_path": self.home.at("centroid.yaml"),
            "labels_path": self.home.at("flies.pkg.slp"),
            "max_epochs": epochs,
            "wait_for_inference": wait_for_inference,
        });
        options.to_string()
    }

    /// Whether it has run all the time, on one connection.
    pub(crate) fn has_never_dropped_its_link(&self) -> bool {
        let text = self.screen.text();
        self.screen.is_running() && !LOST.iter().any(|words| text.contains(words))
    }
}
