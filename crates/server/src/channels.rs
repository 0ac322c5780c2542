//! What workers say to those who watch them through the server: channels of events, kept for a while for those who come later.
//!
//! A channel belongs to one room, as two rooms may each have a worker of the same name. Only the server puts events into it. Whoever
//! reads has a place in the channel and no queue of its own, so that a slow reader costs nothing more; one that falls behind what
//! is kept is dropped.

mod channel;
mod name;
mod table;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sleap_rtc_wire::signal::Report;
use sleap_rtc_wire::{MemberId, PeerId, RoomId, Time, limits};

use channel::Job;
pub(crate) use name::Name;
use table::Table;
use tokio::sync::Notify;
pub(crate) use watch::Watch;

/// How long a channel that nobody watches is kept after its last event, ms: as long as a deployed worker keeps a browser's key.
const IDLE_MS: u64 = 24 * 3_600_000;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Channels of all rooms.
    pub(crate) channels: usize,
    /// Bytes of all events.
    pub(crate) bytes: usize,
    /// Channels of one room, so that it cannot make the others' be forgotten.
    pub(crate) channels_of_room: usize,
    /// Bytes of one room's events.
    pub(crate) bytes_of_room: usize,
    /// Events of one channel.
    pub(crate) events: usize,
    /// Bytes of one channel's events.
    pub(crate) event_bytes: usize,
    /// Streams of one member.
    pub(crate) streams: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            channels: limits::CHANNELS,
            bytes: limits::CHANNEL_BYTES,
            channels_of_room: limits::CHANNELS / 4,
            bytes_of_room: limits::CHANNEL_BYTES / 4,
            events: limits::EVENTS,
            event_bytes: limits::EVENT_BYTES,
            streams: limits::STREAMS,
        }
    }
}

/// All channels.
#[derive(Debug)]
pub(crate) struct Channels {
    table: Mutex<Table>,
}

/// The member has as many streams as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyStreams(pub(crate) usize);

impl Channels {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { table: Mutex::new(Table::new(bounds)) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change under this lock is complete before anything in it can panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker's frame: to those who watch its job if it is about one, else to those who watch the worker. What it says of a job
    /// of another worker nobody hears.
    pub(crate) fn report(&self, room: &RoomId, worker: &PeerId, report: &Report, now: Time) {
        let job = report.job_id.as_deref().filter(|_| report.kind.is_of_job()).and_then(Name::job);
        let name = job.unwrap_or_else(|| Name::Worker(worker.clone()));
        let mut table = self.table();
        let channel = table.open(room, &name, now);
        if matches!(name, Name::Job(_)) {
            // Whoever speaks of it first after the server has started anew.
            let job = channel.job.get_or_insert_with(|| Job::of(worker.clone()));
            if job.worker != *worker {
                tracing::debug!(%room, %worker, of = %job.worker, "a report of another worker's job is dropped");
                return;
            }
            if let Some(status) = &report.status {
                job.is_over = matches!(status.as_str(), "complete" | "failed" | "rejected");
            }
        }
        table.publish(room, &name, event(&report.text, now));
    }

    /// A job is about to be given to a worker. Those who come to watch it read this first.
    pub(crate) fn begin_job(&self, room: &RoomId, worker: &PeerId, job_id: &str, now: Time) {
        let name = Name::Job(job_id.to_owned());
        let mut table = self.table();
        table.open(room, &name, now).job = Some(Job::of(worker.clone()));
        let text = json!({"type": "status", "status": "submitted", "job_id": job_id, "worker_peer_id": worker});
        table.publish(room, &name, event(&text.to_string(), now));
    }

    /// The worker did not get it after all, and nobody knows of it.
    pub(crate) fn forget_job(&self, room: &RoomId, job_id: &str) {
        self.table().forget(room, &Name::Job(job_id.to_owned()));
    }

    /// On which worker a job is, if that is known.
    pub(crate) fn worker_of(&self, room: &RoomId, job_id: &str) -> Option<PeerId> {
        self.table().get(room, &Name::job(job_id)?)?.job.as_ref().map(|job| job.worker.clone())
    }

    /// A worker's connection is gone: its trainer may run on, so its jobs have not failed.
    pub(crate) fn worker_is_away(&self, room: &RoomId, worker: &PeerId, now: Time) {
        let text = "the worker has lost its connection; what it runs goes on, and is told of when it is back";
        self.tell_jobs(room, worker, &json!({"status": "running", "message": text}), now, |job| {
            !job.is_over && !std::mem::replace(&mut job.is_away, true)
        });
    }

    /// A worker is connected again.
    pub(crate) fn worker_is_back(&self, room: &RoomId, worker: &PeerId, now: Time) {
        let text = "the worker is connected again";
        self.tell_jobs(room, worker, &json!({"status": "running", "message": text}), now, |job| {
            std::mem::take(&mut job.is_away) && !job.is_over
        });
    }

    /// A worker has left for good: nobody will tell how its jobs end.
    pub(crate) fn worker_is_gone(&self, room: &RoomId, worker: &PeerId, now: Time) {
        let text = "the worker has left";
        let failed = json!({"status": "failed", "message": text, "error": text});
        self.tell_jobs(room, worker, &failed, now, |job| !std::mem::replace(&mut job.is_over, true));
    }

    /// Says something to those who watch a worker's jobs, as the worker would say it.
    fn tell_jobs(&self, room: &RoomId, worker: &PeerId, say: &Value, now: Time, to: impl Fn(&mut Job) -> bool) {
        let mut table = self.table();
        for job_id in table.jobs_of(room, worker, to) {
            let mut text = json!({"type": "job_status", "job_id": job_id});
            if let (Value::Object(text), Value::Object(say)) = (&mut text, say) {
                text.extend(say.clone());
            }
            table.publish(room, &Name::Job(job_id), event(&text.to_string(), now));
        }
    }

    /// A room is gone, and who watches in it hears nothing more.
    pub(crate) fn end_room(&self, room: &RoomId) {
        self.table().end_room(room);
    }

    /// Forgets what nobody has watched or filled for a long time.
    pub(crate) fn forget_idle(&self, now: Time) {
        self.table().forget_older(Time(now.0.saturating_sub(IDLE_MS)));
    }

    /// Watches a channel, from the oldest event that is kept. `cut`: ends the connection of whoever watches.
    pub(crate) fn watch(
        self: &Arc<Self>,
        room: &RoomId,
        name: &Name,
        member: &MemberId,
        cut: Arc<Notify>,
        now: Time,
    ) -> Result<Watch, TooManyStreams> {
        let seat = self.table().sit(room, name, member, cut, now)?;
        Ok(Watch::new(self.clone(), room.clone(), name.clone(), member.clone(), seat))
    }

    /// How many channels there are, and how many streams.
    pub(crate) fn counts(&self) -> (usize, usize) {
        self.table().counts()
    }
}

/// A JSON object as an event of a stream, with the time in seconds that the original's relay adds.
fn event(text: &str, now: Time) -> bytes::Bytes {
    // An event is one line. Outside of texts, where JSON writes them otherwise, these characters mean nothing.
    let line = text.trim_ascii().replace(['\r', '\n'], " ");
    let object = line.strip_suffix('}').unwrap_or(&line);
    format!("data: {object},\"_ts\":{:.3}}}\n\n", now.0 as f64 / 1000.0).into()
}

#[cfg(test)]
mod tests;
