//! The little YAML that a configuration needs: read strictly and within limits, written unambiguously.
//!
//! Scalars mean what `OmegaConf`, the trainer's own reader, takes them for (YAML 1.1: `yes` is true). Where YAML 1.1 and 1.2
//! would disagree on a number (`010`, `1:30`, `0x1f`, `1_000`) the text is refused rather than guessed. Written are only
//! forms that mean the same to both: JSON scalars and lists in block maps.

use std::collections::HashMap;
use std::fmt::Write as _;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

/// A value of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number; `.inf` and `.nan` as well.
    Float(f64),
    /// A string.
    Text(String),
    /// A sequence.
    List(Vec<Value>),
    /// A mapping in its own order; keys are unique.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The value under a dotted path of keys.
    pub fn get(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |value, key| match value {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        })
    }

    /// The number, if it is a whole one that fits.
    pub fn as_u32(&self) -> Option<u32> {
        match self {
            Self::Int(number) => u32::try_from(*number).ok(),
            _ => None,
        }
    }
}

/// Why a text is not a configuration that we read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct YamlError {
    /// From 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

/// How much a text may hold: far more than any real configuration, far less than harms.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maps and lists in each other.
    pub depth: usize,
    /// Values in all, each use of an alias counted anew.
    pub nodes: usize,
}

/// For what a client sends. SLEAP's own configurations have about 300 values, 6 deep.
pub const CLIENT: Limits = Limits { depth: 16, nodes: 20_000 };

/// Reads one document.
///
/// # Errors
/// Names the line of what is not YAML, not supported (tags, several documents), ambiguous or beyond the limits.
pub fn read(text: &str, limits: Limits) -> Result<Value, YamlError> {
    let mut builder = Builder { limits, nodes: 0, open: Vec::new(), root: None, anchors: HashMap::new() };
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|e| YamlError { line: e.marker().line().max(1), what: e.info().to_owned() })?;
        builder.event(event).map_err(|what| YamlError { line: span.start.line().max(1), what })?;
    }
    Ok(builder.root.unwrap_or(Value::Null))
}

/// A container that is not complete.
struct Open {
    anchor: usize,
    nodes_before: usize,
    items: Items,
}

enum Items {
    List(Vec<Value>),
    Map { entries: Vec<(String, Value)>, key: Option<String> },
}

struct Builder {
    limits: Limits,
    nodes: usize,
    open: Vec<Open>,
    root: Option<Value>,
    /// By the parser's number: the value and how many nodes it has.
    anchors: HashMap<usize, (Value, usize)>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err("only one document is read".into()),
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.as_deref())?;
                self.scalar(&text, style, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.as_deref())?;
                self.begin(anchor, Items::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.as_deref())?;
                self.begin(anchor, Items::Map { entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let (_, nodes) = self.anchors.get(&anchor).ok_or("an alias names a value that contains it")?;
                self.count(*nodes)?;
                let value = self.anchors[&anchor].0.clone();
                self.depth_with(&value)?;
                self.place(value)
            }
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize) -> Result<(), String> {
        refuse_controls(text)?;
        self.count(1)?;
        let is_key = matches!(self.open.last(), Some(Open { items: Items::Map { key: None, .. }, .. }));
        let value =
            if is_key || style != ScalarStyle::Plain { Value::Text(text.to_owned()) } else { plain_scalar(text)? };
        self.remember(anchor, &value, 1);
        self.place(value)
    }

    fn begin(&mut self, anchor: usize, items: Items) -> Result<(), String> {
        if matches!(self.open.last(), Some(Open { items: Items::Map { key: None, .. }, .. })) {
            return Err("a key must be a plain word".into());
        }
        if self.open.len() >= self.limits.depth {
            return Err(format!("more than {} maps or lists in each other", self.limits.depth));
        }
        let nodes_before = self.nodes;
        self.count(1)?;
        self.open.push(Open { anchor, nodes_before, items });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else { return Err("an end without a beginning".into()) };
        let value = match open.items {
            Items::List(items) => Value::List(items),
            Items::Map { entries, .. } => Value::Map(entries),
        };
        self.remember(open.anchor, &value, self.nodes - open.nodes_before);
        self.place(value)
    }

    fn place(&mut self, value: Value) -> Result<(), String> {
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(value),
            Some(Items::List(items)) => items.push(value),
            Some(Items::Map { entries, key }) => match (key.take(), value) {
                (Some(key), value) => entries.push((key, value)),
                (None, Value::Text(name)) if entries.iter().any(|(known, _)| *known == name) => {
                    return Err(format!("the key '{name}' is there twice"));
                }
                (None, Value::Text(name)) => *key = Some(name),
                (None, _) => return Err("a key must be a plain word".into()),
            },
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, value: &Value, nodes: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), nodes));
        }
    }

    fn count(&mut self, nodes: usize) -> Result<(), String> {
        self.nodes += nodes;
        if self.nodes > self.limits.nodes {
            return Err(format!("more than {} values", self.limits.nodes));
        }
        Ok(())
    }

    fn depth_with(&self, value: &Value) -> Result<(), String> {
        if self.open.len() + depth(value) > self.limits.depth {
            return Err(format!("more than {} maps or lists in each other", self.limits.depth));
        }
        Ok(())
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(entries) => 1 + entries.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

fn refuse_tag(tag: Option<&Tag>) -> Result<(), String> {
    tag.map_or(Ok(()), |tag| Err(format!("tags are not allowed: {}{}", tag.handle, tag.suffix)))
}

/// `PyYAML` reads none of these unescaped, or takes them for line breaks.
fn refuse_controls(text: &str) -> Result<(), String> {
    let bad = |c: char| (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    match text.chars().find(|&c| bad(c)) {
        Some(c) => Err(format!("the character {} is not allowed", c.escape_unicode())),
        None => Ok(()),
    }
}

fn plain_scalar(text: &str) -> Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        _ => number(text)?.unwrap_or_else(|| Value::Text(text.to_owned())),
    })
}

