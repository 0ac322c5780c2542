//! One job from submission to results.

use sleap_rtc_session::{ClientInput, DiskAnswer, JobRecord, Outcome, Plan, Show, WorkerInput};
use sleap_rtc_wire::job::{EndState, FailCode, Phase, Stream, What};
use sleap_rtc_wire::peer::{PeerFrame, Wish};

use crate::fixtures::{GONE_MS, chunks, ended, entries, job, noise, some_files};
use crate::world::World;

#[test]
fn a_job_goes_there_and_its_results_come_home() {
    let mut world = World::usual();
    world.assert_completed();
    assert_eq!(world.delivered_results, 1);
    assert_eq!(world.connects, 1);
    assert!(world.worker.terminal().is_some());
    world.until("the link is closed", |world| world.link.is_none());
    assert!(world.worker.is_idle());
}

#[test]
fn the_record_is_accepted_ended_delivered() {
    let mut world = World::usual();
    world.assert_completed();
    let kinds: Vec<&str> = world
        .records
        .iter()
        .map(|record| match record {
            JobRecord::Accepted { .. } => "accepted",
            JobRecord::Reserved { .. } => "reserved",
            JobRecord::Ended { .. } => "ended",
            JobRecord::Delivered { .. } => "delivered",
        })
        .collect();
    assert_eq!(kinds, ["accepted", "ended", "delivered"]);
}

#[test]
fn two_stage_job_has_one_id_and_one_end() {
    let mut world = World::new(some_files(), 2);
    world.assert_completed();
    let stages = world.events().iter().filter(|event| matches!(event.what, What::Stage { .. })).count();
    assert_eq!(stages, 2);
    let ids: Vec<_> = world
        .frames(false)
        .into_iter()
        .filter_map(|frame| if let PeerFrame::Accepted { job_id, .. } = frame { Some(job_id) } else { None })
        .collect();
    assert_eq!(ids, [job(2).job_id]);
}

#[test]
fn a_job_without_files_runs() {
    let mut world = World::new(crate::fixtures::Files::new(), 1);
    world.assert_completed();
}

#[test]
fn files_may_be_hashed_while_they_are_sent() {
    let files = some_files();
    let mut world = World::with_plan(Plan::Submit { job: Box::new(job(1)), files: entries(&files) });
    let hashed = chunks(&files);
    world.client_disk.source = files;
    for chunk in hashed {
        for _ in 0..6 {
            world.deliver();
        }
        world.client_input(ClientInput::Disk(DiskAnswer::Hashed(vec![chunk])));
    }
    world.assert_completed();
}

#[test]
fn a_configuration_longer_than_a_message_arrives_whole() {
    let mut spec = job(1);
    spec.stages[0].config = "\"\\\n\u{1}é".repeat(30_000);
    let mut world = World::with_plan(Plan::Submit { job: Box::new(spec.clone()), files: Vec::new() });
    world.assert_completed();
    let JobRecord::Accepted { submission, .. } = &world.records[0] else { panic!() };
    assert_eq!(submission.job, spec);
}

#[test]
fn progress_counts_verified_bytes_up_to_the_total() {
    let mut world = World::usual();
    world.assert_completed();
    let total: usize = world.client_disk.source.values().map(Vec::len).sum();
    let sent: Vec<_> = world
        .shows
        .iter()
        .filter_map(|show| if let Show::Sending(progress) = show { Some(*progress) } else { None })
        .collect();
    assert!(sent.windows(2).all(|pair| pair[0].done <= pair[1].done));
    assert_eq!(sent.last().map(|progress| (progress.done, progress.total)), Some((total as u64, total as u64)));
}

#[test]
fn every_byte_sent_is_accounted() {
    let mut world = World::new([("a".to_owned(), noise(9, 3_000_000))].into(), 1);
    world.assert_completed();
    let received = world.frames(false).into_iter().filter_map(|frame| match frame {
        PeerFrame::Verified { received, .. } => Some(received),
        _ => None,
    });
    assert_eq!(received.max(), Some(3_000_000));
}

