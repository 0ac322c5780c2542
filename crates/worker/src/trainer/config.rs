//! A client's training configuration, re-emitted from an allow-list of keys.
//!
//! Only keys of `keys.txt` pass, each by its rule; `_target_` and its like, and `${`, are refused wherever they stand. So a
//! configuration can name nothing outside the job's folder and run nothing but the trainer's own code.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::yaml::{self, Value, YamlError};

/// The rules, one key a line; `scripts/check_config_keys.py` compares them with the installed trainer.
pub const KEYS: &str = include_str!("keys.txt");

/// The longest configuration that is read, in bytes. SLEAP's own have 2 to 6 KB.
pub const MAX_BYTES: usize = 256 * 1024;

/// What happens to a client's value; described at the head of `keys.txt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Keep,
    Section,
    Free,
    Carried,
    Set,
    Drop,
    Refuse,
}

static RULES: LazyLock<BTreeMap<&str, Rule>> = LazyLock::new(|| KEYS.lines().filter_map(rule).collect());

fn rule(line: &str) -> Option<(&str, Rule)> {
    let (name, key) = line.split_once(' ')?;
    let rule = match name {
        "keep" => Rule::Keep,
        "section" => Rule::Section,
        "free" => Rule::Free,
        "carried" => Rule::Carried,
        "set" => Rule::Set,
        "drop" => Rule::Drop,
        "refuse" => Rule::Refuse,
        _ => return None,
    };
    Some((key.trim(), rule))
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Longer than [`MAX_BYTES`].
    #[error("the configuration has {0} bytes, more than {MAX_BYTES}")]
    TooLarge(usize),
    /// Not YAML that we read.
    #[error("the configuration is not valid YAML: {0}")]
    Yaml(#[from] YamlError),
    /// A key that the trainer does not have.
    #[error("the configuration has an unknown key: {key}")]
    UnknownKey {
        /// Dotted.
        key: String,
        /// A key of the same name elsewhere.
        meant: Option<String>,
    },
    /// A key that names files or weights of another machine.
    #[error("the configuration sets {0}, which names something that is not in the job")]
    Refused(String),
    /// `_target_` or `${`.
    #[error("the configuration has {what} at {key}, which is never allowed")]
    Code {
        /// Dotted.
        key: String,
        /// The text.
        what: &'static str,
    },
    /// A map where there must be none, or none where there must be one.
    #[error("the configuration's {key} must be {expected}")]
    Shape {
        /// Dotted.
        key: String,
        /// In words.
        expected: &'static str,
    },
    /// No head, or several.
    #[error("the configuration must choose one model in model_config.head_configs; it chooses {0}")]
    Model(usize),
}

impl ConfigError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { meant: Some(key), .. } => Some(format!("did you mean {key}?")),
            Self::UnknownKey { .. } => Some("compare it with a configuration that SLEAP has exported".into()),
            Self::Refused(key) => Some(format!("set {key} to null")),
            Self::Model(_) => Some("give one configuration per model: --config a.yaml --config b.yaml".into()),
            _ => None,
        }
    }
}

/// A configuration that may be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    values: Value,
    model: String,
    notes: Vec<String>,
    val_labels: bool,
}

impl Config {
    /// Reads what a client sent, or what the trainer wrote.
    ///
    /// # Errors
    /// Names the key and the rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.len() > MAX_BYTES {
            return Err(ConfigError::TooLarge(text.len()));
        }
        let root = yaml::read(text, yaml::CLIENT)?;
        refuse_code(&root, "")?;
        let Value::Map(entries) = root else {
            return Err(ConfigError::Shape { key: "document".into(), expected: "a map" });
        };
        let mut sieve = Sieve { notes: Vec::new(), val_labels: false };
        let values = Value::Map(sieve.section(entries, "")?);
        let model = model(&values)?;
        Ok(Self { values, model, notes: sieve.notes, val_labels: sieve.val_labels })
    }

    /// The configuration for the trainer, without all that the worker sets.
    pub fn yaml(&self) -> String {
        yaml::write(&self.values)
    }

    /// Which model it trains, as the trainer calls it: `centroid`, `centered_instance`, `bottomup`, …
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What the client should be told: keys that had a value and are not used.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// It names validation labels: the job must carry them.
    pub fn wants_val_labels(&self) -> bool {
        self.val_labels
    }
}

