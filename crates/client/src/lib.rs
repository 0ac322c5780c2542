//! A training from a user's machine: the files are looked at, a worker is booked, the job is brought, watched, and its
//! results land.
//!
//! [`train`] does all of it; [`attach`] comes back to a job; [`command`] stops or cancels one from another terminal;
//! [`status`] says who is in the room. They are the shell of [`sleap_rtc_session::JobClient`] and of the room's client
//! half: what happens is decided there. What a user may read comes out as [`TrainEvent`]s while it happens, and as
//! [`TrainOutcome`] or [`TrainError`] at the end.
//!
//! | file | what it is |
//! |---|---|
//! | `slp/`, `local/` | the user's files: what a job sends, how results land |
//! | `train`, `attach`, `command`, `status` | the verbs |
//! | `tries`, `booking`, `reason` | one worker after another for a job, until one ends it; the wait for each |
//! | `member` | this program as a member of its room |
//! | `watch`, `results` | one job's session over its links and its disk |
//! | `jobs` | what is remembered of each job |

mod attach;
mod booking;
mod command;
mod config;
mod controls;
mod error;
mod event;
mod explain;
pub mod jobs;
pub mod local;
mod member;
mod outcome;
mod reason;
mod results;
mod run_name;
pub mod slp;
mod status;
mod sys;
mod train;
mod tries;
mod watch;

pub use attach::attach;
pub use booking::{is_of_python, name_of};
pub use command::{CommandOutcome, command};
pub use config::Config;
pub use controls::Controls;
pub use error::{Code, TrainError};
pub use event::{Missing, TrainEvent};
pub use outcome::{Landed, TrainOutcome};
pub use reason::why;
pub use status::{status, workers};
pub use train::{TrainRequest, train};
