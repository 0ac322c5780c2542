//! Which page of a list.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;

/// `?after=ID`: the page behind this one, the last of the page before. Without it, the first page.
pub(crate) struct After<T>(pub(crate) Option<T>);

#[derive(Deserialize)]
struct Asked<T> {
    after: Option<T>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for After<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let Query(Asked { after }) = Query::from_request_parts(parts, state)
            .await
            .map_err(|refused| Fault::validation("value_error", &["query", "after"], refused.body_text()))?;
        Ok(Self(after))
    }
}

/// Where the next page begins, behind a page of at most `limit` rows; `None`: this is the last one.
pub(crate) fn next<T: Clone>(last: Option<&T>, rows: usize, limit: usize) -> Option<T> {
    last.filter(|_| rows == limit).cloned()
}
