//! The fields of a body, one by one: a field that is absent may mean something else than one that is null.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sleap_rtc_access::{Days, label};
use sleap_rtc_wire::RoomId;

use crate::http::body::Body;
use crate::http::fault::Fault;

/// The fields of a JSON object.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Of a body that must be there.
    pub(super) fn of(body: &Body) -> Result<Self, Fault> {
        body.json().map(Self)
    }

    /// Of a body that may be missing.
    pub(super) fn of_optional(body: &Body) -> Result<Self, Fault> {
        body.json_or_default().map(Self)
    }

    /// A text, if it is given and not null.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Fault::validation("string_type", &["body", name], "Input should be a valid string")),
        }
    }

    /// A text that must be given.
    pub(super) fn needed_text(&self, name: &str) -> Result<String, Fault> {
        self.text(name)?.ok_or_else(|| required(name))
    }

    /// The name of a worker.
    pub(super) fn needed_label(&self, name: &str) -> Result<String, Fault> {
        let text = self.needed_text(name)?;
        label(&text).map_err(|error| Fault::validation("value_error", &["body", name], error.to_string()))?;
        Ok(text)
    }

    /// A room's name; `None`: no room can have this one.
    pub(super) fn needed_room(&self, name: &str) -> Result<Option<RoomId>, Fault> {
        Ok(RoomId::new(&self.needed_text(name)?).ok())
    }

    /// Something with a form of its own, if it is given and not null.
    pub(super) fn value<T: DeserializeOwned>(&self, name: &str, form: &str) -> Result<Option<T>, Fault> {
        let Some(value) = self.0.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        serde_json::from_value(value.clone()).map(Some).map_err(|_| {
            let text = format!("Input should be {form}");
            Fault::validation("value_error", &["body", name], text)
        })
    }

    /// How long something is to be good, ms, by the first of these fields that is given; `None`: for ever.
    pub(super) fn days(&self, names: &[&str], days: Days) -> Result<Option<u64>, Fault> {
        let given = names.iter().find_map(|name| self.0.get(*name).map(|value| (*name, value)));
        let name = given.map_or("", |(name, _)| name);
        days.ms(given.map(|(_, value)| value))
            .map_err(|error| Fault::validation(error.kind(), &["body", name], error.to_string()))
    }
}

/// That a field is missing.
pub(super) fn required(name: &str) -> Fault {
    Fault::validation("missing", &["body", name], "Field required")
}
