//! What a peer tells about itself, and how an update changes it.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};
use std::{fmt, iter};

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::limits;

const TAGS: &str = "tags";
const PROPERTIES: &str = "properties";

/// A peer's metadata: `{"tags": [...], "properties": {...}}` and whatever else it sent.
///
/// Everything but a JSON object is read as an empty one, as the deployed server does. A clone shares what it clones, and is
/// written as JSON once however many frames carry it.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "Value")]
pub struct Metadata(Arc<Told>);

/// A property that has changed: its name, its value before and its value after, `None` where it is not there.
pub type Changed<'a> = (&'a str, Option<&'a Value>, Option<&'a Value>);

/// What was told, in a third of the memory that a map of maps takes.
#[derive(Default)]
struct Told {
    tags: Option<Value>,
    /// By name. `None` if there are none, or if they are no object: then they are among the rest.
    properties: Option<Vec<(Arc<str>, Value)>>,
    rest: Map<String, Value>,
    /// The whole as JSON, once somebody has asked for it.
    text: OnceLock<Box<RawValue>>,
}

impl Clone for Told {
    fn clone(&self) -> Self {
        // Cloned to be changed: the text would be wrong.
        Self {
            tags: self.tags.clone(),
            properties: self.properties.clone(),
            rest: self.rest.clone(),
            text: OnceLock::new(),
        }
    }
}

impl Told {
    fn of(mut map: Map<String, Value>) -> Self {
        let mut tags = map.remove(TAGS);
        if let Some(Value::Array(tags)) = &mut tags {
            tags.shrink_to_fit();
        }
        let properties = match map.remove(PROPERTIES) {
            Some(Value::Object(properties)) => {
                let mut properties: Vec<(Arc<str>, Value)> =
                    properties.into_iter().map(|(name, value)| (name.into(), value)).collect();
                properties.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                Some(properties)
            }
            Some(other) => {
                map.insert(PROPERTIES.to_owned(), other);
                None
            }
            None => None,
        };
        // An emptied map keeps its memory.
        let rest = if map.is_empty() { Map::new() } else { map };
        Self { tags, properties, rest, text: OnceLock::new() }
    }

    fn find(&self, name: &str) -> Option<&Value> {
        let properties = self.properties.as_ref()?;
        let at = properties.binary_search_by(|(own, _)| (**own).cmp(name)).ok()?;
        properties.get(at).map(|(_, value)| value)
    }

    fn set(&mut self, name: Arc<str>, value: Value) {
        self.rest.remove(PROPERTIES);
        let properties = self.properties.get_or_insert_default();
        match properties.binary_search_by(|(own, _)| own.cmp(&name)) {
            Ok(at) => properties[at].1 = value,
            Err(at) => properties.insert(at, (name, value)),
        }
    }
}

/// The properties as a JSON object.
struct Object<'a>(&'a [(Arc<str>, Value)]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (&**name, value)))
    }
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        if let Some(properties) = &self.properties {
            map.serialize_entry(PROPERTIES, &Object(properties))?;
        }
        if let Some(tags) = &self.tags {
            map.serialize_entry(TAGS, tags)?;
        }
        for (key, value) in &self.rest {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metadata").field(&Value::from(self.clone())).finish()
    }
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        std::ptr::eq(a, b) || a.tags == b.tags && a.properties == b.properties && a.rest == b.rest
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.raw().serialize(to)
    }
}

impl From<Value> for Metadata {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(map) => Self(Arc::new(Told::of(map))),
            _ => Self::default(),
        }
    }
}

impl From<Metadata> for Value {
    fn from(metadata: Metadata) -> Self {
        let Told { tags, properties, rest: mut map, .. } = Arc::unwrap_or_clone(metadata.0);
        if let Some(tags) = tags {
            map.insert(TAGS.to_owned(), tags);
        }
        if let Some(properties) = properties {
            let properties = properties.into_iter().map(|(name, value)| (name.as_ref().to_owned(), value));
            map.insert(PROPERTIES.to_owned(), Self::Object(properties.collect()));
        }
        Self::Object(map)
    }
}

