//! Making a link to the worker: an offer over the room, the worker's answer, the channels.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sleap_rtc_link::{Connector, Link};
use sleap_rtc_peer::client_pool::ClientPool;
use sleap_rtc_peer::clock::Clock;
use sleap_rtc_session::pool_client::{Failure, Found, Offer};
use sleap_rtc_wire::{PeerId, Time};

use crate::booking::{silent_ms, workers};
use crate::explain::span;

/// A link that is being made.
pub(super) type Making = Pin<Box<dyn Future<Output = Result<Arc<dyn Link>, Unmade>> + Send>>;

/// Why there is no link.
pub(super) enum Unmade {
    /// The next try may do.
    Again(String),
    /// The claim was given back, or the server is given up: no further try can do.
    Never(Box<Failure>),
    /// The room has not heard of the worker for so long, ms, that it calls it lost.
    Lost(u64),
}

impl Unmade {
    fn by(failure: Failure, claim_is_gone: bool) -> Self {
        match failure {
            Failure::GivenUp(_) | Failure::Left => Self::Never(Box::new(failure)),
            failure if claim_is_gone => Self::Never(Box::new(failure)),
            failure => Self::Again(failure.to_string()),
        }
    }
}

/// Whether the worker is in the room: the server says nothing about an offer to somebody who is not, so that it would
/// be waited for.
async fn look(pool: &ClientPool, worker: &PeerId, clock: Clock) -> Result<(), Unmade> {
    let found = pool.discover(workers(), true).await.map_err(|failure| Unmade::by(failure, false))?;
    is_there(&found, worker, clock.now())
}

fn is_there(found: &Found, worker: &PeerId, now: Time) -> Result<(), Unmade> {
    if found.peers.iter().any(|peer| peer.peer_id == *worker) {
        return Ok(());
    }
    let Some(absent) = found.absent.iter().find(|absent| absent.peer_id == *worker) else {
        // More are there than one answer holds, so it may be one of them: that costs an offer.
        if found.total > found.peers.len() {
            return Ok(());
        }
        return Err(Unmade::Again("it is not in the room".to_owned()));
    };
    let ms = silent_ms(absent, now);
    match absent.metadata.property("status").and_then(Value::as_str) {
        Some("lost") => Err(Unmade::Lost(ms)),
        _ => Err(Unmade::Again(format!("the room has not heard of it for {}", span(ms)))),
    }
}

/// Makes one. With a claim in the offer, a failed offer gives the claim back.
pub(super) fn make(
    connector: Arc<dyn Connector>,
    pool: ClientPool,
    mut offer: Offer,
    timeout: Duration,
    clock: Clock,
) -> Making {
    Box::pin(async move {
        if offer.claim.is_none() {
            look(&pool, &offer.worker, clock).await?;
        }
        let offered = connector.offer(&pool.ice_servers()).await.map_err(|error| Unmade::Again(error.to_string()))?;
        offered.sdp().clone_into(&mut offer.sdp);
        let with_claim = offer.claim.is_some();
        let answer = pool.offer(offer).await.map_err(|failure| Unmade::by(failure, with_claim))?;
        offered.connect(&answer, timeout).await.map_err(|error| Unmade::Again(error.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(total: usize) -> Found {
        let other = json!({"peer_id": "other", "role": "worker", "metadata": {}, "connected_at": 0.0});
        let lost = json!({"peer_id": "lost", "metadata": {"properties": {"status": "lost"}}, "seen_at": 1.0});
        let peers = vec![serde_json::from_value(other).unwrap()];
        Found { peers, total, absent: vec![serde_json::from_value(lost).unwrap()] }
    }

    #[test]
    fn only_a_whole_answer_says_that_somebody_is_not_there() {
        let is_there = |total, worker| is_there(&found(total), &PeerId::new(worker).unwrap(), Time(61_000));
        assert!(is_there(1, "other").is_ok());
        assert!(matches!(is_there(1, "mine"), Err(Unmade::Again(_))));
        assert!(is_there(2, "mine").is_ok(), "it may be the one that did not fit");
        assert!(matches!(is_there(2, "lost"), Err(Unmade::Lost(60_000))));
    }
}
