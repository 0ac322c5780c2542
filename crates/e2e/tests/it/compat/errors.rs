//! Whatever the server sends or hands on, the worker's process goes on.

use sleap_rtc_wire::Code;

use super::finding::until_free;
use super::lab::Member;
use super::{Lab, PyWorker, step};
use crate::house::until;

/// All that the server can say, as the wire has them.
fn codes() -> impl Iterator<Item = &'static str> {
    Code::ALL.into_iter().map(Code::as_str)
}

/// It answers an offer, and so has read all that came before.
fn answers(lab: &Lab, member: &Member, worker: &PyWorker) {
    let mut hold = member.home.start("hold.py", &[&member.room, &worker.id]);
    hold.event("open");
    hold.close_input();
    hold.end().good();
    assert!(worker.has_never_dropped_its_link());
    until_free(member, &worker.id);
    assert!(lab.house.server().is_running());
}

/// A Python worker that is not its room's leader ends its process on any `error` frame: so every one is its own leader. A program
/// between it and the server gives it all the errors that the server knows.
#[test]
fn hazard_02_a_worker_survives_every_error_frame() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let key = ["--account-key", &ada.key, "--room", &ada.room];
    // The second one of a room is where they used to end.
    let _first = PyWorker::start(lab.machine("one", &[]), &key);
    let mut proxy = ada.home.start("proxy.py", &codes().collect::<Vec<_>>());
    let port = proxy.event("listening")["port"].to_string();
    let machine = lab.machine("two", &[]).with("SLEAP_RTC_SIGNALING_WS", &format!("ws://127.0.0.1:{port}"));
    let worker = PyWorker::start(machine, &key);
    proxy.close_input();
    step("every error frame", || {
        let sent = usize::try_from(proxy.event("sent")["errors"].as_u64().expect("a number")).expect("a few");
        assert!(sent >= 3 * codes().count(), "{sent}");
        let heard = || worker.screen.text().matches("Admin received error").count();
        until("the worker has read them", || (heard() >= sent).then_some(()));
    });
    answers(&lab, &ada, &worker);
}

/// Peers may say that they are busy to whoever asked; what they say to a worker is not handed on.
#[test]
fn hazard_02_no_peer_can_end_a_worker_by_an_error() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let worker = lab.worker(&ada);
    let mut words = vec![ada.room.as_str(), worker.id.as_str()];
    codes().for_each(|code| words.push(code));
    let told = step("errors of another peer", || ada.home.start("errors.py", &words).end().good());
    assert_eq!(told.event("sent")["status"], "available");
    answers(&lab, &ada, &worker);
    assert!(!worker.screen.text().contains("received error"));
}
