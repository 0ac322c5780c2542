//! The task that owns a running trainer.

use std::path::{Component, Path, PathBuf};
use std::process::ExitStatus;

use sleap_rtc_wire::job::Stream;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, timeout};

use super::log_file::LogFile;
use super::messages::Messages;
use super::output::{Lines, Sign, Tail, sign};
use super::process::{Outcome, Timing};
use super::progress::{Plan, Progress, Tracker, plan};
use super::queue::{Queue, TrainerEvent};
use super::verdict::{Asked, Evidence, Exit, Failure, Verdict, is_gpu, verdict};
use crate::sys::process::{Group, signal_of};

/// Lines of the end of the output that go into the [`Outcome`].
const TAIL_LINES: usize = 40;

/// Once the process is gone: how long its pipes and its last messages may take to arrive.
const DRAIN: Duration = Duration::from_secs(5);

/// ZMQ's messages are there when nothing has come for so long.
const SILENCE: Duration = Duration::from_millis(300);

/// Larger than any real `training_config.yaml`.
const MAX_TRAINING_CONFIG: u64 = 8 << 20;

/// What is known before it starts.
pub(super) struct Facts {
    pub(super) dir: PathBuf,
    /// Where the model is expected.
    pub(super) model_dir: PathBuf,
    pub(super) gpu: bool,
    pub(super) timing: Timing,
}

/// What it has shown of itself so far.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
struct Seen {
    train_end: bool,
    finished: bool,
    stop_obeyed: bool,
    hung_at_end: bool,
    accelerator: Option<String>,
    last_epoch: Option<u32>,
    plan: Option<Plan>,
}

pub(super) struct Supervisor {
    facts: Facts,
    group: Group,
    messages: Messages,
    queue: Queue,
    log: LogFile,
    tracker: Tracker,
    seen: Seen,
    errors: Tail,
    tail: Tail,
    /// What was asked and carried out.
    acted: Asked,
    /// SIGKILL follows then.
    kill_at: Option<Instant>,
    moved_at: Instant,
}

/// One of the two output streams.
struct Output<S> {
    stream: Option<S>,
    kind: Stream,
    lines: Lines,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Output<S> {
    fn new(stream: Option<S>, kind: Stream) -> Self {
        Self { stream, kind, lines: Lines::default(), buffer: vec![0; 16 * 1024] }
    }

    /// The next lines; `None` at the end of the stream. Dropping the future loses nothing.
    async fn next(&mut self) -> Option<(Stream, Vec<String>)> {
        let stream = self.stream.as_mut()?;
        // A pipe that cannot be read has ended for us.
        let read = stream.read(&mut self.buffer).await.unwrap_or(0);
        if read == 0 {
            self.stream = None;
            return Some((self.kind, self.lines.finish().into_iter().collect()));
        }
        Some((self.kind, self.lines.feed(&self.buffer[..read])))
    }
}

impl Supervisor {
    pub(super) fn new(facts: Facts, group: Group, messages: Messages, queue: Queue, log: LogFile) -> Self {
        Self {
            facts,
            group,
            messages,
            queue,
            log,
            tracker: Tracker::default(),
            seen: Seen::default(),
            errors: Tail::default(),
            tail: Tail::default(),
            acted: Asked::Nothing,
            kill_at: None,
            moved_at: Instant::now(),
        }
    }

    /// Watches the process to its end.
    pub(super) async fn run(mut self, mut child: Child, mut wishes: watch::Receiver<Asked>) -> Outcome {
        let mut out = Output::new(child.stdout.take(), Stream::Out);
        let mut err = Output::new(child.stderr.take(), Stream::Err);
        let mut tick = tokio::time::interval(self.facts.timing.stop_every);
        let ended = loop {
            let kill_at = self.kill_at;
            tokio::select! {
                Some((stream, lines)) = out.next() => self.lines(stream, lines).await,
                Some((stream, lines)) = err.next() => self.lines(stream, lines).await,
                Some(message) = self.messages.next() => self.message(message).await,
                Ok(()) = wishes.changed() => {
                    let wish = *wishes.borrow_and_update();
                    self.act(wish).await;
                }
                _ = tick.tick() => self.tick().await,
                () = sleep_until(kill_at) => {
                    self.kill_at = None;
                    self.group.kill();
                }
                status = child.wait() => break status,
            }
        };
        // What it has left behind (workers of a data loader) goes with it, and so the pipes end.
        self.group.kill();
        self.drain(&mut out, &mut err).await;
        self.finish(ended).await
    }

    async fn lines(&mut self, stream: Stream, lines: Vec<String>) {
        self.moved_at = Instant::now();
        for line in lines {
            self.log.line(stream, &line).await;
            if line.is_empty() {
                continue;
            }
            if stream == Stream::Err {
                self.errors.push(&line);
            } else if let Some(sign) = sign(&line) {
                self.sign(sign);
            }
            self.tail.push(&line);
            self.queue.push(TrainerEvent::Log { stream, line });
        }
    }

    fn sign(&mut self, sign: Sign) {
        match sign {
            Sign::ModelDir(dir) if stays_below(&dir) => self.facts.model_dir = self.facts.dir.join(dir),
            Sign::Accelerator(used) => {
                if self.facts.gpu && !is_gpu(&used) {
                    self.terminate();
                }
                self.seen.accelerator = Some(used);
            }
            Sign::StopReceived => self.seen.stop_obeyed = true,
            Sign::Finished => self.seen.finished = true,
            Sign::ModelDir(_) | Sign::SavedConfig(_) => {}
        }
    }

