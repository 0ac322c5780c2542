//! Booking a worker, with everything that the user may read and want meanwhile.

use std::pin::pin;
use std::time::Duration;

use serde_json::{Value, json};
use sleap_rtc_peer::client_pool::ClientEvent;
use sleap_rtc_session::pool_client::{ClaimRequest, Fact, Failure};
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_wire::claim::{ClaimRefused, ClaimWaiting, Claimed, Reason};
use sleap_rtc_wire::signal::PeerEntry;
use sleap_rtc_wire::{Filters, PeerId, PublicKey};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::controls::Wanted;
use crate::error::TrainError;
use crate::event::TrainEvent;
use crate::member::Member;
use crate::train::tell;

/// How often a server that keeps no line is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// A worker that is ours for a while.
pub(crate) struct Booked {
    pub(crate) claimed: Claimed,
    pub(crate) key: PublicKey,
    /// How people call it.
    pub(crate) name: String,
}

/// Looks for a worker.
pub(crate) struct Bookings<'a> {
    pub(crate) member: &'a Member,
    pub(crate) news: News,
    pub(crate) events: &'a Sender<TrainEvent>,
    pub(crate) wanted: watch::Receiver<Wanted>,
}

impl Bookings<'_> {
    /// Books a worker; `None` if the user wants no more.
    /// `tags` are those that the request asks for.
    pub(crate) async fn book(&mut self, request: ClaimRequest, tags: &[String]) -> Result<Option<Booked>, TrainError> {
        let pool = self.member.pool.clone();
        let until = Instant::now() + Duration::from_millis(request.wait_ms);
        let claimed = loop {
            match self.meanwhile(pool.claim(request.clone())).await {
                None => return Ok(None),
                Some(Err(Failure::Refused(refused))) if is_passing(&refused) && Instant::now() < until => {
                    tell(self.events, TrainEvent::Waiting(waiting(&refused))).await;
                    if self.meanwhile(sleep(ASK_AGAIN)).await.is_none() {
                        return Ok(None);
                    }
                }
                // The line broke under the call; it is asked again as soon as there is a new one.
                Some(Err(Failure::ServerLost(_))) => {}
                Some(Err(Failure::Refused(refused))) => return Err(self.refused(refused, tags).await),
                Some(Err(failure)) => return Err(self.member.failed(failure, None)),
                Some(Ok(claimed)) => match claimed.into_iter().next() {
                    Some(claimed) => break claimed,
                    None => return Ok(None),
                },
            }
        };
        let entry = self.look_up(&claimed.worker).await;
        let name = entry.as_ref().map_or_else(|| claimed.worker.to_string(), |entry| name_of(entry).to_owned());
        let found = TrainEvent::Found { worker: claimed.worker.clone(), entry: entry.map(Box::new) };
        tell(self.events, found).await;
        match claimed.worker_key {
            Some(key) => Ok(Some(Booked { claimed, key, name })),
            None => Err(TrainError::NoKey(name)),
        }
    }

    /// What the room knows of the worker. Only for people: without it, the worker is called by its id.
    pub(crate) async fn look_up(&mut self, worker: &PeerId) -> Option<PeerEntry> {
        self.workers().await?.into_iter().find(|peer| peer.peer_id == *worker)
    }

    /// No worker; what is there instead is told to people.
    async fn refused(&mut self, refused: ClaimRefused, tags: &[String]) -> TrainError {
        let workers = match refused.reason {
            Reason::NoMatchingWorker => self.workers().await.unwrap_or_default(),
            _ => Vec::new(),
        };
        TrainError::NoWorker {
            room: self.member.room.clone(),
            refused: Box::new(refused),
            there: there(&workers, tags),
        }
    }

    async fn workers(&mut self) -> Option<Vec<PeerEntry>> {
        let pool = self.member.pool.clone();
        let filters = Filters::parse(json!({"role": "worker"})).unwrap_or_default();
        Some(self.meanwhile(pool.discover(filters, false)).await?.ok()?.peers)
    }

    /// Waits for a call while telling what the room says; `None` once the user wants something else.
    async fn meanwhile<T>(&mut self, call: impl Future<Output = T>) -> Option<T> {
        let mut call = pin!(call);
        loop {
            tokio::select! {
                answer = &mut call => return Some(answer),
                event = self.news.next() => tell(self.events, event).await,
                () = wish(&mut self.wanted) => return None,
            }
        }
    }
}

