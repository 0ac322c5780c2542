//! Faults and delays.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Beside the program's path: one `STANDIN_NAME=value` a line.
pub(super) const FILE: &str = "standin.env";

const PREFIX: &str = "STANDIN_";

/// What is switched on. Without any the stand-in trains well and quickly.
///
/// | knob | what |
/// |---|---|
/// | `STANDIN_VERSION` | what it says it is |
/// | `STANDIN_IMPORT_MS` | silence before the first word (50) |
/// | `STANDIN_JOIN_MS` | how long it waits for those who listen to its messages, and for the last of them to go out (60) |
/// | `STANDIN_SLOW_MS` | time a batch (1) |
/// | `STANDIN_EVALUATE_MS` | time of the evaluation (20) |
/// | `STANDIN_TRACK_MS` | time that `track` takes (50) |
/// | `STANDIN_FAIL_AFTER_EPOCHS` | so many epochs, then `STANDIN_ERROR` and exit `STANDIN_EXIT` (1); 0: in set-up |
/// | `STANDIN_ERROR` | the last line of standard error then |
/// | `STANDIN_CRASH_AFTER_EPOCHS` | so many epochs, then an abort (signal 6) |
/// | `STANDIN_TERMINATE_AFTER_EPOCHS` | so many epochs, then as after a SIGTERM from elsewhere: exit 0 |
/// | `STANDIN_IGNORE_SIGTERM` | only SIGKILL ends it |
/// | `STANDIN_DEAF` | it does not hear `stop` |
/// | `STANDIN_SILENT` | says nothing and never ends |
/// | `STANDIN_FILL_LINES` | so many long lines on standard output before the first epoch |
/// | `STANDIN_HANG_AT_END` | never ends when all is written, as 0.3.3 could |
/// | `STANDIN_NO_MODEL` | no `best.ckpt` |
/// | `STANDIN_MODEL_BYTES` | size of the checkpoints (1015465) |
/// | `STANDIN_NAN` | every loss is NaN |
/// | `STANDIN_GPU` | there is a GPU |
/// | `STANDIN_CHILD` | has a child of its own, whose process id is in `child.pid` |
/// | `STANDIN_ENVIRONMENT` | writes its environment to `environment.txt` |
/// | `STANDIN_AUTO` | what `config --auto` chooses without `--pipeline` (`topdown`) |
pub struct Knobs(BTreeMap<String, String>);

impl Knobs {
    /// From the environment and the file in `folder`.
    pub fn read(folder: &Path) -> Self {
        let file = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
        let lines = file.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
        let all = std::env::vars().chain(lines);
        Self(all.filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_owned(), value))).collect())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    pub(super) fn millis(&self, name: &str, default: u64) -> Duration {
        Duration::from_millis(self.number(name).unwrap_or(default))
    }
}
