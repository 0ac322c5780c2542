//! Which peers a discovery or a claim means.
//!
//! The rules are those of the deployed server (role, tags, properties with `$gte`, `$lte`, `$eq`), with our operators `$gt`,
//! `$lt`, `$ne`, `$in`, `$nin`, `$exists`, `$all`, `limit` and `sort` beside them. An operand that cannot be compared does not match;
//! nothing here ever fails on a peer's data.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::{Metadata, limits};

/// A filter that exceeds a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilterError(String);

/// Conditions, all of which must hold. The default matches every peer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Filters {
    source: Value,
    role: Option<Value>,
    tags: Option<Value>,
    terms: Vec<(String, Term)>,
    limit: Option<usize>,
    sort: Option<String>,
}

/// Where a peer stands by one of its properties: numbers before texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank<'a> {
    /// A number, as bits that are in its order.
    Number(i64),
    /// A text.
    Text(&'a str),
}

/// What one property must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// Equal to this value; `null` means missing too.
    Is(Value),
    /// All of these comparisons.
    All(Vec<(Operator, Value)>),
}

/// A comparison with an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// At least.
    Gte,
    /// At most.
    Lte,
    /// More than.
    Gt,
    /// Less than.
    Lt,
    /// Equal; a missing property counts as `null`.
    Eq,
    /// Not equal.
    Ne,
    /// One of a list.
    In,
    /// None of a list.
    Nin,
    /// There and not `null` (`true`), or missing or `null` (`false`).
    Exists,
    /// A list that has every element of the operand.
    HasAll,
}

impl Operator {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "$gte" => Self::Gte,
            "$lte" => Self::Lte,
            "$gt" => Self::Gt,
            "$lt" => Self::Lt,
            "$eq" => Self::Eq,
            "$ne" => Self::Ne,
            "$in" => Self::In,
            "$nin" => Self::Nin,
            "$exists" => Self::Exists,
            "$all" => Self::HasAll,
            _ => return None,
        })
    }

    fn holds(self, value: &Value, operand: &Value) -> bool {
        let order = || compare(value, operand);
        let among = |list: &Value| list.as_array().map(|list| list.iter().any(|one| same(value, one)));
        match self {
            Self::Gte => order().is_some_and(Ordering::is_ge),
            Self::Lte => order().is_some_and(Ordering::is_le),
            Self::Gt => order().is_some_and(Ordering::is_gt),
            Self::Lt => order().is_some_and(Ordering::is_lt),
            Self::Eq => same(value, operand),
            Self::Ne => !same(value, operand),
            Self::In => among(operand) == Some(true),
            Self::Nin => among(operand) == Some(false),
            Self::Exists => operand.as_bool() == Some(!value.is_null()),
            Self::HasAll => match (value.as_array(), operand.as_array()) {
                (Some(has), Some(wanted)) => wanted.iter().all(|one| has.iter().any(|other| same(one, other))),
                _ => false,
            },
        }
    }
}

impl Term {
    fn parse(value: Value) -> Self {
        match value {
            Value::Object(map) => Self::All(
                map.into_iter().filter_map(|(name, operand)| Some((Operator::named(&name)?, operand))).collect(),
            ),
            value => Self::Is(value),
        }
    }

    /// Whether a property with this value (`None`: missing) satisfies the term.
    pub fn holds(&self, value: Option<&Value>) -> bool {
        let value = value.unwrap_or(&Value::Null);
        match self {
            Self::Is(wanted) => same(value, wanted),
            Self::All(all) => all.iter().all(|(operator, operand)| operator.holds(value, operand)),
        }
    }
}

impl Filters {
    /// A filter built by our own code; the JSON form is the one of the wire.
    pub fn parse(source: Value) -> Result<Self, FilterError> {
        let Value::Object(map) = source.clone() else {
            // `null`, and whatever else is no object, means no filter.
            return Ok(Self::default());
        };
        if depth(&source) > limits::FILTER_DEPTH {
            return Err(FilterError(format!("filter nested deeper than {} levels", limits::FILTER_DEPTH)));
        }
        let bytes = text_bytes(&source);
        if bytes > limits::FILTER {
            return Err(FilterError(format!("filter of {bytes} bytes, at most {} are allowed", limits::FILTER)));
        }
        let mut filters = Self { source, ..Self::default() };
        for (key, value) in map {
            filters.take(key, value);
        }
        let conditions = filters.conditions();
        if conditions > limits::FILTER_TERMS {
            let most = limits::FILTER_TERMS;
            return Err(FilterError(format!("filter with {conditions} conditions, at most {most} are allowed")));
        }
        Ok(filters)
    }

    /// What one peer may have to be compared with: each scalar, in whatever list it is.
    fn conditions(&self) -> usize {
        let of_term = |term: &Term| match term {
            Term::Is(value) => scalars(value),
            Term::All(all) => all.iter().map(|(_, operand)| scalars(operand)).sum::<usize>().max(1),
        };
        let tags = self.tags.as_ref().and_then(Value::as_array).map_or(0, Vec::len);
        tags + self.terms.iter().map(|(_, term)| of_term(term)).sum::<usize>()
    }

