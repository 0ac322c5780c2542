//! The server's rules about who may delete, and when what is left goes.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use sleap_rtc_cli::exit::Exit;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::house::wait::within;
use crate::house::{House, Program};

/// A server with these rules, and its address.
fn server(house: &House, rules: &[&str]) -> (Program, String) {
    let line = ["--json", "server", "--listen", "127.0.0.1", "--until-eof"];
    let ports = ["--http-port", "0", "--ws-port", "0", "--relay-port", "off", "--stun-port", "off"];
    let server = house.desk("admin").start(&[&line[..], &ports, rules].concat());
    let http = server.event("listening")["http"].as_str().expect("an address").to_owned();
    (server, http)
}

/// A call that a proxy hands on for somebody; its status and its answer.
fn call(http: &str, path: &str, caller: &str, bearer: &str, body: &Value) -> (u16, Value) {
    let request = ureq::post(format!("{http}{path}")).header("X-Forwarded-For", caller).header("Authorization", bearer);
    let mut answer = request.config().http_status_as_error(false).build().send_json(body).expect("an answer");
    (answer.status().as_u16(), answer.body_mut().read_json().expect("JSON"))
}

/// Signs in and makes a room from an address.
fn room(http: &str, caller: &str) -> (Value, Value) {
    let (_, user) = call(http, "/anonymous-signin", caller, "", &json!({}));
    let bearer = format!("Bearer {}", user["id_token"].as_str().expect("a token"));
    let (status, room) = call(http, "/create-room", caller, &bearer, &json!({}));
    assert_eq!(status, 200, "{room}");
    (user, room)
}

/// The status of the original's call, which shows no credential.
fn delete(http: &str, caller: &str, room: &Value) -> u16 {
    call(http, "/delete-peers-and-room", caller, "", &json!({"room_id": room["room_id"]})).0
}

#[test]
fn a_proxys_word_counts_only_where_it_is_trusted() {
    let house = House::empty();
    let (_server, http) = server(&house, &["--trust-proxy", "127.0.0.1"]);
    let (_, room) = room(&http, "10.1.1.1");
    assert_eq!(delete(&http, "10.1.1.2", &room), 401);
    assert_eq!(delete(&http, "10.1.1.1", &room), 200);
}

#[test]
fn behind_a_proxy_that_is_not_trusted_nobody_has_an_address() {
    let house = House::empty();
    let (_server, http) = server(&house, &[]);
    let (_, room) = room(&http, "10.1.1.1");
    assert_eq!(delete(&http, "10.1.1.1", &room), 401);
}

#[test]
fn a_clean_up_that_only_the_operator_may_ask_for_says_so() {
    let house = House::empty();
    let (_server, http) = server(&house, &["--public-url", "https://rtc.lab.edu"]);
    let fault = house.desk("ci-runner").run(&["identity", "cleanup", "--server", &http]).fails(Exit::RoomRefused);
    assert_eq!(fault.error, "the old users were not deleted");
    assert!(fault.hints[0].ends_with("sleap-rtc identity cleanup --operator"), "{}", fault.text);
}

#[test]
fn open_deletes_are_the_originals_openness() {
    let house = House::empty();
    let (_server, http) = server(&house, &["--open-deletes"]);
    let (_, room) = room(&http, "10.1.1.1");
    let extended = call(&http, "/extend-room", "10.9.9.9", "", &json!({"room_id": room["room_id"]}));
    assert_eq!((extended.0, &extended.1["room_id"]), (200, &room["room_id"]));
    assert_eq!(delete(&http, "10.9.9.9", &room), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_grace_a_room_goes_with_its_last_peer() {
    let house = House::empty();
    let (_server, http) = server(&house, &["--grace", "0s"]);
    let (user, room) = room(&http, "127.0.0.1");
    let (mut socket, _) = connect_async(http.replacen("http", "ws", 1)).await.unwrap();
    let register = json!({
        "type": "register", "peer_id": user["username"], "role": "worker", "room_id": room["room_id"],
        "token": room["token"], "id_token": user["id_token"],
    });
    socket.send(Message::text(register.to_string())).await.unwrap();
    let joined: Value = serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
    assert_eq!(joined["type"], "registered_auth", "{joined}");
    drop(socket);
    // The default grace is a minute.
    let body = json!({"room_id": room["room_id"]});
    let gone = || (call(&http, "/extend-room", "127.0.0.1", "", &body).0 == 404).then_some(());
    assert_eq!(within(Duration::from_secs(45), gone), Some(()), "the room is still there");
}
