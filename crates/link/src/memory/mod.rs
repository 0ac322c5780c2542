//! Links within one process, with a kill switch: the tests' network.
//!
//! A [`Network`] is the wire that all its connectors share. An offer or answer is a token that finds the other half
//! inside the network. [`Network::cut`] ends every link as a lost network would: both sides see
//! [`CloseReason::Lost`], and what was under way is gone. Nothing else here fails, delays or reorders.

mod pipe;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::error::{CloseReason, LinkError};
use crate::port::{AnsweredLink, Connector, IceServer, Link, OfferedLink};
use pipe::{End, Fate};

/// A network of links in this process. Clones are the same network.
#[derive(Debug, Clone, Default)]
pub struct Network {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Names offers, answers and ends: each number is given once.
    counter: u64,
    down: bool,
    /// Offers that nobody answered yet: token → number of the offerer's end.
    offers: HashMap<String, u64>,
    /// Answers that the offerer did not take yet.
    answers: HashMap<String, Meeting>,
    links: Vec<Weak<Fate>>,
}

/// The offerer's half of an answered link, and the word to the answerer that it was taken.
#[derive(Debug)]
struct Meeting {
    offer: String,
    end: End,
    taken: oneshot::Sender<()>,
}

impl Network {
    /// A network that is up and has no links.
    pub fn new() -> Self {
        Self::default()
    }

    /// A connector to this network; all are alike.
    pub fn connector(&self) -> MemoryConnector {
        MemoryConnector { network: self.clone() }
    }

    /// Loses every link that exists, on both sides. New ones can be made.
    pub fn cut(&self) {
        let links = std::mem::take(&mut self.lock().links);
        for fate in links.iter().filter_map(Weak::upgrade) {
            fate.cut();
        }
    }

    /// Cuts every link and lets none be made until [`Network::revive`].
    pub fn kill(&self) {
        self.lock().down = true;
        self.cut();
    }

    /// Ends what [`Network::kill`] began.
    pub fn revive(&self) {
        self.lock().down = false;
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn check_up(&self) -> Result<(), LinkError> {
        if self.down { Err(LinkError::Connect("the network is down".into())) } else { Ok(()) }
    }
}

/// Makes links over one [`Network`].
#[derive(Debug, Clone)]
pub struct MemoryConnector {
    network: Network,
}

#[async_trait]
impl Connector for MemoryConnector {
    async fn offer(&self, _servers: &[IceServer]) -> Result<Box<dyn OfferedLink>, LinkError> {
        let mut shared = self.network.lock();
        let number = shared.number();
        let token = format!("memory offer {number}");
        shared.offers.insert(token.clone(), number);
        drop(shared);
        Ok(Box::new(Offered { network: self.network.clone(), token }))
    }

    async fn answer(&self, offer_sdp: &str, _servers: &[IceServer]) -> Result<Box<dyn AnsweredLink>, LinkError> {
        let mut shared = self.network.lock();
        shared.check_up()?;
        let offerer = shared
            .offers
            .remove(offer_sdp)
            .ok_or_else(|| LinkError::Sdp("no such offer, or answered already".into()))?;
        let answerer = shared.number();
        let (theirs, ours) = End::pair(fingerprint(offerer), fingerprint(answerer));
        shared.links.retain(|fate| fate.strong_count() > 0);
        shared.links.push(Arc::downgrade(theirs.fate()));
        let token = format!("memory answer {answerer}");
        let (taken, connected) = oneshot::channel();
        shared.answers.insert(token.clone(), Meeting { offer: offer_sdp.into(), end: theirs, taken });
        drop(shared);
        Ok(Box::new(Answered { network: self.network.clone(), token, end: Some(ours), connected }))
    }
}

/// What stands for a certificate's fingerprint here: the end's number, unique in its network.
fn fingerprint(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    bytes
}

struct Offered {
    network: Network,
    token: String,
}

#[async_trait]
impl OfferedLink for Offered {
    fn sdp(&self) -> &str {
        &self.token
    }

    async fn connect(self: Box<Self>, answer_sdp: &str, _timeout: Duration) -> Result<Arc<dyn Link>, LinkError> {
        let mut shared = self.network.lock();
        shared.check_up()?;
        if shared.answers.get(answer_sdp).is_none_or(|meeting| meeting.offer != self.token) {
            return Err(LinkError::Sdp("not an answer to this offer".into()));
        }
        let meeting = shared.answers.remove(answer_sdp).ok_or(LinkError::Closed(CloseReason::Lost))?;
        drop(shared);
        meeting.taken.send(()).map_err(|()| LinkError::Connect("the peer gave up".into()))?;
        Ok(Arc::new(meeting.end))
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        self.network.lock().offers.remove(&self.token);
    }
}

struct Answered {
    network: Network,
    token: String,
    end: Option<End>,
    connected: oneshot::Receiver<()>,
}

#[async_trait]
impl AnsweredLink for Answered {
    fn sdp(&self) -> &str {
        &self.token
    }

    async fn connected(mut self: Box<Self>, timeout: Duration) -> Result<Arc<dyn Link>, LinkError> {
        match tokio::time::timeout(timeout, &mut self.connected).await {
            Err(_) => return Err(LinkError::Timeout(timeout)),
            Ok(Err(_)) => return Err(LinkError::Connect("the offer is gone".into())),
            Ok(Ok(())) => {}
        }
        let end = self.end.take().ok_or(LinkError::Closed(CloseReason::ByUs))?;
        Ok(Arc::new(end))
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        // Not under the lock: the meeting holds an end, whose drop is somebody else's code.
        let _meeting = self.network.lock().answers.remove(&self.token);
    }
}