impl Metadata {
    fn raw(&self) -> &RawValue {
        // JSON values can always be written.
        self.0.text.get_or_init(|| to_raw_value(&*self.0).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// As JSON.
    pub fn text(&self) -> &str {
        self.raw().get()
    }

    fn told_mut(&mut self) -> &mut Told {
        let told = Arc::make_mut(&mut self.0);
        told.text.take();
        told
    }

    /// The peer's tags that are texts, in the order they were added.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.0.tags.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// All properties, in the order of their names.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.properties.iter().flatten().map(|(name, value)| (&**name, value))
    }

    /// The properties in which this and what it has become differ, in the order of their names: the name, the value before, the
    /// value after.
    pub fn changes<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = Changed<'a>> {
        let mut before = self.0.properties.iter().flatten().peekable();
        let mut after = after.0.properties.iter().flatten().peekable();
        iter::from_fn(move || {
            loop {
                let order = match (before.peek(), after.peek()) {
                    // Names are mostly the very same text: nothing needs to be compared then.
                    (Some((a, _)), Some((b, _))) if Arc::ptr_eq(a, b) => Ordering::Equal,
                    (Some((a, _)), Some((b, _))) => a.cmp(b),
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (None, None) => return None,
                };
                let old = if order.is_le() { before.next() } else { None };
                let new = if order.is_ge() { after.next() } else { None };
                let (name, _) = old.or(new)?;
                let (old, new) = (old.map(|(_, value)| value), new.map(|(_, value)| value));
                if old != new {
                    return Some((&**name, old, new));
                }
            }
        })
    }

    /// One property; a missing one and `null` mean the same to filters.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.0.find(name)
    }

    /// Sets one property.
    pub fn set_property(&mut self, name: &str, value: Value) {
        self.told_mut().set(name.into(), value);
    }

    /// Takes the names of properties that somebody else has already, so that many peers with the same ones keep them once.
    pub fn share_names<'a>(&mut self, known: impl Fn(&str) -> Option<&'a Arc<str>>) {
        for (name, _) in Arc::make_mut(&mut self.0).properties.iter_mut().flatten() {
            if let Some(known) = known(name) {
                *name = known.clone();
            }
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.tags.is_none() && self.0.properties.is_none() && self.0.rest.is_empty()
    }

    /// Applies an `update_metadata`: `tags` become the union of old and new, `properties` are overridden one by one (`null`
    /// stays `null`), any other key given replaces the old one, and what the update does not name stays. `properties` exists
    /// afterwards, because old workers look it up in the confirmation.
    pub fn merge(&mut self, update: Self) {
        let update = Arc::unwrap_or_clone(update.0);
        let told = self.told_mut();
        if told.properties.is_none() && !told.rest.contains_key(PROPERTIES) {
            told.properties = Some(Vec::new());
        }
        for (name, value) in update.properties.into_iter().flatten() {
            if told.properties.as_ref().is_some_and(|properties| properties.len() > limits::PROPERTIES) {
                // Too many already, as [`Self::exceeds`] will say; to find a place for each of a million would cost seconds.
                break;
            }
            told.set(name, value);
        }
        if let Some(properties) = &mut told.properties {
            properties.shrink_to_fit();
        }
        // An update that is no list of tags, no object of properties would only destroy what others rely on.
        if let Some(Value::Array(new)) = update.tags {
            told.merge_tags(new);
        }
        told.rest.extend(update.rest.into_iter().filter(|(key, _)| key != PROPERTIES));
    }

    /// The limit that this metadata exceeds, if any, in words that fit an error.
    pub fn exceeds(&self) -> Option<String> {
        let tags = self.0.tags.as_ref().and_then(Value::as_array).map_or(0, Vec::len);
        let properties = self.0.properties.as_ref().map_or(0, Vec::len);
        if tags > limits::TAGS {
            return Some(format!("{tags} tags, at most {} are allowed", limits::TAGS));
        }
        if properties > limits::PROPERTIES {
            return Some(format!("{properties} properties, at most {} are allowed", limits::PROPERTIES));
        }
        let bytes = self.text().len();
        (bytes > limits::METADATA)
            .then(|| format!("metadata of {bytes} bytes, at most {} are allowed", limits::METADATA))
    }
}

impl Told {
    fn merge_tags(&mut self, new: Vec<Value>) {
        let tags = self.tags.get_or_insert_with(|| Value::Array(Vec::new()));
        if !tags.is_array() {
            *tags = Value::Array(Vec::new());
        }
        if let Value::Array(tags) = tags {
            for tag in new {
                if tags.len() > limits::TAGS {
                    // Too many already, as [`Metadata::exceeds`] will say; to look for each of a million would cost seconds.
                    return;
                }
                if !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
        }
    }
}
