use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sleap_rtc_access::IdentityLifetimes;
use sleap_rtc_wire::{ConnId, MemberId, RoomId, Time};

use crate::member;

const GRACE: u64 = 60_000;

#[test]
fn an_identity_goes_when_its_last_connection_has_been_gone_for_the_grace() {
    let mut lives = IdentityLifetimes::new(GRACE);
    let ana = member("ana");
    lives.connected(&ana, &room(1), conn(1));
    lives.connected(&ana, &room(1), conn(2));
    lives.disconnected(&ana, conn(1), Time(0));
    assert_eq!(lives.next_timeout(), None);

    lives.disconnected(&ana, conn(2), Time(1000));
    assert_eq!(lives.next_timeout(), Some(Time(61_000)));
    assert_eq!(lives.due(Time(60_999)), []);
    assert_eq!(lives.due(Time(61_000)), [ana]);
    assert_eq!(lives.next_timeout(), None);
}

#[test]
fn a_connection_in_time_keeps_it() {
    let mut lives = IdentityLifetimes::new(GRACE);
    let ana = member("ana");
    lives.connected(&ana, &room(1), conn(1));
    lives.disconnected(&ana, conn(1), Time(0));
    lives.connected(&ana, &room(1), conn(2));
    assert_eq!(lives.next_timeout(), None);
    assert_eq!(lives.due(Time(1_000_000)), []);
}

#[test]
fn the_close_of_a_connection_that_is_not_its_own_changes_nothing() {
    let mut lives = IdentityLifetimes::new(GRACE);
    let ana = member("ana");
    lives.connected(&ana, &room(1), conn(1));
    lives.disconnected(&ana, conn(9), Time(0));
    lives.disconnected(&member("bob"), conn(1), Time(0));
    assert_eq!(lives.next_timeout(), None);
}

#[test]
fn it_goes_with_its_room_at_the_latest() {
    let mut lives = IdentityLifetimes::new(GRACE);
    let (ana, bob, cy) = (member("ana"), member("bob"), member("cy"));
    lives.connected(&ana, &room(1), conn(1));
    lives.connected(&bob, &room(1), conn(2));
    lives.connected(&bob, &room(2), conn(3));
    lives.disconnected(&ana, conn(1), Time(0));
    lives.disconnected(&bob, conn(2), Time(0));
    lives.room_removed(&room(1), Some(&cy), Time(0));

    // `bob` is connected elsewhere; `cy` made the room and never came.
    assert_eq!(lives.due(Time(0)), [ana, cy]);
    lives.disconnected(&bob, conn(3), Time(5));
    assert_eq!(lives.next_timeout(), Some(Time(5 + GRACE)));
}

#[test]
fn who_is_on_the_way_in_is_not_forgotten_and_who_is_being_forgotten_does_not_come_in() {
    let mut lives = IdentityLifetimes::new(GRACE);
    let ana = member("ana");
    assert!(lives.arrives(&ana) && lives.arrives(&ana));
    lives.arrived(&ana);
    assert!(lives.is_held(&ana) && !lives.leaves(&ana), "one registration is still under way");
    lives.connected(&ana, &room(1), conn(1));
    lives.arrived(&ana);
    assert!(!lives.leaves(&ana), "connected");
    lives.disconnected(&ana, conn(1), Time(0));
    assert!(!lives.leaves(&ana), "within the grace");
    assert_eq!(lives.due(Time(GRACE)), std::slice::from_ref(&ana));

    assert!(lives.leaves(&ana));
    assert!(!lives.leaves(&ana), "once");
    assert!(!lives.arrives(&ana));
    lives.left(&ana);
    assert!(lives.arrives(&ana), "whether it still exists, its token says");
}

#[derive(Clone, Debug)]
enum Step {
    Connect(usize, u64, usize),
    Disconnect(u64),
    RemoveRoom(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize, 0..8_u64, 0..2_usize).prop_map(|(who, n, room)| Step::Connect(who, n, room)),
        4 => (0..8_u64).prop_map(Step::Disconnect),
        1 => (0..2_usize).prop_map(Step::RemoveRoom),
        3 => (0..90_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Against a plain book-keeping of who is connected where, and until when a lonely one may stay.
    #[test]
    fn connected_ones_stay_and_lonely_ones_go_in_time(steps in prop::collection::vec(step(), 1..60)) {
        let mut lives = IdentityLifetimes::new(GRACE);
        let mut now = Time(0);
        let mut conns: BTreeMap<u64, (MemberId, usize)> = BTreeMap::new();
        let mut latest: BTreeMap<MemberId, Time> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Connect(who, n, at) if !conns.contains_key(&n) => {
                    let who = member(["ana", "bob", "cy"][who]);
                    lives.connected(&who, &room(at), conn(n));
                    latest.remove(&who);
                    conns.insert(n, (who, at));
                }
                Step::Connect(..) => {}
                Step::Disconnect(n) => close(&mut lives, &mut conns, &mut latest, n, now),
                Step::RemoveRoom(at) => {
                    let inside: Vec<u64> = conns.iter().filter(|(_, (_, r))| *r == at).map(|(n, _)| *n).collect();
                    for n in inside {
                        close(&mut lives, &mut conns, &mut latest, n, now);
                    }
                    lives.room_removed(&room(at), None, now);
                }
                Step::Wait(ms) => now = now.plus_ms(ms),
            }
            let connected: BTreeSet<&MemberId> = conns.values().map(|(who, _)| who).collect();
            for gone in lives.due(now) {
                prop_assert!(!connected.contains(&gone), "{gone} is connected");
                prop_assert!(latest.remove(&gone).is_some(), "{gone} was gone before");
            }
            prop_assert!(latest.values().all(|until| *until > now), "somebody outlived the grace");
            prop_assert!(lives.next_timeout().is_none_or(|at| at > now));
        }
    }
}

fn close(
    lives: &mut IdentityLifetimes,
    conns: &mut BTreeMap<u64, (MemberId, usize)>,
    latest: &mut BTreeMap<MemberId, Time>,
    n: u64,
    now: Time,
) {
    let Some((who, _)) = conns.remove(&n) else { return };
    lives.disconnected(&who, conn(n), now);
    if conns.values().all(|(other, _)| *other != who) {
        latest.insert(who, now.plus_ms(GRACE));
    }
}

fn room(n: usize) -> RoomId {
    RoomId::new(&format!("room{n}")).unwrap()
}

fn conn(n: u64) -> ConnId {
    ConnId { n, ..ConnId::default() }
}
