//! `sleap-nn train`.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::PythonError;
use super::files;
use super::knobs::Knobs;
use super::messages::Messages;
use super::say::{err, log, now, out};
use super::settings::Settings;
use crate::sys::Signals;

/// How the loop ended.
enum End {
    /// Trained to the end, or stopped.
    Trained,
    /// By a signal, after the last whole epoch.
    Signal(i32),
}

pub(super) async fn train(args: &[String], knobs: &Knobs) -> Result<ExitCode, PythonError> {
    if knobs.is_on("SILENT") {
        let _signals = ignoring(knobs);
        std::future::pending::<()>().await;
    }
    leave_traces(knobs).map_err(|e| os_error(&e))?;
    sleep(knobs.millis("IMPORT_MS", 50)).await;
    let settings = Settings::read(args)?;
    let mut messages = set_up(&settings, knobs).await?;
    if knobs.number("FAIL_AFTER_EPOCHS") == Some(0) {
        return Err(asked_for(knobs));
    }
    let mut signals = Signals::take().map_err(|e| os_error(&e))?;
    let mut training = Training { settings: &settings, knobs, messages: &mut messages, stop: false, last_mean: None };
    let ignore = knobs.is_on("IGNORE_SIGTERM");
    let end = tokio::select! {
        end = training.run() => end?,
        signal = signals.next(), if !ignore => End::Signal(signal),
    };
    messages.close().await;
    finish(&settings, knobs, &end).await
}

/// With the knob SIGTERM ends nothing.
fn ignoring(knobs: &Knobs) -> Option<Signals> {
    if knobs.is_on("IGNORE_SIGTERM") { Signals::take().ok() } else { None }
}

fn os_error(error: &std::io::Error) -> PythonError {
    PythonError(format!("OSError: [Errno {}] {error}", error.raw_os_error().unwrap_or(5)))
}

fn asked_for(knobs: &Knobs) -> PythonError {
    PythonError(knobs.text("ERROR").unwrap_or("RuntimeError: a fault that a test has asked for").to_owned())
}

/// A child and the environment, if a test wants to see them.
fn leave_traces(knobs: &Knobs) -> std::io::Result<()> {
    if knobs.is_on("CHILD") {
        let child = std::process::Command::new("sleep").arg("600").stdin(Stdio::null()).spawn()?;
        std::fs::write("child.pid", child.id().to_string())?;
    }
    if knobs.is_on("ENVIRONMENT") {
        let lines: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
        std::fs::write("environment.txt", lines.join("\n"))?;
    }
    Ok(())
}

async fn set_up(settings: &Settings, knobs: &Knobs) -> Result<Messages, PythonError> {
    log("Input config:");
    log(&format!("\n{}", sleap_rtc_worker::trainer::yaml::write(&settings.config)));
    log(&format!("Started training at: {}", now()));
    let device = if knobs.is_on("GPU") { "1 GPU" } else { "CPU only" };
    log(&format!("sleap-nn 0.3.5 | Python 3.11.7 | PyTorch 2.15.0+cu132 | {device}"));
    err("Seed set to 42");
    log("# Train Labeled frames: 10");
    log("# Val Labeled frames: 2");
    log(&format!("Setting up model ckpt dir: `{}`...", settings.model_dir.display()));
    files::set_up(settings).map_err(|e| os_error(&e))?;
    let messages = Messages::connect(settings, knobs).await;
    log(&format!("Final train_steps_per_epoch={}", settings.steps));
    if settings.gpu_asked && !knobs.is_on("GPU") {
        log("Configured accelerator 'gpu' is not available on this machine; changing it to 'auto'.");
    }
    let used = if settings.gpu_asked && knobs.is_on("GPU") { "cuda:0" } else { "cpu" };
    log(&format!("Training on {used} accelerator"));
    log(&format!("Setting up lightning module for {} model...", settings.model));
    log("Starting training loop...");
    for line in 0..knobs.number("FILL_LINES").unwrap_or(0) {
        out(&format!("line {line} {}", "x".repeat(200)));
    }
    Ok(messages)
}

struct Training<'a> {
    settings: &'a Settings,
    knobs: &'a Knobs,
    messages: &'a mut Messages,
    stop: bool,
    /// Of the epoch before: the trainer tells it one epoch late.
    last_mean: Option<f64>,
}