#[test]
fn a_job_that_cannot_be_done_here_ends_failed_with_the_cause() {
    let mut world = World::usual();
    world.answer =
        WorkerInput::Rejected { code: FailCode::BadConfig, cause: "key `_target_` is not allowed".to_owned() };
    let Outcome::Ended { terminal, .. } = world.finish() else { panic!() };
    assert_eq!((terminal.state, terminal.code), (EndState::Failed, Some(FailCode::BadConfig)));
    assert_eq!(terminal.cause.as_deref(), Some("key `_target_` is not allowed"));
    assert_eq!((world.runs, world.taken, world.ends.len(), world.records.len()), (0, 0, 1, 0));
    world.until("nothing of it is kept", |world| world.forgotten);
}

#[test]
fn a_failed_trainer_ends_the_job_once_and_its_files_still_come() {
    let mut world = World::usual();
    world.script = [WorkerInput::Ended(ended(EndState::Failed)), WorkerInput::Ended(ended(EndState::Completed))].into();
    let Outcome::Ended { terminal, results } = world.finish() else { panic!() };
    assert_eq!(terminal.state, EndState::Failed);
    assert!(matches!(results, Some(Ok(_))));
    assert_eq!((world.ends.len(), world.recorded_ends(), world.shown_ends()), (1, 1, 1));
}

#[test]
fn the_end_is_recorded_before_anybody_is_told() {
    let mut world = World::usual();
    world.until("it runs", |world| world.runs == 1);
    world.records_fail = true;
    for _ in 0..100 {
        world.step();
    }
    assert_eq!((world.ends.len(), world.shown_ends()), (0, 0));
    world.records_fail = false;
    world.assert_completed();
}

#[test]
fn a_job_that_cannot_be_recorded_is_not_taken() {
    let mut world = World::usual();
    world.records_fail = true;
    let Outcome::Ended { terminal, .. } = world.finish() else { panic!() };
    assert_eq!((terminal.state, terminal.code), (EndState::Failed, Some(FailCode::DiskFull)));
    assert_eq!((world.taken, world.runs, world.ends.len()), (0, 0, 1));
}

#[test]
fn the_client_leaves_and_the_job_runs_on() {
    let mut world = World::usual();
    world.until("it runs", |world| world.runs == 1);
    world.client_input(ClientInput::Leave);
    assert_eq!(world.outcome, Some(Outcome::Left));
    world.until("it ends", |world| world.ends.len() == 1);
    assert_eq!(world.ends[0].state, EndState::Completed);
    let from_seq = world.client.last_seq() + 1;
    let before = world.client.last_seq();
    world.replace_client(Plan::Attach { from_seq, results: true });
    let Outcome::Ended { results: Some(Ok(_)), .. } = world.finish() else { panic!() };
    assert_eq!(world.client_disk.made, world.worker_disk.source);
    assert!(world.events().iter().all(|event| event.seq > before));
}

#[test]
fn attach_replays_each_line_once() {
    let mut world = World::usual();
    world.assert_completed();
    let story = world.events();
    for from_seq in 1..=story.len() as u64 {
        world.replace_client(Plan::Attach { from_seq, results: false });
        let Outcome::Ended { results: None, .. } = world.finish() else { panic!() };
        assert_eq!(world.events(), story[from_seq as usize - 1..]);
    }
}

#[test]
fn a_later_program_of_the_owner_takes_the_job_over() {
    let mut world = World::usual();
    world.script.pop_back();
    world.until("it runs", |world| world.shown_phase(Phase::Training));
    let (worker, first) = (world.link.as_ref().map(|(link, _)| *link).unwrap(), world.client.last_seq());
    // The second link is there before the first is gone.
    world.second_link(Plan::Attach { from_seq: first + 1, results: true });
    assert!(world.frames(false).iter().any(|frame| matches!(frame, PeerFrame::Bye { .. })));
    assert_ne!(world.link.as_ref().map(|(link, _)| *link), Some(worker));
    world.worker_input(WorkerInput::Ended(ended(EndState::Completed)));
    let Outcome::Ended { results: Some(Ok(_)), .. } = world.finish() else { panic!() };
}

#[test]
fn a_client_that_is_gone_while_it_sends_gives_the_slot_back() {
    let mut world = World::usual();
    world.until("files arrive", |world| !world.worker_disk.written.is_empty());
    world.reachable = false;
    world.cut();
    let since = world.now;
    world.until("the worker gives up", |world| world.ends.len() == 1);
    assert_eq!(world.now.since(since), GONE_MS);
    assert_eq!((world.ends[0].state, world.ends[0].code), (EndState::Failed, Some(FailCode::TransferFailed)));
    assert_eq!((world.runs, world.recorded_ends()), (0, 1));
}

