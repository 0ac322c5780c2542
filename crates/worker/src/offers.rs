//! Offers on their way to links. Nobody is proven yet: how many there may be at once is bounded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sleap_rtc_link::{AnsweredLink, Connector, Link, LinkError};
use sleap_rtc_peer::worker_pool::WorkerHandle;
use sleap_rtc_wire::PeerId;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

/// How long a peer may take from our answer to an open link.
const LINK_PATIENCE: Duration = Duration::from_secs(20);
/// Links that a slot makes at once for peers that only say that a job is theirs: each costs sockets and buffers for
/// [`LINK_PATIENCE`]. The one that holds the claim is not counted.
const AT_ONCE: usize = 8;

/// An offer that the pool has admitted.
#[derive(Debug)]
pub(crate) struct Offer {
    /// Who sent it.
    pub(crate) from: PeerId,
    /// The session description.
    pub(crate) sdp: String,
    /// Whether it came by the claim on the slot.
    pub(crate) claimed: bool,
}

/// Makes links for a slot. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Maker {
    connector: Arc<dyn Connector>,
    pool: WorkerHandle,
    places: Arc<Semaphore>,
}

impl Maker {
    pub(crate) fn new(connector: Arc<dyn Connector>, pool: WorkerHandle) -> Self {
        Self { connector, pool, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Answers the offer and waits for the link; `None` if there is none, which the pool has been told.
    pub(crate) async fn make(&self, offer: Offer) -> Option<Arc<dyn Link>> {
        let Offer { from, sdp, claimed } = offer;
        let place = self.places.try_acquire();
        if place.is_err() && !claimed {
            self.pool.answer_failed(from, "too many links are being made here; try again".to_owned()).await;
            return None;
        }
        let made = match self.connector.answer(&sdp, &self.pool.ice_servers()).await {
            Ok(answered) => self.connected(answered, &from).await,
            Err(error) => {
                self.pool.answer_failed(from.clone(), error.to_string()).await;
                Err(error)
            }
        };
        match made {
            Ok(link) => Some(link),
            Err(error) => {
                tracing::warn!(%from, %error, "no link");
                self.pool.link_closed(from).await;
                None
            }
        }
    }

    async fn connected(&self, answered: Box<dyn AnsweredLink>, from: &PeerId) -> Result<Arc<dyn Link>, LinkError> {
        self.pool.answered(from.clone(), answered.sdp().to_owned()).await;
        answered.connected(LINK_PATIENCE).await
    }
}

/// The links that are being made for one job, one a peer. They end with it.
pub(crate) struct Offers {
    maker: Maker,
    making: JoinSet<(PeerId, Option<Arc<dyn Link>>)>,
    peers: HashMap<PeerId, AbortHandle>,
}

impl Offers {
    pub(crate) fn new(maker: Maker) -> Self {
        Self { maker, making: JoinSet::new(), peers: HashMap::new() }
    }

    /// Takes an offer; an earlier one of the same peer is given up.
    pub(crate) fn take(&mut self, offer: Offer) {
        let (maker, from) = (self.maker.clone(), offer.from.clone());
        let making = self.making.spawn(async move { (offer.from.clone(), maker.make(offer).await) });
        if let Some(earlier) = self.peers.insert(from, making) {
            earlier.abort();
        }
    }

    /// This peer may not come in any more.
    pub(crate) fn withdraw(&mut self, peer: &PeerId) {
        if let Some(making) = self.peers.remove(peer) {
            making.abort();
        }
    }

    /// Whether nobody is on the way here.
    pub(crate) fn is_empty(&self) -> bool {
        self.making.is_empty()
    }

    /// The next one that is made, or will not be; `None` if nobody is on the way. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Option<(PeerId, Arc<dyn Link>)>> {
        let done = self.making.join_next().await?;
        self.peers.retain(|_, making| !making.is_finished());
        match done {
            Ok((peer, link)) => Some(link.map(|link| (peer, link))),
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(%error, "making a link broke off");
                }
                Some(None)
            }
        }
    }
}
