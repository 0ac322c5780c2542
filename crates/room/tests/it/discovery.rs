use serde_json::json;
use sleap_rtc_wire::claim::Claim;
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{Code, FromPeer, JobId, PeerId, ToPeer, limits};

use crate::desk::*;

#[test]
fn everybody_but_the_asker_in_the_order_of_joining() {
    let mut desk = Desk::new();
    desk.worker("w2", 1);
    let c1 = desk.client("c1", 2);
    desk.worker("w1", 3);
    assert_eq!(desk.found(c1, "c1", json!({})), ["w2", "w1"]);
    assert_eq!(desk.found(c1, "c1", json!(null)), ["w2", "w1"]);
    assert_eq!(desk.found(conn(1), "w2", json!({"room_id": "whatever"})), ["c1", "w1"]);
}

#[test]
fn by_role_tags_and_properties() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 1);
    desk.enter(conn(2), "big", plain("big", "worker", json!({"gpu_memory_mb": 24_000, "status": "available"})));
    desk.enter(conn(3), "small", plain("small", "worker", json!({"gpu_memory_mb": 8_000, "status": "busy"})));
    let find = |desk: &mut Desk, filters| desk.found(c1, "c1", filters);
    assert_eq!(find(&mut desk, json!({"role": "worker"})), ["big", "small"]);
    assert_eq!(find(&mut desk, json!({"role": "ghost"})), [""; 0]);
    assert_eq!(find(&mut desk, json!({"tags": ["sleap-rtc", "x"]})), ["big", "small"]);
    assert_eq!(find(&mut desk, json!({"properties": {"gpu_memory_mb": {"$gte": 16_000}}})), ["big"]);
    assert_eq!(find(&mut desk, json!({"status": "available"})), ["big"]);
    assert_eq!(find(&mut desk, json!({"properties": {"gpu_memory_mb": {"$gte": "16"}}})), [""; 0]);
    assert_eq!(find(&mut desk, json!({"role": "worker", "limit": 1})), ["big"]);
}

#[test]
fn free_workers_come_first_when_workers_are_asked_for() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 1);
    for (n, (name, status)) in
        [("a", "busy"), ("b", "available"), ("c", "reserved"), ("d", "available")].into_iter().enumerate()
    {
        desk.enter(conn(10 + n as u64), name, plain(name, "worker", json!({"status": status})));
    }
    assert_eq!(desk.found(c1, "c1", json!({})), ["a", "b", "c", "d"]);
    assert_eq!(desk.found(c1, "c1", json!({"role": "worker"})), ["b", "d", "a", "c"]);
    assert_eq!(desk.found(c1, "c1", json!({"role": "worker", "limit": 3})), ["b", "d", "a"]);
}

#[test]
fn by_a_property_if_the_asker_wants_that() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 1);
    let memory = [json!(8000), json!("many"), json!(24000.5), json!(null), json!(24000), json!(8000.0), json!(-1)];
    for (n, memory) in memory.into_iter().enumerate() {
        let name = format!("w{n}");
        desk.enter(conn(10 + n as u64), &name, plain(&name, "worker", json!({"gpu_memory_mb": memory})));
    }
    let sorted = |desk: &mut Desk, sort| desk.found(c1, "c1", json!({"role": "worker", "sort": sort}));
    // Numbers before texts; equals in the order of joining; who says nothing comes last either way.
    assert_eq!(sorted(&mut desk, json!("gpu_memory_mb")), ["w6", "w0", "w5", "w4", "w2", "w1", "w3"]);
    assert_eq!(sorted(&mut desk, json!("-gpu_memory_mb")), ["w1", "w2", "w4", "w0", "w5", "w6", "w3"]);
    assert_eq!(sorted(&mut desk, json!(7)), ["w0", "w1", "w2", "w3", "w4", "w5", "w6"]);
    assert_eq!(desk.found(c1, "c1", json!({"sort": "-gpu_memory_mb", "limit": 2})), ["w1", "w2"]);
    // By what the room knows to be true.
    desk.worker("a", 20);
    desk.worker("b", 21);
    assert_eq!(desk.claimed(c1, claim("r1")).worker, peer("a"));
    assert_eq!(desk.found(c1, "c1", json!({"tags": ["sleap-rtc"], "sort": "-status", "limit": 2})), ["a", "b"]);
}

