//! One job between two peers, and each peer's half of the signaling.
//!
//! Everything here is a state machine without sockets, files, clock or chance. The two halves of one job are [`JobClient`]
//! and [`JobWorker`]; they speak the frames of [`sleap_rtc_wire::peer`] to each other over links that the shells carry.
//!
//! # Contract of use
//!
//! 1. One owner calls `handle(input, now)`, then drains `next_effect()` until `None` and carries the effects out in that
//!    order, then sleeps until `next_timeout()` or the next input; when the time comes it gives `Tick`.
//! 2. *Links.* The shell makes a link and reports it once with `LinkUp` (a number of its own that is never used again, what
//!    [`Binding`] the link saw, 32 fresh bytes of chance). Messages come in with `Control` and `Bulk`, in the link's order.
//!    Every link ends in exactly one `LinkDown`, whoever closed it; the answer to `Close` is to flush what was queued before,
//!    close, and report `LinkDown`. Effects for a link that is gone are dropped; inputs of an old link are ignored.
//! 3. *Back pressure.* `SendBulk` effects are queued in order for the link; for each one that the link took, the shell
//!    gives `BulkTaken` (counts may be summed). There are never more than about 16 MiB of them. Control messages are
//!    bounded by acknowledgements; the shell may queue them.
//! 4. *Disk.* Each [`DiskRequest`] gets one [`DiskAnswer`], from a task of its own, in any order. [`DiskAnswer::Hashed`] comes
//!    unasked: the chunks of the files to be sent, in order, as they are hashed; hashing may begin before there is a link.
//! 5. *Records.* [`WorkerEffect::Record`] is appended and fsynced, in order, and answered with `Recorded` or `RecordFailed`.
//!    What must not be told before it is remembered waits for that inside the machine.
//!
//! # The flow
//!
//! ```text
//!   client shell      JobClient                            JobWorker          worker shell
//!                     Connect ▶ (offer, answer: signaling)
//!   LinkUp ▶          hello, proof  ◀─────────────────▶    hello, proof       ◀ LinkUp
//!                     submit        ──────────────────▶    Accept ▶           checks configuration and disk
//!                                                                             ◀ Accepted | Rejected
//!                                                          Record(Accepted) ▶ ◀ Recorded
//!                     Show(Accepted) ◀────── accepted      Taken ▶            tells the pool: claim used
//!   Hashed ▶          files, chunks ──────────────────▶    Disk(Query) ▶      ◀ Have
//!   ◀ Disk(Read)      pieces        ══════════════════▶    Disk(Store) ▶      ◀ Stored
//!                     Show(Sending) ◀───────── verified    Disk(Assemble) ▶   ◀ Assembled
//!                     Show(Event)   ◀──────────── event    Run ▶              ◀ Happened … Ended
//!                                                          Record(Ended) ▶    ◀ Recorded
//!                                                          Over ▶             tells the pool: slot free
//!                                                          ListResults ▶      ◀ Results, Hashed …
//!   ◀ Disk(Query …)   Show(Receiving) ◀══ the same back    Disk(Read) ▶       ◀ Read
//!   ◀ Disk(Assemble)  transfer_done ──────────────────▶    Delivered ▶        may let the results go
//!   ◀ Finished
//! ```
//!
//! A link that ends is not a job that ends: the client asks for a new link (`Connect`, after a pause) and goes on with the
//! chunks and the events that are missing; the worker runs on.

mod channel;
mod events;
pub mod job_client;
pub mod job_worker;
mod key;
pub mod pool_client;
pub mod pool_line;
pub mod pool_worker;
pub mod proof;
pub mod record;
pub mod transfer;

pub use job_client::{ClientEffect, ClientError, ClientInput, ClientTimes, JobClient, Outcome, Plan, Show, Target};
pub use job_worker::{Fact, Grant, JobWorker, WorkerEffect, WorkerInput};
pub use key::KeyPair;
pub use proof::{Binding, Refusal};
pub use record::{JobRecord, JobState, replay};
pub use transfer::{DiskAnswer, DiskRequest, Progress, TransferError};

/// A link, numbered by the shell; no number is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);
