use std::sync::Arc;

use sleap_rtc_wire::signal::ReportKind;

use super::channel::Turn;
use super::*;

const NOW: Time = Time(1_732_000_000_123);

fn small() -> Bounds {
    Bounds {
        channels: 4,
        bytes: 4_000,
        channels_of_room: 3,
        bytes_of_room: 3_000,
        events: 3,
        event_bytes: 2_000,
        streams: 2,
    }
}

fn channels(bounds: Bounds) -> Arc<Channels> {
    Arc::new(Channels::new(bounds))
}

fn room(name: &str) -> RoomId {
    RoomId::new(name).unwrap()
}

fn peer(name: &str) -> PeerId {
    PeerId::new(name).unwrap()
}

fn named(name: &str) -> Name {
    name.parse().unwrap()
}

fn watch(channels: &Arc<Channels>, in_room: &str, name: &str) -> Watch {
    let member = MemberId::new("ana").unwrap();
    channels.watch(&room(in_room), &named(name), &member, Arc::default(), NOW).unwrap()
}

/// A worker's frame with this job, status and content.
fn says(channels: &Channels, in_room: &str, worker: &str, job: Option<&str>, status: Option<&str>, content: &str) {
    let text = json!({"type": "x", "content": content}).to_string();
    let report = Report {
        kind: if job.is_some() { ReportKind::JobStatus } else { ReportKind::FsList },
        job_id: job.map(str::to_owned),
        status: status.map(str::to_owned),
        text: text.into(),
    };
    channels.report(&room(in_room), &peer(worker), &report, NOW);
}

/// What there is to read without waiting: the events' contents.
fn read(watch: &Watch) -> Vec<String> {
    std::iter::from_fn(|| match watch.look() {
        Turn::Read(event) => Some(content(&event)),
        Turn::Wait => None,
        Turn::Behind => panic!("behind"),
    })
    .collect()
}

