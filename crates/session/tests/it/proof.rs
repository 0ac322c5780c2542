//! Who is let in: the key that the room told, on this very link, and nobody else.

use sleap_rtc_session::{
    Binding, ClientError, ClientInput, ClientTimes, Fact, JobClient, JobWorker, KeyPair, LinkId, Outcome, Plan,
    WorkerEffect, WorkerInput,
};
use sleap_rtc_wire::peer::{PeerFrame, RefuseCode, Wish};
use sleap_rtc_wire::{Fence, PeerId, Signature, Time};

use crate::fixtures::{CLIENT_PRINT, GONE_MS, START, WORKER_PRINT, client_key, grant, target, worker_key};
use crate::world::{Message, World};

/// Whether the worker refused with this code, and nothing of the job was touched.
fn assert_refused(world: &World, wanted: RefuseCode) {
    let codes: Vec<RefuseCode> = world
        .facts
        .iter()
        .filter_map(|fact| if let Fact::Refused { code, .. } = fact { Some(*code) } else { None })
        .collect();
    assert!(codes.contains(&wanted), "{codes:?}");
    assert_eq!((world.taken, world.runs, world.records.len()), (0, 0, 0));
}

/// Changes the control messages of one direction.
fn tamper(world: &mut World, to_worker: bool, mut change: impl FnMut(&mut PeerFrame) + 'static) {
    world.tamper = Some(Box::new(move |way, message| {
        if let (true, Message::Control(text)) = (way == to_worker, message) {
            let mut frame = PeerFrame::decode(text).unwrap();
            change(&mut frame);
            *text = frame.encode().unwrap();
        }
    }));
}

fn world_with_client(key: KeyPair, target: sleap_rtc_session::Target) -> World {
    let mut world = World::usual();
    let plan = Plan::Attach { from_seq: 1, results: false };
    world.cut();
    world.client = JobClient::new(key, target, plan, ClientTimes::default(), 0, world.now).unwrap();
    world.drain();
    world
}

#[test]
fn a_client_with_another_key_is_refused() {
    let mut world = world_with_client(KeyPair::from_seed(&[99; 32]), target());
    let outcome = world.finish();
    assert!(matches!(outcome, Outcome::Failed(ClientError::Refused { code: RefuseCode::WrongKey, .. })), "{outcome:?}");
    assert_refused(&world, RefuseCode::WrongKey);
}

#[test]
fn a_client_that_only_names_the_right_key_is_refused() {
    let mut world = world_with_client(KeyPair::from_seed(&[99; 32]), target());
    tamper(&mut world, true, |frame| {
        if let PeerFrame::Hello(hello) = frame {
            hello.key = client_key().public();
        }
    });
    world.finish();
    assert_refused(&world, RefuseCode::BadProof);
}

#[test]
fn a_worker_with_another_key_is_sent_nothing() {
    let mut world = World::usual();
    world.cut();
    world.worker = JobWorker::new(KeyPair::from_seed(&[98; 32]), grant(), GONE_MS);
    let outcome = world.finish();
    assert!(
        matches!(outcome, Outcome::Failed(ClientError::Unproven { code: RefuseCode::WrongKey, .. })),
        "{outcome:?}"
    );
    let sent = world.frames(true);
    assert!(sent.iter().all(|frame| !matches!(frame, PeerFrame::Submit { .. } | PeerFrame::Transfer { .. })));
}

#[test]
fn somebody_in_the_middle_has_other_fingerprints() {
    // The server sits between: each end sees the server's certificate, not the other end's.
    for (client, worker) in [([66; 32], CLIENT_PRINT), (WORKER_PRINT, [66; 32]), ([66; 32], [66; 32])] {
        let mut world = World::usual();
        world.cut();
        world.client_binding = Binding { local: CLIENT_PRINT, remote: client };
        world.worker_binding = Binding { local: WORKER_PRINT, remote: worker };
        let outcome = world.finish();
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        assert_eq!((world.taken, world.records.len()), (0, 0));
    }
}

