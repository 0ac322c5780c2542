//! Proof of the rules: a world of the real pure parts (rooms, access, the halves of the signaling and of jobs) in which everything
//! happens by a seed, with every fault that we know of, and what must hold is checked after each event.
//!
//! A seed makes a [`Plan`]; a [`World`] carries it out, event by event, with no clock, no thread and no socket; the model beside it
//! says what must be true. The same plan gives the same world, bit for bit. What is proved and what is not: `docs/proof.md`.

mod acts;
mod booked;
mod client;
mod clock;
mod ends;
mod event;
mod hall;
mod invariants;
mod joining;
mod liveness;
mod machine;
mod model;
mod network;
mod occupied;
mod old;
mod plan;
mod queue;
mod random;
mod replay;
mod rough;
mod rule;
mod seen;
mod server;
mod session;
mod store;
mod sweeper;
mod tape;
mod task;
mod trace;
mod worker;
mod world;

pub use plan::{Act, Deed, Kind, Knobs, PeerPlan, Plan, RoomPlan};
pub use replay::{BadPlan, Failure, hunt, read_plan, run, run_many, shrink, story, with_broken, write_plan};
pub use rule::{Rule, Violation};
pub use seen::{Note, Seen};
pub use tape::rooms_alone;
pub use world::World;
