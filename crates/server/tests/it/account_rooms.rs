//! Rooms over the pages of accounts, as the deployed programs and pages use them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sleap_rtc_server::Ports;
use sleap_rtc_wire::record::{Change, RoomRecord};
use sleap_rtc_wire::{RoomId, Time};

use crate::rig::{Account, Installation, Peer, Request, TestServer, eventually, text};

const ROOMS: &str = "/api/auth/rooms";

async fn names(who: &Account, server: &TestServer, query: &str) -> Vec<String> {
    let reply = who.get(server, &format!("{ROOMS}{query}")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["rooms"].as_array().unwrap().iter().map(|room| text(&room["name"])).collect()
}

fn days_from_now(at: &Value) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    (at.as_f64().unwrap() - now) / 86_400.0
}

#[tokio::test]
async fn a_room_is_named_and_lives_thirty_days_or_as_asked() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    for (body, days) in
        [(json!({}), 30.0), (json!({"expires_in_days": 1}), 1.0), (json!({"expires_in_days": 365}), 365.0)]
    {
        let made = ana.post(&server, ROOMS, &body).await.json();
        assert!((days_from_now(&made["expires_at"]) - days).abs() < 0.01, "{body}: {made}");
        assert_eq!(made["name"], Value::Null);
        assert_eq!((text(&made["room_id"]).len(), text(&made["room_token"]).len()), (8, 32));
    }
    let made = ana.post(&server, ROOMS, &json!({"name": "lab", "expires_in_days": null})).await.json();
    assert_eq!((&made["name"], &made["expires_at"]), (&json!("lab"), &Value::Null), "never");
    let made = server.post(ROOMS).bearer(&ana.token).send().await;
    assert_eq!(made.status, 200, "without a body: {made:?}");
    // It is one of those that stay when they are empty, also without a name.
    let id = text(&made.json()["room_id"]);
    assert_eq!(server.shown(&ana.token, &id).await["kind"], "named");
}

#[tokio::test]
async fn terms_that_no_room_is_made_on_are_422_and_say_where() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    for (body, at, kind) in [
        (json!({"expires_in_days": 0}), json!(["body", "expires_in_days"]), "greater_than_equal"),
        (json!({"expires_in_days": 366}), json!(["body", "expires_in_days"]), "less_than_equal"),
        (json!({"expires_in_days": "30"}), json!(["body", "expires_in_days"]), "int_type"),
        (json!({"name": 7}), json!(["body", "name"]), "string_type"),
        (json!({"name": "x".repeat(51)}), json!(["body"]), "value_error"),
    ] {
        let reply = ana.post(&server, ROOMS, &body).await;
        assert_eq!(reply.error(), (422, "INVALID_MESSAGE".to_owned()), "{body}");
        let detail = &reply.json()["detail"][0];
        assert_eq!((&detail["loc"], &detail["type"]), (&at, &json!(kind)), "{body}");
    }
}

#[tokio::test]
async fn a_room_of_an_account_and_one_of_its_computer_are_one_persons() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let computer = ana.computer.sign_in(&server).await;
    let key = ana.key(&server).await;
    let of_account = ana.room(&server, "of the account").await;
    let made = server.post("/create-room").bearer(&computer).json(&json!({"name": "of the computer"})).send().await;
    let of_computer = text(&made.json()["room_id"]);
    for credential in [&ana.token, &computer, &key] {
        for id in [&of_account, &of_computer] {
            assert_eq!(server.shown(credential, id).await["role"], "owner");
            let shown = server.get(&format!("{ROOMS}/{id}")).bearer(credential).send().await;
            assert_eq!((shown.status, &shown.json()["role"]), (200, &json!("owner")), "{shown:?}");
        }
        for path in ["/rooms", ROOMS] {
            let list = server.get(path).bearer(credential).send().await.json();
            let mut ids: Vec<String> =
                list["rooms"].as_array().unwrap().iter().map(|room| text(&room["room_id"])).collect();
            ids.sort();
            let mut both = [of_account.clone(), of_computer.clone()];
            both.sort();
            assert_eq!(ids, both, "{path}");
        }
    }
    // A second room of the computer is the account's to delete, and the other way round.
    assert_eq!(ana.delete(&server, &format!("{ROOMS}/{of_computer}")).await.status, 200);
    let reply = Request::new(server.http, "DELETE", &format!("{ROOMS}/{of_account}")).bearer(&computer).send().await;
    assert_eq!((reply.status, reply.json()), (200, json!({"status": "deleted", "room_id": of_account})));
    assert_eq!(names(&ana, &server, "").await, [""; 0]);
}