#[test]
fn swapped_fingerprints_do_not_hold() {
    let mut world = World::usual();
    world.cut();
    world.worker_binding = Binding { local: CLIENT_PRINT, remote: WORKER_PRINT };
    let outcome = world.finish();
    assert!(
        matches!(
            outcome,
            Outcome::Failed(
                ClientError::Unproven { code: RefuseCode::BadProof, .. }
                    | ClientError::Refused { code: RefuseCode::BadProof, .. }
            )
        ),
        "{outcome:?}"
    );
}

/// The frames that a client said on its first link, to be said again by somebody who has no key.
fn heard_from_client() -> Vec<String> {
    let mut world = World::usual();
    world.until("the job is taken", |world| world.taken == 1);
    world.said.into_iter().filter(|(to_worker, _)| *to_worker).map(|(_, text)| text).collect()
}

/// Says these to a fresh worker on a link with the same fingerprints; answers what it refused with.
fn say_to_worker(texts: &[String], nonce: [u8; 32]) -> (Vec<RefuseCode>, bool) {
    let mut worker = JobWorker::new(worker_key(), grant(), GONE_MS);
    let binding = Binding { local: WORKER_PRINT, remote: CLIENT_PRINT };
    let link = LinkId(1);
    worker.handle(WorkerInput::LinkUp { link, peer: target().me, binding, nonce }, START);
    for text in texts {
        worker.handle(WorkerInput::Control { link, text: text.clone() }, START);
    }
    let (mut codes, mut accepted) = (Vec::new(), false);
    while let Some(effect) = worker.next_effect() {
        match effect {
            WorkerEffect::Report(Fact::Refused { code, .. }) => codes.push(code),
            WorkerEffect::Accept { .. } => accepted = true,
            _ => {}
        }
    }
    (codes, accepted)
}

#[test]
fn a_replayed_proof_does_not_hold_on_another_link() {
    let texts = heard_from_client();
    assert_eq!(say_to_worker(&texts, [101; 32]), (vec![], true), "with the same nonce it is the same link");
    assert_eq!(say_to_worker(&texts, [77; 32]), (vec![RefuseCode::BadProof], false));
}

#[test]
fn a_reflected_hello_or_proof_does_not_hold() {
    // What the worker says is sent back to it.
    let mut worker = JobWorker::new(worker_key(), grant(), GONE_MS);
    let binding = Binding { local: WORKER_PRINT, remote: CLIENT_PRINT };
    let link = LinkId(1);
    worker.handle(WorkerInput::LinkUp { link, peer: target().me, binding, nonce: [1; 32] }, START);
    let Some(WorkerEffect::Send { text, .. }) = worker.next_effect() else { panic!() };
    worker.handle(WorkerInput::Control { link, text }, START);
    let refused = |effect: Option<WorkerEffect>| matches!(effect, Some(WorkerEffect::Send { text, .. }) if text.contains("WRONG_HELLO"));
    assert!(refused(worker.next_effect()));

    // Even with one key on both ends, the worker's signature is not the client's.
    let mut both = grant();
    both.client_key = worker_key().public();
    let mut worker = JobWorker::new(worker_key(), both, GONE_MS);
    worker.handle(WorkerInput::LinkUp { link, peer: target().me, binding, nonce: [1; 32] }, START);
    let mut client =
        JobClient::new(worker_key(), target(), Plan::Command(Wish::Cancel), ClientTimes::default(), 0, START).unwrap();
    let binding = Binding { local: CLIENT_PRINT, remote: WORKER_PRINT };
    client.handle(ClientInput::LinkUp { link, binding, nonce: [2; 32] }, START);
    let hello = std::iter::from_fn(|| client.next_effect()).find_map(|effect| {
        if let sleap_rtc_session::ClientEffect::Send { text, .. } = effect { Some(text) } else { None }
    });
    worker.handle(WorkerInput::Control { link, text: hello.unwrap() }, START);
    let proof = std::iter::from_fn(|| worker.next_effect())
        .filter_map(|effect| if let WorkerEffect::Send { text, .. } = effect { Some(text) } else { None })
        .find(|text| text.contains("\"proof\""));
    worker.handle(WorkerInput::Control { link, text: proof.unwrap() }, START);
    let refused = std::iter::from_fn(|| worker.next_effect())
        .any(|effect| matches!(effect, WorkerEffect::Report(Fact::Refused { code: RefuseCode::BadProof, .. })));
    assert!(refused);
}

