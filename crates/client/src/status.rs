//! Who is in the room.

use sleap_rtc_wire::Filters;
use sleap_rtc_wire::signal::PeerEntry;

use crate::config::Config;
use crate::error::TrainError;
use crate::member::Member;

/// Everybody who is in the room, in the order in which they joined; without ourselves.
pub async fn status(config: &Config) -> Result<Vec<PeerEntry>, TrainError> {
    let (member, _events) = Member::join(config, "status")?;
    let found = member.pool.discover(Filters::default(), false).await.map_err(|failure| member.failed(failure, None));
    member.pool.leave().await;
    Ok(found?.peers.into_iter().filter(|peer| peer.peer_id != member.me).collect())
}
