//! What must never be said: at the most talkative log level, in arguments, in files of jobs.

use std::fs;
use std::path::Path;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use sleap_rtc_cli::exit::Exit;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::house::{Desk, Ended, House, leftovers};

#[test]
fn secrets_are_never_said() {
    let mut house = House::empty();
    house.set("SLEAP_RTC_LOG", "trace");
    house.open();
    let worker = house.worker_with(&[("STANDIN_SLOW_MS", "50"), ("STANDIN_ENVIRONMENT", "1")]);
    let token = house.get("SLEAP_RTC_ROOM_TOKEN").to_owned();
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    let client =
        laptop.start(&["train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "2", "--run-name", "r"]);
    client.says("poch 1");
    for process in leftovers::processes(house.path()) {
        assert!(!process.words.contains(&token), "the room's token is an argument: {}", process.words);
    }
    let told = client.end().good();
    for text in [told.out.join("\n"), told.err.join("\n"), worker.program().said(), house.server().said()] {
        assert!(!text.contains(&token), "the room's token was said:\n{text}");
        // An id token has three parts, of which the first is always the same.
        assert!(!text.contains("eyJ"), "an id token was said:\n{text}");
    }
    let secret = fs::read_to_string(house.path().join("server/admin.secret")).unwrap();
    assert!(!house.server().said().contains(secret.trim()));
    // Nor is it in any file of the job, on either side, nor in the trainer's environment.
    search(&worker.data(), &token);
    search(&laptop.path().join("models"), &token);
    search(&laptop.path().join("settings"), &token);
}

/// All by which people, their computers and their workers come in, made and used: each is shown where it was asked for, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_come_in_by_is_never_said() {
    let mut house = House::empty();
    house.set("SLEAP_RTC_LOG", "trace");
    house.open();
    let [ada, bob, gpu] = ["ada", "bob", "gpu-box"].map(|name| house.desk(name).with("SLEAP_RTC_ROOM_TOKEN", ""));
    let mut said = Said::default();
    said.run(&ada, &["account", "create", "ada"]);
    said.run(&bob, &["account", "create", "bob"]);
    let made = said.run(&ada, &["--json", "room", "create", "--name", "lab"]).event("room_created");
    let room = made["room_id"].as_str().unwrap();
    let [ada, bob] = [ada, bob].map(|desk| desk.with("SLEAP_RTC_ROOM_ID", room));

    let key = said.shown_once(&ada, &["key", "create", "--name", "hpc"]);
    let token = said.shown_once(&ada, &["token", "create", "--name", "gpu1"]);
    // Shown with the commands in which it is used: it is for somebody else.
    let invite = ada.run(&["room", "invite"]).good().out[0].clone();
    said.run(&bob, &["room", "join", &invite]);
    for list in [["key", "list"], ["token", "list"], ["room", "list"], ["room", "show"], ["account", "show"]] {
        said.run(&ada, &list);
    }
    said.fails(&ada, &["key", "revoke", &key], Exit::Usage);
    said.fails(&ada, &["token", "revoke", &token], Exit::Usage);

    let login = gpu.start(&["--json", "login"]);
    let waiting = login.event("login_waiting");
    let (code, page) = (waiting["code"].as_str().unwrap(), waiting["page"].as_str().unwrap());
    let state = page.split("state=").nth(1).expect("a state").split('&').next().unwrap().to_owned();
    // She has typed it.
    ada.run(&["login", "--allow", code, "--yes"]).good();
    said.0.push(login.end().good().err.join("\n"));

    for credential in [&key, &format!("{key}x"), &token, &invite] {
        said.0.push(answer(&house, credential));
    }
    for (api_key, room_id) in [(&token, room), (&token, "another"), (&key, "another"), (&invite, room)] {
        said.0.push(registering(&house, api_key, room_id).await);
    }
    let server = house.server().said();
    assert!(server.contains("TRACE") || server.contains("DEBUG"), "it is not talkative: {server}");
    said.0.push(server);
    for (what, secret) in
        [("key", key), ("token", token), ("invite", invite), ("login", state), ("code", code.to_owned())]
    {
        for text in &said.0 {
            assert!(!text.contains(&secret), "the {what} {secret} was said:\n{text}");
        }
    }
    for text in &said.0 {
        assert!(!text.contains("eyJ"), "an id token was said:\n{text}");
    }
}

/// What was said beside what was asked for.
#[derive(Default)]
struct Said(Vec<String>);

impl Said {
    fn run(&mut self, desk: &Desk, arguments: &[&str]) -> Ended {
        let ended = desk.run(arguments).good();
        self.0.push(ended.err.join("\n"));
        ended
    }

    /// A command whose standard output is a secret and nothing else.
    fn shown_once(&mut self, desk: &Desk, arguments: &[&str]) -> String {
        let ended = self.run(desk, arguments);
        let [secret] = &ended.out[..] else { panic!("one line: {ended}") };
        secret.clone()
    }

    fn fails(&mut self, desk: &Desk, arguments: &[&str], exit: Exit) {
        let ended = desk.run(arguments);
        self.0.extend([ended.out.join("\n"), ended.err.join("\n")]);
        ended.fails(exit);
    }
}

/// What the server says to somebody who shows this.
fn answer(house: &House, credential: &str) -> String {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = format!("{}/api/auth/account-keys", house.http());
    let mut reply = agent.get(url).header("Authorization", format!("Bearer {credential}")).call().expect("an answer");
    reply.body_mut().read_to_string().expect("text")
}

/// What it says first to a worker that registers by it.
async fn registering(house: &House, api_key: &str, room_id: &str) -> String {
    let (mut socket, _) = connect_async(house.ws()).await.unwrap();
    let frame =
        json!({"type": "register", "peer_id": "gpu1", "role": "worker", "api_key": api_key, "room_id": room_id});
    socket.send(Message::text(frame.to_string())).await.unwrap();
    socket.next().await.expect("an answer").unwrap().into_text().unwrap().to_string()
}

fn search(folder: &Path, token: &str) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, token);
        } else {
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(token.len()).any(|part| part == token.as_bytes());
            assert!(!found, "the room's token is in {}", path.display());
        }
    }
}
