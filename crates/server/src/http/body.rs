//! Bodies: JSON, whatever the Content-Type says.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use sleap_rtc_wire::Code;
use tokio::time::timeout;

use super::fault::Fault;
use crate::app::App;

/// The body of a request.
pub(crate) struct Body(Bytes);

impl FromRequest<Arc<App>> for Body {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Fault> {
        let limits = &app.context.config.limits;
        let read = in_time(app, Bytes::from_request(request, app)).await?;
        read.map(Self).map_err(|refused| {
            if refused.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let text = format!("body too large, at most {} bytes are allowed", limits.body);
                Fault::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, text)
            } else {
                Fault::new(refused.status(), Code::InvalidMessage, refused.body_text())
            }
        })
    }
}

/// What is read of a body, which has so much time to arrive.
pub(super) async fn in_time<T>(app: &App, reading: impl Future<Output = T>) -> Result<T, Fault> {
    let body_ms = app.context.config.limits.body_ms;
    timeout(Duration::from_millis(body_ms), reading).await.map_err(|_| {
        let text = format!("the body did not arrive within {body_ms} ms");
        Fault::new(StatusCode::REQUEST_TIMEOUT, Code::RateLimited, text)
    })
}

impl Body {
    /// What it says.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(&self.0).map_err(|error| {
            if !error.is_data() {
                return Fault::validation("json_invalid", &["body"], "JSON decode error");
            }
            let text = error.to_string();
            let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
            match missing {
                Some(field) => Fault::validation("missing", &["body", field], "Field required"),
                None => Fault::validation("value_error", &["body"], text),
            }
        })
    }

    /// What it says, or the default for an empty body and for `null`.
    pub(crate) fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Fault> {
        if self.0.trim_ascii().is_empty() {
            Ok(T::default())
        } else {
            Ok(self.json::<Option<T>>()?.unwrap_or_default())
        }
    }
}
