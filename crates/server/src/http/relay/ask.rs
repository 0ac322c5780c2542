//! Who asks something of which worker.

use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use sleap_rtc_access::may_see_room;
use sleap_rtc_room::{Answer, Call};
use sleap_rtc_wire::record::RoomRecord;
use sleap_rtc_wire::{Code, PeerId, RoomId, Text, limits};

use crate::app::App;
use crate::http::auth::Shown;
use crate::http::fault::Fault;
use crate::http::rooms::call;

/// Whoever calls, which must be somebody who belongs to this room.
pub(super) async fn member_of(app: &App, headers: &HeaderMap, room: &RoomId) -> Result<(Shown, RoomRecord), Fault> {
    let shown = Shown::by_name(app, headers).await?;
    let record = app.registry.record(room).await?.ok_or_else(Fault::room_not_found)?;
    let caller = shown.caller(app, &record, None, false).await?;
    may_see_room(&record, &caller).map_err(|_| not_a_member())?;
    Ok((shown, record))
}

pub(super) fn not_a_member() -> Fault {
    Fault::new(StatusCode::FORBIDDEN, Code::Forbidden, "Not a member of this room")
}

pub(super) fn job_not_found() -> Fault {
    Fault::new(StatusCode::NOT_FOUND, Code::NotFound, "Job not found on this worker")
}

/// Hands a frame to a worker.
pub(super) async fn forward(app: &App, room: &RoomId, worker: &PeerId, frame: &Value) -> Result<(), Fault> {
    let text = written(frame)?;
    handed_on(call(app, room, Call::Forward { worker: worker.clone(), text }).await?)
}

/// A frame as text. Deployed peers drop their connection for one that is too large.
pub(super) fn written(frame: &Value) -> Result<Text, Fault> {
    let text = frame.to_string();
    if text.len() < limits::FRAME {
        return Ok(text.into());
    }
    let text = format!("frame of {} bytes, at most {} are allowed", text.len(), limits::FRAME);
    Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, text))
}

/// What the room says to a frame for a worker.
pub(super) fn handed_on(answer: Answer) -> Result<(), Fault> {
    Err(match answer {
        Answer::Forwarded => return Ok(()),
        Answer::NoSuchPeer => Fault::new(StatusCode::NOT_FOUND, Code::PeerNotFound, "Peer not found"),
        Answer::WorkerBusy => Fault::new(StatusCode::CONFLICT, Code::WorkerBusy, "the worker runs something else"),
        Answer::Unsupported => {
            let text = "this peer takes no work through the server; use sleap-rtc, which opens a connection to it";
            Fault::new(StatusCode::CONFLICT, Code::Unsupported, text)
        }
        Answer::StoreUnavailable => Fault::store_unavailable(),
        _ => Fault::room_not_found(),
    })
}