#[test]
fn a_claim_takes_the_match_that_has_been_idle_longest() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 1);
    for n in 0..9 {
        let name = format!("w{n}");
        let gpu = if n % 4 == 3 { "A100" } else { "T4" };
        let told = metadata(json!({"properties": {"status": "available", "gpu": gpu}}));
        desk.enter(conn(10 + n), &name, Register { metadata: told, ..worker(&name) });
    }
    let taken: Vec<PeerId> = (0..5)
        .map(|n| {
            let wanted = Claim { filters: filters(json!({"gpu": "A100"})), ..claim(&format!("r{n}")) };
            let claimed = desk.claimed(c1, wanted);
            desk.go(releases(c1, &claimed.claim_id));
            claimed.worker
        })
        .collect();
    assert_eq!(taken, ["w3", "w7", "w3", "w7", "w3"].map(peer));

    // In line too, however many others are idle.
    let wanted = |id: &str, job: &str| {
        let job_id = JobId::new(job).unwrap();
        Claim { filters: filters(json!({"gpu": "A100"})), job_id, wait_ms: 60_000, ..claim(id) }
    };
    let held = ["j1", "j2"].map(|job| desk.claimed(c1, wanted(job, job)));
    let c2 = desk.client("c2", 2);
    desk.go(says(c2, FromPeer::Claim(Claim { count: 2, ..wanted("r", "j3") })));
    desk.go(releases(c1, &held[1].claim_id));
    let frames = desk.go(releases(c1, &held[0].claim_id)).into_iter();
    let given = frames.filter_map(|(conn, frame)| match frame {
        ToPeer::Claimed(claimed) if conn == c2 => Some(claimed.worker),
        _ => None,
    });
    assert_eq!(given.collect::<Vec<_>>(), [peer("w7"), peer("w3")]);
}

#[test]
fn nobody_asks_for_somebody_else() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 1);
    desk.worker("w1", 2);
    assert_eq!(refused(desk.go(says(c1, discover("w1", json!({})))), c1), Code::Forbidden);
}

#[test]
fn an_answer_too_large_for_a_frame_is_cut() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 1);
    for n in 0..40 {
        let name = format!("w{n}");
        let properties = json!({"n": n, "notes": "\u{1}\"\\ü".repeat(5_000)});
        desk.enter(conn(10 + n), &name, plain(&name, "worker", properties));
    }
    let frames = desk.go(says(c1, discover("c1", json!({}))));
    let (_, frame) = only(frames);
    let text = frame.encode();
    assert!(text.len() <= limits::FRAME, "{} bytes", text.len());
    let ToPeer::PeerList { peers, count, total, .. } = ToPeer::decode(&text).unwrap() else { panic!("no list") };
    assert_eq!((peers.len(), total), (count, Some(40)));
    assert!((15..40).contains(&count), "{count} peers");
    assert_eq!(peers[0].peer_id, peer("w0"));
    for (filter, most) in
        [(json!({"role": "worker"}), 40), (json!({"tags": ["sleap-rtc"]}), 40), (json!({"limit": 30}), 30)]
    {
        let (_, frame) = only(desk.go(says(c1, discover("c1", filter))));
        let ToPeer::PeerList { peers, total, .. } = frame else { panic!("no list") };
        assert_eq!((peers.len(), total), (count, Some(most)));
    }

    // The best matches come first, and who wants no more is not told of more.
    let asks = |desk: &mut Desk, limit| {
        let (_, frame) = only(desk.go(says(c1, discover("c1", json!({"sort": "-n", "limit": limit})))));
        let ToPeer::PeerList { peers, total, .. } = frame else { panic!("no list") };
        (peers[0].peer_id.to_string(), peers.len(), total)
    };
    assert_eq!(asks(&mut desk, 3), ("w39".to_owned(), 3, None));
    assert_eq!(asks(&mut desk, 39), ("w39".to_owned(), count, Some(39)));
}
