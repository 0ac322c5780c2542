//! What a restarted worker knows.

use sleap_rtc_session::record::BadRecord;
use sleap_rtc_session::{JobRecord, Outcome, Plan, replay};
use sleap_rtc_wire::job::{EndState, FailCode, What};

use crate::fixtures::ended;
use crate::world::World;

fn lines(world: &World) -> Vec<u8> {
    world.records.iter().map(JobRecord::line).collect::<String>().into_bytes()
}

#[test]
fn a_worker_that_is_restarted_beside_a_dead_trainer_fails_the_job_once() {
    let mut world = World::usual();
    world.script.pop_back();
    world.until("it runs", |world| world.runs == 1 && world.events().len() > 3);
    let shown = world.events().len();
    world.restart_worker();
    let Outcome::Ended { terminal, .. } = world.finish() else { panic!() };
    assert_eq!((terminal.state, terminal.code), (EndState::Failed, Some(FailCode::WorkerLost)));
    assert_eq!((world.ends.len(), world.recorded_ends(), world.shown_ends()), (1, 1, 1));
    let warned = world.events()[shown..].iter().any(|event| matches!(event.what, What::Warning { .. }));
    assert!(warned, "the gap in the story is told");
    // And once more: the same end, not a second one.
    world.restart_worker();
    world.replace_client(Plan::Attach { from_seq: 1, results: false });
    let Outcome::Ended { terminal: again, .. } = world.finish() else { panic!() };
    assert_eq!(again, terminal);
    assert_eq!((world.ends.len(), world.recorded_ends()), (1, 1));
}

#[test]
fn a_worker_that_is_restarted_while_files_come_fails_the_job() {
    let mut world = World::usual();
    world.until("files arrive", |world| !world.worker_disk.written.is_empty());
    world.restart_worker();
    let Outcome::Ended { terminal, .. } = world.finish() else { panic!() };
    assert_eq!(terminal.code, Some(FailCode::WorkerLost));
    assert_eq!(world.runs, 0);
}

#[test]
fn a_torn_last_line_does_not_count() {
    let mut world = World::usual();
    world.assert_completed();
    let whole = lines(&world);
    let full = replay(&whole).unwrap();
    assert_eq!(full.valid_len, whole.len() as u64);
    assert!(full.end.is_some() && full.delivered.is_some());
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in 0..whole.len() {
        match replay(&whole[..cut]) {
            Ok(state) => {
                assert!(cut >= first && state.valid_len <= cut as u64);
                assert_eq!(whole[state.valid_len as usize - 1], b'\n');
            }
            Err(error) => assert!(error == BadRecord::Empty && cut < first),
        }
    }
}

#[test]
fn the_first_end_counts() {
    let mut world = World::usual();
    world.assert_completed();
    world.records.push(JobRecord::Ended { terminal: ended(EndState::Cancelled), seq: 99 });
    let state = replay(&lines(&world)).unwrap();
    assert_eq!(state.end.unwrap().0.state, EndState::Completed);
}

#[test]
fn a_record_that_cannot_be_read_is_an_error() {
    let mut world = World::usual();
    world.assert_completed();
    let mut bytes = lines(&world);
    bytes.extend_from_slice(b"nonsense\n{}\n");
    assert!(matches!(replay(&bytes), Err(BadRecord::Line { line: 4, .. })));
    assert_eq!(replay(b""), Err(BadRecord::Empty));
    assert_eq!(replay(JobRecord::Reserved { seq: 1 }.line().as_bytes()), Err(BadRecord::NoBeginning));
}
