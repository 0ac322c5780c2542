//! Which page of a list.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use sleap_rtc_wire::RoomId;

use super::fault::Fault;

/// `?after=ID`: the page behind this room, the last one of the page before. Without it, the first page.
pub(crate) struct Page(pub(crate) Option<RoomId>);

#[derive(Deserialize)]
struct Asked {
    after: Option<RoomId>,
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let Query(Asked { after }) = Query::from_request_parts(parts, state)
            .await
            .map_err(|refused| Fault::validation("value_error", &["query", "after"], refused.body_text()))?;
        Ok(Self(after))
    }
}

/// Where the next page begins, behind a page of at most `limit` rooms; `None`: this is the last one.
pub(crate) fn next(last: Option<&RoomId>, rooms: usize, limit: usize) -> Option<RoomId> {
    last.filter(|_| rooms == limit).cloned()
}