fn content(event: &[u8]) -> String {
    let value = parsed(event);
    value["content"].as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn parsed(event: &[u8]) -> Value {
    let line = std::str::from_utf8(event).unwrap().strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
    serde_json::from_str(line).unwrap()
}

#[test]
fn an_event_is_one_line_with_the_time() {
    let text = "{ \"type\": \"fs_list_res\",\r\n \"path\": \"a\\nb\",\n \"n\": 1.50 }\n";
    let line = r#"data: { "type": "fs_list_res",   "path": "a\nb",  "n": 1.50 ,"_ts":1732000000.123}"#;
    assert_eq!(event(text, NOW), format!("{line}\n\n"));
}

#[test]
fn names_are_workers_and_jobs() {
    for (text, name) in [
        ("worker:gpu 1/ü", Some(Name::Worker(peer("gpu 1/ü")))),
        ("job_0a1b2c3d", Some(Name::Job("job_0a1b2c3d".to_owned()))),
        ("worker:", None),
        ("", None),
        ("job 1", None),
        ("worker:a\nb", None),
    ] {
        assert_eq!(text.parse::<Name>().ok(), name, "{text:?}");
        if let Some(name) = name {
            assert_eq!(name.to_string(), text);
        }
    }
    assert_eq!(Name::job(&"j".repeat(129)), None);
}

#[test]
fn who_comes_later_reads_what_is_kept_and_then_what_comes() {
    let channels = channels(small());
    for n in 1..=4 {
        says(&channels, "a", "gpu1", None, None, &n.to_string());
    }
    let late = watch(&channels, "a", "worker:gpu1");
    assert_eq!(read(&late), ["2", "3", "4"], "as many as are kept");
    says(&channels, "a", "gpu1", None, None, "5");
    assert_eq!(read(&late), ["5"]);
    assert_eq!(read(&watch(&channels, "a", "worker:gpu1")), ["3", "4", "5"]);
}

#[test]
fn a_worker_of_the_same_name_in_another_room_is_another() {
    let channels = channels(small());
    says(&channels, "b", "gpu1", None, None, "not for you");
    says(&channels, "b", "gpu1", Some("job_1"), None, "not for you");
    assert_eq!(read(&watch(&channels, "a", "worker:gpu1")), [""; 0]);
    assert_eq!(read(&watch(&channels, "a", "job_1")), [""; 0]);
}

#[test]
fn frames_about_a_job_go_to_those_who_watch_it() {
    let channels = channels(small());
    says(&channels, "a", "gpu1", Some("job_1"), Some("running"), "epoch 1");
    says(&channels, "a", "gpu1", Some("no job's id"), Some("running"), "odd");
    assert_eq!(read(&watch(&channels, "a", "job_1")), ["epoch 1"]);
    assert_eq!(read(&watch(&channels, "a", "worker:gpu1")), ["odd"]);
}

#[test]
fn nobody_speaks_of_another_workers_job() {
    let channels = channels(small());
    channels.begin_job(&room("a"), &peer("gpu1"), "job_1", NOW);
    says(&channels, "a", "gpu2", Some("job_1"), Some("failed"), "forged");
    says(&channels, "a", "gpu1", Some("job_1"), Some("running"), "true");
    let watch = watch(&channels, "a", "job_1");
    let Turn::Read(first) = watch.look() else { panic!() };
    let first = parsed(&first);
    let submitted = json!({"type": "status", "status": "submitted", "job_id": "job_1", "worker_peer_id": "gpu1", "_ts": 1_732_000_000.123});
    assert_eq!(first, submitted);
    assert_eq!(read(&watch), ["true"]);
    assert_eq!(channels.worker_of(&room("a"), "job_1"), Some(peer("gpu1")));
    assert_eq!(channels.worker_of(&room("b"), "job_1"), None);
}

#[test]
fn those_who_watch_a_job_hear_of_its_workers_connection_once() {
    let channels = channels(small());
    channels.begin_job(&room("a"), &peer("gpu1"), "job_1", NOW);
    channels.begin_job(&room("a"), &peer("gpu1"), "job_2", NOW);
    says(&channels, "a", "gpu1", Some("job_2"), Some("complete"), "done");
    let (open, over) = (watch(&channels, "a", "job_1"), watch(&channels, "a", "job_2"));
    let (_, _) = (read(&open), read(&over));
    let words = |told: Vec<String>| -> Vec<(String, String)> {
        let told = told.iter().map(|text| serde_json::from_str::<Value>(text).unwrap());
        told.map(|one| (one["status"].as_str().unwrap().to_owned(), one["message"].as_str().unwrap().to_owned()))
            .collect()
    };
    for _ in 0..2 {
        channels.worker_is_away(&room("a"), &peer("gpu1"), NOW);
    }
    let away = words(read(&open));
    assert_eq!(away.len(), 1);
    assert_eq!(away[0].0, "running", "its trainer runs on");
    for _ in 0..2 {
        channels.worker_is_back(&room("a"), &peer("gpu1"), NOW);
    }
    assert_eq!(words(read(&open)), [("running".to_owned(), "the worker is connected again".to_owned())]);
    channels.worker_is_gone(&room("a"), &peer("gpu1"), NOW);
    channels.worker_is_away(&room("a"), &peer("gpu1"), NOW);
    assert_eq!(words(read(&open)), [("failed".to_owned(), "the worker has left".to_owned())]);
    assert_eq!(read(&over), [""; 0], "a job that is over does not fail");
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_dropped_and_the_others_are_not() {
    let channels = channels(small());
    let (name, cut) = (named("worker:gpu1"), Arc::<Notify>::default());
    let slow = channels.watch(&room("a"), &name, &MemberId::new("bob").unwrap(), cut.clone(), NOW).unwrap();
    let quick = watch(&channels, "a", "worker:gpu1");
    for n in 1..=4 {
        says(&channels, "a", "gpu1", None, None, &n.to_string());
        assert_eq!(read(&quick), [n.to_string()]);
    }
    // Its connection too, which may be in the middle of writing.
    cut.notified().await;
    assert_eq!(slow.look(), Turn::Behind);
}

#[tokio::test]
async fn a_reader_is_woken_and_told_of_the_end() {
    let channels = channels(small());
    let watch = watch(&channels, "a", "worker:gpu1");
    let reader = tokio::spawn(async move {
        let mut read = Vec::new();
        while let Some(event) = watch.next().await {
            read.push(content(&event));
        }
        read
    });
    for n in 1..=2 {
        tokio::task::yield_now().await;
        says(&channels, "a", "gpu1", None, None, &n.to_string());
    }
    tokio::task::yield_now().await;
    channels.end_room(&room("a"));
    assert_eq!(reader.await.unwrap(), ["1", "2"]);
    assert_eq!(channels.counts(), (0, 0));
}

#[test]
fn bytes_and_channels_are_bounded() {
    let channels = channels(small());
    let large = "x".repeat(900);
    for job in ["job_1", "job_2", "job_3", "job_4", "job_5"] {
        for _ in 0..5 {
            says(&channels, "a", "gpu1", Some(job), None, &large);
            assert!(channels.table().bytes() <= small().bytes_of_room);
        }
    }
    assert_eq!(channels.counts().0, 3, "those that were used last");
    assert_eq!(channels.worker_of(&room("a"), "job_2"), None);
    assert!(channels.worker_of(&room("a"), "job_3").is_some());
    // Another room takes from the one that has most.
    for job in ["job_6", "job_7"] {
        says(&channels, "b", "gpu1", Some(job), None, &large);
        says(&channels, "b", "gpu1", Some(job), None, &large);
    }
    assert!(channels.table().bytes() <= small().bytes);
    assert_eq!(channels.counts().0, 4);
    let kept = ["job_6", "job_7"].map(|job| read(&watch(&channels, "b", job)).len());
    assert!(kept.iter().sum::<usize>() >= 2, "{kept:?}");
    channels.forget_idle(Time(NOW.0 + IDLE_MS + 1));
    assert_eq!((channels.counts(), channels.table().bytes()), ((0, 0), 0));
}

#[test]
fn one_event_that_is_too_large_for_all_is_dropped_with_its_readers() {
    let channels = channels(Bounds { bytes_of_room: 100, ..small() });
    let watch = watch(&channels, "a", "worker:gpu1");
    says(&channels, "a", "gpu1", None, None, &"x".repeat(200));
    assert_eq!((watch.look(), channels.table().bytes()), (Turn::Behind, 0));
}

#[test]
fn a_channel_that_is_watched_is_not_forgotten() {
    let channels = channels(small());
    let first = watch(&channels, "a", "job_1");
    for job in ["job_2", "job_3", "job_4"] {
        says(&channels, "a", "gpu1", Some(job), None, "x");
    }
    channels.forget_idle(Time(NOW.0 + IDLE_MS + 1));
    says(&channels, "a", "gpu1", Some("job_1"), None, "still there");
    assert_eq!(read(&first), ["still there"]);
}

#[test]
fn a_member_has_so_many_streams() {
    let channels = channels(small());
    let ana = MemberId::new("ana").unwrap();
    let one = watch(&channels, "a", "job_1");
    let _two = watch(&channels, "b", "job_1");
    let third = channels.watch(&room("a"), &named("job_1"), &ana, Arc::default(), NOW);
    assert_eq!(third.err(), Some(TooManyStreams(2)));
    let bob = MemberId::new("bob").unwrap();
    assert!(
        channels.watch(&room("a"), &named("job_1"), &bob, Arc::default(), NOW).is_ok(),
        "another member has its own"
    );
    drop(one);
    assert!(channels.watch(&room("a"), &named("job_1"), &ana, Arc::default(), NOW).is_ok());
}
