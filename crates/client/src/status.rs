//! Who is in the room, and who is missed.

use serde_json::json;
use sleap_rtc_session::pool_client::Found;
use sleap_rtc_wire::Filters;
use sleap_rtc_wire::signal::PeerEntry;

use crate::config::Config;
use crate::error::TrainError;
use crate::member::Member;

/// Everybody who is in the room, in the order in which they joined, without ourselves; and the workers that are silent or
/// lost.
pub async fn status(config: &Config) -> Result<Found, TrainError> {
    look(config, Filters::default(), true).await
}

/// The workers that could take a job now; with `filters`, those who match instead, whatever they do.
pub async fn workers(config: &Config, filters: Option<Filters>) -> Result<Vec<PeerEntry>, TrainError> {
    let free = || Filters::parse(json!({"role": "worker", "status": "available"})).unwrap_or_default();
    Ok(look(config, filters.unwrap_or_else(free), false).await?.peers)
}

async fn look(config: &Config, filters: Filters, absent: bool) -> Result<Found, TrainError> {
    let (member, _events) = Member::join(config, "status")?;
    let found = member.pool.discover(filters, absent).await.map_err(|failure| member.failed(failure, None));
    member.pool.leave().await;
    let mut found = found?;
    found.peers.retain(|peer| peer.peer_id != member.me);
    Ok(found)
}
