//! What a list is asked for: which rows, in which order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use crate::http::fault::Fault;

/// The query of a request; of a name that comes twice, the last one.
pub(crate) struct Asked(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|refused| Fault::validation("value_error", &["query"], refused.body_text()))?;
        Ok(Self(pairs.into_iter().collect()))
    }
}

impl Asked {
    /// What was asked under this name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// One of these, if anything was asked.
    pub(super) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, Fault> {
        let Some(asked) = self.text(name) else { return Ok(None) };
        let found = choices.iter().find(|(text, _)| *text == asked).map(|(_, choice)| *choice);
        found.map(Some).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(text, _)| *text).collect();
            let text = format!("String should match pattern '^({})$'", names.join("|"));
            Fault::validation("string_pattern_mismatch", &["query", name], text)
        })
    }

    /// A yes or no; no if nothing was asked.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Fault> {
        match self.text(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0" | "no" | "off") => Ok(false),
            Some("true" | "1" | "yes" | "on") => Ok(true),
            Some(_) => {
                let text = "Input should be a valid boolean, unable to interpret input";
                Err(Fault::validation("bool_parsing", &["query", name], text))
            }
        }
    }

    /// In which direction: the last one first, if nothing was asked.
    pub(super) fn direction(&self) -> Result<Direction, Fault> {
        let choices = [("asc", Direction::Ascending), ("desc", Direction::Descending)];
        Ok(self.choice("sort_order", &choices)?.unwrap_or(Direction::Descending))
    }
}

/// In which direction a list goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

impl Direction {
    /// Compares so that a list sorted by it goes this way; what has no value comes last in an ascending list.
    pub(super) fn compare<K: Ord>(self, a: Option<K>, b: Option<K>) -> Ordering {
        let ascending = match (a, b) {
            (Some(a), Some(b)) => a.cmp(&b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        if self == Self::Ascending { ascending } else { ascending.reverse() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_value_comes_last_ascending_and_first_descending() {
        let mut list = [Some(2), None, Some(1), None, Some(3)];
        list.sort_by(|a, b| Direction::Ascending.compare(*a, *b));
        assert_eq!(list, [Some(1), Some(2), Some(3), None, None]);
        list.sort_by(|a, b| Direction::Descending.compare(*a, *b));
        assert_eq!(list, [None, None, Some(3), Some(2), Some(1)]);
    }
}
