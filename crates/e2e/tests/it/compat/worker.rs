//! A Python worker process.

use super::lab::word_after;
use super::{Home, Screen};

/// It, on a terminal.
pub(crate) struct PyWorker {
    pub(crate) home: Home,
    pub(crate) screen: Screen,
    pub(crate) id: String,
}

impl PyWorker {
    /// Starts one and waits until it says that it is ready.
    pub(crate) fn start(home: Home, arguments: &[&str]) -> Self {
        let screen = home.cli(&[&["worker", "--name", "gpu-box"], arguments].concat());
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
        self.screen.is_running() && !self.screen.text().contains("reconnected!")
    }
}