impl Training<'_> {
    async fn run(&mut self) -> Result<End, PythonError> {
        self.messages.send("train_begin", Value::Null, &[]).await;
        for epoch in 0..self.settings.epochs {
            self.epoch(epoch).await?;
            let done = Some(u64::from(epoch) + 1);
            if self.knobs.number("FAIL_AFTER_EPOCHS") == done {
                return Err(asked_for(self.knobs));
            }
            if self.knobs.number("CRASH_AFTER_EPOCHS") == done {
                std::process::abort();
            }
            if self.knobs.number("TERMINATE_AFTER_EPOCHS") == done {
                return Ok(End::Signal(15));
            }
            if self.stop {
                break;
            }
        }
        self.messages.send("train_end", Value::Null, &[]).await;
        Ok(End::Trained)
    }

    async fn epoch(&mut self, epoch: u32) -> Result<(), PythonError> {
        self.messages.send("epoch_begin", Value::Null, &[("epoch", epoch)]).await;
        let patience = self.knobs.millis("SLOW_MS", 1);
        let (mut sum, mut batches) = (0.0, 0);
        for batch in 0..self.settings.steps {
            self.messages.send("batch_start", Value::Null, &[("batch", batch)]).await;
            let loss = self.loss(epoch, batch);
            let logs = self.logs(loss);
            self.messages.send("batch_end", logs, &[("epoch", epoch), ("batch", batch)]).await;
            (sum, batches) = (sum + loss, batches + 1);
            if self.messages.stopped(patience).await {
                self.stop = true;
                break;
            }
        }
        let val = self.loss(epoch + 1, 0);
        let mut logs = self.logs(self.loss(epoch, batches.max(1) - 1));
        logs["val/loss"] = self.number(val);
        logs["epoch"] = json!(f64::from(epoch));
        self.messages.send("epoch_end", logs, &[("epoch", epoch)]).await;
        files::epoch(self.settings, self.knobs, epoch, self.last_mean, val).map_err(|e| os_error(&e))?;
        self.last_mean = Some(sum / f64::from(batches.max(1)));
        Ok(())
    }

    /// Falls as a loss does, the same in every run.
    fn loss(&self, epoch: u32, batch: u32) -> f64 {
        let progress = f64::from(epoch) + f64::from(batch) / f64::from(self.settings.steps.max(1));
        if self.knobs.is_on("NAN") { f64::NAN } else { 0.0125 * 0.6_f64.powf(progress) }
    }

    fn logs(&self, loss: f64) -> Value {
        let mut logs = json!({"loss": self.number(loss)});
        if let Some(mean) = self.last_mean {
            logs["train/loss"] = self.number(mean);
            logs["train/lr"] = json!(0.004);
        }
        logs
    }

    /// A number that is none becomes a word, bare on the wire.
    #[expect(clippy::unused_self, reason = "reads as one with the other two")]
    fn number(&self, number: f64) -> Value {
        if number.is_nan() { json!("NaN") } else { json!(number) }
    }
}

async fn finish(settings: &Settings, knobs: &Knobs, end: &End) -> Result<ExitCode, PythonError> {
    if let End::Signal(2) = end {
        err("Detected KeyboardInterrupt, attempting graceful shutdown ...");
        return Ok(ExitCode::from(1));
    }
    if let End::Signal(signal) = end {
        err(&format!("[rank: 0] Received SIGTERM: {signal}"));
        log("Finished training loop. [0.0 min]");
        return Ok(ExitCode::SUCCESS);
    }
    log("Finished training loop. [0.0 min]");
    log(&format!("Finished training at: {}", now()));
    for set in ["train", "val"] {
        sleep(knobs.millis("EVALUATE_MS", 20) / 2).await;
        files::evaluation(settings, set).map_err(|e| os_error(&e))?;
        log(&format!("Predictions output path: {}/labels_pr.{set}.0.slp", settings.model_dir.display()));
        log(&format!("---------Evaluation on `{set}.0` dataset ({})---------", settings.model));
    }
    if knobs.is_on("HANG_AT_END") {
        sleep(Duration::from_hours(1)).await;
    }
    Ok(ExitCode::SUCCESS)
}
