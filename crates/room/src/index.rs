//! Who may match a filter, by what is asked for: tags, and properties with `=`, `$eq`, `$in`, `$gt`, `$gte`, `$lt`, `$lte`, `$all` and
//! `$exists: true`. Every match is among those named here; whether they match is decided by [`Filters`] alone.
//!
//! The index knows values by a [`Key`]: two values that are equal to a filter have the same key, and keys are in the order in
//! which a filter compares values.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde_json::Value;
use sleap_rtc_wire::Filters;
use sleap_rtc_wire::filter::{Operator, Rank, Term};

use crate::peer::Peer;
use crate::peers::Joined;

/// A value as the index knows it. `null` has none: it is the same as missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A number or a boolean, by the value that a float has: whole numbers beyond 2^53 may share a key.
    Number(i64),
    /// A text by its first bytes, which are in its order, and its hash.
    Text(u64, u64),
    /// A list or an object, by its hash.
    Compound(u64),
}

/// The peers with one value or tag.
#[derive(Debug)]
enum Posting {
    One(Joined),
    Many(BTreeSet<Joined>),
}

/// The peers that have a property, by its value.
#[derive(Debug, Default)]
struct Property {
    values: BTreeMap<Key, Posting>,
    peers: usize,
}

/// All peers by tag and by property.
#[derive(Debug, Default)]
pub(crate) struct Index {
    tags: BTreeMap<Box<str>, Posting>,
    properties: BTreeMap<Arc<str>, Property>,
}

/// Those among whom all matches are, in the order of joining.
#[derive(Debug)]
pub(crate) enum Candidates<'a> {
    All(&'a BTreeMap<Joined, Peer>),
    Set(&'a BTreeSet<Joined>),
    List(Vec<Joined>),
}

impl Candidates<'_> {
    pub(crate) fn nobody() -> Self {
        Self::List(Vec::new())
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::All(peers) => peers.len(),
            Self::Set(set) => set.len(),
            Self::List(list) => list.len(),
        }
    }

    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = Joined> + '_> {
        match self {
            Self::All(peers) => Box::new(peers.keys().copied()),
            Self::Set(set) => Box::new(set.iter().copied()),
            Self::List(list) => Box::new(list.iter().copied()),
        }
    }
}

impl Index {
    pub(crate) fn add_tag(&mut self, tag: &str, joined: Joined) {
        match self.tags.get_mut(tag) {
            Some(peers) => peers.add(joined),
            None => _ = self.tags.insert(tag.into(), Posting::One(joined)),
        }
    }

    pub(crate) fn remove_tag(&mut self, tag: &str, joined: Joined) {
        if self.tags.get_mut(tag).is_some_and(|peers| peers.remove(joined)) {
            self.tags.remove(tag);
        }
    }

    /// A property of a peer has become another.
    pub(crate) fn change(&mut self, name: &str, joined: Joined, before: Option<&Value>, after: Option<&Value>) {
        let (before, after) = (before.and_then(Key::of), after.and_then(Key::of));
        if before == after {
            return;
        }
        if !self.properties.contains_key(name) {
            self.properties.insert(name.into(), Property::default());
        }
        let Some(property) = self.properties.get_mut(name) else { return };
        if let Some(key) = before {
            property.remove(key, joined);
        }
        if let Some(key) = after {
            property.add(key, joined);
        }
        if property.peers == 0 {
            debug_assert!(property.values.is_empty(), "who is gone is found nowhere");
            self.properties.remove(name);
        }
    }

    /// The name of a property that some peer has.
    pub(crate) fn name(&self, name: &str) -> Option<&Arc<str>> {
        self.properties.get_key_value(name).map(|(name, _)| name)
    }

    #[cfg(debug_assertions)]
    pub(crate) fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.properties.is_empty()
    }

    /// Those among whom all matches are, if some condition leaves fewer than `below`. The properties `but` are not looked at.
    pub(crate) fn narrow(&self, filters: &Filters, but: &[&str], below: usize) -> Option<Candidates<'_>> {
        let mut best = Narrowest { below, found: None };
        if let Some(tags) = filters.tags() {
            best.offer(tags.filter_map(|tag| self.tags.get(tag)));
        }
        // What is equal is counted at a glance, and makes the counting of ranges short.
        let mut wide = Vec::new();
        for (name, term) in filters.terms().iter().filter(|(name, _)| !but.contains(&name.as_str())) {
            let property = self.properties.get(name.as_str());
            for keys in conditions(term) {
                match (property, keys) {
                    (None, _) => best.offer([]),
                    (Some(property), Keys::Each(keys)) => {
                        best.offer(keys.iter().filter_map(|key| property.values.get(key)));
                    }
                    (Some(property), keys) => wide.push((property, keys)),
                }
            }
        }
        for (property, keys) in wide {
            match keys {
                Keys::Between(range) if range.is_empty() => best.offer([]),
                Keys::Between(range) => best.offer(property.values.range(range).map(|(_, peers)| peers)),
                _ => best.offer(property.values.values()),
            }
        }
        best.found.map(Candidates::of)
    }
}

/// The condition that leaves the fewest peers.
struct Narrowest<'a> {
    /// How many it leaves.
    below: usize,
    found: Option<Vec<&'a Posting>>,
}

impl<'a> Narrowest<'a> {
    /// Looks at no more of it than shows that it is not better.
    fn offer(&mut self, postings: impl IntoIterator<Item = &'a Posting>) {
        let (mut peers, mut found) = (0, Vec::new());
        for posting in postings {
            peers += posting.len();
            if peers >= self.below {
                return;
            }
            found.push(posting);
        }
        if peers < self.below {
            (self.below, self.found) = (peers, Some(found));
        }
    }
}