/// Waits until the user wants something.
async fn wish(wanted: &mut watch::Receiver<Wanted>) {
    let nobody = wanted.wait_for(|wanted| wanted.any()).await.is_err();
    if nobody {
        std::future::pending::<()>().await;
    }
}

/// What of the room's news a user may read.
pub(crate) struct News {
    events: Receiver<ClientEvent>,
    away: Option<Cause>,
}

impl News {
    pub(crate) const fn new(events: Receiver<ClientEvent>) -> Self {
        Self { events, away: None }
    }

    /// Why the server cannot be reached now, if it cannot.
    pub(crate) const fn away(&self) -> Option<&Cause> {
        self.away.as_ref()
    }

    /// The next; for ever nothing once the line is over: the calls that fail by it say so. Cancel safe.
    pub(crate) async fn next(&mut self) -> TrainEvent {
        loop {
            match self.events.recv().await {
                Some(ClientEvent::Fact(Fact::Waiting(waiting))) => return TrainEvent::Waiting(waiting),
                // Asked again at once, with a fresh sign-in: nobody need know unless that fails too.
                Some(ClientEvent::Fact(Fact::Away { retry_in_ms: 0, .. })) => {}
                Some(ClientEvent::Fact(Fact::Away { cause, retry_in_ms, .. })) => {
                    let text = cause.to_string();
                    self.away = Some(cause);
                    return TrainEvent::ServerAway { retry_ms: retry_in_ms, cause: text };
                }
                Some(ClientEvent::Fact(Fact::Registered(_))) if self.away.take().is_some() => {
                    return TrainEvent::ServerBack;
                }
                Some(_) => {}
                None => return std::future::pending().await,
            }
        }
    }
}

/// Whether waiting may help.
fn is_passing(refused: &ClaimRefused) -> bool {
    matches!(refused.reason, Reason::AllMatchingBusy | Reason::NoMatchingWorker | Reason::Draining | Reason::Silent)
}

/// A refusal as the user waits for its end. The server keeps no line, so there is no place in it.
fn waiting(refused: &ClaimRefused) -> ClaimWaiting {
    let ClaimRefused { request_id, reason, workers, .. } = refused.clone();
    ClaimWaiting { request_id, place: 0, reason, workers, estimate_ms: None, seat: None }
}

/// What is there where nothing matches: `2 workers are there; the largest GPU is that of gpu-box, 8188 MB`. If none of them has
/// one of the `tags` that were asked for, that is said instead.
fn there(workers: &[PeerEntry], tags: &[String]) -> Option<String> {
    let memory = |entry: &PeerEntry| entry.metadata.property("gpu_memory_mb").and_then(Value::as_u64).unwrap_or(0);
    let largest = workers.iter().max_by_key(|entry| memory(entry))?;
    let count = match workers.len() {
        1 => "1 worker is there".to_owned(),
        n => format!("{n} workers are there"),
    };
    let tagged = |entry: &PeerEntry| entry.metadata.tags().any(|tag| tags.iter().any(|wanted| wanted == tag));
    if !tags.is_empty() && !workers.iter().any(tagged) {
        return Some(format!("{count}, none with the tag {}", tags.join(" or ")));
    }
    Some(match memory(largest) {
        0 => format!("{count}, without a GPU"),
        mb => format!("{count}; the largest GPU is that of {}, {mb} MB", name_of(largest)),
    })
}

/// How people call a worker: the name that it was given, else its machine's, else its id.
fn name_of(entry: &PeerEntry) -> &str {
    ["worker_name", "name", "hostname"]
        .into_iter()
        .filter_map(|key| entry.metadata.property(key).and_then(Value::as_str))
        .find(|name| !name.is_empty())
        .unwrap_or(entry.peer_id.as_str())
}
