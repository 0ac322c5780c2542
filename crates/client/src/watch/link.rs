//! Making a link to the worker: an offer over the room, the worker's answer, the channels.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sleap_rtc_link::{Connector, Link};
use sleap_rtc_peer::client_pool::ClientPool;
use sleap_rtc_session::pool_client::{Failure, Offer};

/// A link that is being made.
pub(super) type Making = Pin<Box<dyn Future<Output = Result<Arc<dyn Link>, Unmade>> + Send>>;

/// Why there is no link.
pub(super) enum Unmade {
    /// The next try may do.
    Again(String),
    /// The claim was given back, or the server is given up: no further try can do.
    Never(Failure),
}

/// Makes one. With a claim in the offer, a failed offer gives the claim back.
pub(super) fn make(connector: Arc<dyn Connector>, pool: ClientPool, mut offer: Offer, timeout: Duration) -> Making {
    Box::pin(async move {
        let offered = connector.offer().await.map_err(|error| Unmade::Again(error.to_string()))?;
        offered.sdp().clone_into(&mut offer.sdp);
        let with_claim = offer.claim.is_some();
        let answer = pool.offer(offer).await.map_err(|failure| match failure {
            Failure::GivenUp(_) | Failure::Left => Unmade::Never(failure),
            failure if with_claim => Unmade::Never(failure),
            failure => Unmade::Again(failure.to_string()),
        })?;
        offered.connect(&answer, timeout).await.map_err(|error| Unmade::Again(error.to_string()))
    })
}
