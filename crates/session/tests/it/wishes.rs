//! Stop and cancel, in every state.

use proptest::prelude::*;
use sleap_rtc_session::{ClientInput, Outcome, Plan, WorkerInput};
use sleap_rtc_wire::job::{EndState, FailCode, Phase};
use sleap_rtc_wire::peer::Wish;

use crate::fixtures::ended;
use crate::world::{Answer, Late, World};

#[test]
fn cancel_in_every_state_ends_cancelled_once() {
    let mut whole = World::usual();
    whole.assert_completed();
    let mut cancelled = 0;
    for at in 0..whole.delivered {
        let mut world = World::usual();
        world.until("the moment", |world| world.delivered >= at || world.outcome.is_some());
        let over = world.worker.terminal().is_some() || world.recorded_ends() > 0;
        world.client_input(ClientInput::Wish(Wish::Cancel));
        let outcome = world.finish();
        let Outcome::Ended { terminal, .. } = &outcome else { panic!("at {at}: {outcome:?}") };
        let expected = if over { EndState::Completed } else { EndState::Cancelled };
        assert!(terminal.state == expected || world.ends.iter().any(|end| end.state == terminal.state), "at {at}");
        if terminal.state == EndState::Cancelled {
            cancelled += 1;
            assert!(world.ends.iter().all(|end| end.state == EndState::Cancelled), "at {at}: {:?}", world.ends);
        }
        assert!(world.ends.len() <= 1 && world.recorded_ends() <= 1 && world.shown_ends() <= 1, "at {at}");
        assert!(world.runs <= 1);
    }
    assert!(cancelled > whole.delivered / 2, "{cancelled} of {}", whole.delivered);
}

#[test]
fn cancel_survives_a_cut_after_any_message() {
    let mut whole = World::usual();
    whole.script.pop_back();
    whole.until("it trains", |world| world.shown_phase(Phase::Training));
    let before = whole.delivered;
    for more in 1..12 {
        let mut world = World::usual();
        world.script.pop_back();
        world.until("it trains", |world| world.delivered >= before);
        world.cuts.push_back(world.delivered + more);
        world.client_input(ClientInput::Wish(Wish::Cancel));
        let Outcome::Ended { terminal, .. } = world.finish() else { panic!() };
        assert_eq!(terminal.state, EndState::Cancelled);
        assert_eq!((world.ends.len(), world.recorded_ends(), world.cancels), (1, 1, 1));
    }
}

#[test]
fn stop_keeps_the_model() {
    let mut world = World::usual();
    world.script.pop_back();
    world.until("it trains", |world| world.shown_phase(Phase::Training));
    world.client_input(ClientInput::Wish(Wish::Stop));
    world.until("the trainer is told", |world| world.stops == 1);
    let mut end = ended(EndState::Completed);
    end.stopped_early = true;
    world.worker_input(WorkerInput::Ended(end));
    let Outcome::Ended { terminal, results: Some(Ok(_)) } = world.finish() else { panic!() };
    assert!(terminal.stopped_early);
    assert_eq!(terminal.state, EndState::Completed);
}

#[test]
fn stop_before_training_ends_cancelled_with_the_reason() {
    let mut world = World::usual();
    world.until("files arrive", |world| !world.worker_disk.written.is_empty());
    world.client_input(ClientInput::Wish(Wish::Stop));
    let Outcome::Ended { terminal, .. } = world.finish() else { panic!() };
    assert_eq!(terminal.state, EndState::Cancelled);
    assert_eq!(terminal.cause.as_deref(), Some("stopped before training began"));
    assert_eq!(world.runs, 0);
}

#[test]
fn cancel_after_stop_counts() {
    let mut world = World::usual();
    world.script.pop_back();
    world.until("it trains", |world| world.shown_phase(Phase::Training));
    world.client_input(ClientInput::Wish(Wish::Stop));
    world.client_input(ClientInput::Wish(Wish::Cancel));
    world.client_input(ClientInput::Wish(Wish::Stop));
    let Outcome::Ended { terminal, .. } = world.finish() else { panic!() };
    assert_eq!(terminal.state, EndState::Cancelled);
    assert_eq!(world.cancels, 1);
}

#[test]
fn cancel_wins_over_a_model_that_is_there_in_the_same_moment() {
    let mut world = World::usual();
    world.script.pop_back();
    world.until("it trains", |world| world.shown_phase(Phase::Training));
    world.worker.handle(WorkerInput::Wish(Wish::Cancel), world.now);
    world.worker.handle(WorkerInput::Ended(ended(EndState::Completed)), world.now);
    world.drain();
    let Outcome::Ended { terminal, .. } = world.finish() else { panic!() };
    assert_eq!(terminal.state, EndState::Cancelled);
    assert_eq!(world.ends.len(), 1);
}

#[test]
fn a_worker_that_cannot_go_on_ends_the_job_failed() {
    let mut world = World::usual();
    world.script.pop_back();
    world.until("it trains", |world| world.shown_phase(Phase::Training));
    let cause = "the worker was asked to shut down".to_owned();
    world.worker_input(WorkerInput::Abort { code: FailCode::WorkerLost, cause });
    let Outcome::Ended { terminal, .. } = world.finish() else { panic!() };
    assert_eq!((terminal.state, terminal.code), (EndState::Failed, Some(FailCode::WorkerLost)));
    assert_eq!(world.cancels, 1);
}

