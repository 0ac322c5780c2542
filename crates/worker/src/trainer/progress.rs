//! What the trainer says over ZMQ, as typed progress. Pure.
//!
//! `train/loss` of its messages is one epoch late, and the last epoch's never comes: the mean is computed here from the
//! batches. `NaN` and `Infinity` appear bare, as Python writes them.

use serde::Deserialize;

use super::yaml::{self, Limits, Value};

/// One step of the training.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// The first epoch is about to begin.
    TrainBegin,
    /// An epoch begins.
    EpochBegin {
        /// From 0; a resumed run goes on counting.
        epoch: u32,
    },
    /// A batch is done.
    Batch {
        /// Of which epoch.
        epoch: u32,
        /// From 0.
        batch: u32,
        /// Its loss; may be NaN or infinite in a run that diverges.
        loss: Option<f64>,
    },
    /// An epoch is done and validated.
    EpochEnd {
        /// From 0.
        epoch: u32,
        /// Mean of the losses of its batches.
        train_loss: Option<f64>,
        /// On the validation set.
        val_loss: Option<f64>,
    },
    /// The last epoch is done; evaluation follows, without messages.
    TrainEnd,
}

#[derive(Deserialize)]
struct Message {
    event: String,
    #[serde(default)]
    epoch: Option<u32>,
    #[serde(default)]
    batch: Option<u32>,
    #[serde(default)]
    logs: Option<Logs>,
}

#[derive(Deserialize)]
struct Logs {
    #[serde(default)]
    loss: Option<Number>,
    #[serde(default, rename = "val/loss")]
    val_loss: Option<Number>,
}

/// A number, or one of the words that [`quote_bare_words`] has put in quotes.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Word(Word),
}

#[derive(Clone, Copy, Deserialize)]
enum Word {
    #[serde(rename = "NaN")]
    NaN,
    #[serde(rename = "Infinity")]
    Infinity,
    #[serde(rename = "-Infinity")]
    NegInfinity,
}

impl From<Number> for f64 {
    fn from(number: Number) -> Self {
        match number {
            Number::Finite(number) => number,
            Number::Word(Word::NaN) => Self::NAN,
            Number::Word(Word::Infinity) => Self::INFINITY,
            Number::Word(Word::NegInfinity) => Self::NEG_INFINITY,
        }
    }
}

/// Turns the messages of one run into progress, with the mean loss of each epoch.
#[derive(Debug, Default)]
pub struct Tracker {
    epoch: u32,
    sum: f64,
    batches: u32,
}

impl Tracker {
    /// The next message; `None` for one that says nothing new (`batch_start`, another program's, a newer trainer's).
    pub fn message(&mut self, text: &str) -> Option<Progress> {
        let message: Message = serde_json::from_str(&quote_bare_words(text)).ok()?;
        let logs = message.logs;
        match message.event.as_str() {
            "train_begin" => Some(Progress::TrainBegin),
            "epoch_begin" => {
                self.begin(message.epoch?);
                Some(Progress::EpochBegin { epoch: self.epoch })
            }
            "batch_end" => {
                let epoch = message.epoch.unwrap_or(self.epoch);
                if epoch != self.epoch {
                    self.begin(epoch);
                }
                let loss = logs.and_then(|logs| logs.loss).map(f64::from);
                if let Some(loss) = loss {
                    self.sum += loss;
                    self.batches += 1;
                }
                Some(Progress::Batch { epoch, batch: message.batch?, loss })
            }
            "epoch_end" => {
                let epoch = message.epoch.unwrap_or(self.epoch);
                let mean = (epoch == self.epoch && self.batches > 0).then(|| self.sum / f64::from(self.batches));
                let val_loss = logs.and_then(|logs| logs.val_loss).map(f64::from);
                Some(Progress::EpochEnd { epoch, train_loss: mean, val_loss })
            }
            "train_end" => Some(Progress::TrainEnd),
            _ => None,
        }
    }

    fn begin(&mut self, epoch: u32) {
        *self = Self { epoch, sum: 0.0, batches: 0 };
    }
}

/// Puts `NaN`, `Infinity` and `-Infinity` in quotes where they stand outside a string.
pub fn quote_bare_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut in_string = false;
    while let Some(c) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| !in_string && rest.starts_with(word));
        if let Some(word) = word {
            out.extend(["\"", word, "\""]);
            rest = &rest[word.len()..];
            continue;
        }
        let mut taken = c.len_utf8();
        if c == '"' {
            in_string = !in_string;
        } else if c == '\\' && in_string {
            taken += rest[taken..].chars().next().map_or(0, char::len_utf8);
        }
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out
}

/// How long a training may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Batches an epoch.
    pub steps: Option<u32>,
    /// Epochs at most: it may stop earlier by itself.
    pub epochs: Option<u32>,
}

/// Reads the plan from the `training_config.yaml` that the trainer writes before its first batch.
pub fn plan(training_config: &str) -> Plan {
    // The skeletons of a saved configuration may be long; still bounded.
    let limits = Limits { depth: 32, nodes: 200_000 };
    let Ok(config) = yaml::read(training_config, limits) else { return Plan::default() };
    let number = |path: &str| config.get(path).and_then(Value::as_u32);
    Plan { steps: number("trainer_config.train_steps_per_epoch"), epochs: number("trainer_config.max_epochs") }
}