/// The number that a plain scalar is, `None` for a word.
fn number(text: &str) -> Result<Option<Value>, String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let ambiguous = || Err(format!("write '{text}' as a decimal number, or in quotes if it is a word"));
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || !unsigned.contains(|c: char| c.is_ascii_digit())
    {
        return Ok(None);
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            return ambiguous();
        }
        return text.parse().map(|n| Some(Value::Int(n))).or_else(|_| ambiguous());
    }
    if is_decimal(unsigned) {
        return text.parse().map(|n| Some(Value::Float(n))).or_else(|_| ambiguous());
    }
    let radix = ["0x", "0b", "0o"].iter().find_map(|prefix| unsigned.strip_prefix(prefix));
    let looks_like_one = radix.map_or_else(
        || unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'_' | b':')),
        |digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_'),
    );
    if looks_like_one { ambiguous() } else { Ok(None) }
}

/// `1.`, `1.5`, `.5`, `1e-4`, `1.5E+3`: digits, a point or an exponent.
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_ok = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_ok
}

/// Writes a document: maps as blocks, everything else on one line.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Map(entries) if !entries.is_empty() => block(&mut out, entries, 0),
        other => {
            flow(&mut out, other);
            out.push('\n');
        }
    }
    out
}

fn block(out: &mut String, entries: &[(String, Value)], indent: usize) {
    for (key, value) in entries {
        let _ = write!(out, "{:indent$}", "");
        write_key(out, key);
        match value {
            Value::Map(inner) if !inner.is_empty() => {
                out.push_str(":\n");
                block(out, inner, indent + 2);
            }
            other => {
                out.push_str(": ");
                flow(out, other);
                out.push('\n');
            }
        }
    }
}

fn flow(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Float(number) => out.push_str(&float(*number)),
        Value::Text(text) => out.push_str(&quoted(text)),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                flow(out, item);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (at, (key, item)) in entries.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                out.push_str(&quoted(key));
                out.push_str(": ");
                flow(out, item);
            }
            out.push('}');
        }
    }
}

fn float(number: f64) -> String {
    if number.is_nan() {
        ".nan".into()
    } else if number.is_infinite() {
        if number > 0.0 { ".inf".into() } else { "-.inf".into() }
    } else {
        format!("{number:?}")
    }
}

/// A double-quoted scalar, the same in JSON and YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

fn write_key(out: &mut String, key: &str) {
    let word = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && matches!(plain_scalar(key), Ok(Value::Text(_)));
    if word { out.push_str(key) } else { out.push_str(&quoted(key)) }
}
