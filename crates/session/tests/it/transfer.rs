//! What can go wrong with files, on either side.

use bytes::Bytes;
use sleap_rtc_session::{ClientInput, DiskAnswer, Fact, Outcome, Plan, WorkerInput};
use sleap_rtc_wire::job::{EndState, FailCode};
use sleap_rtc_wire::manifest::Hash;
use sleap_rtc_wire::peer::{Bulk, PeerFrame, TransferId};

use crate::fixtures::noise;
use crate::world::{Message, World};

fn big() -> World {
    World::new([("big".to_owned(), noise(3, 3 << 20))].into(), 1)
}

fn assert_failed(world: &mut World, code: FailCode, cause: &str) {
    let outcome = world.finish();
    let Outcome::Ended { terminal, .. } = &outcome else { panic!("{outcome:?}") };
    assert_eq!((terminal.state, terminal.code), (EndState::Failed, Some(code)), "{terminal:?}");
    let said = terminal.cause.clone().unwrap_or_default();
    assert!(said.contains(cause), "{said}");
    assert_eq!((world.runs, world.worker_disk.assembled), (0, 0), "nothing is run, no file is made");
    assert!(world.ends.len() <= 1);
}

/// Changes the frames that carry files to the worker.
fn tamper(world: &mut World, mut change: impl FnMut(&mut PeerFrame) + 'static) {
    world.tamper = Some(Box::new(move |to_worker, message| {
        if let (true, Message::Control(text)) = (to_worker, message) {
            let mut frame = PeerFrame::decode(text).unwrap();
            if !matches!(frame, PeerFrame::Hello(_)) {
                change(&mut frame);
                *text = frame.encode().unwrap();
            }
        }
    }));
}

#[test]
fn a_damaged_chunk_is_sent_once_more() {
    let mut world = big();
    let mut left = 3;
    world.tamper = Some(Box::new(move |to_worker, message| {
        if let (true, Message::Bulk(data), true) = (to_worker, message, left > 0) {
            let mut bytes = data.to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            *data = bytes.into();
            left -= 1;
        }
    }));
    world.assert_completed();
    let again = world.frames(false).iter().filter(|frame| matches!(frame, PeerFrame::Want { until: 0, .. })).count();
    assert_eq!(again, 1, "three pieces of one chunk");
}

#[test]
fn chunks_that_are_always_damaged_end_the_job() {
    let mut world = big();
    world.tamper = Some(Box::new(|to_worker, message| {
        if let (true, Message::Bulk(data)) = (to_worker, message) {
            let mut bytes = data.to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            *data = bytes.into();
        }
    }));
    assert_failed(&mut world, FailCode::TransferFailed, "arrived damaged");
    assert!(world.worker_disk.written.is_empty());
}

#[test]
fn a_full_disk_of_the_worker_ends_the_job_with_the_cause() {
    let mut world = big();
    world.worker_disk.room = Some(2 << 20);
    assert_failed(&mut world, FailCode::DiskFull, "no space left on device");
    assert_eq!(world.recorded_ends(), 1);
}

#[test]
fn a_full_disk_of_the_client_keeps_the_results_on_the_worker() {
    let mut world = World::usual();
    world.client_disk.room = Some(1000);
    let Outcome::Ended { terminal, results: Some(Err(error)) } = world.finish() else { panic!() };
    assert_eq!((terminal.state, error.code), (EndState::Completed, FailCode::DiskFull));
    assert_eq!((world.delivered_results, world.client_disk.assembled), (0, 0));
    // There is room again.
    world.client_disk.room = None;
    world.replace_client(Plan::Attach { from_seq: 1, results: true });
    let Outcome::Ended { results: Some(Ok(_)), .. } = world.finish() else { panic!() };
    assert_eq!(world.client_disk.made, world.worker_disk.source);
    assert_eq!(world.delivered_results, 1);
}

