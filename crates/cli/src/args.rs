//! The command line, in the words of the person who types it. No secret is ever an argument: other users of a machine see
//! arguments; tokens come from the environment, a file, or `--token-file`.

mod accounts;
mod dial;
mod members;
mod rooms;
mod server;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub use accounts::{
    AccountCommand, AccountCreateArgs, AccountRemoveArgs, AccountShowArgs, Days, KeyCommand, KeyCreateArgs,
    KeyListArgs, KeyRevokeArgs, LoginArgs, LogoutArgs, PublicName, TokenCommand, TokenCreateArgs, TokenListArgs,
    TokenRevokeArgs,
};
pub use dial::Dial;
pub use members::{MeshSwitch, OnOff, RoomJoinArgs, RoomMembersArgs, RoomRemoveArgs, RoomSetArgs};
pub use rooms::{
    Caller, CleanupArgs, IdentityCommand, RoomArgs, RoomCommand, RoomCreateArgs, RoomDeleteArgs, RoomListArgs,
    TestRoomArgs, TokenSource,
};
pub use server::ServerArgs;

/// One pool out of a lab's GPU machines: train SLEAP models on a machine that is free.
///
/// An admin starts a server and makes a room; each GPU machine runs a worker in it; you train from your laptop:
///
///   admin$   sleap-rtc server
///   admin$   sleap-rtc room create --name my-lab
///   gpu$     sleap-rtc worker --gpu 0
///   laptop$  sleap-rtc train data.slp
///
/// To see all of it at once on this machine: sleap-rtc demo
#[derive(Debug, Parser)]
#[command(name = "sleap-rtc", version, verbatim_doc_comment, max_term_width = 100, after_help = ENVIRONMENT)]
pub struct Cli {
    /// Print results as JSON, one object a line.
    #[arg(long, global = true, display_order = 900)]
    pub json: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `sleap-nn config --pipeline` takes, as of 0.3.5.
const PIPELINES: [&str; 10] = [
    "single_instance",
    "centroid",
    "bottomup",
    "topdown",
    "multi_class_bottomup",
    "multi_class_topdown",
    "bbox_centernet",
    "bbox_ssd",
    "topdown_bbox_centernet",
    "topdown_bbox_ssd",
];

const ENVIRONMENT: &str = "\
Environment:
  SLEAP_RTC_SERVER          the server's address [default: http://127.0.0.1:8001]
  SLEAP_RTC_ROOM_ID         the room, as `room create` printed it
  SLEAP_RTC_ROOM_TOKEN      the room's token; a member of the room needs none
  SLEAP_RTC_SIGNALING_HTTP  where the server's HTTP side has another address
  SLEAP_RTC_SIGNALING_WS    where the server's WebSocket side has another address
  SLEAP_RTC_CA              certificates to believe, instead of this machine's
  SLEAP_RTC_INSECURE        set: talk to servers outside your network without encryption
  SLEAP_DASHBOARD_URL       the Python package's login page; `doctor` says whether it leads here
  SLEAP_RTC_ACCOUNT_KEY     the Python package's account key; `doctor` says whether it is set
  SLEAP_RTC_API_KEY         the Python package's token of a worker; `doctor` says whether it is set
  GITHUB_CLIENT_ID          with GITHUB_CLIENT_SECRET: `server` lets people log in by GitHub
  SLEAP_RTC_TRAINER         the sleap-nn program that workers run
  SLEAP_RTC_PYTHON          the Python that `trainer install` takes
  SLEAP_RTC_HOME            folder of settings and keys [default: ~/.sleap-rtc]
  SLEAP_RTC_LOG             error, warn, info or debug [default: warn]
  NO_COLOR                  no colours

Exit codes are listed in docs/exit-codes.md; 0 means that all went well.";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server: rooms, and who is free in them. It never sees data.
    Server(ServerArgs),
    /// Rooms on the server: make, list, show, extend, delete; who belongs to them.
    #[command(subcommand)]
    Room(RoomCommand),
    /// Offer this machine's GPUs to a room.
    Worker(WorkerArgs),
    /// Train a model on a free worker and bring it home.
    Train(Box<TrainArgs>),
    /// Show who is in the room and what each worker does.
    Status(StatusArgs),
    /// Show the jobs that were started here: which wait and why, which run, how they ended.
    Jobs(JobsArgs),
    /// Come back to a job that goes on, and bring its model home.
    Watch(WatchArgs),
    /// End a job early and keep its model.
    Stop(JobArgs),
    /// End a job now, without a model.
    Cancel(JobArgs),
    /// Server, worker and training on this machine, with example data.
    Demo(DemoArgs),
    /// Check what sleap-rtc needs and say what is missing.
    Doctor(DoctorArgs),
    /// The program that workers train with.
    #[command(subcommand)]
    Trainer(TrainerCommand),
    /// A room and a user for one test, gone at its end; printed, secrets too, as JSON.
    ///
    /// It waits until its standard input ends, Ctrl-C or SIGTERM; with a command, until that has ended. Room and user are
    /// anonymous, and go by themselves within two hours if this program cannot delete them.
    TestRoom(TestRoomArgs),
    /// Make this computer one of your account's, or let another one in.
    Login(LoginArgs),
    /// Take this computer from your account.
    Logout(LogoutArgs),
    /// Your account: make it, show it, take a computer from it.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Keys of your account, for the Python package and the login page.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Tokens by which workers of the Python package come into a room.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Anonymous users on the server.
    #[command(subcommand)]
    Identity(IdentityCommand),
}

