//! Accounts: a name for a person and its computers.

use serde_json::json;

use crate::rig::{Account, Installation, MadeRoom, Peer, Request, TestServer, text};

#[tokio::test]
async fn a_computer_makes_an_account_and_is_signed_in_by_its_key_from_then_on() {
    let server = TestServer::start().await;
    let computer = Installation::new();
    let id_token = computer.sign_in(&server).await;
    let none = server.post("/api/auth/key-login").bearer(&id_token).send().await;
    assert_eq!(none.error(), (404, "NOT_FOUND".to_owned()));
    let body = json!({"username": "ana", "device_name": "laptop"});
    let made = server.post("/api/auth/account").bearer(&id_token).json(&body).send().await.json();
    let user = &made["user"];
    assert_eq!((&user["username"], &user["id"]), (&json!("ana"), &user["user_id"]));
    assert!(
        text(&user["id"]).starts_with("u_") && text(&user["id"]).len() == 18 && made.get("account_key").is_none(),
        "{made}"
    );
    let again = server.post("/api/auth/key-login").bearer(&computer.sign_in(&server).await).send().await.json();
    assert_eq!(again["user"], *user);
    let account = server.get("/api/auth/account").bearer(&text(&again["token"])).send().await.json();
    let device = &account["devices"][0];
    assert_eq!((&device["device_name"], &device["proven"]), (&json!("laptop"), &json!(true)));
    assert_eq!(device["public_key"], json!(computer.key()));
    // It has one account.
    let second = server.post("/api/auth/account").bearer(&id_token).json(&json!({"username": "eve"})).send().await;
    assert_eq!(second.error(), (409, "CONFLICT".to_owned()));
}

#[tokio::test]
async fn a_name_is_taken_in_whatever_case_and_must_be_a_word() {
    let server = TestServer::start().await;
    Account::new(&server, "Ana").await;
    let make = async |name: &str| {
        let id_token = Installation::new().sign_in(&server).await;
        server.post("/api/auth/account").bearer(&id_token).json(&json!({"username": name})).send().await
    };
    assert_eq!(make("aNA").await.error(), (409, "CONFLICT".to_owned()));
    for name in ["", "a b", "<b>", "..", &"a".repeat(40)] {
        assert_eq!(make(name).await.error(), (422, "INVALID_MESSAGE".to_owned()), "{name}");
    }
}

#[tokio::test]
async fn another_computer_is_attached_by_showing_its_key() {
    let server = TestServer::start().await;
    let (ana, second) = (Account::new(&server, "ana").await, Installation::new());
    let room = ana.room(&server, "pool").await;
    let id_token = second.sign_in(&server).await;
    assert_eq!(server.get(&format!("/rooms/{room}")).bearer(&id_token).send().await.status, 403);
    let body = json!({"id_token": id_token, "device_name": "desk"});
    let device = ana.post(&server, "/api/auth/device", &body).await.json();
    assert_eq!((&device["proven"], &device["public_key"]), (&json!(true), &json!(second.key())));
    // What belongs to one of them belongs to the person.
    assert_eq!(server.get(&format!("/rooms/{room}")).bearer(&id_token).send().await.status, 200);
    let theirs = server.post("/create-room").bearer(&id_token).json(&json!({"name": "desk"})).send().await.json();
    for credential in [ana.token.clone(), ana.computer.sign_in(&server).await] {
        let rooms = server.get("/rooms").bearer(&credential).send().await;
        assert!(rooms.body.contains(&room) && rooms.body.contains(&text(&theirs["room_id"])), "{rooms:?}");
    }
    // Only who has the key can show it, and only the key of a computer can be attached.
    for shown in [&ana.token, &server.anonymous().await.id_token] {
        let body = json!({"id_token": shown, "device_name": "x"});
        assert_eq!(ana.post(&server, "/api/auth/device", &body).await.status, 403);
    }
}

#[tokio::test]
async fn an_accounts_own_token_makes_no_accounts_and_does_not_renew_itself() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let anonymous = server.anonymous().await.id_token;
    for credential in [&ana.token, &ana.key(&server).await, &anonymous] {
        let made = server.post("/api/auth/account").bearer(credential).json(&json!({"username": "eve"})).send().await;
        assert_eq!(made.error(), (403, "FORBIDDEN".to_owned()));
        assert_eq!(server.post("/api/auth/key-login").bearer(credential).send().await.status, 403);
    }
}