#[test]
fn an_old_fence_is_refused() {
    let mut old = target();
    old.fence = Fence { epoch: 3, counter: 13 };
    let mut world = world_with_client(client_key(), old);
    world.finish();
    assert_refused(&world, RefuseCode::StaleFence);
    let mut newer = target();
    newer.fence = Fence { epoch: 4, counter: 0 };
    let mut world = world_with_client(client_key(), newer);
    world.finish();
    assert_refused(&world, RefuseCode::WrongHello);
}

#[test]
fn another_attempt_job_room_or_peer_is_refused() {
    let mut attempt = target();
    attempt.attempt = 2;
    let mut room = target();
    room.room = sleap_rtc_wire::RoomId::new("other").unwrap();
    let mut job = target();
    job.job_id = sleap_rtc_wire::JobId::new("other").unwrap();
    let mut peer = target();
    peer.me = PeerId::new("other").unwrap();
    for target in [attempt, room, job, peer] {
        let mut world = world_with_client(client_key(), target);
        world.finish();
        assert_refused(&world, RefuseCode::WrongHello);
    }
}

#[test]
fn unknown_methods_are_ignored_and_none_in_common_is_refused() {
    let mut world = World::usual();
    tamper(&mut world, true, |frame| {
        if let PeerFrame::Proof { method, .. } = frame {
            "secret".clone_into(method);
        }
    });
    // The client goes on, for it has seen the worker's proof; the worker has not seen the client's.
    world.finish();
    assert_refused(&world, RefuseCode::NotProven);

    let mut world = World::usual();
    tamper(&mut world, true, |frame| {
        if let PeerFrame::Hello(hello) = frame {
            hello.methods = vec!["secret".to_owned()];
        }
    });
    world.finish();
    assert_refused(&world, RefuseCode::NoMethod);

    let mut world = World::usual();
    tamper(&mut world, true, |frame| {
        if let PeerFrame::Hello(hello) = frame {
            hello.versions = vec![7];
        }
    });
    world.finish();
    assert_refused(&world, RefuseCode::Version);
}

#[test]
fn a_changed_hello_breaks_the_proof() {
    let mut world = World::usual();
    tamper(&mut world, true, |frame| {
        if let PeerFrame::Hello(hello) = frame {
            hello.features.push("claims/9".to_owned());
        }
    });
    world.finish();
    assert_refused(&world, RefuseCode::BadProof);
}

#[test]
fn nothing_is_read_before_the_proof() {
    let texts = [
        PeerFrame::Cancel,
        PeerFrame::Attach { from_seq: 1, results: true, files: true },
        PeerFrame::Submit { total: 10, from: 0, text: "{".to_owned() },
        PeerFrame::Ping,
        PeerFrame::Proof { method: "key".to_owned(), signature: Signature([0; 64]) },
    ];
    for frame in texts {
        let (codes, accepted) = say_to_worker(&[frame.encode().unwrap()], [1; 32]);
        assert_eq!((codes, accepted), (vec![RefuseCode::NotProven], false), "{frame:?}");
    }
    let (codes, _) = say_to_worker(&["not json".to_owned()], [1; 32]);
    assert_eq!(codes, [RefuseCode::Protocol]);
    let mut worker = JobWorker::new(worker_key(), grant(), GONE_MS);
    let (link, binding) = (LinkId(1), Binding { local: WORKER_PRINT, remote: CLIENT_PRINT });
    worker.handle(WorkerInput::LinkUp { link, peer: target().me, binding, nonce: [1; 32] }, START);
    worker.handle(WorkerInput::Bulk { link, data: vec![1; 40].into() }, START);
    let refused = std::iter::from_fn(|| worker.next_effect())
        .any(|effect| matches!(effect, WorkerEffect::Report(Fact::Refused { code: RefuseCode::NotProven, .. })));
    assert!(refused);
}

