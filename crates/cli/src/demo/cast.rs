//! The processes of the demo, and the steps in which they come on.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::stage::Stage;
use crate::commands::room_create;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::processes::{Process, in_foreground, program};
use crate::ticker::Ticker;

/// The run's name, and so the folder of its model.
pub(crate) const RUN: &str = "flies";

/// Server and worker, as soon as they are there.
#[derive(Debug, Default)]
pub(crate) struct Cast {
    server: Option<Process>,
    worker: Option<Process>,
    environment: Vec<(&'static str, OsString)>,
}

impl Cast {
    /// The server comes up on free ports of this machine.
    pub(crate) async fn server(&mut self, stage: &Stage, printer: Printer) -> CliResult {
        typed(printer, "admin", "sleap-rtc server");
        let data = stage.server();
        let arguments: [OsString; 13] = [
            "server".into(),
            "--listen".into(),
            "127.0.0.1".into(),
            "--http-port".into(),
            "0".into(),
            "--ws-port".into(),
            "0".into(),
            "--relay-port".into(),
            "off".into(),
            "--stun-port".into(),
            "off".into(),
            "--data".into(),
            data.clone().into(),
        ];
        let server = self.server.insert(Process::start("server", arguments, none(), &data.join("log"))?);
        let url = text(&server.event("listening").await?, "http")?;
        printer.note(&format!("        listens on {url}"));
        self.environment.push(("SLEAP_RTC_SERVER", url.into()));
        Ok(())
    }

    /// A room is made.
    pub(crate) async fn room(&mut self, stage: &Stage, printer: Printer) -> CliResult {
        typed(printer, "admin", "sleap-rtc room create --name demo");
        let mut command = program()?;
        command.args(["--json", "room", "create", "--name", "demo"]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("SLEAP_RTC_HOME", stage.server().join("home")).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.map_err(|error| CliError::internal("cannot start").because(&error))?;
        let created: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let (Ok(id), Ok(token)) = (text(&created, "room_id"), text(&created, "token")) else {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(CliError::internal("cannot make a room").cause(errors.trim()));
        };
        for line in room_create::lines(&id, "…", created["expires_at"].as_u64(), room_create::now(), None) {
            printer.note(format!("        {line}").trim_end());
        }
        self.environment.push(("SLEAP_RTC_ROOM_ID", id.into()));
        self.environment.push(("SLEAP_RTC_ROOM_TOKEN", token.into()));
        Ok(())
    }

    /// The worker joins.
    pub(crate) async fn worker(&mut self, stage: &Stage, trainer: &Path, gpu: bool, printer: Printer) -> CliResult {
        typed(printer, "gpu", "export SLEAP_RTC_SERVER=… SLEAP_RTC_ROOM_ID=… SLEAP_RTC_ROOM_TOKEN=…");
        let device: &[&str] = if gpu { &["--gpu", "0"] } else { &["--cpu"] };
        typed(printer, "gpu", &format!("sleap-rtc worker {}", device.join(" ")));
        let home = stage.worker();
        let environment = self
            .environment
            .iter()
            .cloned()
            .chain([("SLEAP_RTC_HOME", home.clone().into()), ("SLEAP_RTC_TRAINER", trainer.into())]);
        let data = home.join("data");
        let fixed = ["worker", "--name", "gpu-box", "--data"].map(OsString::from);
        let arguments = fixed.into_iter().chain([data.into()]).chain(device.iter().map(OsString::from));
        let worker = self.worker.insert(Process::start("worker", arguments, environment, &home.join("log"))?);
        let mut wait = Ticker::new(printer, "        starting");
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let ready = {
            let ready = worker.event("ready");
            tokio::pin!(ready);
            loop {
                tokio::select! {
                    event = &mut ready => break event?,
                    _ = tick.tick() => wait.tick(),
                }
            }
        };
        drop(wait);
        printer.note(&format!("        waits for jobs as {}", text(&ready, "peer_id")?));
        Ok(())
    }

    /// The researcher trains; the client draws its own screen.
    pub(crate) async fn train(&mut self, stage: &Stage, printer: Printer) -> CliResult {
        let words = ["train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "2", "--run-name", RUN];
        typed(printer, "laptop", &format!("sleap-rtc {}", words.join(" ")));
        let mut command = program()?;
        command.args(words).arg("--until-eof").envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("SLEAP_RTC_HOME", stage.laptop().join(".sleap-rtc")).current_dir(stage.laptop());
        if printer.json() {
            command.arg("--json");
        } else {
            // Our own standard output ends with the path of the model and has nothing else.
            command.stdout(std::io::stderr());
        }
        let (Some(server), Some(worker)) = (&mut self.server, &mut self.worker) else {
            return Err(CliError::internal("the server and the worker come first"));
        };
        let status = tokio::select! {
            status = in_foreground(&mut command) => status?,
            error = server.drain() => return Err(error),
            error = worker.drain() => return Err(error),
        };
        if status.success() {
            return Ok(());
        }
        let exit = Exit::ALL.into_iter().find(|exit| status.code() == Some(i32::from(exit.number())));
        Err(CliError::new(exit.unwrap_or(Exit::Internal), "the training of the demo did not succeed")
            .cause(format!("sleap-rtc train ended with {status}")))
    }

    /// Everybody goes: the worker first, so that it can leave its room.
    pub(crate) async fn leave(self, printer: Printer) {
        let mut wait = Ticker::new(printer, "        ending worker and server");
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let leaving = async {
            for process in [self.worker, self.server].into_iter().flatten() {
                process.shut_down().await;
            }
        };
        tokio::pin!(leaving);
        loop {
            tokio::select! {
                () = &mut leaving => return,
                _ = tick.tick() => wait.tick(),
            }
        }
    }
}

fn none() -> [(&'static str, &'static str); 0] {
    []
}

fn text(value: &Value, key: &str) -> CliResult<String> {
    value[key].as_str().map(str::to_owned).ok_or_else(|| CliError::internal(format!("an event has no {key}")))
}

/// What a person would type, and where.
fn typed(printer: Printer, who: &str, line: &str) {
    printer.note(&printer.bold(&format!("{:<7} {line}", format!("{who}$"))));
}
