//! Every error over HTTP, in one shape: old programs look for `detail` or `error`, ours for `code`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sleap_rtc_access::Denied;
use sleap_rtc_identity::IdentityError;
use sleap_rtc_store::StoreError;
use sleap_rtc_wire::Code;
use sleap_rtc_wire::http::HttpError;

/// A call that was not answered as hoped.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    error: HttpError,
}

impl Fault {
    pub(crate) fn new(status: StatusCode, code: Code, text: impl Into<String>) -> Self {
        let error = text.into();
        Self { status, error: HttpError { detail: Value::String(error.clone()), error, code } }
    }

    /// A request that has not the right form, as the deployed server says it: where, and what is wrong there.
    pub(crate) fn validation(kind: &str, at: &[&str], text: impl Into<String>) -> Self {
        let text = text.into();
        let detail = json!([{"type": kind, "loc": at, "msg": text, "input": null}]);
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            error: HttpError { detail, error: text, code: Code::InvalidMessage },
        }
    }

    pub(crate) fn unauthorized(text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Code::AuthFailed, text)
    }

    /// Whether it says that the credential is bad.
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What it says to a person.
    pub(crate) fn text(&self) -> &str {
        &self.error.error
    }

    /// The same with another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn room_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::RoomNotFound, "Room not found")
    }

    pub(crate) fn conflict(text: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, Code::Conflict, text)
    }

    pub(crate) fn rate_limited() -> Self {
        let text = "too many requests from this address, try again in a minute";
        Self::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, text)
    }

    pub(crate) fn too_many_guesses() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, crate::guesses::TOO_MANY)
    }

    /// Never 401 for a fault of ours: old programs throw their credential away on it.
    pub(crate) fn store_unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::StoreUnavailable,
            "the store did not answer; nothing was changed",
        )
    }

    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "the server cannot go on with this request")
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.status, Json(self.error)).into_response()
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a call failed in the store");
        Self::store_unavailable()
    }
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        let status = StatusCode::from_u16(denied.status()).unwrap_or(StatusCode::FORBIDDEN);
        Self::new(status, denied.code(), denied.to_string())
    }
}

impl From<IdentityError> for Fault {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Store(error) => error.into(),
            IdentityError::TooMany => Self::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, error.to_string()),
            IdentityError::Random(_) => {
                tracing::error!(%error, "a sign-in failed");
                Self::internal()
            }
            _ => Self::unauthorized(error.to_string()),
        }
    }
}
