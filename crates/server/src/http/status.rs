//! How the server is.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sleap_rtc_wire::{Code, Time};

use super::fault::Fault;
use crate::app::App;

/// The protocol that old programs know, and what this server is.
const PROTOCOL: &str = "2.0.0";

/// `GET /health`: the process answers.
pub(crate) async fn health(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({
        "status": "healthy",
        "timestamp": iso(app.context.now()),
        "version": PROTOCOL,
        "server": "sleap-rtc",
        "server_version": env!("CARGO_PKG_VERSION"),
    }))
}

/// `GET /ready`: it can do its work, that is, the store answers.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<Json<Value>, Fault> {
    app.context.store.rooms(None, 1).await.map_err(|error| {
        app.context.store_failed("answer at all", &error);
        Fault::new(StatusCode::SERVICE_UNAVAILABLE, Code::StoreUnavailable, "degraded: the store does not answer")
    })?;
    Ok(Json(json!({"status": "ready"})))
}

/// What is there now.
struct Present {
    rooms: usize,
    by_role: BTreeMap<String, usize>,
}

impl Present {
    fn count(app: &App) -> Self {
        let mut by_role = BTreeMap::new();
        let rooms = app.registry.all().iter().filter(|cell| cell.count_peers(&mut by_role)).count();
        Self { rooms, by_role }
    }

    fn peers(&self) -> usize {
        self.by_role.values().sum()
    }
}

/// `GET /metrics`: JSON, as the deployed server has it.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Json<Value> {
    Json(summary(&app))
}

pub(crate) fn summary(app: &App) -> Value {
    let (present, metrics) = (Present::count(app), &app.context.metrics);
    json!({
        "timestamp": iso(app.context.now()),
        "active_rooms": present.rooms,
        "active_connections": present.peers(),
        "peers_by_role": present.by_role,
        "total_connections": metrics.registrations.get(),
        "total_messages": metrics.relayed.get(),
        "rooms_created": metrics.rooms_created.get(),
        // Beyond the deployed server: what goes by itself.
        "rooms_removed": metrics.rooms_removed.get(),
        "identities_forgotten": metrics.identities_forgotten.get(),
        "sweeps": metrics.sweeps.get(),
        "swept_rooms": metrics.swept_rooms.get(),
        "swept_identities": metrics.swept_identities.get(),
    })
}

/// `GET /metrics/prometheus`.
pub(crate) async fn prometheus(State(app): State<Arc<App>>) -> Response {
    let present = Present::count(&app);
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: usize| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    };
    gauge("sleap_rtc_active_rooms", "Rooms with connected peers.", present.rooms);
    gauge("sleap_rtc_connected_peers", "Registered peers.", present.peers());
    gauge("sleap_rtc_loaded_rooms", "Rooms in memory.", app.registry.all().len());
    let open = app.context.config.connections - app.connections.available_permits();
    gauge("sleap_rtc_open_sockets", "Sockets, HTTP and signaling.", open);
    for (name, help, value) in app.context.metrics.list() {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// A moment as `2026-02-03T10:20:30.123000Z`, the form of the deployed server.
pub(crate) fn iso(at: Time) -> String {
    let (seconds, ms) = (at.0 / 1000, at.0 % 1000);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, in eras of 400 years: Howard Hinnant's `civil_from_days`.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}000Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_deployed_server_does() {
        let written = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999000Z"),
            (1_770_114_030_123, "2026-02-03T10:20:30.123000Z"),
        ];
        for (ms, text) in written {
            assert_eq!(iso(Time(ms)), text);
        }
    }
}