/// Which room on which server.
#[derive(Clone, Debug, Default, Args)]
pub struct Connect {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
    /// The room [env: SLEAP_RTC_ROOM_ID]
    #[arg(long, value_name = "ID", help_heading = "Room")]
    pub room: Option<String>,
    /// File with the room's token [env: SLEAP_RTC_ROOM_TOKEN holds the token itself]
    #[arg(long, value_name = "FILE", help_heading = "Room")]
    pub token_file: Option<PathBuf>,
}

/// `worker`.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// GPU to offer, as nvidia-smi counts; repeat it for more than one.
    #[arg(long = "gpu", value_name = "INDEX", conflicts_with = "cpu")]
    pub gpus: Vec<u32>,
    /// Offer the CPU instead of a GPU: slow, for trying things out.
    #[arg(long)]
    pub cpu: bool,
    /// Name that others see [default: this machine's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Tag that a training may ask for; repeatable.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Folder for the jobs' files [default: in your data folder]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// End when standard input closes, so that a program that started this one never leaves it behind.
    #[arg(long, hide = true)]
    pub until_eof: bool,
    /// How long the client of a job that does not run yet may be gone before it is given up.
    #[arg(long, value_name = "TIME", default_value = "2m", hide = true, value_parser = wait)]
    pub patience: Duration,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub connect: Connect,
}

