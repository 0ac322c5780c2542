//! What rooms were told, so that it can be told to them again with nothing around: how fast a room is alone.

use std::time::{Duration, Instant};

use sleap_rtc_room::{Input, Room, RoomConfig};
use sleap_rtc_wire::Time;
use sleap_rtc_wire::record::{RoomRecord, WorkerRecord};

use crate::plan::Plan;
use crate::world::World;

/// How one loading of a room begins.
pub(crate) type Beginning = (RoomRecord, Vec<WorkerRecord>, RoomConfig, Time);

/// What one loading of a room was told.
#[derive(Debug)]
pub(crate) struct Tape {
    pub(crate) beginning: Beginning,
    pub(crate) inputs: Vec<(Input, Time)>,
}

/// Tells the rooms of these worlds again what they were told; answers how many inputs that were and how long it took.
#[expect(clippy::disallowed_methods, reason = "a measurement, not a part of any world")]
pub fn rooms_alone(seeds: std::ops::Range<u64>, events: u64) -> (u64, Duration) {
    let (mut inputs, mut took) = (0, Duration::ZERO);
    for seed in seeds {
        let mut world = World::new(Plan::new(seed, events));
        world.tapes = Some(Vec::new());
        world.run();
        for tape in world.tapes.take().into_iter().flatten() {
            inputs += tape.inputs.len() as u64;
            let (record, workers, config, now) = tape.beginning;
            let began = Instant::now();
            let mut room = Room::load(record, workers, config, now);
            while room.next_effect().is_some() {}
            for (input, now) in tape.inputs {
                room.handle(input, now);
                while room.next_effect().is_some() {}
            }
            took += began.elapsed();
        }
    }
    (inputs, took)
}
