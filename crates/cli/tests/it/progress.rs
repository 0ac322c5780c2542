//! What a training looks like on a terminal, in a pipe and for a program.

use std::time::Duration;

use insta::assert_snapshot;
use sleap_rtc_cli::progress::{Mode, Screen};
use sleap_rtc_client::TrainEvent as Event;
use sleap_rtc_wire::job::{EndState, JobEvent, Phase, Stream, Terminal, What};
use sleap_rtc_wire::signal::PeerEntry;
use sleap_rtc_wire::{JobId, PeerId, RoomId, Time};

use crate::waiting::waiting;

pub(crate) const TERMINAL: Mode = Mode::Terminal { width: 80, color: false };

/// What a terminal has shown: every state of the changing line is kept, marked `~`.
pub(crate) fn frames(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    let mut out = Vec::new();
    for line in text.split('\n') {
        let mut pieces = line.split("\r\x1b[2K");
        let first = pieces.next().unwrap_or_default().to_owned();
        let mut pieces: Vec<String> = std::iter::once(first).chain(pieces.map(|piece| format!("~{piece}"))).collect();
        // What ends in a newline stays.
        if let Some(last) = pieces.pop() {
            out.extend(pieces.into_iter().filter(|piece| piece.len() > 1));
            out.push(last.trim_start_matches('~').to_owned());
        }
    }
    out.dedup();
    out.join("\n")
}

pub(crate) fn job(what: What) -> Event {
    Event::Job(JobEvent { seq: 1, at: Time(0), what })
}

/// The event as it would come at that moment: what the worker says carries the worker's time.
fn at(now: u64, event: &Event) -> Event {
    match event {
        Event::Job(JobEvent { seq, what, .. }) => {
            Event::Job(JobEvent { seq: *seq, at: Time(1_000_000 + now), what: what.clone() })
        }
        other => other.clone(),
    }
}

pub(crate) fn phase(phase: Phase) -> Event {
    job(What::Phase { phase })
}

pub(crate) fn found() -> Event {
    let worker = PeerId::new("worker-1").expect("an id");
    let entry: PeerEntry = serde_json::from_value(serde_json::json!({
        "peer_id": "worker-1", "role": "worker", "connected_at": 0.0, "metadata": {"properties":
            {"worker_name": "gpu-box", "gpu_model": "RTX 4090", "gpu_memory_mb": 24_564}}
    }))
    .expect("a peer");
    Event::Found { worker, entry: Some(Box::new(entry)) }
}

pub(crate) fn finding() -> Event {
    Event::Finding { job_id: JobId::new("7d3f9a").expect("an id"), room: RoomId::new("a7f3d2e1").expect("an id") }
}

fn lost() -> Event {
    Event::Reconnecting { accepted: true, retry_ms: 1000, cause: "nothing heard for 15 s".to_owned() }
}

fn ended(state: EndState, stopped_early: bool) -> Event {
    let end = Terminal { state, stopped_early, code: None, cause: None, exit: Some(0), ended_at: Time(0) };
    job(What::End { end })
}

/// A whole training: (milliseconds, event).
fn story() -> Vec<(u64, Event)> {
    vec![
        (0, Event::Reading { labels: "flies.pkg.slp".into() }),
        (200, Event::Planned { files: 1, bytes: 3_420_306 }),
        (300, finding()),
        (400, found()),
        (500, Event::Connecting),
        (900, Event::Connected { path: Some("webrtc".to_owned()) }),
        (900, Event::Accepted { attached: false }),
        (900, Event::Sending { done: 0, total: 3_420_306 }),
        (1400, Event::Sending { done: 1_500_000, total: 3_420_306 }),
        (2000, Event::Sending { done: 3_420_306, total: 3_420_306 }),
        (2000, phase(Phase::Preparing)),
        (2100, job(What::Stage { index: 0, count: 1, name: "centroid".to_owned() })),
        (2100, phase(Phase::Importing)),
        (16_000, job(What::Plan { epochs: Some(2), steps: Some(20) })),
        (16_000, phase(Phase::Training)),
        (17_000, job(What::Batch { epoch: 0, batch: 1, loss: Some(0.0251) })),
        (22_000, job(What::Batch { epoch: 0, batch: 10, loss: Some(0.0151) })),
        (27_000, job(What::Batch { epoch: 0, batch: 20, loss: Some(0.0121) })),
        (28_000, job(What::Epoch { epoch: 0, train_loss: Some(0.0184), val_loss: Some(0.0117) })),
        (29_000, job(What::Log { stream: Stream::Out, line: "a line of the trainer".to_owned() })),
        (33_000, job(What::Batch { epoch: 1, batch: 10, loss: Some(0.0098) })),
        (39_000, job(What::Epoch { epoch: 1, train_loss: Some(0.0101), val_loss: Some(0.0083) })),
        (39_100, phase(Phase::Evaluating)),
        (43_000, phase(Phase::Returning)),
        (43_100, ended(EndState::Completed, false)),
        (43_200, Event::Receiving { done: 0, total: 1_050_000 }),
        (43_700, Event::Receiving { done: 600_000, total: 1_050_000 }),
        (44_000, Event::Receiving { done: 1_050_000, total: 1_050_000 }),
        (44_000, Event::Landed { folder: "models/flies".into(), files: 9, bytes: 1_050_000 }),
    ]
}

