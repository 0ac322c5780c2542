//! The server and the room.

use sleap_rtc_peer::socket::Socket;

use super::check::Check;
use super::{account, python};
use crate::args::Connect;
use crate::commands::status::look;
use crate::context::Context;
use crate::errors::CliError;
use crate::roster;

/// Asks the server how it is, opens a socket, and joins the room.
pub(crate) async fn room(connect: &Connect) -> Vec<Check> {
    let context = match Context::load(connect) {
        Ok(context) => context,
        Err(error) => return vec![failed("settings", &error)],
    };
    let setting = &context.settings.server;
    let mut checks = vec![Check::ok(
        "settings",
        format!("server from {}, keys in {}", setting.source, context.home.folder().display()),
    )];
    match context.api().health().await {
        Ok(health) => {
            checks.push(Check::ok("server", format!("{} is {} ({})", setting.value, health.status, health.version)));
        }
        Err(error) => {
            checks.push(failed("server", &context.api_error("the server does not answer", &error)));
            return checks;
        }
    }
    let url = setting.value.websocket();
    match Socket::open(&setting.value).await {
        Ok(socket) => {
            socket.close().await;
            checks.push(Check::ok("socket", format!("{url} takes WebSockets")));
        }
        Err(why) => {
            let hint = "does a proxy stand before the server? It must pass WebSockets on";
            checks.push(Check::fail("socket", why, hint));
            return checks;
        }
    }
    checks.push(account::account(&context).await);
    checks.extend(python::python(&context).await);
    checks.push(match context.settings.room() {
        None => {
            let hint = "export SLEAP_RTC_ROOM_ID=… SLEAP_RTC_ROOM_TOKEN=…, as `sleap-rtc room create` printed them; a member needs no token";
            Check::warn("room", "none is set", hint)
        }
        Some(room) => match look(&context).await {
            Ok(found) => Check::ok("room", format!("{}: {}", room.value, roster::summary(&found))),
            Err(error) => failed("room", &error),
        },
    });
    checks
}

pub(super) fn failed(name: &'static str, error: &CliError) -> Check {
    let mut found = error.error.clone();
    for cause in &error.causes {
        found.push_str(": ");
        found.push_str(cause);
    }
    Check::fail(name, found, error.hints.join("; "))
}
