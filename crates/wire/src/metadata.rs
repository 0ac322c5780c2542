//! What a peer tells about itself, and how an update changes it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits;

/// A peer's metadata: `{"tags": [...], "properties": {...}}` and whatever else it sent.
///
/// Everything but a JSON object is read as an empty one, as the deployed server does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub struct Metadata(Map<String, Value>);

impl From<Value> for Metadata {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(map) => Self(map),
            _ => Self::default(),
        }
    }
}

impl From<Metadata> for Value {
    fn from(metadata: Metadata) -> Self {
        Self::Object(metadata.0)
    }
}

impl Metadata {
    /// The peer's tags that are texts, in the order they were added.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.0.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// One property; a missing one and `null` mean the same to filters.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.0.get("properties")?.as_object()?.get(name)
    }

    /// Sets one property.
    pub fn set_property(&mut self, name: &str, value: Value) {
        let properties = self.0.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        if !properties.is_object() {
            *properties = Value::Object(Map::new());
        }
        if let Value::Object(properties) = properties {
            properties.insert(name.to_owned(), value);
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Applies an `update_metadata`: `tags` become the union of old and new, `properties` are overridden one by one (`null`
    /// stays `null`), any other key given replaces the old one, and what the update does not name stays. `properties` exists
    /// afterwards, because old workers look it up in the confirmation.
    pub fn merge(&mut self, update: Self) {
        self.0.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        for (key, value) in update.0 {
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
                    self.0.insert(key, value);
                }
            }
        }
    }

    fn merge_tags(&mut self, new: Vec<Value>) {
        let tags = self.0.entry("tags").or_insert_with(|| Value::Array(Vec::new()));
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
        let tags = self.0.get("tags").and_then(Value::as_array).map_or(0, Vec::len);
        let properties = self.0.get("properties").and_then(Value::as_object).map_or(0, Map::len);
        if tags > limits::TAGS {
            return Some(format!("{tags} tags, at most {} are allowed", limits::TAGS));
        }
        if properties > limits::PROPERTIES {
            return Some(format!("{properties} properties, at most {} are allowed", limits::PROPERTIES));
        }
        let bytes = serde_json::to_string(&self.0).map_or(usize::MAX, |text| text.len());
        (bytes > limits::METADATA)
            .then(|| format!("metadata of {bytes} bytes, at most {} are allowed", limits::METADATA))
    }
}
