//! What a peer tells about itself, and how an update changes it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::limits;

/// A peer's metadata: `{"tags": [...], "properties": {...}}` and whatever else it sent.
///
/// Everything but a JSON object is read as an empty one, as the deployed server does. A clone shares what it clones, and is
/// written as JSON once however many frames carry it.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "Value")]
pub struct Metadata(Arc<Told>);

/// What was told.
#[derive(Default)]
struct Told {
    map: Map<String, Value>,
    /// The map as JSON, once somebody has asked for it.
    text: OnceLock<Box<RawValue>>,
}

impl Clone for Told {
    fn clone(&self) -> Self {
        // Cloned to be changed: the text would be wrong.
        Self::from(self.map.clone())
    }
}

impl From<Map<String, Value>> for Told {
    fn from(map: Map<String, Value>) -> Self {
        Self { map, text: OnceLock::new() }
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metadata").field(&self.0.map).finish()
    }
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.map == other.0.map
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
            Value::Object(map) => Self(Arc::new(map.into())),
            _ => Self::default(),
        }
    }
}

impl From<Metadata> for Value {
    fn from(metadata: Metadata) -> Self {
        Self::Object(Arc::unwrap_or_clone(metadata.0).map)
    }
}

impl Metadata {
    fn raw(&self) -> &RawValue {
        // A map of JSON values can always be written.
        self.0.text.get_or_init(|| to_raw_value(&self.0.map).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// As JSON.
    pub fn text(&self) -> &str {
        self.raw().get()
    }

    fn map_mut(&mut self) -> &mut Map<String, Value> {
        let told = Arc::make_mut(&mut self.0);
        told.text.take();
        &mut told.map
    }

    /// All properties.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &Value)> {
        let properties = self.0.map.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }

    /// The peer's tags that are texts, in the order they were added.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.0.map.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// One property; a missing one and `null` mean the same to filters.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.0.map.get("properties")?.as_object()?.get(name)
    }

    /// Sets one property.
    pub fn set_property(&mut self, name: &str, value: Value) {
        let properties = self.map_mut().entry("properties").or_insert_with(|| Value::Object(Map::new()));
        if !properties.is_object() {
            *properties = Value::Object(Map::new());
        }
        if let Value::Object(properties) = properties {
            properties.insert(name.to_owned(), value);
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.map.is_empty()
    }

    /// Applies an `update_metadata`: `tags` become the union of old and new, `properties` are overridden one by one (`null`
    /// stays `null`), any other key given replaces the old one, and what the update does not name stays. `properties` exists
    /// afterwards, because old workers look it up in the confirmation.
    pub fn merge(&mut self, update: Self) {
        self.map_mut().entry("properties").or_insert_with(|| Value::Object(Map::new()));
        for (key, value) in Arc::unwrap_or_clone(update.0).map {
            match (key.as_str(), value) {
                ("tags", Value::Array(new)) => self.merge_tags(new),
                ("properties", Value::Object(new)) => {
                    for (name, value) in new {
                        self.set_property(&name, value);
                    }
                }
                // An update that is no list of tags, no object of properties would only destroy what others rely on.
                ("tags" | "properties", _) => {}
                (_, value) => {
                    self.map_mut().insert(key, value);
                }
            }
        }
    }

    fn merge_tags(&mut self, new: Vec<Value>) {
        let tags = self.map_mut().entry("tags").or_insert_with(|| Value::Array(Vec::new()));
        if !tags.is_array() {
            *tags = Value::Array(Vec::new());
        }
        if let Value::Array(tags) = tags {
            for tag in new {
                if tags.len() > limits::TAGS {
                    // Too many already, as [`Self::exceeds`] will say; to look for each of a million would cost seconds.
                    return;
                }
                if !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
        }
    }

    /// The limit that this metadata exceeds, if any, in words that fit an error.
    pub fn exceeds(&self) -> Option<String> {
        let tags = self.0.map.get("tags").and_then(Value::as_array).map_or(0, Vec::len);
        let properties = self.0.map.get("properties").and_then(Value::as_object).map_or(0, Map::len);
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