#[tokio::test]
async fn accounts_of_one_address_are_limited() {
    let server = TestServer::with(|config| config.rates.accounts = 1).await;
    Account::new(&server, "ana").await;
    let id_token = Installation::new().sign_in(&server).await;
    let second = server.post("/api/auth/account").bearer(&id_token).json(&json!({"username": "bob"})).send().await;
    assert_eq!(second.error(), (429, "RATE_LIMITED".to_owned()));
}

#[tokio::test]
async fn the_operator_makes_an_account_for_somebody_else_and_lists_all() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let operator = server.admin_secret();
    let made = server.post("/admin/accounts").bearer(&operator).json(&json!({"username": "bob"})).send().await.json();
    let key = text(&made["account_key"]);
    let account = server.get("/api/auth/account").bearer(&key).send().await.json();
    assert_eq!((&account["user"]["username"], &account["devices"]), (&json!("bob"), &json!([])));
    let listed = server.get("/admin/accounts").bearer(&operator).send().await;
    let names: Vec<_> =
        listed.json()["accounts"].as_array().unwrap().iter().map(|one| text(&one["user"]["username"])).collect();
    assert!(names.len() == 2 && names.contains(&"ana".to_owned()) && names.contains(&"bob".to_owned()));
    assert!(!listed.body.contains(&key));
    for credential in [&ana.token, &key] {
        assert_eq!(server.get("/admin/accounts").bearer(credential).send().await.status, 401);
        let made = server.post("/admin/accounts").bearer(credential).json(&json!({"username": "eve"})).send().await;
        assert_eq!(made.status, 401);
    }
}

#[tokio::test]
async fn a_computer_that_asks_twice_at_once_makes_one_account() {
    let server = TestServer::start().await;
    let id_token = Installation::new().sign_in(&server).await;
    let make = |n: usize| {
        let body = json!({"username": format!("ana{n}")});
        server.post("/api/auth/account").bearer(&id_token).json(&body).send()
    };
    let replies = futures_util::future::join_all((0..8).map(make)).await;
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn a_computer_that_goes_to_another_account_takes_nothing_with_it() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let key = ana.key(&server).await;
    let made = ana.post(&server, "/api/auth/rooms", &json!({"name": "lab"})).await.json();
    let room = MadeRoom { id: text(&made["room_id"]), token: text(&made["room_token"]), maker: ana.computer.clone() };
    let fields = json!({"peer_id": "gpu1", "role": "worker"});
    let mut worker = Peer::join(&server, &room, &ana.computer, fields).await;
    let own = server.post("/create-room").bearer(&ana.computer.sign_in(&server).await).json(&json!({"name": "own"}));
    let own = text(&own.send().await.json()["room_id"]);
    let body = json!({"id_token": ana.computer.sign_in(&server).await, "device_name": "desk"});
    assert_eq!(bob.post(&server, "/api/auth/device", &body).await.status, 200);
    // It was in her room by her account, and is there no more; what it made itself is its own.
    worker.socket.closed().await;
    for credential in [&bob.token, &ana.computer.sign_in(&server).await] {
        let seen = |room: &str| server.get(&format!("/api/auth/rooms/{room}")).bearer(credential).send();
        assert_eq!([seen(&room.id).await.status, seen(&own).await.status], [404, 200]);
    }
    let hers = server.get(&format!("/api/auth/rooms/{}", room.id)).bearer(&key).send().await;
    assert_eq!(hers.status, 200);
}

/// On 401 programs throw away the credential that they called with.
#[tokio::test]
async fn another_computers_bad_token_is_not_blamed_on_the_caller() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let body = json!({"id_token": "forged", "device_name": "x"});
    assert_eq!(ana.post(&server, "/api/auth/device", &body).await.error(), (403, "AUTH_FAILED".to_owned()));
}

#[tokio::test]
async fn a_token_that_a_computer_was_given_ends_with_its_place_in_the_account() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let key = ana.key(&server).await;
    let login = server.post("/api/auth/key-login").bearer(&ana.computer.sign_in(&server).await).send().await;
    let device = ana.get(&server, "/api/auth/account").await.json()["devices"][0]["key_id"].clone();
    let path = format!("/api/auth/public-keys/{}", text(&device));
    assert_eq!(Request::new(server.http, "DELETE", &path).bearer(&key).send().await.status, 200);
    for token in [&ana.token, &text(&login.json()["token"])] {
        let shown = server.get("/api/auth/account-keys").bearer(token).send().await;
        assert_eq!(shown.error(), (401, "AUTH_FAILED".to_owned()));
    }
    assert_eq!(
        server.get("/api/auth/account").bearer(&key).send().await.status,
        200,
        "by something else it is as it was"
    );
}
