//! The program as a process, with a home of its own, and a server beside it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A home folder and what the environment says.
pub(crate) struct Sandbox {
    pub(crate) folder: TempDir,
    environment: Vec<(String, String)>,
    host: Option<String>,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), environment: Vec::new(), host: None }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// What the environment says last.
    pub(crate) fn value(&self, name: &str) -> String {
        let found = self.environment.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).expect("it is set")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sleap-rtc"));
        // Only what a program needs to run at all; nothing of whoever runs the tests.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path()).envs(self.environment.iter().cloned());
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    /// Exit code, standard output, standard error; addresses, folders and ids replaced.
    pub(crate) fn told(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let out = String::from_utf8(output.stdout).expect("text");
        let err = String::from_utf8(output.stderr).expect("text");
        let text = format!(
            "exit {}\n{out}{}{err}",
            output.status.code().expect("a code"),
            if err.is_empty() { "" } else { "---\n" }
        );
        self.blur(&text)
    }

    /// This machine's name is another one everywhere.
    pub(crate) fn hide_host(&mut self) {
        self.host = Some(sleap_rtc_worker::host_name());
    }

    fn blur(&self, text: &str) -> String {
        let mut text = text.replace(&self.path().display().to_string(), "HOME");
        if let Some(host) = &self.host {
            text = text.replace(&format!(", {host},"), ", <HOST>,");
        }
        for (name, value) in &self.environment {
            text = text.replace(value.trim_start_matches("http://"), &format!("<{name}>"));
        }
        text.trim_end().to_owned()
    }
}

/// Another computer with the same server.
pub(crate) fn another(sandbox: &Sandbox) -> Sandbox {
    let mut other = Sandbox::new();
    other.set("SLEAP_RTC_SERVER", &sandbox.value("SLEAP_RTC_SERVER"));
    other
}

/// A computer and its server.
pub(crate) fn with_server() -> (Sandbox, Server) {
    let mut sandbox = Sandbox::new();
    let server = Server::start(&sandbox);
    sandbox.set("SLEAP_RTC_SERVER", &server.url);
    sandbox.hide_host();
    (sandbox, server)
}

/// The only event of a command.
pub(crate) fn event(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = sandbox.run(&[&["--json"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one event")
}

/// A server on free ports; it ends with its standard input.
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(sandbox: &Sandbox) -> Self {
        Self::start_at(sandbox, "0")
    }

    /// Ends, and comes up again at the same address.
    pub(crate) fn again(self, sandbox: &Sandbox) -> Self {
        let port = self.url.rsplit(':').next().expect("a port").to_owned();
        assert_eq!(self.end(), Some(0));
        Self::start_at(sandbox, &port)
    }

    fn start_at(sandbox: &Sandbox, port: &str) -> Self {
        let ports = ["--http-port", port, "--ws-port", "0", "--relay-port", "off", "--stun-port", "off"];
        let arguments = [&["--json", "server", "--listen", "127.0.0.1"], &ports[..], &["--until-eof"]].concat();
        let mut command = sandbox.command(&arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let event: Value = serde_json::from_str(&line).expect("an event");
        assert_eq!(event["event"], "listening", "{line}");
        let url = event["http"].as_str().expect("an address").to_owned();
        Self { stdin: child.stdin.take(), child, url }
    }

    /// A server and a room; the sandbox's environment names both.
    pub(crate) fn with_room(sandbox: &mut Sandbox) -> Self {
        let server = Self::start(sandbox);
        sandbox.set("SLEAP_RTC_SERVER", &server.url);
        let output = sandbox.run(&["--json", "room", "create", "--name", "lab"]);
        let room: Value = serde_json::from_slice(&output.stdout).expect("a room");
        sandbox.set("SLEAP_RTC_ROOM_ID", room["room_id"].as_str().expect("an id"));
        sandbox.set("SLEAP_RTC_ROOM_TOKEN", room["token"].as_str().expect("a token"));
        server
    }

    /// Ends it in order and says how it ended.
    pub(crate) fn end(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // Already ended is what is wanted.
        let _ = self.child.wait();
    }
}
