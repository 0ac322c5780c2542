//! Booking a worker, with everything that the user may read and want meanwhile.

use std::pin::{Pin, pin};
use std::time::Duration;

use serde_json::{Value, json};
use sleap_rtc_peer::client_pool::ClientEvent;
use sleap_rtc_peer::clock::Clock;
use sleap_rtc_session::pool_client::{ClaimRequest, Fact, Failure};
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_wire::claim::{ClaimRefused, Claimed, Reason, Seat};
use sleap_rtc_wire::signal::{AbsentPeer, PeerEntry};
use sleap_rtc_wire::{Filters, Metadata, PeerId, PublicKey, Time};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep};

use crate::controls::Wanted;
use crate::error::TrainError;
use crate::event::{Missing, TrainEvent};
use crate::jobs::InLine;
use crate::member::Member;
use crate::train::tell;

/// How often a place that does not change is looked at: other terminals are to see that somebody waits.
const BEAT: Duration = Duration::from_secs(5);

/// How long a server that has started may need until it knows its workers: twice of what it takes by default.
const RECOVERS: Duration = Duration::from_secs(10);
/// How often it is asked meanwhile, by somebody who has no time to wait in line.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// How long a seat is good after it came: rooms sign them for ten minutes, and send a fresh one after five.
const SEAT: Duration = Duration::from_mins(10);

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
    pub(crate) clock: Clock,
}

impl Bookings<'_> {
    /// Books a worker; `None` if the user wants no more. Waits in line for as long as the request says, and keeps `line`
    /// up to date meanwhile. `tags` are those that the request asks for.
    pub(crate) async fn book(
        &mut self,
        request: ClaimRequest,
        tags: &[String],
        line: &mut InLine,
    ) -> Result<Option<Booked>, TrainError> {
        let pool = self.member.pool.clone();
        let begun = Instant::now();
        let recovered = begun + RECOVERS;
        let mut granted = loop {
            // Whoever asks anew has not more time than it had.
            let waited = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let claim = ClaimRequest { wait_ms: request.wait_ms.saturating_sub(waited), ..request.clone() };
            match self.meanwhile(pool.claim(claim), Some((&mut *line, &request.filters))).await {
                None => return Ok(None),
                // The server went before it had answered, and there was no time to wait any more: it is asked once it is back.
                Some(Err(Failure::ServerLost(_))) => {}
                // A server that has just started does not know yet who is free: that is no answer, even to who does not wait.
                Some(Err(Failure::Refused(refused)))
                    if refused.reason == Reason::Recovering && Instant::now() < recovered =>
                {
                    if self.meanwhile(sleep(ASK_AGAIN), None).await.is_none() {
                        return Ok(None);
                    }
                }
                Some(Err(Failure::Refused(refused))) => return Err(self.refused(refused, tags).await),
                Some(Err(failure)) => return Err(self.member.failed(failure, None)),
                Some(Ok(granted)) => break granted,
            }
        };
        let Some(claimed) = granted.pop() else {
            return Err(TrainError::Internal("no worker was granted where one was asked for".to_owned()));
        };
        let entry = self.look_up(&claimed.worker).await;
        let name = entry
            .as_ref()
            .map_or_else(|| claimed.worker.to_string(), |entry| name_of(&entry.metadata, &entry.peer_id).to_owned());
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
        Some(self.meanwhile(pool.discover(workers(), false), None).await?.ok()?.peers)
    }

    /// The workers that the line waits for and that are not there. Only for people.
    fn missing(&self, filters: Filters) -> Pin<Box<dyn Future<Output = Vec<Missing>> + Send>> {
        let (pool, clock) = (self.member.pool.clone(), self.clock);
        Box::pin(async move {
            let absent = pool.discover(filters, true).await.map_or_else(|_| Vec::new(), |found| found.absent);
            absent.iter().map(|worker| missing(worker, clock.now())).collect()
        })
    }

    /// Waits for a call while telling what the room says; `None` once the user wants something else.
    async fn meanwhile<T>(
        &mut self,
        call: impl Future<Output = T>,
        mut line: Option<(&mut InLine, &Filters)>,
    ) -> Option<T> {
        let mut call = pin!(call);
        let mut beat = interval(BEAT);
        let mut asked: Option<Pin<Box<dyn Future<Output = Vec<Missing>> + Send>>> = None;
        loop {
            let missing = async {
                match &mut asked {
                    Some(asked) => asked.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                answer = &mut call => return Some(answer),
                event = self.news.next() => {
                    if let (TrainEvent::Waiting(waiting), Some((line, filters))) = (&event, &mut line) {
                        line.told(waiting, self.clock.now());
                        let silent = waiting.reason == Reason::Silent;
                        asked = silent.then(|| self.missing((*filters).clone()));
                    }
                    tell(self.events, event).await;
                }
                who = missing => {
                    asked = None;
                    if !who.is_empty() {
                        tell(self.events, TrainEvent::Missing(who)).await;
                    }
                }
                () = wish(&mut self.wanted) => return None,
                _ = beat.tick() => if let Some((line, _)) = &mut line {
                    line.beat(self.clock.now());
                },
            }
        }
    }
}

/// A worker that is not there, for people.
fn missing(worker: &AbsentPeer, now: Time) -> Missing {
    let name = name_of(&worker.metadata, &worker.peer_id).to_owned();
    Missing { name, silent_ms: silent_ms(worker, now) }
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
    seat: Option<(Seat, Instant)>,
}