#[test]
fn a_peer_that_proves_nothing_is_gone_after_ten_seconds() {
    let mut worker = JobWorker::new(worker_key(), grant(), GONE_MS);
    let (link, binding) = (LinkId(1), Binding { local: WORKER_PRINT, remote: CLIENT_PRINT });
    worker.handle(WorkerInput::LinkUp { link, peer: target().me, binding, nonce: [1; 32] }, START);
    assert_eq!(worker.next_timeout(), Some(Time(START.0 + 10_000)));
    worker.handle(WorkerInput::Tick, START.plus_ms(10_000));
    let effects: Vec<_> = std::iter::from_fn(|| worker.next_effect()).collect();
    assert!(matches!(effects.last(), Some(WorkerEffect::Close { .. })), "{effects:?}");
}

#[test]
fn the_owner_is_let_in_again_whatever_the_server_remembers() {
    let mut world = World::usual();
    world.script.pop_back();
    world.until("it runs", |world| world.runs == 1);
    world.worker_input(WorkerInput::Withdrawn);
    world.cut();
    let proven = world.facts.len();
    world.until("the owner is back", |world| world.facts.len() > proven);
    assert!(matches!(world.facts.last(), Some(Fact::Proven { .. })));
    let mut stranger = target();
    stranger.me = PeerId::new("laptop-2").unwrap();
    world.cut();
    let plan = Plan::Command(Wish::Cancel);
    let key = KeyPair::from_seed(&[99; 32]);
    world.client = JobClient::new(key, target(), plan, ClientTimes::default(), 0, world.now).unwrap();
    assert!(matches!(world.finish(), Outcome::Failed(ClientError::Refused { code: RefuseCode::WrongKey, .. })));
    assert_eq!((world.cancels, world.ends.len()), (0, 0));
}

#[test]
fn a_stranger_at_the_door_does_not_keep_the_slot() {
    let mut world = World::usual();
    world.until("files arrive", |world| !world.worker_disk.written.is_empty());
    world.reachable = false;
    world.cut();
    let since = world.now;
    let binding = Binding { local: WORKER_PRINT, remote: CLIENT_PRINT };
    for n in 0..6 {
        let link = LinkId(1_000 + n);
        world.worker_input(WorkerInput::LinkUp { link, peer: target().me, binding, nonce: [1; 32] });
        world.now = since.plus_ms(10_000 * (n + 1));
        world.worker_input(WorkerInput::Tick);
        world.worker_input(WorkerInput::LinkDown { link });
    }
    assert_eq!((world.now.since(since), world.ends.len()), (GONE_MS, 1));
}

#[test]
fn strangers_at_the_door_do_not_keep_the_owner_out() {
    let mut world = World::usual();
    world.script.pop_back();
    world.until("it runs", |world| world.runs == 1);
    world.cut();
    let binding = Binding { local: WORKER_PRINT, remote: CLIENT_PRINT };
    for n in 0..5 {
        world.worker_input(WorkerInput::LinkUp { link: LinkId(1_000 + n), peer: target().me, binding, nonce: [1; 32] });
    }
    let before = world.facts.len();
    world
        .until("the owner is in", |world| world.facts[before..].iter().any(|fact| matches!(fact, Fact::Proven { .. })));
    let refused = |fact: &&Fact| matches!(fact, Fact::Refused { code: RefuseCode::TimedOut, .. });
    assert_eq!(world.facts.iter().filter(refused).count(), 2, "the two that have waited longest made way");
}