#[tokio::test]
async fn rooms_are_listed_as_asked() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    for (name, days) in [("Lab", json!(10)), ("annex", json!(1)), ("basement lab", Value::Null)] {
        let reply = ana.post(&server, ROOMS, &json!({"name": name, "expires_in_days": days})).await;
        assert_eq!(reply.status, 200);
    }
    let theirs = bob.room(&server, "zoo").await;
    ana.joins(&server, &theirs, &bob).await;
    assert_eq!(names(&ana, &server, "").await, ["zoo", "basement lab", "annex", "Lab"], "the last one joined first");
    assert_eq!(names(&ana, &server, "?sort_order=asc").await, ["Lab", "annex", "basement lab", "zoo"]);
    assert_eq!(names(&ana, &server, "?sort_by=name&sort_order=asc").await, ["annex", "basement lab", "Lab", "zoo"]);
    let by_end = names(&ana, &server, "?sort_by=expires_at&sort_order=asc").await;
    assert_eq!(by_end, ["annex", "Lab", "zoo", "basement lab"], "those without an end come last");
    assert_eq!(names(&ana, &server, "?sort_by=expires_at").await[0], "basement lab", "and first the other way round");
    assert_eq!(names(&ana, &server, "?role=member").await, ["zoo"]);
    assert_eq!(names(&ana, &server, "?role=owner&search=LAB&sort_order=asc").await, ["Lab", "basement lab"]);
    assert_eq!(names(&ana, &server, "?sort_by=role&sort_order=asc").await[0], "zoo");
    for (query, name) in [("?role=boss", "role"), ("?sort_by=size", "sort_by"), ("?sort_order=up", "sort_order")] {
        let reply = ana.get(&server, &format!("{ROOMS}{query}")).await;
        assert_eq!(reply.error().0, 422, "{query}");
        assert_eq!(reply.json()["detail"][0]["loc"], json!(["query", name]));
    }
    let list = ana.get(&server, ROOMS).await;
    assert!(!list.body.contains("token"), "a list shows no secrets: {list:?}");
    let zoo = list.json()["rooms"][0].clone();
    assert_eq!((&zoo["role"], &zoo["room_id"]), (&json!("member"), &json!(theirs)));
    assert!(text(&zoo["joined_at"]).ends_with('Z') && zoo["expires_at"].is_u64(), "{zoo}");
}

#[tokio::test]
async fn the_owner_sees_the_password_and_the_members_and_members_see_the_room() {
    let server = TestServer::start().await;
    let (ana, bob, eve) =
        (Account::new(&server, "ana").await, Account::new(&server, "bob").await, Account::new(&server, "eve").await);
    let room = ana.room(&server, "lab").await;
    bob.joins(&server, &room, &ana).await;
    let path = format!("{ROOMS}/{room}");
    let own = ana.get(&server, &path).await.json();
    assert_eq!((&own["name"], &own["role"]), (&json!("lab"), &json!("owner")));
    assert_eq!(text(&own["token"]).len(), 32);
    let members = own["members"].as_array().unwrap();
    let people: Vec<_> = members.iter().map(|one| (text(&one["username"]), text(&one["role"]))).collect();
    assert_eq!(people, [("ana".to_owned(), "owner".to_owned()), ("bob".to_owned(), "member".to_owned())]);
    assert_eq!((&members[1]["user_id"], &own["joined_at"]), (&json!(bob.id), &members[0]["joined_at"]));
    let theirs = bob.get(&server, &path).await.json();
    assert_eq!((&theirs["role"], theirs.get("token"), theirs.get("members")), (&json!("member"), None, None));
    for nowhere in [&path, "/api/auth/rooms/00000000", "/api/auth/rooms/no%20room"] {
        let reply = eve.get(&server, nowhere).await;
        assert_eq!(reply.error(), (404, "ROOM_NOT_FOUND".to_owned()));
        assert_eq!(reply.json()["detail"], "Room not found or you don't have access", "the same for both");
    }
}

#[tokio::test]
async fn the_owner_renames_and_switches() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = ana.room(&server, "lab").await;
    let path = format!("{ROOMS}/{room}");
    let reply = ana.patch(&server, &path, &json!({"name": "the lab"})).await;
    let expected = json!({"room_id": room, "name": "the lab", "mesh": "off", "strict_offers": true});
    assert_eq!((reply.status, reply.json()), (200, expected));
    let reply = ana.patch(&server, &path, &json!({"mesh": "reference"})).await;
    assert_eq!((reply.status, &reply.json()["mesh"]), (200, &json!("reference")));
    let reply = ana.patch(&server, &path, &json!({"strict_offers": false})).await.json();
    assert_eq!((&reply["mesh"], &reply["strict_offers"]), (&json!("reference"), &json!(false)), "one by one");
    assert_eq!(reply["name"], "the lab");
    for body in [
        json!({}),
        json!({"name": ""}),
        json!({"name": "x".repeat(51)}),
        json!({"mesh": "star"}),
        json!({"strict_offers": "yes"}),
    ] {
        assert_eq!(ana.patch(&server, &path, &body).await.error(), (422, "INVALID_MESSAGE".to_owned()), "{body}");
    }
    bob.joins(&server, &room, &ana).await;
    let reply = bob.patch(&server, &path, &json!({"name": "mine"})).await;
    assert_eq!(reply.error(), (403, "FORBIDDEN".to_owned()));
    assert_eq!(reply.json()["detail"], "Only the room owner can update room settings");
    // What was changed is there after a restart.
    let token = ana.token.clone();
    let server = TestServer::on(server.stop().await, |_| {}, |ports| ports).await;
    let shown = server.get(&path).bearer(&token).send().await.json();
    assert_eq!(
        (&shown["name"], &shown["mesh"], &shown["strict_offers"]),
        (&json!("the lab"), &json!("reference"), &json!(false))
    );
}

