//! What is measured. Each is done many times in the same room and leaves it as it was.

use std::hint::black_box;

use serde_json::{Value, json};
use sleap_rtc_wire::limits;

use crate::Timed;
use crate::lab::{self, Lab, RARE};

/// Claims that wait: one more may.
const IN_LINE: usize = limits::LINE - 1;

/// Does it for the n-th time.
pub(crate) type Operation = fn(&mut Lab, usize, &mut Timed);

pub(crate) const ALL: [(&str, Operation); 13] = [
    ("register", register),
    ("update_metadata, written", update),
    ("discover 50 by range", by_range),
    ("discover 50 by range, written", by_range_written),
    ("discover 50 by equality", by_equality),
    ("discover workers, limit 50", by_limit),
    ("discover the free ones, sorted, limit 50 of 50", sorted),
    ("discover everybody, cut at 1 MiB, written", everybody),
    ("claim and release, any worker", claim_any),
    ("claim and release, one of 50", claim_rare),
    ("claim refused, none of 50 has it", claim_none),
    // From here on there is a line.
    ("claim behind 999 in line, and withdraw", wait),
    ("release, and grant to the first of 999", next_in_line),
];

fn register(lab: &mut Lab, n: usize, timed: &mut Timed) {
    let newcomer = lab.newcomer("worker", lab::told(n, false));
    timed.run(|| lab.take(newcomer));
    lab.settle();
    let last = lab.last();
    leave(lab, last);
}

fn update(lab: &mut Lab, n: usize, timed: &mut Timed) {
    let worker = (n * 7919) % lab.workers;
    let input = lab::update(worker, &json!({"status": "maintenance", "free_at": 1_795_478_400 + n}));
    timed.run(|| {
        lab.take(input);
        write(lab);
    });
    lab.settle();
    lab.take(lab::update(worker, &json!({"status": "available", "free_at": null})));
    lab.settle();
}

fn by_range(lab: &mut Lab, _: usize, timed: &mut Timed) {
    discover(lab, timed, RARE, false, rare());
}

fn by_range_written(lab: &mut Lab, _: usize, timed: &mut Timed) {
    discover(lab, timed, RARE, true, rare());
}

fn by_equality(lab: &mut Lab, _: usize, timed: &mut Timed) {
    let filter = json!({"role": "worker", "tags": ["training-worker"], "gpu_model": "NVIDIA H100 80GB HBM3"});
    discover(lab, timed, RARE, false, filter);
}

fn by_limit(lab: &mut Lab, _: usize, timed: &mut Timed) {
    discover(lab, timed, 50, false, json!({"role": "worker", "tags": ["training-worker"], "limit": 50}));
}

fn everybody(lab: &mut Lab, _: usize, timed: &mut Timed) {
    let asker = lab.client();
    let input = lab::discover(asker, json!({}));
    timed.run(|| {
        lab.take(input);
        write(lab);
    });
    lab.settle();
    leave(lab, asker);
}

fn sorted(lab: &mut Lab, _: usize, timed: &mut Timed) {
    let mut filter = rare();
    filter["sort"] = json!("-worker_name");
    discover(lab, timed, RARE, false, filter);
}

fn claim_any(lab: &mut Lab, _: usize, timed: &mut Timed) {
    claim_and_release(lab, timed, json!({}));
}

fn claim_rare(lab: &mut Lab, _: usize, timed: &mut Timed) {
    claim_and_release(lab, timed, rare());
}

fn claim_none(lab: &mut Lab, _: usize, timed: &mut Timed) {
    let client = lab.client();
    let mut filter = rare();
    filter["hostname"] = json!("nowhere");
    let claim = lab.claim(client, filter, 0);
    timed.run(|| lab.take(claim));
    lab.settle();
    leave(lab, client);
}

fn wait(lab: &mut Lab, _: usize, timed: &mut Timed) {
    lab.fill_line(IN_LINE, &rare());
    let client = lab.client();
    let claim = lab.claim(client, rare(), 3_600_000);
    let withdraw = lab::withdraw(client, lab);
    timed.run(|| lab.take(claim));
    assert!(lab.waits());
    timed.run(|| lab.take(withdraw));
    lab.settle();
    leave(lab, client);
}

fn next_in_line(lab: &mut Lab, _: usize, timed: &mut Timed) {
    lab.fill_line(IN_LINE, &rare());
    let (holder, claim) = lab.held.pop_front().unwrap();
    let release = lab::release(holder, claim);
    timed.run(|| lab.take(release));
    let (next, claim) = lab.claimed();
    lab.held.push_back((next, claim));
    lab.settle();
    lab.wait_in_line(next, &rare());
}

/// What the lab's people look for: a free worker with a large card.
fn rare() -> Value {
    json!({
        "role": "worker",
        "tags": ["training-worker"],
        "properties": {"gpu_memory_mb": {"$gte": 40_000}, "status": "available"},
    })
}

fn discover(lab: &mut Lab, timed: &mut Timed, expected: usize, written: bool, filter: Value) {
    let asker = lab.client();
    let input = lab::discover(asker, filter);
    timed.run(|| {
        lab.take(input);
        if written {
            write(lab);
        }
    });
    assert_eq!(lab.found(), expected);
    lab.settle();
    leave(lab, asker);
}

fn claim_and_release(lab: &mut Lab, timed: &mut Timed, filter: Value) {
    let client = lab.client();
    let claim = lab.claim(client, filter, 0);
    timed.run(|| {
        lab.take(claim);
        let release = lab::release(client, lab.claimed().1);
        lab.take(release);
    });
    lab.settle();
    leave(lab, client);
}

fn write(lab: &Lab) {
    lab.frames().for_each(|frame| _ = black_box(frame.encode()));
}

fn leave(lab: &mut Lab, n: usize) {
    lab.take(lab::leaves(n));
    lab.settle();
}