/// `train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Your labels: data.slp (its videos are sent too) or data.pkg.slp (images inside).
    #[arg(value_name = "LABELS")]
    pub labels: PathBuf,
    /// Training configuration (YAML); repeat it to train several models in turn. Without one, the worker writes a good one
    /// from your labels.
    #[arg(short, long = "config", value_name = "YAML", help_heading = "Training")]
    pub configs: Vec<PathBuf>,
    /// Video that the labels name but that lies elsewhere now, or a folder with such videos; repeatable.
    #[arg(long = "video", value_name = "PATH", help_heading = "Training")]
    pub videos: Vec<PathBuf>,
    /// Epochs at most.
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: Option<u32>,
    /// Images a batch.
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: Option<u32>,
    /// Learning rate, e.g. 0.0001.
    #[arg(long, value_name = "RATE", help_heading = "Training", value_parser = positive)]
    pub lr: Option<f64>,
    /// Kind of model, where no configuration is given.
    #[arg(long, value_name = "KIND", help_heading = "Training", conflicts_with = "configs", value_parser = PIPELINES)]
    pub pipeline: Option<String>,
    /// Name of the run: the model lands in OUTPUT/NAME [default: made from the labels and the time]
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub run_name: Option<String>,
    /// Folder for the models. Nothing in it is ever overwritten.
    #[arg(short, long, value_name = "DIR", default_value = "models", help_heading = "Training")]
    pub output: PathBuf,
    /// Only workers with at least this much GPU memory: 16, 16GB, 500MB.
    #[arg(long, value_name = "SIZE", help_heading = "Worker", value_parser = gpu_memory)]
    pub min_gpu_memory: Option<u64>,
    /// Only workers with this tag; repeated: with one of them.
    #[arg(long = "tag", value_name = "TAG", help_heading = "Worker")]
    pub tags: Vec<String>,
    /// How long to wait in line for a worker if none is free: 30s, 10m, 2h; at most 7d [default: at a terminal until one
    /// is free, elsewhere not at all]
    #[arg(long, value_name = "TIME", help_heading = "Worker", value_parser = wait)]
    pub wait: Option<Duration>,
    /// Leave at once, with exit code 3, if no worker is free.
    #[arg(long, help_heading = "Worker", conflicts_with = "wait")]
    pub no_wait: bool,
    /// How often to train on another worker after the one that had the job is lost; it waits for that one as --wait says.
    /// Only what the last one makes is taken.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Worker")]
    pub retry: u32,
    /// Leave when standard input closes, so that a program that started this one never leaves it behind.
    #[arg(long, hide = true)]
    pub until_eof: bool,
    /// How long the worker of a job may be gone before it is given up.
    #[arg(long, value_name = "TIME", default_value = "10m", hide = true, value_parser = wait)]
    pub patience: Duration,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub connect: Connect,
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only workers that could take a job now.
    #[arg(long)]
    pub free: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub connect: Connect,
}

/// `jobs`.
#[derive(Debug, Args)]
pub struct JobsArgs {
    /// All of them; without it, those that wait or run, and the latest that ended.
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub connect: Connect,
}

/// `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The job, as `train` printed it [default: the latest that was started here]
    #[arg(value_name = "JOB")]
    pub job: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub connect: Connect,
}

/// `stop` and `cancel`.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// The job, as `train`, `jobs` and `status` print it.
    #[arg(value_name = "JOB")]
    pub job: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub connect: Connect,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Install the trainer without asking, if there is none.
    #[arg(short, long)]
    pub yes: bool,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub connect: Connect,
}

/// `trainer …`.
#[derive(Debug, Subcommand)]
pub enum TrainerCommand {
    /// Install sleap-nn, with the torch that fits this machine.
    Install(TrainerInstallArgs),
}

/// `trainer install`.
#[derive(Debug, Args)]
pub struct TrainerInstallArgs {
    /// Folder to install into [default: in your data folder]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Install for the CPU only. Never on a machine whose GPU shall train.
    #[arg(long)]
    pub cpu: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

fn ttl(text: &str) -> Result<String, String> {
    let lower = text.trim().to_ascii_lowercase();
    if lower == "never" || span(&lower).is_some_and(|time| !time.is_zero()) {
        Ok(lower)
    } else {
        Err("write a number with s, m, h or d after it, e.g. 12h or 90d, or `never`".to_owned())
    }
}

fn wait(text: &str) -> Result<Duration, String> {
    span(&text.trim().to_ascii_lowercase())
        .ok_or_else(|| "write a number with s, m, h or d after it, e.g. 30s or 10m".to_owned())
}

fn span(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("must be a number above 0, e.g. 0.0001".to_owned()),
    }
}

/// Mebibytes, as nvidia-smi and the workers' metadata count.
fn gpu_memory(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let (number, mib) = if let Some(number) = lower.strip_suffix("mb") {
        (number, 1.0)
    } else {
        // Cards are sold in GB and report GiB less a little: an "8 GB" card has 8,188 MiB, a "24 GB" one 24,564.
        (lower.strip_suffix("gb").unwrap_or(&lower), 1000.0)
    };
    match number.trim().parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok((value * mib).ceil() as u64),
        _ => Err("write a size, e.g. 16 or 16GB or 500MB".to_owned()),
    }
}