    fn take(&mut self, key: String, value: Value) {
        match (key.as_str(), value) {
            // Every Python client sends its room; the room is the sender's anyway.
            ("room_id", _) | ("properties", Value::Null) => {}
            ("role", value) => self.role = Some(value),
            ("tags", value) => self.tags = Some(value),
            ("limit", value) => self.limit = value.as_u64().and_then(|n| usize::try_from(n).ok()),
            ("sort", value) => self.sort = value.as_str().map(str::to_owned),
            ("properties", Value::Object(properties)) => {
                self.terms.extend(properties.into_iter().map(|(name, value)| (name, Term::parse(value))));
            }
            // The shorthand of the original's own test: `{"status": "available"}`.
            (_, value) => self.terms.push((key, Term::parse(value))),
        }
    }

    /// The most peers that the asker wants, if it said so.
    pub fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// The property by which the answer is to be sorted, if any: written as its name, from the largest on with a `-` before it.
    pub fn sort(&self) -> Option<&str> {
        self.sort.as_deref().map(|name| name.strip_prefix('-').unwrap_or(name))
    }

    /// Which of two peers comes first by [`Filters::sort`]. Who has no such property comes last either way.
    pub fn order(&self, a: Option<Rank<'_>>, b: Option<Rank<'_>>) -> Ordering {
        let descending = self.sort.as_ref().is_some_and(|name| name.starts_with('-'));
        match (a, b) {
            (Some(a), Some(b)) if descending => b.cmp(&a),
            (Some(a), Some(b)) => a.cmp(&b),
            (a, b) => a.is_none().cmp(&b.is_none()),
        }
    }

    /// The role that is asked for, if any and a text.
    pub fn role(&self) -> Option<&str> {
        self.role.as_ref().and_then(Value::as_str)
    }

    /// Whether it means every peer, or every peer of one role.
    pub fn is_by_role_only(&self) -> bool {
        self.role.as_ref().is_none_or(Value::is_string) && self.tags.is_none() && self.terms.is_empty()
    }

    /// The tags of which one is enough, if any are asked for: none at all if they are no list.
    pub fn tags(&self) -> Option<impl Iterator<Item = &str>> {
        let tags = self.tags.as_ref()?;
        Some(tags.as_array().into_iter().flatten().filter_map(Value::as_str))
    }

    /// The conditions on properties.
    pub fn terms(&self) -> &[(String, Term)] {
        &self.terms
    }

    /// Whether a peer is meant.
    pub fn matches(&self, role: &str, metadata: &Metadata) -> bool {
        self.matches_with(role, metadata, |_| None)
    }

    /// [`Filters::matches`], where `overlay` may answer for a property before the metadata does.
    pub fn matches_with<'a>(
        &'a self,
        role: &str,
        metadata: &'a Metadata,
        overlay: impl Fn(&str) -> Option<&'a Value>,
    ) -> bool {
        let role_fits = self.role.as_ref().is_none_or(|wanted| wanted.as_str() == Some(role));
        let tags_fit = self.tags.as_ref().is_none_or(|wanted| {
            wanted.as_array().is_some_and(|list| {
                list.iter().filter_map(Value::as_str).any(|tag| metadata.tags().any(|own| own == tag))
            })
        });
        role_fits
            && tags_fit
            && self.terms.iter().all(|(name, term)| term.holds(overlay(name).or_else(|| metadata.property(name))))
    }
}

impl<'a> Rank<'a> {
    /// Where a value stands; lists, objects and `null` stand nowhere.
    pub fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text)),
            value => {
                // Adding 0 makes one of the two zeros. The bits of a negative number are in the reverse order.
                let bits = (number(value)?.as_f64()? + 0.0).to_bits().cast_signed();
                Some(Self::Number(if bits < 0 { bits ^ i64::MAX } else { bits }))
            }
        }
    }
}

impl TryFrom<Value> for Filters {
    type Error = FilterError;

    fn try_from(source: Value) -> Result<Self, FilterError> {
        Self::parse(source)
    }
}

impl From<Filters> for Value {
    fn from(filters: Filters) -> Self {
        if filters.source.is_null() { Self::Object(Map::new()) } else { filters.source }
    }
}

fn depth(value: &Value) -> usize {
    let inside = match value {
        Value::Array(list) => list.iter().map(depth).max(),
        Value::Object(map) => map.values().map(depth).max(),
        _ => return 0,
    };
    1 + inside.unwrap_or(0)
}

/// Scalars in it, an empty list or object counting as one.
fn scalars(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.iter().map(scalars).sum::<usize>().max(1),
        Value::Object(map) => map.values().map(scalars).sum::<usize>().max(1),
        _ => 1,
    }
}

/// All names and texts in it, bytes.
fn text_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(text_bytes).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + text_bytes(value)).sum(),
        _ => 0,
    }
}

/// Equality as Python sees it: numbers by value whatever their form, `true` equal to 1.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => compare_numbers(&a, &b) == Some(Ordering::Equal),
            _ => a == b,
        },
    }
}

/// Order between two numbers or two texts; everything else has none.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => compare_numbers(&number(a)?, &number(b)?),
    }
}

fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::Bool(yes) => Some(Number::from(u8::from(*yes))),
        _ => None,
    }
}

fn compare_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    let whole = |n: &Number| n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from));
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}
