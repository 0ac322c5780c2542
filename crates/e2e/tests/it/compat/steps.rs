//! What was done, one line a step, for the example `compat_rounds` to count.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::json;

/// Faults of the Python pair that no server can mend; `docs/compatibility.md` explains each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairFault {
    /// The two have each other's addresses, and their link never opens.
    HangsInIce,
    /// A cancelled trainer is killed at once, and told of as one that failed.
    KillsWhatItCancels,
}

impl PairFault {
    /// The fault that a driver's last words are about, if they are about one.
    pub(crate) fn of(words: &str) -> Option<Self> {
        // `peers/words.py`: it waited 30 s for the channel after the answer had come.
        words.contains("\"kind\": \"NeverOpens\"").then_some(Self::HangsInIce)
    }

    fn name(self) -> &'static str {
        match self {
            Self::HangsInIce => "hangs in ICE",
            Self::KillsWhatItCancels => "kills what it cancels",
        }
    }
}

/// A step that nothing may fail.
pub(crate) fn step<T>(name: &str, run: impl FnOnce() -> T) -> T {
    let mut record = Record::new(name);
    let done = run();
    record.outcome = "passed";
    record.retell(name);
    done
}

/// A step that the Python pair itself may fail: then it is counted, and done once more.
pub(crate) fn pair_step<T>(name: &str, mut run: impl FnMut() -> Result<T, PairFault>) -> T {
    for _ in 0..2 {
        let mut record = Record::new(name);
        match run() {
            Ok(done) => {
                record.outcome = "passed";
                record.retell(name);
                return done;
            }
            Err(fault) => record.outcome = fault.name(),
        }
        record.retell(name);
    }
    panic!("{name}: the Python pair failed twice");
}

/// A fault of the pair that was seen beside a step that went on.
pub(crate) fn count(name: &str, fault: PairFault) {
    let mut record = Record::new(name);
    record.outcome = fault.name();
    record.retell(name);
}

/// Written when it is dropped, however the step has ended.
struct Record {
    name: String,
    start: Instant,
    outcome: &'static str,
}

impl Record {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), start: Instant::now(), outcome: "failed" }
    }

    fn retell(&self, name: &str) {
        println!("{name}: {} after {}", self.outcome, seconds(self.start.elapsed()));
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(path) = std::env::var_os("SLEAP_RTC_COMPAT_STEPS") else { return };
        let ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let line = json!({"step": self.name, "outcome": self.outcome, "ms": ms});
        let file = OpenOptions::new().create(true).append(true).open(path);
        // One write: other tests write too.
        file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())).expect("the steps can be written");
    }
}

/// Whether the tests may take as long as it needs.
pub(crate) fn at_length() -> bool {
    std::env::var_os("SLEAP_RTC_COMPAT_LONG").is_some()
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
