//! The table of routes: every method and path that the server answers, with who may call it.
//!
//! The router is made from this table and from nothing else, so that a route cannot exist without a row, and the matrix test walks
//! the same rows, so that a row cannot exist without an expectation for every sort of caller.

mod accounts;
mod core;
mod relay;
mod rooms;

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::guess;
use crate::app::App;

/// Who may call a route with success. Everybody else is refused, and the refusal tells nothing about what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// No credential is asked for.
    Anybody,
    /// Whoever holds the secret that the request itself carries: a login's state or code, a stream's ticket.
    Holder,
    /// Anybody who shows a good credential of their own; the answer tells only of what is theirs.
    SignedIn,
    /// A member of the room that the request names.
    Member,
    /// The owner of the room that the request names.
    Owner,
    /// Whoever belongs to the room, shows its token, or calls from the address that made what is asked about.
    Concerned,
    /// The operator, by the secret in the data folder.
    Operator,
}

/// One row of the table, without its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET`, `POST`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// With the names of its parts in braces.
    pub path: &'static str,
    /// Who may call it.
    pub who: Who,
    /// What it does, in a few words.
    pub what: &'static str,
}

/// A row of the table.
struct Row {
    route: Route,
    handler: MethodRouter<Arc<App>>,
    is_guess: bool,
}

impl Row {
    fn new<H, T>(method: &'static str, filter: MethodFilter, path: &'static str, who: Who, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        Self { route: Route { method, path, who, what: "" }, handler: on(filter, handler), is_guess: false }
    }

    /// A refusal of this route says that a code in its request was wrong: it counts as a guess of the caller's address.
    fn guess(mut self) -> Self {
        self.is_guess = true;
        self
    }

    /// What it does.
    fn what(mut self, what: &'static str) -> Self {
        self.route.what = what;
        self
    }
}

fn get<H: Handler<T, Arc<App>>, T: 'static>(path: &'static str, who: Who, handler: H) -> Row {
    Row::new("GET", MethodFilter::GET, path, who, handler)
}

fn post<H: Handler<T, Arc<App>>, T: 'static>(path: &'static str, who: Who, handler: H) -> Row {
    Row::new("POST", MethodFilter::POST, path, who, handler)
}

fn patch<H: Handler<T, Arc<App>>, T: 'static>(path: &'static str, who: Who, handler: H) -> Row {
    Row::new("PATCH", MethodFilter::PATCH, path, who, handler)
}

fn delete<H: Handler<T, Arc<App>>, T: 'static>(path: &'static str, who: Who, handler: H) -> Row {
    Row::new("DELETE", MethodFilter::DELETE, path, who, handler)
}

/// The whole table.
fn rows() -> impl Iterator<Item = Row> {
    [core::rows(), accounts::rows(), rooms::rows(), relay::rows()].into_iter().flatten()
}

/// Every route that the server answers.
#[must_use]
pub fn routes() -> Vec<Route> {
    rows().map(|row| row.route).collect()
}

/// The routes, without what surrounds all of them.
pub(crate) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    rows().fold(Router::new(), |router, Row { route, handler, is_guess }| {
        let handler = if is_guess { handler.layer(from_fn_with_state(app.clone(), guess::of_code)) } else { handler };
        router.route(route.path, handler)
    })
}
