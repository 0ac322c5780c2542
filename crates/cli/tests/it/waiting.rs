//! What the wait for a worker looks like.

use insta::assert_snapshot;
use sleap_rtc_cli::progress::Mode;
use sleap_rtc_client::{Missing, TrainEvent as Event};
use sleap_rtc_wire::claim::{ClaimWaiting, Reason, Workers};
use sleap_rtc_wire::job::Phase;

use crate::progress::{TERMINAL, finding, found, frames, phase, play};

fn told(place: u32, reason: Reason, workers: Workers, estimate_ms: Option<u64>) -> Event {
    Event::Waiting(ClaimWaiting { request_id: "r".to_owned(), place, reason, workers, estimate_ms, seat: None })
}

fn busy(n: u32) -> Workers {
    Workers { matching: n, busy: n, ..Workers::default() }
}

/// All three that match are busy.
pub(crate) fn waiting(place: u32) -> Event {
    told(place, Reason::AllMatchingBusy, busy(3), None)
}

fn away(retry_ms: u64, kept: Option<u64>) -> Event {
    let cause = "connection lost: the connection was reset".to_owned();
    Event::ServerAway { retry_ms, cause, place_kept_ms: kept }
}

fn terminal(story: &[(u64, Event)], until: u64) -> String {
    frames(&play(TERMINAL, story, until))
}

fn pipe(story: &[(u64, Event)], until: u64) -> String {
    String::from_utf8(play(Mode::Plain, story, until)).expect("text")
}