    async fn message(&mut self, raw: String) {
        self.moved_at = Instant::now();
        let Some(progress) = self.tracker.message(&raw) else { return };
        if self.seen.plan.is_none() {
            let plan = self.read_plan().await;
            self.seen.plan = Some(plan);
            self.queue.push(TrainerEvent::Plan(plan));
        }
        match progress {
            Progress::EpochEnd { epoch, .. } => self.seen.last_epoch = Some(epoch),
            Progress::TrainEnd => {
                self.seen.train_end = true;
                // The log line that says so may be cut off; fewer epochs than planned say it as well.
                self.seen.stop_obeyed |= self.acted == Asked::Stop && self.ended_early();
            }
            _ => {}
        }
        self.queue.push(TrainerEvent::Progress { progress, raw });
    }

    fn ended_early(&self) -> bool {
        let planned = self.seen.plan.and_then(|plan| plan.epochs);
        planned.zip(self.seen.last_epoch).is_none_or(|(planned, last)| last + 1 < planned)
    }

    async fn read_plan(&self) -> Plan {
        let path = self.facts.model_dir.join("training_config.yaml");
        let fits = tokio::fs::metadata(&path).await.is_ok_and(|file| file.len() <= MAX_TRAINING_CONFIG);
        let text = if fits { tokio::fs::read_to_string(&path).await.ok() } else { None };
        text.map(|text| plan(&text)).unwrap_or_default()
    }

    async fn act(&mut self, wish: Asked) {
        if wish <= self.acted {
            return;
        }
        self.acted = wish;
        match wish {
            Asked::Nothing => {}
            Asked::Stop => self.messages.stop().await,
            Asked::Cancel => self.terminate(),
        }
    }

    /// SIGTERM to the group now, SIGKILL after the grace.
    fn terminate(&mut self) {
        if self.kill_at.is_none() {
            self.group.terminate();
            self.kill_at = Some(Instant::now() + self.facts.timing.cancel_grace);
        }
    }

    async fn tick(&mut self) {
        self.log.flush().await;
        let training = !self.seen.train_end && !self.seen.finished;
        if self.acted == Asked::Stop && training {
            self.messages.stop().await;
        }
        if !training && self.moved_at.elapsed() >= self.facts.timing.hang_after && self.is_evaluated().await {
            tracing::warn!(model = %self.facts.model_dir.display(), "the trainer has finished but does not end");
            self.seen.hung_at_end = true;
            self.terminate();
        }
    }

    /// Predictions for both sets are written: nothing of worth is still to come.
    async fn is_evaluated(&self) -> bool {
        is_file(&self.facts.model_dir.join("labels_pr.train.0.slp")).await
            && is_file(&self.facts.model_dir.join("labels_pr.val.0.slp")).await
    }

    /// Reads what is still in the pipes and sockets of a process that is gone.
    async fn drain<A, B>(&mut self, out: &mut Output<A>, err: &mut Output<B>)
    where
        A: AsyncRead + Unpin,
        B: AsyncRead + Unpin,
    {
        let pipes = async {
            loop {
                tokio::select! {
                    Some((stream, lines)) = out.next() => self.lines(stream, lines).await,
                    Some((stream, lines)) = err.next() => self.lines(stream, lines).await,
                    else => break,
                }
            }
        };
        if timeout(DRAIN, pipes).await.is_err() {
            tracing::warn!("the trainer's output stays open though its process group is gone");
        }
        while !self.seen.train_end {
            let Ok(Some(message)) = timeout(SILENCE, self.messages.next()).await else { break };
            self.message(message).await;
        }
    }

    async fn finish(mut self, ended: std::io::Result<ExitStatus>) -> Outcome {
        self.log.flush().await;
        self.group.close().await;
        let exit = ended.as_ref().ok().map(|status| exit_of(*status));
        let best = is_file(&self.facts.model_dir.join("best.ckpt")).await;
        let config = is_file(&self.facts.model_dir.join("training_config.yaml")).await;
        let verdict = match (exit, ended) {
            (Some(exit), _) => verdict(&Evidence {
                exit,
                asked: self.acted,
                stop_obeyed: self.seen.stop_obeyed,
                finished: self.seen.train_end || self.seen.finished,
                model: best && config,
                hung_at_end: self.seen.hung_at_end,
                gpu_promised: self.facts.gpu,
                accelerator: self.seen.accelerator,
                error_line: self.errors.error(),
            }),
            (None, ended) => Verdict::Failed(Failure::lost(ended.err())),
        };
        let outcome = Outcome {
            verdict,
            exit,
            model_dir: best.then_some(self.facts.model_dir),
            log_file: self.log.path().to_owned(),
            log_tail: self.tail.last(TAIL_LINES),
        };
        self.queue.close();
        outcome
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), signal_of(status)) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(0)),
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn is_file(path: &Path) -> bool {
    tokio::fs::metadata(path).await.is_ok_and(|file| file.is_file() && file.len() > 0)
}

/// The trainer's own word for its folder is believed only inside the job's.
fn stays_below(dir: &str) -> bool {
    Path::new(dir).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}