#[test]
fn a_worker_that_is_gone_before_it_has_the_job_is_unreachable() {
    let mut world = World::usual();
    world.reachable = false;
    world.cut();
    let outcome = world.finish();
    assert!(matches!(outcome, Outcome::Failed(sleap_rtc_session::ClientError::Unreachable { .. })), "{outcome:?}");
}

#[test]
fn a_worker_that_is_gone_for_long_counts_as_lost_and_may_come_back() {
    let mut world = World::usual();
    world.until("it runs", |world| world.runs == 1);
    world.reachable = false;
    world.cut();
    let outcome = world.finish();
    let Outcome::Failed(sleap_rtc_session::ClientError::Lost { for_ms, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(for_ms >= 600_000);
    let since = |show: &Show| matches!(show, Show::Reconnecting { accepted: true, .. });
    assert!(world.shows.iter().any(since));
    world.reachable = true;
    world.replace_client(Plan::Attach { from_seq: 1, results: true });
    let Outcome::Ended { terminal, results: Some(Ok(_)) } = world.finish() else { panic!() };
    assert_eq!(terminal.state, EndState::Completed);
}

#[test]
fn a_command_does_not_disturb_who_watches() {
    let mut world = World::usual();
    world.script.pop_back();
    world.until("it runs", |world| world.shown_phase(Phase::Training));
    world.second_link(Plan::Command(Wish::Stop));
    assert_eq!(world.outcome, Some(Outcome::Obeyed { wish: Wish::Stop, end: None }));
    assert_eq!(world.stops, 1);
    let byes = world.frames(false).iter().filter(|frame| matches!(frame, PeerFrame::Bye { .. })).count();
    assert_eq!(byes, 0, "the one who watches is not sent away");
}

#[test]
fn log_lines_are_cleaned_and_bounded() {
    let mut world = World::usual();
    let line = format!("\u{1b}]52;c;evil\u{7}{}", "\"".repeat(40_000));
    world.script.push_front(WorkerInput::Happened(What::Log { stream: Stream::Err, line }));
    world.assert_completed();
    let events = world.events();
    let lines =
        events.iter().filter_map(|event| if let What::Log { line, .. } = &event.what { Some(line) } else { None });
    assert!(lines.clone().all(|line| line.len() <= 16 << 10 && !line.contains(['\u{1b}', '\u{7}'])));
    assert!(lines.clone().any(|line| line.contains("]52;c;evil")));
}

#[test]
fn a_long_story_is_told_whole_while_the_client_keeps_up() {
    let mut world = World::usual();
    for n in 0..10_000 {
        let line = format!("line {n}");
        world.script.insert(1, WorkerInput::Happened(What::Log { stream: Stream::Out, line }));
    }
    world.assert_completed();
    assert!(world.records.iter().any(|record| matches!(record, JobRecord::Reserved { .. })));
}

#[test]
fn batches_are_coalesced_for_who_comes_late() {
    let mut world = World::usual();
    for batch in 0..3_000 {
        world.script.insert(1, WorkerInput::Happened(What::Batch { epoch: 0, batch, loss: Some(0.1) }));
    }
    world.until("it runs", |world| world.runs == 1);
    world.reachable = false;
    world.cut();
    world.until("it ends", |world| world.ends.len() == 1);
    world.reachable = true;
    let Outcome::Ended { terminal, results: Some(Ok(_)) } = world.finish() else { panic!() };
    assert_eq!(terminal.state, EndState::Completed);
    let batches = world.events().iter().filter(|event| matches!(event.what, What::Batch { .. })).count();
    assert!(batches <= 2, "{batches}");
}

#[test]
fn who_only_watches_does_not_take_the_place_of_who_sends() {
    let mut world = World::usual();
    world.until("files arrive", |world| !world.worker_disk.written.is_empty());
    world.second_link(Plan::Attach { from_seq: 1, results: true });
    let refused = sleap_rtc_session::ClientError::Refused {
        code: sleap_rtc_wire::peer::RefuseCode::FilesMissing,
        message: "the job's files are still being sent, by another program".to_owned(),
    };
    assert_eq!(world.outcome.take(), Some(Outcome::Failed(refused)));
    world.assert_completed();
    assert_eq!(world.connects, 2);
}
