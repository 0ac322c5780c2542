//! Making rooms, and moving their end on.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::rig::{Installation, Peer, TestServer, text};

fn seconds_from_now(at: &Value) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    at.as_i64().unwrap() - i64::try_from(now).unwrap()
}

#[tokio::test]
async fn without_a_body_a_room_lives_two_hours() {
    let server = TestServer::start().await;
    let token = text(&server.post("/anonymous-signin").send().await.json()["id_token"]);
    let made = server.post("/create-room").bearer(&token).send().await.json();
    let id = text(&made["room_id"]);
    assert!(id.len() == 8 && id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{id}");
    assert_eq!(text(&made["token"]).len(), 32, "128 bits");
    assert!((7190..=7200).contains(&seconds_from_now(&made["expires_at"])), "{made}");
    assert!(made.get("name").is_none());
}

#[tokio::test]
async fn a_named_room_lives_thirty_days_or_as_asked() {
    let server = TestServer::start().await;
    let token = Installation::new().sign_in(&server).await;
    for (body, days) in [(json!({"name": "pool"}), 30), (json!({"name": "pool", "ttl": "90d"}), 90)] {
        let made = server.post("/create-room").bearer(&token).json(&body).send().await.json();
        assert_eq!(made["name"], "pool");
        assert!((days * 86_400 - 10..=days * 86_400).contains(&seconds_from_now(&made["expires_at"])), "{made}");
    }
    let body = json!({"name": "pool", "ttl": "never"});
    let made = server.post("/create-room").bearer(&token).json(&body).send().await.json();
    assert_eq!(made["expires_at"], Value::Null);
}

#[tokio::test]
async fn terms_that_no_room_is_made_on_are_422() {
    let server = TestServer::start().await;
    let token = Installation::new().sign_in(&server).await;
    for body in [json!({"name": ""}), json!({"name": "x", "ttl": "soon"}), json!({"ttl": "1s"}), json!([1])] {
        let reply = server.post("/create-room").bearer(&token).json(&body).send().await;
        assert_eq!(reply.error(), (422, "INVALID_MESSAGE".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn a_room_is_made_by_somebody_who_has_signed_in() {
    let server = TestServer::start().await;
    let missing = server.post("/create-room").send().await;
    assert_eq!(missing.error(), (422, "INVALID_MESSAGE".to_owned()));
    assert_eq!(missing.json()["detail"][0]["loc"], json!(["header", "authorization"]));
    let wrong = server.post("/create-room").bearer("nonsense").send().await;
    assert_eq!(wrong.error(), (401, "AUTH_FAILED".to_owned()));
    assert!(wrong.body.contains("Token verification failed: "));
    let token = Installation::new().sign_in(&server).await;
    assert_eq!(server.post("/create-room").header("Authorization", &token).send().await.status, 200, "a bare token");
}

#[tokio::test]
async fn one_address_may_make_so_many_rooms_a_minute() {
    let server = TestServer::with(|config| config.rates.rooms = 1).await;
    let token = Installation::new().sign_in(&server).await;
    assert_eq!(server.post("/create-room").bearer(&token).send().await.status, 200);
    assert_eq!(server.post("/create-room").bearer(&token).send().await.error(), (429, "RATE_LIMITED".to_owned()));
}

#[tokio::test]
async fn an_extension_reaches_the_store_and_the_live_room() {
    let server = TestServer::start().await;
    let room = server.room_with(json!({"name": "pool", "ttl": "60s"})).await;
    let client = Peer::client(&server, &room, "laptop").await;
    assert!(seconds_from_now(&client.registered["expires_at"]) <= 60);
    let token = room.maker.sign_in(&server).await;
    let extended = server.post("/extend-room").bearer(&token).json(&json!({"room_id": room.id})).send().await.json();
    assert_eq!(extended["room_id"], json!(room.id));
    assert!((7190..=7200).contains(&seconds_from_now(&extended["expires_at"])), "{extended}");
    let later = Peer::client(&server, &room, "desktop").await;
    assert_eq!(later.registered["expires_at"], extended["expires_at"]);
}

#[tokio::test]
async fn only_those_who_belong_to_a_room_extend_it_from_elsewhere() {
    // The maker's address is forgotten with a restart, as if the call came from elsewhere.
    let server = TestServer::start().await;
    let room = server.room().await;
    let body = json!({"room_id": room.id});
    assert_eq!(server.post("/extend-room").json(&body).send().await.status, 200, "from the maker's address");
    let server = TestServer::on(server.stop().await, |_| {}, |ports| ports).await;
    assert_eq!(server.post("/extend-room").json(&body).send().await.error(), (401, "AUTH_FAILED".to_owned()));
    let stranger = Installation::new().sign_in(&server).await;
    let reply = server.post("/extend-room").bearer(&stranger).json(&body).send().await;
    assert_eq!(reply.error(), (403, "FORBIDDEN".to_owned()));
    let maker = room.maker.sign_in(&server).await;
    assert_eq!(server.post("/extend-room").bearer(&maker).json(&body).send().await.status, 200);
}

#[tokio::test]
async fn an_unknown_room_is_not_extended() {
    let server = TestServer::start().await;
    let reply = server.post("/extend-room").json(&json!({"room_id": "00000000"})).send().await;
    assert_eq!(reply.error(), (404, "ROOM_NOT_FOUND".to_owned()));
}
