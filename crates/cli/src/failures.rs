//! What a failed call to the room means to the user.

use sleap_rtc_peer::settings::Settings;
use sleap_rtc_session::pool_client::Failure;
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_wire::claim::{ClaimRefused, Reason};
use sleap_rtc_wire::{Code, ErrorFrame};

use crate::context::unreachable;
use crate::errors::CliError;
use crate::exit::Exit;
use crate::progress::why;

/// A call that failed; `what` says what did not happen.
pub(crate) fn failure(what: &str, settings: &Settings, error: &Failure) -> CliError {
    let server = settings.server.value.to_string();
    match error {
        Failure::Refused(refused) => no_worker(settings, refused),
        Failure::NoClaims => {
            CliError::new(Exit::ServerUnreachable, what).because(error).hint("update the server, or ask its admin to")
        }
        Failure::Server(frame) => refused(what, settings, frame.code, frame.text()),
        Failure::WorkerRefused { .. } | Failure::WorkerSilent { .. } | Failure::ClaimEnded(_) => {
            CliError::new(Exit::WorkerUnreachable, what)
                .because(error)
                .hint("try again; sleap-rtc status shows the workers")
        }
        Failure::ServerLost(cause) | Failure::GivenUp(cause) => lost(what, settings, cause),
        Failure::TimedOut => unreachable(&server, "no answer in time"),
        Failure::Left => CliError::new(Exit::Interrupted, what).because(error),
    }
}

/// The line to the server could not be had, or is gone.
pub(crate) fn lost(what: &str, settings: &Settings, cause: &Cause) -> CliError {
    match cause {
        Cause::Refused { code, text } => refused(what, settings, *code, text),
        other => unreachable(&settings.server.value.to_string(), &other.to_string()),
    }
}

/// An `error` frame that belongs to no call.
pub(crate) fn frame(what: &str, settings: &Settings, frame: &ErrorFrame) -> CliError {
    refused(what, settings, frame.code, frame.text())
}

fn refused(what: &str, settings: &Settings, code: Code, text: &str) -> CliError {
    let room = settings.room().map_or("the room", |room| room.value.as_str());
    let server = &settings.server.value;
    match code {
        Code::RoomNotFound => CliError::new(Exit::RoomRefused, format!("there is no room {room} on {server}"))
            .cause(text)
            .hint("check SLEAP_RTC_ROOM_ID and SLEAP_RTC_SERVER, or make a room: sleap-rtc room create --name my-lab"),
        Code::RoomExpired => CliError::new(Exit::RoomRefused, format!("room {room} has expired"))
            .cause(text)
            .hint("make a new one: sleap-rtc room create --name my-lab --ttl 90d"),
        Code::AuthFailed => CliError::new(Exit::RoomRefused, format!("room {room} does not let you in"))
            .cause(text)
            .hint("check SLEAP_RTC_ROOM_TOKEN: it is what `sleap-rtc room create` printed"),
        Code::RateLimited => {
            CliError::new(Exit::ServerUnreachable, what).cause(text).hint("wait a minute and try again")
        }
        _ => CliError::new(Exit::ServerUnreachable, what).cause(text).hint("sleap-rtc doctor"),
    }
}

/// No worker, with the numbers that say why.
fn no_worker(settings: &Settings, refused: &ClaimRefused) -> CliError {
    let room = settings.room().map_or("the room", |room| room.value.as_str());
    let (error, cause) = match (refused.reason, refused.matching, refused.busy) {
        (Reason::NoMatchingWorker, ..) | (_, 0, _) => {
            (format!("no worker in {room} fits"), "none that matches is connected".to_owned())
        }
        (Reason::AllMatchingBusy, 1, _) => {
            (format!("no worker in {room} is free"), "the one that matches is busy".to_owned())
        }
        (Reason::AllMatchingBusy, matching, busy) => {
            (format!("no worker in {room} is free"), format!("{matching} match, {busy} of them are busy"))
        }
        (reason, ..) => (format!("no worker in {room} can be had"), why(reason).to_owned()),
    };
    let cause = if refused.message.is_empty() { cause } else { format!("{cause} ({})", refused.message) };
    let wait = "wait for one: sleap-rtc train … --wait 2h";
    CliError::new(Exit::NoWorker, error).cause(cause).hint("see who is there: sleap-rtc status").hint(wait)
}