impl News {
    pub(crate) const fn new(events: Receiver<ClientEvent>) -> Self {
        Self { events, away: None, seat: None }
    }

    /// Why the server cannot be reached now, if it cannot.
    pub(crate) const fn away(&self) -> Option<&Cause> {
        self.away.as_ref()
    }

    /// The wait is over: there is no place any more that could be kept.
    pub(crate) fn stand_up(&mut self) {
        self.seat = None;
    }

    /// Takes note of a seat that is new.
    fn sit(&mut self, seat: Option<&Seat>) {
        if let Some(seat) = seat.filter(|seat| self.seat.as_ref().is_none_or(|(old, _)| old != *seat)) {
            self.seat = Some((seat.clone(), Instant::now()));
        }
    }

    /// How long the seat is good. Our clock and the server's may differ: only the time since it came counts.
    fn place_kept_ms(&self) -> Option<u64> {
        let (_, came) = self.seat.as_ref()?;
        Some(SEAT.saturating_sub(came.elapsed()).as_millis() as u64)
    }

    /// The next; for ever nothing once the line is over: the calls that fail by it say so. Cancel safe.
    pub(crate) async fn next(&mut self) -> TrainEvent {
        loop {
            match self.events.recv().await {
                Some(ClientEvent::Fact(Fact::Waiting(waiting))) => {
                    self.sit(waiting.seat.as_ref());
                    return TrainEvent::Waiting(waiting);
                }
                // Asked again at once, with a fresh sign-in: nobody need know unless that fails too.
                Some(ClientEvent::Fact(Fact::Away { retry_in_ms: 0, .. })) => {}
                Some(ClientEvent::Fact(Fact::Away { cause, retry_in_ms, .. })) => {
                    let text = cause.to_string();
                    self.away = Some(cause);
                    let place_kept_ms = self.place_kept_ms();
                    return TrainEvent::ServerAway { retry_ms: retry_in_ms, cause: text, place_kept_ms };
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

/// What is there where nothing matches: `2 workers are there; the largest GPU is that of gpu-box, 8188 MB`. If none of them has
/// one of the `tags` that were asked for, that is said instead.
fn there(workers: &[PeerEntry], tags: &[String]) -> Option<String> {
    let (pythons, workers): (Vec<&PeerEntry>, Vec<&PeerEntry>) =
        workers.iter().partition(|entry| is_of_python(&entry.metadata));
    if workers.is_empty() && !pythons.is_empty() {
        return Some(match pythons.len() {
            1 => "the only worker there is of the Python package, which only its own clients can use".to_owned(),
            n => format!("all {n} workers there are of the Python package, which only its own clients can use"),
        });
    }
    let memory = |entry: &&PeerEntry| entry.metadata.property("gpu_memory_mb").and_then(Value::as_u64).unwrap_or(0);
    let largest = workers.iter().max_by_key(|entry| memory(entry))?;
    let count = match workers.len() {
        1 => "1 worker is there".to_owned(),
        n => format!("{n} workers are there"),
    };
    let tagged = |entry: &&PeerEntry| entry.metadata.tags().any(|tag| tags.iter().any(|wanted| wanted == tag));
    if !tags.is_empty() && !workers.iter().any(tagged) {
        return Some(format!("{count}, none with the tag {}", tags.join(" or ")));
    }
    Some(match memory(largest) {
        0 => format!("{count}, without a GPU"),
        mb => format!("{count}; the largest GPU is that of {}, {mb} MB", name_of(&largest.metadata, &largest.peer_id)),
    })
}

/// Whether a worker is one of the Python package: it tells its own version of SLEAP, and not which of our workers it is.
pub fn is_of_python(metadata: &Metadata) -> bool {
    metadata.property("worker_version").is_none() && metadata.property("sleap_version").is_some()
}

/// How people call a worker: the name that it was given, else its machine's, else its id.
pub fn name_of<'a>(metadata: &'a Metadata, id: &'a PeerId) -> &'a str {
    ["worker_name", "name", "hostname"]
        .into_iter()
        .filter_map(|key| metadata.property(key).and_then(Value::as_str))
        .find(|name| !name.is_empty())
        .unwrap_or(id.as_str())
}

/// How long a worker has not been there, ms, by our clock.
pub(crate) fn silent_ms(worker: &AbsentPeer, now: Time) -> u64 {
    now.since(Time((worker.seen_at.max(0.0) * 1000.0) as u64))
}

/// Every worker.
pub(crate) fn workers() -> Filters {
    Filters::parse(json!({"role": "worker"})).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(properties: &Value) -> PeerEntry {
        let entry =
            json!({"peer_id": "w", "role": "worker", "metadata": {"properties": properties}, "connected_at": 0.0});
        serde_json::from_value(entry).unwrap()
    }

    #[test]
    fn a_worker_of_the_python_package_is_no_worker_for_us() {
        let python = || worker(&json!({"sleap_version": "1.4", "gpu_memory_mb": 24_000}));
        let ours = worker(&json!({"worker_version": "0.1.0", "gpu_memory_mb": 8_188, "worker_name": "gpu1"}));
        assert!(there(&[python()], &[]).unwrap().contains("the only worker there is of the Python package"));
        assert!(
            there(&[python(), python()], &[]).unwrap().starts_with("all 2 workers there are of the Python package")
        );
        let words = there(&[python(), ours], &[]).unwrap();
        assert_eq!(words, "1 worker is there; the largest GPU is that of gpu1, 8188 MB");
        assert_eq!(there(&[], &[]), None);
    }
}