#[test]
fn an_attempt_that_a_later_one_replaced_ends_cancelled_once_and_says_so() {
    let mut whole = World::usual();
    whole.assert_completed();
    let mut replaced = 0;
    for at in 0..whole.delivered {
        let mut world = World::usual();
        world.until("the moment", |world| world.delivered >= at || world.outcome.is_some());
        // Twice: the room may say it again after another register.
        world.worker_input(WorkerInput::Superseded);
        world.worker_input(WorkerInput::Superseded);
        let outcome = world.finish();
        assert!(world.ends.len() <= 1 && world.recorded_ends() <= 1 && world.shown_ends() <= 1, "at {at}");
        assert!(world.cancels <= 1, "at {at}");
        if world.forgotten {
            assert_eq!((world.ends.len(), world.runs), (0, 0), "at {at}: nobody had brought it");
            continue;
        }
        let Outcome::Ended { terminal, .. } = outcome else { panic!("at {at}: {outcome:?}") };
        if terminal.state == EndState::Cancelled {
            replaced += 1;
            let cause = terminal.cause.as_deref();
            assert_eq!(cause, Some("a later attempt of this job was granted to another worker"), "at {at}");
        } else {
            assert_eq!(terminal.state, EndState::Completed, "at {at}: it was over before");
        }
    }
    assert!(replaced > whole.delivered / 4, "{replaced} of {}", whole.delivered);
}

#[test]
fn the_users_own_cancel_keeps_its_words_though_the_attempt_is_replaced() {
    let mut world = World::usual();
    world.script.pop_back();
    world.until("it trains", |world| world.shown_phase(Phase::Training));
    world.client_input(ClientInput::Wish(Wish::Cancel));
    world.until("the trainer is told", |world| world.cancels == 1);
    world.worker_input(WorkerInput::Superseded);
    let Outcome::Ended { terminal, .. } = world.finish() else { panic!() };
    assert_eq!((terminal.state, terminal.cause), (EndState::Cancelled, None));
    assert_eq!((world.cancels, world.ends.len()), (1, 1));
}

#[test]
fn a_command_to_a_job_that_is_over_says_how_it_ended() {
    let mut world = World::usual();
    world.assert_completed();
    world.replace_client(Plan::Command(Wish::Cancel));
    assert_eq!(world.finish(), Outcome::Obeyed { wish: Wish::Cancel, end: Some(EndState::Completed) });
    assert_eq!((world.ends.len(), world.cancels), (1, 0));
}

#[test]
fn a_claim_that_ends_before_anybody_comes_leaves_nothing() {
    let mut world = World::usual();
    world.worker_input(WorkerInput::Withdrawn);
    assert!(world.forgotten);
    assert_eq!((world.ends.len(), world.records.len()), (0, 0));
    let mut world = World::usual();
    world.until("it runs", |world| world.runs == 1);
    world.worker_input(WorkerInput::Withdrawn);
    world.assert_completed();
}

/// Until the shell has answered it may take the slot for the job: an end that was told before would leave the slot taken for ever.
#[test]
fn a_job_that_is_ended_while_it_is_looked_at_is_over_after_the_answer() {
    let rejected = WorkerInput::Rejected { code: FailCode::NoTrainer, cause: "none".to_owned() };
    for answer in [WorkerInput::Accepted, rejected] {
        let mut world = World::usual();
        world.late = Some(Late::new(1));
        let asked = |world: &World| {
            let late = world.late.as_ref().unwrap();
            late.answers.iter().any(|answer| matches!(answer, Answer::Worker(WorkerInput::Accepted)))
        };
        while !asked(&world) {
            assert!(world.deliver());
        }
        world.worker_input(WorkerInput::Wish(Wish::Cancel));
        world.worker_input(WorkerInput::Wish(Wish::Cancel));
        assert!(world.ends.is_empty() && world.worker.is_active());
        world.worker_input(answer);
        assert_eq!(world.ends.iter().map(|end| end.state).collect::<Vec<_>>(), [EndState::Cancelled]);
        assert!(!world.worker.is_active() && world.runs == 0 && world.records.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_cancel_at_any_time_with_late_answers_ends_the_job_once(seed in any::<u64>(), steps in 0usize..150, cut in 0u64..80) {
        let mut world = World::usual();
        world.late = Some(Late::new(seed));
        world.cuts.push_back(cut);
        for _ in 0..steps {
            world.step();
        }
        world.client_input(ClientInput::Wish(Wish::Cancel));
        let outcome = world.finish();
        prop_assert!(matches!(outcome, Outcome::Ended { .. }), "{:?}", outcome);
        prop_assert!(world.ends.len() <= 1 && world.recorded_ends() <= 1 && world.shown_ends() <= 1 && world.runs <= 1);
        if let (Outcome::Ended { terminal, .. }, Some(end)) = (&outcome, world.ends.first()) {
            prop_assert_eq!(terminal.state, end.state);
        }
    }
}
