//! A laboratory in one temporary folder: a server, workers and laptops as real processes of the real program.
//!
//! Nothing here sleeps for a time: everything waits for a condition, with a deadline that only a broken program meets. When a
//! [`House`] is left, it looks for processes that were left behind in it, and fails if there are any.

pub(crate) mod binary;
pub(crate) mod desk;
pub(crate) mod disk;
pub(crate) mod leftovers;
pub(crate) mod program;
pub(crate) mod story;
pub(crate) mod wait;
pub(crate) mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use desk::Desk;
pub(crate) use program::{Ended, Program};
pub(crate) use story::Story;
pub(crate) use wait::until;
pub(crate) use worker::Worker;

/// The repository's example data.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// The folder, and what its server and room are called.
pub(crate) struct House {
    folder: TempDir,
    server: Option<Program>,
    address: Address,
    environment: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default)]
struct Address {
    http: String,
    ws: String,
    stun: String,
}

impl House {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("sleap-rtc-e2e-").tempdir().expect("a folder");
        Self { folder, server: None, address: Address::default(), environment: Vec::new() }
    }

    /// One with a server, but no room yet.
    pub(crate) fn with_server() -> Self {
        let mut house = Self::empty();
        house.first_server();
        house
    }

    /// One with a server and a room that every desk knows.
    pub(crate) fn with_room() -> Self {
        let mut house = Self::empty();
        house.open();
        house
    }

    /// Starts a server and makes a room.
    pub(crate) fn open(&mut self) {
        self.first_server();
        self.make_room(&["--name", "lab"]);
    }

    fn first_server(&mut self) {
        self.start_server(["0", "0", "0"]);
        self.set("SLEAP_RTC_SERVER", &self.address.http.clone());
    }

    /// Its process.
    pub(crate) fn server(&self) -> &Program {
        self.server.as_ref().expect("a server")
    }

    /// Makes a room and tells every desk that comes later.
    pub(crate) fn make_room(&mut self, arguments: &[&str]) -> Value {
        let admin = self.desk("admin");
        let made = admin.run(&[&["--json", "room", "create"], arguments].concat()).good();
        let room = made.events().into_iter().find(|event| event["event"] == "room_created").expect("a room");
        self.set("SLEAP_RTC_ROOM_ID", room["room_id"].as_str().expect("an id"));
        self.set("SLEAP_RTC_ROOM_TOKEN", room["token"].as_str().expect("a token"));
        room
    }

    fn start_server(&mut self, [http, ws, stun]: [&str; 3]) {
        let data = self.path().join("server").display().to_string();
        let arguments = [
            "--json",
            "server",
            "--listen",
            "127.0.0.1",
            "--http-port",
            http,
            "--ws-port",
            ws,
            "--relay-port",
            "off",
            "--stun-port",
            stun,
            "--data",
            &data,
            "--until-eof",
        ];
        let server = self.desk("admin").start(&arguments);
        let listening = server.event("listening");
        let text = |name: &str| listening[name].as_str().expect("an address").to_owned();
        self.address = Address { http: text("http"), ws: text("ws"), stun: text("stun") };
        self.server = Some(server);
    }

    /// Ends the server as a power cut does.
    pub(crate) fn kill_server(&mut self) {
        self.server.take().expect("a server").kill();
    }

    /// Asks the server to end, and waits.
    pub(crate) fn end_server(&mut self) {
        let server = self.server.take().expect("a server");
        server.signal(rustix::process::Signal::TERM);
        server.end().good();
    }

    /// Starts it again, on the same ports and data.
    pub(crate) fn restart_server(&mut self) {
        let port = |url: &str| url.rsplit(':').next().expect("a port").to_owned();
        let [http, ws, stun] = [&self.address.http, &self.address.ws, &self.address.stun].map(|address| port(address));
        self.start_server([&http, &ws, &stun]);
    }

    /// The server's HTTP address.
    pub(crate) fn http(&self) -> &str {
        &self.address.http
    }

    /// The server's WebSocket address.
    pub(crate) fn ws(&self) -> &str {
        &self.address.ws
    }

    /// The server's STUN responder.
    pub(crate) fn stun(&self) -> &str {
        &self.address.stun
    }

    /// What every desk that comes later has in its environment.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// A value of the environment.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.environment.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A place of work with a home, and so an installation, of its own. The same name is the same place.
    pub(crate) fn desk(&self, name: &str) -> Desk {
        Desk::new(self.path().join(name), self.environment.clone())
    }

    /// A worker on the CPU with the stand-in for its trainer, in the room and waiting.
    pub(crate) fn worker(&self) -> Worker {
        self.worker_with(&[])
    }

    /// The same with faults and delays of the stand-in.
    pub(crate) fn worker_with(&self, knobs: &[(&str, &str)]) -> Worker {
        self.worker_that(knobs, &[])
    }

    /// The same with more arguments.
    pub(crate) fn worker_that(&self, knobs: &[(&str, &str)], more: &[&str]) -> Worker {
        Worker::start(self, knobs, more)
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The line of `status` about each worker that is in the room, as a laptop sees it.
    pub(crate) fn workers(&self) -> Vec<Value> {
        self.seen("peer")
    }

    /// The lines of `status` about workers: `peer` for those that are there, `missing` for those that are silent or lost.
    fn seen(&self, event: &str) -> Vec<Value> {
        let seen = self.desk("onlooker").run(&["--json", "status"]).good();
        seen.events().into_iter().filter(|peer| peer["event"] == event && peer["role"] == "worker").collect()
    }

    /// What the only worker says it is: `available`, …; `silent` or `lost` if it is missed, `gone` if there is none.
    pub(crate) fn status(&self) -> String {
        let mut seen = self.workers();
        if seen.is_empty() {
            seen = self.seen("missing");
        }
        seen.first().map_or("gone".to_owned(), |worker| worker["status"].as_str().unwrap_or("?").to_owned())
    }

    /// Waits until the only worker says so.
    pub(crate) fn until_status(&self, wanted: &str) {
        until(&format!("the worker is {wanted}"), || {
            let status = self.status();
            // Each look is a program and a sign-in of its own; the server allows so many a minute.
            (status == wanted).then_some(()).or_else(|| wait::pause(Duration::from_millis(200)))
        });
    }
}

impl Drop for House {
    fn drop(&mut self) {
        drop(self.server.take());
        let left = leftovers::after_a_while(self.path());
        if !std::thread::panicking() {
            assert!(left.is_empty(), "processes were left behind: {left:#?}");
        }
    }
}