impl<'a> Candidates<'a> {
    fn of(postings: Vec<&'a Posting>) -> Self {
        if let [Posting::Many(set)] = postings.as_slice() {
            return Self::Set(set);
        }
        let mut list = Vec::with_capacity(postings.iter().map(|posting| posting.len()).sum());
        for posting in postings {
            match posting {
                Posting::One(joined) => list.push(*joined),
                Posting::Many(set) => list.extend(set),
            }
        }
        list.sort_unstable();
        // A peer may have several of the tags.
        list.dedup();
        Self::List(list)
    }
}

impl Posting {
    fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(set) => set.len(),
        }
    }

    fn add(&mut self, joined: Joined) {
        match self {
            Self::One(other) if *other == joined => {}
            Self::One(other) => *self = Self::Many(BTreeSet::from([*other, joined])),
            Self::Many(set) => _ = set.insert(joined),
        }
    }

    /// Whether nobody is left.
    fn remove(&mut self, joined: Joined) -> bool {
        match self {
            Self::One(other) => *other == joined,
            Self::Many(set) => {
                set.remove(&joined);
                set.is_empty()
            }
        }
    }
}

impl Property {
    fn add(&mut self, key: Key, joined: Joined) {
        self.peers += 1;
        self.values.entry(key).and_modify(|peers| peers.add(joined)).or_insert(Posting::One(joined));
    }

    fn remove(&mut self, key: Key, joined: Joined) {
        self.peers -= 1;
        if self.values.get_mut(&key).is_some_and(|peers| peers.remove(joined)) {
            self.values.remove(&key);
        }
    }
}

/// Where the values are that satisfy a condition.
enum Keys {
    Each(BTreeSet<Key>),
    Between(RangeInclusive<Key>),
    All,
}

/// What a term says about keys, each of it by itself. What the index cannot tell (`null`, `$ne`, `$nin`, `$exists: false`) is left out.
fn conditions(term: &Term) -> Vec<Keys> {
    match term {
        Term::Is(value) => equal([value]).into_iter().collect(),
        Term::All(all) => {
            let others = all.iter().filter_map(|(operator, operand)| match operator {
                Operator::Eq => equal([operand]),
                Operator::In => equal(operand.as_array().into_iter().flatten()),
                Operator::HasAll => Some(Keys::Between(Key::Compound(0)..=Key::Compound(u64::MAX))),
                Operator::Exists if operand.as_bool() == Some(true) => Some(Keys::All),
                _ => None,
            });
            others.chain(between(all)).collect()
        }
    }
}

fn equal<'a>(values: impl IntoIterator<Item = &'a Value>) -> Option<Keys> {
    values.into_iter().map(Key::of).collect::<Option<_>>().map(Keys::Each)
}

/// Between the bounds of `$gt`, `$gte`, `$lt` and `$lte`, taken together.
fn between(all: &[(Operator, Value)]) -> Option<Keys> {
    let mut range: Option<RangeInclusive<Key>> = None;
    for (operator, operand) in all {
        let bound = Key::of(operand);
        let side = match (operator, bound) {
            (Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte, None | Some(Key::Compound(_))) => {
                // Nothing can be compared with it.
                return Some(Keys::Each(BTreeSet::new()));
            }
            (Operator::Gt | Operator::Gte, Some(key)) => key.least()..=key.kind_end(),
            (Operator::Lt | Operator::Lte, Some(key)) => key.kind_begin()..=key.most(),
            _ => continue,
        };
        range = Some(match range {
            None => side,
            Some(range) => *range.start().max(side.start())..=*range.end().min(side.end()),
        });
    }
    range.map(Keys::Between)
}

impl Key {
    fn of(value: &Value) -> Option<Self> {
        match Rank::of(value) {
            Some(Rank::Number(bits)) => Some(Self::Number(bits)),
            Some(Rank::Text(text)) => Some(Self::Text(first_bytes(text), hash(value))),
            None if value.is_null() => None,
            None => Some(Self::Compound(hash(value))),
        }
    }

    /// The first of the keys that an equal value may have, or one of the same order.
    fn least(self) -> Self {
        if let Self::Text(first, _) = self { Self::Text(first, 0) } else { self }
    }

    fn most(self) -> Self {
        if let Self::Text(first, _) = self { Self::Text(first, u64::MAX) } else { self }
    }

    fn kind_begin(self) -> Self {
        match self {
            Self::Number(_) => Self::Number(i64::MIN),
            Self::Text(..) => Self::Text(0, 0),
            Self::Compound(_) => Self::Compound(0),
        }
    }

    fn kind_end(self) -> Self {
        match self {
            Self::Number(_) => Self::Number(i64::MAX),
            Self::Text(..) => Self::Text(u64::MAX, u64::MAX),
            Self::Compound(_) => Self::Compound(u64::MAX),
        }
    }
}

/// A text's first eight bytes as a number: never lower for a later text.
fn first_bytes(text: &str) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    u64::from_be_bytes(first)
}

/// Equal values have equal hashes: numbers and booleans by their value, objects whatever the order of their keys.
fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Null => 0_u8.hash(&mut hasher),
        Value::String(text) => (1_u8, text).hash(&mut hasher),
        Value::Array(list) => {
            2_u8.hash(&mut hasher);
            for value in list {
                hash(value).hash(&mut hasher);
            }
        }
        Value::Object(map) => {
            let entry = |(name, value): (&String, &Value)| {
                let mut hasher = DefaultHasher::new();
                (name, hash(value)).hash(&mut hasher);
                hasher.finish()
            };
            (3_u8, map.iter().map(entry).fold(0, u64::wrapping_add)).hash(&mut hasher);
        }
        Value::Bool(_) | Value::Number(_) => {
            if let Some(Rank::Number(bits)) = Rank::of(value) {
                (4_u8, bits).hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}