/// Plays a story with a tick each second, as the program does.
pub(crate) fn play(mode: Mode, story: &[(u64, Event)], until: u64) -> Vec<u8> {
    let mut screen = Screen::new(mode, Vec::new());
    let mut events = story.iter().peekable();
    for now in (0..=until).step_by(100) {
        while let Some((then, event)) = events.next_if(|(then, _)| *then <= now) {
            screen.event(&at(*then, event), Duration::from_millis(*then)).expect("a vector takes everything");
        }
        if now % 1000 == 0 {
            screen.tick(Duration::from_millis(now)).expect("a vector takes everything");
        }
    }
    screen.into_inner()
}

#[test]
fn a_training_on_a_terminal() {
    assert_snapshot!(frames(&play(TERMINAL, &story(), 45_000)), @r"
         Reading flies.pkg.slp
    ~     Reading and hashing what is to be sent, 0 s
         To send 1 file, 3.4 MB
    ~     Reading and hashing what is to be sent, 0 s
             Job 7d3f9a
    ~     Finding a worker in a7f3d2e1, 0 s
           Found gpu-box (RTX 4090, 24 GB)
    ~  Connecting to gpu-box, 0 s
       Connected to gpu-box, webrtc
    ~  Connecting to gpu-box, 0 s
    ~     Sending [----------------]   0 %  0.0/3.4 MB  0 s
    ~     Sending [######----------]  43 %  1.5/3.4 MB  3.0 MB/s  1 s left
            Sent 3.4 MB in 1.1 s, 3.1 MB/s
    ~   Preparing the job on gpu-box, 0 s
    ~   Importing the trainer's libraries, 0 s
    ~   Importing the trainer's libraries, 1 s
    ~   Importing the trainer's libraries, 2 s
    ~   Importing the trainer's libraries, 3 s
    ~   Importing the trainer's libraries, 4 s
    ~   Importing the trainer's libraries, 5 s
    ~   Importing the trainer's libraries, 6 s
    ~   Importing the trainer's libraries, 7 s
    ~   Importing the trainer's libraries, 8 s
    ~   Importing the trainer's libraries, 9 s
    ~   Importing the trainer's libraries, 10 s
    ~   Importing the trainer's libraries, 11 s
    ~   Importing the trainer's libraries, 12 s
    ~   Importing the trainer's libraries, 13 s
        Imported in 13 s
    ~    Training epoch 1/2  step 0/20  0 s
    ~    Training epoch 1/2  step 1/20  loss 0.0251  1 s
    ~    Training epoch 1/2  step 1/20  loss 0.0251  2 s
    ~    Training epoch 1/2  step 1/20  loss 0.0251  3 s
    ~    Training epoch 1/2  step 1/20  loss 0.0251  4 s
    ~    Training epoch 1/2  step 1/20  loss 0.0251  5 s
    ~    Training epoch 1/2  step 10/20  loss 0.0151  16 s left
    ~    Training epoch 1/2  step 10/20  loss 0.0151  15 s left
    ~    Training epoch 1/2  step 10/20  loss 0.0151  14 s left
    ~    Training epoch 1/2  step 10/20  loss 0.0151  13 s left
    ~    Training epoch 1/2  step 10/20  loss 0.0151  12 s left
    ~    Training epoch 1/2  step 20/20  loss 0.0121  10 s left
           Epoch 1/2  loss 0.0184  val loss 0.0117  11 s
    ~    Training epoch 2/2  step 0/20  loss 0.0121  val 0.0117  11 s left
    ~    Training epoch 2/2  step 0/20  loss 0.0121  val 0.0117  10 s left
    ~    Training epoch 2/2  step 0/20  loss 0.0121  val 0.0117  9 s left
    ~    Training epoch 2/2  step 0/20  loss 0.0121  val 0.0117  8 s left
    ~    Training epoch 2/2  step 10/20  loss 0.0098  val 0.0117  5 s left
    ~    Training epoch 2/2  step 10/20  loss 0.0098  val 0.0117  4 s left
    ~    Training epoch 2/2  step 10/20  loss 0.0098  val 0.0117  3 s left
    ~    Training epoch 2/2  step 10/20  loss 0.0098  val 0.0117  2 s left
    ~    Training epoch 2/2  step 10/20  loss 0.0098  val 0.0117  1 s left
    ~    Training epoch 2/2  step 10/20  loss 0.0098  val 0.0117  0 s left
           Epoch 2/2  loss 0.0101  val loss 0.0083  11 s
    ~    Training epoch 2/2  done  loss 0.0098  val 0.0083  0 s left
    ~  Evaluating the model on your labels, 0 s
    ~  Evaluating the model on your labels, 1 s
    ~  Evaluating the model on your labels, 2 s
       Evaluated in 3.9 s
    ~   Gathering the results on gpu-box, 0 s
         Trained on gpu-box
    ~   Gathering the results on gpu-box, 0 s
    ~   Receiving [----------------]   0 %  0.0/1.1 MB  0 s
    ~   Receiving [#########-------]  57 %  0.6/1.1 MB  1.2 MB/s  1 s left
    ~   Receiving [################] 100 %  1.1/1.1 MB  1.3 MB/s  0 s left
        Received 9 files, 1.1 MB
           Saved models/flies
    ");
}

#[test]
fn a_training_in_a_pipe() {
    assert_snapshot!(String::from_utf8(play(Mode::Plain, &story(), 45_000)).expect("text"), @r"
    Reading flies.pkg.slp
    To send 1 file, 3.4 MB
    Job 7d3f9a
    Found gpu-box (RTX 4090, 24 GB)
    Connected to gpu-box, webrtc
    Sent 3.4 MB in 1.1 s, 3.1 MB/s
    Imported in 13 s
    Epoch 1/2  loss 0.0184  val loss 0.0117  11 s
    Epoch 2/2  loss 0.0101  val loss 0.0083  11 s
    Evaluated in 3.9 s
    Trained on gpu-box
    Received 9 files, 1.1 MB
    Saved models/flies
    ");
}

#[test]
fn a_training_for_a_program() {
    assert_snapshot!(String::from_utf8(play(Mode::Json, &story(), 45_000)).expect("text"), @r#"
    {"event":"reading","labels":"flies.pkg.slp"}
    {"bytes":3420306,"event":"planned","files":1}
    {"event":"finding","job_id":"7d3f9a","room":"a7f3d2e1"}
    {"device":"RTX 4090, 24 GB","event":"found","name":"gpu-box","worker":"worker-1"}
    {"event":"connecting"}
    {"event":"connected","path":"webrtc"}
    {"attached":false,"event":"accepted"}
    {"done":0,"event":"sending","total":3420306}
    {"done":1500000,"event":"sending","total":3420306}
    {"done":3420306,"event":"sending","total":3420306}
    {"seq":1,"at":1002000,"event":"phase","phase":"preparing"}
    {"seq":1,"at":1002100,"event":"stage","index":0,"count":1,"name":"centroid"}
    {"seq":1,"at":1002100,"event":"phase","phase":"importing"}
    {"seq":1,"at":1016000,"event":"plan","epochs":2,"steps":20}
    {"seq":1,"at":1016000,"event":"phase","phase":"training"}
    {"seq":1,"at":1017000,"event":"batch","epoch":0,"batch":1,"loss":0.0251}
    {"seq":1,"at":1022000,"event":"batch","epoch":0,"batch":10,"loss":0.0151}
    {"seq":1,"at":1027000,"event":"batch","epoch":0,"batch":20,"loss":0.0121}
    {"seq":1,"at":1028000,"event":"epoch","epoch":0,"train_loss":0.0184,"val_loss":0.0117}
    {"seq":1,"at":1029000,"event":"log","stream":"out","line":"a line of the trainer"}
    {"seq":1,"at":1033000,"event":"batch","epoch":1,"batch":10,"loss":0.0098}
    {"seq":1,"at":1039000,"event":"epoch","epoch":1,"train_loss":0.0101,"val_loss":0.0083}
    {"seq":1,"at":1039100,"event":"phase","phase":"evaluating"}
    {"seq":1,"at":1043000,"event":"phase","phase":"returning"}
    {"seq":1,"at":1043100,"event":"end","end":{"state":"completed","stopped_early":false,"exit":0,"ended_at":0}}
    {"done":0,"event":"receiving","total":1050000}
    {"done":600000,"event":"receiving","total":1050000}
    {"done":1050000,"event":"receiving","total":1050000}
    {"bytes":1050000,"event":"landed","files":9,"folder":"models/flies"}
    "#);
}

#[test]
fn a_pipe_is_never_silent_for_a_minute() {
    let story = vec![(0, finding()), (0, found()), (100, phase(Phase::Importing))];
    let text = String::from_utf8(play(Mode::Plain, &story, 95_000)).expect("text");
    assert_snapshot!(text, @r"
    Job 7d3f9a
    Found gpu-box (RTX 4090, 24 GB)
    Importing the trainer's libraries, 29 s
    Importing the trainer's libraries, 59 s
    Importing the trainer's libraries, 1 min 29 s
    ");
}

#[test]
fn a_stall_is_said_in_words() {
    let story = vec![
        (0, found()),
        (100, Event::Sending { done: 0, total: 10_000_000 }),
        (1000, Event::Sending { done: 4_000_000, total: 10_000_000 }),
    ];
    assert_snapshot!(frames(&play(TERMINAL, &story, 13_000)), @r"
           Found gpu-box (RTX 4090, 24 GB)
    ~  Connecting to gpu-box, 0 s
    ~     Sending [----------------]   0 %  0.0/10.0 MB  0 s
    ~     Sending [######----------]  40 %  4.0/10.0 MB  4.0 MB/s  2 s left
    ~     Sending [######----------]  40 %  4.0/10.0 MB  2.0 MB/s  3 s left
    ~     Sending [######----------]  40 %  4.0/10.0 MB  1.3 MB/s  5 s left
    ~     Sending [######----------]  40 %  4.0/10.0 MB  1.0 MB/s  6 s left
    ~     Sending [######----------]  40 %  4.0/10.0 MB  800.0 kB/s  8 s left
    ~     Sending [######----------]  40 %  4.0/10.0 MB  666.7 kB/s  10 s left
    ~     Sending [######----------]  40 %  4.0/10.0 MB  waiting 6 s for gpu-box
    ~     Sending [######----------]  40 %  4.0/10.0 MB  waiting 7 s for gpu-box
    ~     Sending [######----------]  40 %  4.0/10.0 MB  waiting 8 s for gpu-box
    ~     Sending [######----------]  40 %  4.0/10.0 MB  waiting 9 s for gpu-box
    ~     Sending [######----------]  40 %  4.0/10.0 MB  waiting 10 s for gpu-box
    ~     Sending [######----------]  40 %  4.0/10.0 MB  waiting 11 s for gpu-box
    ~     Sending [######----------]  40 %  4.0/10.0 MB  waiting 12 s for gpu-box
    ");
}

#[test]
fn a_lost_link_is_not_a_lost_job() {
    let mut story = story();
    story.truncate(17);
    story.push((24_000, lost()));
    story.push((30_000, Event::Connected { path: None }));
    story.push((30_500, job(What::Batch { epoch: 0, batch: 19, loss: Some(0.0121) })));
    assert_snapshot!(frames(&play(TERMINAL, &story, 31_000)).split("Link lost").last().unwrap_or_default(), @r"
     to gpu-box: nothing heard for 15 s; the job is most likely still running
    ~Reconnecting to gpu-box, 0 s; the job is most likely still running
    ~Reconnecting to gpu-box, 1 s; the job is most likely still running
    ~Reconnecting to gpu-box, 2 s; the job is most likely still running
    ~Reconnecting to gpu-box, 3 s; the job is most likely still running
    ~Reconnecting to gpu-box, 4 s; the job is most likely still running
    ~Reconnecting to gpu-box, 5 s; the job is most likely still running
     Reconnected to gpu-box after 6 s
    ~    Training epoch 1/2  step 10/20  loss 0.0151  16 s left
    ~    Training epoch 1/2  step 19/20  loss 0.0121  15 s left
    ");
}

#[test]
fn a_line_fits_a_terminal_that_became_narrow() {
    let mut screen = Screen::new(TERMINAL, Vec::new());
    screen.event(&waiting(1), Duration::ZERO).expect("a buffer");
    screen.resize(24);
    screen.tick(Duration::from_secs(1)).expect("a buffer");
    let text = String::from_utf8(screen.into_inner()).expect("text");
    let lines: Vec<&str> = text.split("\x1b[2K").map(str::trim_end).filter(|line| line.contains("Waiting")).collect();
    assert_eq!(lines.last().map(|line| line.chars().count()), Some(23), "{lines:?}");
}

#[test]
fn two_models_have_their_own_epochs() {
    let story = vec![
        (0, found()),
        (0, job(What::Stage { index: 0, count: 2, name: "centroid".to_owned() })),
        (0, job(What::Plan { epochs: Some(1), steps: None })),
        (1000, job(What::Batch { epoch: 0, batch: 3, loss: None })),
        (2000, job(What::Epoch { epoch: 0, train_loss: Some(0.1), val_loss: Some(0.2) })),
        (3000, job(What::Stage { index: 1, count: 2, name: "centered\x1b[31m_instance".to_owned() })),
        (4000, job(What::Batch { epoch: 0, batch: 1, loss: Some(f64::INFINITY) })),
        (5000, job(What::Epoch { epoch: 0, train_loss: None, val_loss: None })),
        (5100, job(What::Warning { text: "the loss is not a number".to_owned() })),
        (6000, ended(EndState::Completed, true)),
    ];
    assert_snapshot!(String::from_utf8(play(Mode::Plain, &story, 7000)).expect("text"), @r"
    Found gpu-box (RTX 4090, 24 GB)
    Model 1/2 centroid
    Epoch 1/1  loss 0.1000  val loss 0.2000  1.0 s
    Model 2/2 centered_instance
    Epoch 1  loss NaN  val loss NaN  1.0 s
    Warning the loss is not a number
    Stopped early; the model is kept
    ");
}

#[test]
fn the_changing_line_fits_the_terminal() {
    for width in [20, 40, 80] {
        let mut screen = Screen::new(Mode::Terminal { width, color: false }, Vec::new());
        for (then, event) in story() {
            let now = Duration::from_millis(then);
            screen.event(&at(then, &event), now).expect("a vector takes everything");
            let line = screen.state().live(now, width).unwrap_or_default();
            assert!(line.chars().count() <= width, "{line:?}");
        }
    }
}

#[test]
fn the_longest_line_of_a_training_fits() {
    let mut screen = Screen::new(TERMINAL, Vec::new());
    let mut tell = |now: u64, what: What| {
        screen.event(&at(now, &job(what)), Duration::from_millis(now)).expect("a vector takes everything");
        screen.state().live(Duration::from_millis(now), 1000).unwrap_or_default()
    };
    tell(0, What::Plan { epochs: Some(200), steps: Some(200) });
    tell(1000, What::Batch { epoch: 110, batch: 1, loss: Some(0.0113) });
    tell(60_000, What::Epoch { epoch: 110, train_loss: Some(0.0113), val_loss: Some(0.0117) });
    let line = tell(120_000, What::Batch { epoch: 111, batch: 200, loss: Some(0.0113) });
    assert_snapshot!(line, @"    Training epoch 112/200  step 200/200  loss 0.0113  val 0.0117  1.5 h left");
    assert!(line.chars().count() < 80);
}

#[test]
fn a_terminal_is_never_silent_for_two_seconds() {
    let mut screen = Screen::new(TERMINAL, Vec::new());
    screen.event(&finding(), Duration::ZERO).expect("a vector takes everything");
    let mut last = String::new();
    for second in 1..200 {
        screen.tick(Duration::from_secs(second)).expect("a vector takes everything");
        let line = screen.state().live(Duration::from_secs(second), 80).expect("there is something to wait for");
        assert_ne!(line, last, "nothing has changed on the screen");
        last = line;
    }
}