#[test]
fn it_says_place_reason_and_time() {
    let story = [(0, finding()), (100, waiting(2)), (2000, told(1, Reason::AllMatchingBusy, busy(3), Some(2_400_000)))];
    assert_snapshot!(terminal(&story, 3000), @r"
             Job 7d3f9a
    ~     Finding a worker in a7f3d2e1, 0 s
         Waiting for a worker: place 2, all 3 that match are busy
    ~     Waiting place 2, all 3 that match are busy · 0 s so far
    ~     Waiting place 1, all 3 that match are busy · at the latest in 40 min · 1 s
    ~     Waiting place 1, all 3 that match are busy · at the latest in 40 min · 2 s
    ");
}

#[test]
fn a_wide_terminal_has_room_for_every_word() {
    let story = [(0, finding()), (100, told(2, Reason::AllMatchingBusy, busy(3), Some(2_400_000)))];
    let wide = Mode::Terminal { width: 120, color: false };
    let text = frames(&play(wide, &story, 185_000));
    assert_snapshot!(text.lines().last().unwrap_or_default(), @"~     Waiting place 2, all 3 that match are busy · at the latest in about 37 min · 3 min 04 s so far");
}

#[test]
fn in_a_pipe_it_says_so_now_and_then() {
    let story = [
        (0, finding()),
        (100, told(2, Reason::AllMatchingBusy, busy(3), Some(2_400_000))),
        (45_000, told(1, Reason::BehindOthers, Workers { matching: 3, busy: 2, ..Workers::default() }, None)),
        (80_000, found()),
    ];
    assert_snapshot!(pipe(&story, 80_000), @r"
    Job 7d3f9a
    Waiting for a worker: place 2, all 3 that match are busy
    Waiting place 2, all 3 that match are busy · at the latest in about 40 min · 30 s so far
    Waiting place 1, 1 is free, but meant for others before you · 1 min 00 s so far
    Found gpu-box (RTX 4090, 24 GB)
    ");
}

#[test]
fn a_program_gets_every_number() {
    let workers = Workers { matching: 4, busy: 2, draining: 1, held: 1, silent: 1 };
    let story = [
        (0, told(2, Reason::AllMatchingBusy, workers, Some(2_400_000))),
        (1, Event::Missing(vec![Missing { name: "gpu-box".to_owned(), silent_ms: 40_000 }])),
        (2, away(4000, Some(600_000))),
        (3, Event::ServerBack),
        (4, Event::Lost { worker: "gpu-box".to_owned(), for_ms: 600_000, attempt: 2, attempts: 2 }),
    ];
    assert_snapshot!(String::from_utf8(play(Mode::Json, &story, 100)).expect("text"), @r#"
    {"busy":2,"draining":1,"estimate_ms":2400000,"event":"waiting","held":1,"matching":4,"place":2,"reason":"all_matching_busy","silent":1}
    {"event":"missing","workers":[{"name":"gpu-box","silent_ms":40000}]}
    {"cause":"connection lost: the connection was reset","event":"server_away","place_kept_ms":600000,"retry_ms":4000}
    {"event":"server_back"}
    {"attempt":2,"attempts":2,"event":"lost","silent_ms":600000,"worker":"gpu-box"}
    "#);
}

#[test]
fn silent_workers_have_names() {
    let silent = |n| Workers { silent: n, ..Workers::default() };
    let missing = |name: &str, silent_ms| Missing { name: name.to_owned(), silent_ms };
    let story = [
        (0, finding()),
        (100, told(1, Reason::Silent, silent(1), None)),
        (300, Event::Missing(vec![missing("gpu-box", 40_000)])),
        (3000, told(1, Reason::Silent, silent(2), None)),
        (3100, Event::Missing(vec![missing("gpu-box", 43_000), missing("lab\u{1b}[2J-3", 200_000)])),
    ];
    assert_snapshot!(terminal(&story, 4000), @r"
             Job 7d3f9a
    ~     Finding a worker in a7f3d2e1, 0 s
         Waiting for a worker: place 1, the only one that matches is silent
    ~     Waiting place 1, the only one that matches is silent · 0 s so far
    ~     Waiting place 1, gpu-box has been silent for 40 s · 0 s so far
    ~     Waiting place 1, gpu-box has been silent for 41 s · 1 s so far
    ~     Waiting place 1, gpu-box has been silent for 42 s · 2 s so far
    ~     Waiting place 1, gpu-box and 1 more have been silent for 43 s · 3 s so far
    ");
}

#[test]
fn a_server_that_goes_keeps_the_place() {
    let story = [
        (0, finding()),
        (100, waiting(2)),
        (2000, away(4000, Some(600_000))),
        (6000, away(8000, Some(596_000))),
        (9000, Event::ServerBack),
        (9100, told(2, Reason::Recovering, Workers { silent: 3, ..Workers::default() }, None)),
    ];
    assert_snapshot!(terminal(&story, 11_000), @r"
             Job 7d3f9a
    ~     Finding a worker in a7f3d2e1, 0 s
         Waiting for a worker: place 2, all 3 that match are busy
    ~     Waiting place 2, all 3 that match are busy · 0 s so far
         Warning the server is away (connection lost: the connection was reset); your place in line is kept
    ~     Waiting server away, your place is kept for 10 min; trying again in 4 s
    ~     Waiting server away, your place is kept for 10 min; trying again in 3 s
    ~     Waiting server away, your place is kept for 10 min; trying again in 2 s
    ~     Waiting server away, your place is kept for 10 min; trying again in 1 s
    ~     Waiting server away, your place is kept for 9 min; trying again in 8 s
    ~     Waiting server away, your place is kept for 9 min; trying again in 7 s
    ~     Waiting server away, your place is kept for 9 min; trying again in 6 s
    ~     Waiting server is back, asking for your place · 8 s
          Server is back; place unchanged
    ~     Waiting place 2, the server restarted and asks its workers first · 9 s
    ~     Waiting place 2, the server restarted and asks its workers first · 10 s
    ");
}

#[test]
fn a_place_that_has_changed_is_told() {
    let story = [
        (0, waiting(3)),
        (1000, away(4000, Some(600_000))),
        (5000, Event::ServerBack),
        (5100, waiting(2)),
        (6000, away(1000, None)),
        (7000, Event::ServerBack),
        (7100, found()),
    ];
    assert_snapshot!(pipe(&story, 8000), @r"
    Waiting for a worker: place 3, all 3 that match are busy
    Warning the server is away (connection lost: the connection was reset); your place in line is kept
    Server is back; your place is 2 now
    Warning the server is away (connection lost: the connection was reset)
    Server is back
    Found gpu-box (RTX 4090, 24 GB)
    ");
}

#[test]
fn a_place_that_nobody_has_given_is_not_promised() {
    let story = [(0, finding()), (100, away(4000, None)), (4000, Event::ServerBack), (4100, waiting(1))];
    assert_snapshot!(pipe(&story, 5000), @r"
    Job 7d3f9a
    Warning the server is away (connection lost: the connection was reset)
    Server is back
    Waiting for a worker: place 1, all 3 that match are busy
    ");
    let late = [(0, waiting(1)), (1000, away(4000, Some(0)))];
    let text = terminal(&late, 2000);
    assert_snapshot!(text.lines().last().unwrap_or_default(), @"~     Waiting server away, your place is no longer kept; trying again in 3 s");
}

#[test]
fn a_job_that_runs_is_not_touched_by_a_server_that_goes() {
    let story = [
        (0, found()),
        (100, Event::Accepted { attached: false }),
        (200, phase(Phase::Importing)),
        (1000, away(4000, None)),
        (5000, Event::ServerBack),
    ];
    assert_snapshot!(pipe(&story, 6000), @r"
    Found gpu-box (RTX 4090, 24 GB)
    Warning the server is away (connection lost: the connection was reset); the job is running and not touched by that
    Server is back
    ");
}

#[test]
fn a_lost_worker_is_named_and_another_one_looked_for() {
    let story = [
        (0, finding()),
        (0, found()),
        (100, Event::Accepted { attached: false }),
        (200, phase(Phase::Importing)),
        (1000, Event::Reconnecting { accepted: true, retry_ms: 1000, cause: "nothing heard for 15 s".to_owned() }),
        (601_000, Event::Lost { worker: "gpu-box".to_owned(), for_ms: 600_000, attempt: 2, attempts: 3 }),
        (601_100, waiting(1)),
        (605_000, found()),
        (605_100, Event::Connected { path: Some("webrtc".to_owned()) }),
        (605_200, Event::Accepted { attached: false }),
    ];
    let text = pipe(&story, 606_000);
    let told: Vec<&str> = text.lines().filter(|line| !line.starts_with("Reconnecting")).collect();
    assert_snapshot!(told.join("\n"), @r"
    Job 7d3f9a
    Found gpu-box (RTX 4090, 24 GB)
    Link lost to gpu-box: nothing heard for 15 s; the job is most likely still running
    Lost gpu-box after 10 min 00 s; trying elsewhere (try 2 of 3)
    Waiting for a worker: place 1, all 3 that match are busy
    Found gpu-box (RTX 4090, 24 GB)
    Connected to gpu-box, webrtc
    ");
}

#[test]
fn the_line_of_one_who_waits_fits() {
    let workers = Workers { matching: 19, busy: 14, draining: 3, held: 2, silent: 0 };
    for width in [20, 40, 60, 80] {
        let story =
            [(0, told(112, Reason::AllMatchingBusy, workers, Some(7_200_000))), (1000, away(9000, Some(500_000)))];
        let text = frames(&play(Mode::Terminal { width, color: false }, &story, 5000));
        let too_long: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix('~'))
            .filter(|line| line.chars().count() >= width)
            .collect();
        assert!(too_long.is_empty(), "{too_long:?}");
    }
}