/// The one model that is not null.
fn model(values: &Value) -> Result<String, ConfigError> {
    let Some(Value::Map(heads)) = values.get("model_config.head_configs") else { return Err(ConfigError::Model(0)) };
    let mut chosen = heads.iter().filter(|(_, head)| *head != Value::Null).map(|(name, _)| name);
    match (chosen.next(), chosen.count()) {
        (Some(name), 0) => Ok(name.clone()),
        (first, more) => Err(ConfigError::Model(usize::from(first.is_some()) + more)),
    }
}

struct Sieve {
    notes: Vec<String>,
    val_labels: bool,
}

impl Sieve {
    fn section(&mut self, entries: Vec<(String, Value)>, path: &str) -> Result<Vec<(String, Value)>, ConfigError> {
        let mut kept = Vec::new();
        for (name, value) in entries {
            let key = join(path, &name);
            if let Some(value) = self.value(&key, value)? {
                kept.push((name, value));
            }
        }
        Ok(kept)
    }

    fn value(&mut self, key: &str, value: Value) -> Result<Option<Value>, ConfigError> {
        let Some(rule) = RULES.get(key) else {
            return Err(ConfigError::UnknownKey { key: key.to_owned(), meant: meant(key) });
        };
        match (rule, value) {
            (Rule::Section, Value::Map(entries)) => Ok(Some(Value::Map(self.section(entries, key)?))),
            (Rule::Section | Rule::Keep | Rule::Free, Value::Null) => Ok(Some(Value::Null)),
            (Rule::Section, _) => Err(ConfigError::Shape { key: key.to_owned(), expected: "a map" }),
            (Rule::Keep, value) if has_map(&value) => {
                Err(ConfigError::Shape { key: key.to_owned(), expected: "a value or a list" })
            }
            (Rule::Keep | Rule::Free, value) => Ok(Some(value)),
            (Rule::Carried, value) => {
                self.val_labels |= !is_empty(&value);
                Ok(None)
            }
            (Rule::Refuse, value) if !is_empty(&value) => Err(ConfigError::Refused(key.to_owned())),
            (Rule::Drop, value) if !is_unset(&value) => {
                self.notes.push(format!("{key} is not used on a worker"));
                Ok(None)
            }
            (Rule::Set | Rule::Refuse | Rule::Drop, _) => Ok(None),
        }
    }
}

/// A known key with the same last name.
fn meant(key: &str) -> Option<String> {
    let last = key.rsplit('.').next()?;
    RULES.keys().find(|known| known.rsplit('.').next() == Some(last)).map(|known| (*known).to_owned())
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn has_map(value: &Value) -> bool {
    match value {
        Value::Map(_) => true,
        Value::List(items) => items.iter().any(has_map),
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        Value::List(items) => items.iter().all(is_empty),
        Value::Map(entries) => entries.iter().all(|(_, value)| is_empty(value)),
        _ => false,
    }
}

/// Empty or false all through, as in a configuration that the trainer has saved.
fn is_unset(value: &Value) -> bool {
    match value {
        Value::Bool(value) => !value,
        Value::Map(entries) => entries.iter().all(|(_, value)| is_unset(value)),
        other => is_empty(other),
    }
}

/// Hydra's instantiation keys (`_target_`, `_partial_`, …) and `OmegaConf`'s interpolation, wherever they stand.
fn refuse_code(value: &Value, path: &str) -> Result<(), ConfigError> {
    let interpolates = |text: &str| text.contains("${");
    match value {
        Value::Text(text) if interpolates(text) => Err(ConfigError::Code { key: path.to_owned(), what: "${" }),
        Value::List(items) => items.iter().try_for_each(|item| refuse_code(item, path)),
        Value::Map(entries) => entries.iter().try_for_each(|(name, value)| {
            let key = join(path, name);
            if name.starts_with('_') && name.ends_with('_') {
                return Err(ConfigError::Code { key, what: "_target_" });
            }
            if interpolates(name) {
                return Err(ConfigError::Code { key, what: "${" });
            }
            refuse_code(value, &key)
        }),
        _ => Ok(()),
    }
}