#[tokio::test]
async fn only_the_owner_deletes_a_room_and_everybody_in_it_is_told() {
    let server = TestServer::start().await;
    let (ana, bob, eve) =
        (Account::new(&server, "ana").await, Account::new(&server, "bob").await, Account::new(&server, "eve").await);
    let room = ana.room(&server, "lab").await;
    bob.joins(&server, &room, &ana).await;
    let mut inside = bob.client(&server, &room, "laptop").await;
    let path = format!("{ROOMS}/{room}");
    let reply = bob.delete(&server, &path).await;
    assert_eq!((reply.error().0, &reply.json()["error"]), (403, &json!("Only the room owner can delete a room")));
    assert_eq!(eve.delete(&server, &path).await.error().0, 404);
    assert_eq!(ana.delete(&server, &path).await.json(), json!({"status": "deleted", "room_id": room}));
    inside.closed().await;
    for who in [&ana, &bob] {
        assert_eq!(who.get(&server, &path).await.error().0, 404);
        assert_eq!(names(who, &server, "").await, [""; 0]);
    }
    assert_eq!(ana.delete(&server, &path).await.error().0, 404);
}

#[tokio::test]
async fn a_room_whose_time_is_over_is_not_listed_unless_somebody_is_in_it() {
    let mut store = None;
    let keep = |ports: Ports| {
        store = Some(ports.store.clone());
        ports
    };
    let server = TestServer::on(Arc::new(tempfile::tempdir().unwrap()), |_| {}, keep).await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "lab").await;
    let store = store.unwrap();
    let record = store.room(&RoomId::new(&room).unwrap()).await.unwrap().unwrap();
    store.apply(vec![Change::PutRoom(RoomRecord { expires_at: Some(Time(1)), ..record })]).await.unwrap();
    assert_eq!(names(&ana, &server, "").await, [""; 0]);
    assert_eq!(ana.get(&server, &format!("{ROOMS}/{room}")).await.error().0, 404);
}

#[tokio::test]
async fn who_goes_with_its_connection_and_the_operator_have_no_such_rooms() {
    let server = TestServer::start().await;
    let guest = server.anonymous().await;
    for credential in [guest.id_token, server.admin_secret()] {
        let reply = server.post(ROOMS).bearer(&credential).send().await;
        assert_eq!(reply.error(), (403, "FORBIDDEN".to_owned()));
        assert_eq!(server.get(ROOMS).bearer(&credential).send().await.status, 403);
    }
    let missing = server.get(ROOMS).send().await;
    assert_eq!(missing.error(), (422, "INVALID_MESSAGE".to_owned()));
    assert_eq!(missing.json()["detail"][0]["loc"], json!(["header", "authorization"]));
    assert_eq!(server.get(ROOMS).bearer("slp_acct_nonsense").send().await.error(), (401, "AUTH_FAILED".to_owned()));
}

#[tokio::test]
async fn one_address_and_one_person_make_so_many_rooms() {
    let server = TestServer::with(|config| {
        config.rates.rooms = 3;
        config.limits.rooms = 2;
    })
    .await;
    let ana = Account::new(&server, "ana").await;
    for status in [200, 200, 409, 429] {
        assert_eq!(ana.post(&server, ROOMS, &json!({})).await.status, status);
    }
}

#[tokio::test]
async fn an_installation_without_an_account_has_rooms_as_well() {
    let server = TestServer::start().await;
    let (who, room) = (Installation::new(), server.room().await);
    let credential = who.sign_in(&server).await;
    let made = server.post(ROOMS).bearer(&credential).json(&json!({"name": "mine"})).send().await.json();
    let _worker = Peer::join(&server, &room, &who, json!({"peer_id": "gpu1", "role": "worker"})).await;
    eventually("both rooms are listed", || async {
        let list = server.get(&format!("{ROOMS}?sort_by=role&sort_order=desc")).bearer(&credential).send().await.json();
        let rooms: Vec<_> = list["rooms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|room| (text(&room["room_id"]), text(&room["role"])))
            .collect();
        rooms == [(text(&made["room_id"]), "owner".to_owned()), (room.id.clone(), "member".to_owned())]
    })
    .await;
}
