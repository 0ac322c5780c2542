//! Any origin may call: a dashboard is served from elsewhere, and nothing but the login's page relies on cookies or on who sees it.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const ANY: HeaderValue = HeaderValue::from_static("*");
const YES: HeaderValue = HeaderValue::from_static("true");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS");
/// How long a browser may keep the answer to a pre-flight, seconds.
const KEPT: HeaderValue = HeaderValue::from_static("600");

/// The page on which a computer is let in, and what belongs to it: for nobody but its own browser.
const OWN_PAGE: &str = "/login";

/// Answers pre-flights, and lets browsers read every other answer.
pub(crate) async fn any_origin(request: Request, next: Next) -> Response {
    if request.uri().path().starts_with(OWN_PAGE) {
        return next.run(request).await;
    }
    let headers = request.headers();
    let origin = headers.get(header::ORIGIN).cloned();
    let asks = request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = if asks { preflight(wanted) } else { next.run(request).await };
    if let Some(origin) = origin {
        allow(response.headers_mut(), origin);
    }
    response
}

fn preflight(wanted: Option<HeaderValue>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.unwrap_or(ANY));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, KEPT);
    (headers, "OK").into_response()
}

/// Names the origin, as `*` is not allowed together with credentials.
fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, YES);
    headers.append(header::VARY, HeaderValue::from_name(HeaderName::from_static("origin")));
}