#[test]
fn results_that_are_longer_than_the_room_for_them_are_not_begun() {
    let mut world = World::usual();
    world.worker_disk.source = [("huge".to_owned(), noise(1, 100))].into();
    world.tamper = Some(Box::new(|to_worker, message| {
        if let (false, Message::Control(text)) = (to_worker, message) {
            *text = text.replace("\"files\":1,\"bytes\":100", "\"files\":1,\"bytes\":9999999999999");
        }
    }));
    let Outcome::Ended { results: Some(Err(error)), .. } = world.finish() else { panic!() };
    assert_eq!(error.code, FailCode::DiskFull);
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_named() {
    let mut world = big();
    world.until("it has begun", |world| !world.worker_disk.written.is_empty());
    world.cut();
    world.client_disk.source.insert("big".to_owned(), noise(4, 3 << 20));
    assert_failed(&mut world, FailCode::BadData, "big changed while it was being sent");
}

#[test]
fn a_file_that_is_gone_is_named() {
    let mut world = big();
    world.client_disk.source.clear();
    assert_failed(&mut world, FailCode::TransferFailed, "big: no such file");
    let mut world = World::with_plan(Plan::Submit {
        job: Box::new(crate::fixtures::job(1)),
        files: vec![sleap_rtc_wire::manifest::FileEntry { path: "gone".to_owned(), size: 5 }],
    });
    world.until("it is sending", |world| world.taken == 1);
    world.client_input(ClientInput::Disk(DiskAnswer::SourceFailed { cause: "gone: no such file".to_owned() }));
    assert_failed(&mut world, FailCode::TransferFailed, "gone: no such file");
}

#[test]
fn results_that_cannot_be_read_are_told() {
    let mut world = World::usual();
    world.until("it runs", |world| world.runs == 1);
    world.until("results are listed", |world| world.ends.len() == 1);
    world.worker_disk.source.clear();
    let Outcome::Ended { terminal, results: Some(Err(error)) } = world.finish() else { panic!() };
    assert_eq!((terminal.state, error.told), (EndState::Completed, true));
    assert!(error.cause.contains("no such file"), "{error}");
}

#[test]
fn paths_that_lead_out_are_refused_by_the_receiver() {
    for path in ["../x", "/etc/passwd", "C:\\x", "a\\b", "NUL", "x.", "a//b", "nul.txt", "a\0b"] {
        let mut world = World::usual();
        tamper(&mut world, move |frame| {
            if let PeerFrame::Files { files, .. } = frame {
                path.clone_into(&mut files[0].path);
            }
        });
        assert_failed(&mut world, FailCode::BadData, "is refused");
    }
}

#[test]
fn the_sender_refuses_them_as_well() {
    let files = vec![sleap_rtc_wire::manifest::FileEntry { path: "../x".to_owned(), size: 5 }];
    let plan = Plan::Submit { job: Box::new(crate::fixtures::job(1)), files };
    let client = sleap_rtc_session::JobClient::new(
        crate::fixtures::client_key(),
        crate::fixtures::target(),
        plan,
        sleap_rtc_session::ClientTimes::default(),
        0,
        crate::fixtures::START,
    );
    assert!(client.is_err());
}

#[test]
fn more_bytes_than_announced_are_refused() {
    let mut world = World::usual();
    tamper(&mut world, |frame| {
        if let PeerFrame::Files { files, .. } = frame {
            files[0].size += 1;
        }
    });
    assert_failed(&mut world, FailCode::TransferFailed, "were announced");

    // An announcement on the link that is not the one of the job.
    let mut world = World::usual();
    tamper(&mut world, |frame| {
        if let PeerFrame::Transfer { bytes, .. } = frame {
            *bytes += 1;
        }
    });
    assert!(matches!(world.finish(), Outcome::Failed(_)));
    assert!(world.facts.iter().any(|fact| matches!(fact, Fact::Refused { .. })));
    assert_eq!(world.runs, 0);
}

#[test]
fn a_piece_beyond_its_chunk_is_refused() {
    let mut world = big();
    world.tamper = Some(Box::new(|to_worker, message| {
        if let (true, Message::Bulk(data)) = (to_worker, message) {
            let piece = Bulk::decode(data).unwrap();
            if piece.offset > 0 && piece.data.len() < 60_000 {
                let data_long = Bytes::from(vec![0; piece.data.len() + 1]);
                *data = Bulk { data: data_long, ..piece }.encode();
            }
        }
    }));
    assert!(matches!(world.finish(), Outcome::Failed(_)));
    assert_eq!((world.runs, world.worker_disk.assembled), (0, 0));
}

#[test]
fn another_root_is_refused() {
    let mut world = World::usual();
    tamper(&mut world, |frame| {
        if let PeerFrame::Sealed { root, .. } = frame {
            *root = Hash([7; 32]);
        }
    });
    assert!(matches!(world.finish(), Outcome::Failed(_)));
    assert_eq!(world.runs, 0);
}

#[test]
fn keepalive_never_reaches_a_file() {
    let mut world = big();
    world.until("it has begun", |world| !world.worker_disk.written.is_empty());
    let (link, _) = world.link.as_ref().unwrap();
    let link = *link;
    let ping = PeerFrame::Ping.encode().unwrap();
    world.worker_input(WorkerInput::Control { link, text: ping.clone() });
    world.client_input(ClientInput::Control { link, text: ping });
    world.assert_completed();
    // As bytes on the bulk channel it is refused, not written.
    let mut world = big();
    world.until("it has begun", |world| !world.worker_disk.written.is_empty());
    let (link, _) = world.link.as_ref().unwrap();
    let link = *link;
    world.worker_input(WorkerInput::Bulk { link, data: Bytes::from_static(b"KEEP_ALIVE_________________") });
    assert!(world.facts.iter().any(|fact| matches!(fact, Fact::Refused { .. })));
}

#[test]
fn a_transfer_that_stands_still_gets_a_new_link() {
    let mut world = big();
    world.until("it has begun", |world| !world.worker_disk.written.is_empty());
    // The bulk channel is stuck; control goes on.
    let since = world.now;
    world.hold_bulk(|world| world.connects == 2);
    assert!(world.now.since(since) >= 30_000);
    world.assert_completed();
}

#[test]
fn a_link_without_a_word_is_given_up() {
    let mut world = World::usual();
    world.script.pop_back();
    world.until("it runs", |world| world.runs == 1);
    world.until("all is said", |world| world.link.as_ref().is_some_and(|(_, flow)| flow.is_empty()));
    let since = world.now;
    world.go_silent(|world| world.connects == 2);
    assert!((30_000..60_000).contains(&world.now.since(since)));
}

#[test]
fn transfer_ids_are_kept_apart() {
    let mut world = big();
    world.tamper = Some(Box::new(|to_worker, message| {
        if let (true, Message::Bulk(data)) = (to_worker, message) {
            let piece = Bulk::decode(data).unwrap();
            *data = Bulk { transfer: TransferId::RESULTS, ..piece }.encode();
        }
    }));
    assert!(matches!(world.finish(), Outcome::Failed(_)));
    assert!(world.worker_disk.written.is_empty());
}
