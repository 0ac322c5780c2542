//! The real trainer: one stage of training as a process of its own.
//!
//! [`Trainer::probe`] finds out what it is, [`Trainer::auto_config`] lets it write configurations, [`Trainer::start`] runs one
//! stage in the job's folder and gives back a [`Running`]: its events, `stop`, `cancel`, and at the end an [`Outcome`].
//!
//! What is decided here is decided in pure code: [`config`] (which keys a client may set), [`command`] (the command line),
//! [`progress`] and [`output`] (what the trainer says), [`verdict`] (how it ended). [`process`] and [`program`] only carry it
//! out.

pub mod command;
pub mod config;
mod environment;
mod error;
mod log_file;
mod messages;
pub mod output;
pub mod process;
pub mod program;
pub mod progress;
mod queue;
mod short_run;
mod supervisor;
pub mod verdict;
mod version;
pub mod yaml;

pub use command::{Device, Stage};
pub use config::{Config, ConfigError};
pub use error::TrainerError;
pub use process::{Controls, Outcome, Running, StageRun, Timing};
pub use program::{AutoConfig, Trainer};
pub use progress::{Plan, Progress};
pub use queue::TrainerEvent;
pub use verdict::{Exit, Failure, Verdict};
pub use version::{MINIMUM, Version};
