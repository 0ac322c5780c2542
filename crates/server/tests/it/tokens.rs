//! Tokens of workers.

use serde_json::{Value, json};

use crate::rig::{Account, Socket, TestServer, text, worker_by};

const TOKEN: &str = "/api/auth/token";
const TOKENS: &str = "/api/auth/tokens";

async fn listed(who: &Account, server: &TestServer, query: &str) -> Vec<Value> {
    let reply = who.get(server, &format!("{TOKENS}{query}")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!reply.body.contains("slp_"), "a list shows no secrets: {}", reply.body);
    reply.json()["tokens"].as_array().unwrap().clone()
}

async fn names(who: &Account, server: &TestServer, query: &str) -> Vec<String> {
    listed(who, server, query).await.iter().map(|one| text(&one["worker_name"])).collect()
}

async fn made(who: &Account, server: &TestServer, body: Value) -> Value {
    let reply = who.post(server, TOKEN, &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

#[tokio::test]
async fn a_token_is_told_once_and_makes_a_worker() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "lab").await;
    let made = made(&ana, &server, json!({"room_id": room, "worker_name": "gpu1"})).await;
    let secret = text(&made["token_id"]);
    assert!(secret.starts_with("slp_") && !secret.starts_with("slp_acct_") && secret.len() == 36, "as deployed ones");
    assert!(text(&made["id"]).starts_with("key_"));
    assert_eq!((&made["room_id"], &made["worker_name"]), (&json!(room), &json!("gpu1")));
    let list = listed(&ana, &server, "").await;
    assert_eq!((&list[0]["token_id"], &list[0]["expires_at"]), (&made["id"], &made["expires_at"]));
    assert_eq!((&list[0]["room_name"], &list[0]["is_active"]), (&json!("lab"), &json!(true)));
    assert_eq!((&list[0]["room_id"], &list[0]["revoked_at"]), (&json!(room), &Value::Null));
    let _worker = worker_by(&server, &secret, "gpu1").await;
    for named in [&secret, &text(&made["id"])] {
        let workers = ana.get(&server, &format!("{TOKENS}/{named}/workers")).await.json();
        assert_eq!((&workers["count"], &workers["workers"][0]["peer_id"]), (&json!(1), &json!("gpu1")));
        assert!(text(&workers["workers"][0]["connected_at"]).ends_with('Z'));
    }
}

#[tokio::test]
async fn a_token_is_good_for_a_week_or_as_asked_under_both_names() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "lab").await;
    let days = |field: Option<(&str, Value)>| {
        let mut body = json!({"room_id": room, "worker_name": "gpu1"});
        if let Some((name, value)) = field {
            body[name] = value;
        }
        body
    };
    let week = made(&ana, &server, days(None)).await["expires_at"].clone();
    let same = made(&ana, &server, days(Some(("expires_days", json!(7))))).await["expires_at"].clone();
    assert_eq!(text(&week)[..10], text(&same)[..10], "the same day");
    let longer = made(&ana, &server, days(Some(("expires_in_days", json!(9))))).await["expires_at"].clone();
    assert!(text(&longer) > text(&week));
    let never = made(&ana, &server, days(Some(("expires_in_days", Value::Null)))).await;
    assert_eq!(never["expires_at"], Value::Null);
    for (field, value) in [("expires_in_days", json!(0)), ("expires_days", json!(-1)), ("expires_days", json!("7"))] {
        let reply = ana.post(&server, TOKEN, &days(Some((field, value.clone())))).await;
        assert_eq!(reply.error().0, 422);
        assert_eq!(reply.json()["detail"][0]["loc"], json!(["body", field]), "{value}");
    }
    for body in
        [json!({"room_id": room}), json!({"worker_name": "gpu1"}), json!({"room_id": room, "worker_name": "\u{7}"})]
    {
        assert_eq!(ana.post(&server, TOKEN, &body).await.error().0, 422, "{body}");
    }
}

#[tokio::test]
async fn tokens_are_listed_as_asked_and_only_ones_own() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let (lab, annex) = (ana.room(&server, "lab").await, ana.room(&server, "annex").await);
    bob.joins(&server, &lab, &ana).await;
    bob.worker_token(&server, &lab, "bobs").await;
    for (room, name, days) in [(&lab, "c", json!(9)), (&annex, "a", Value::Null), (&lab, "B", json!(1))] {
        made(&ana, &server, json!({"room_id": room, "worker_name": name, "expires_in_days": days})).await;
    }
    assert_eq!(names(&ana, &server, "").await, ["B", "a", "c"], "the last one made first");
    assert_eq!(names(&ana, &server, "?sort_by=worker_name&sort_order=asc").await, ["a", "B", "c"]);
    assert_eq!(names(&ana, &server, "?sort_by=expires_at&sort_order=asc").await, ["B", "c", "a"], "never is last");
    assert_eq!(names(&ana, &server, "?sort_by=expires_at&sort_order=desc").await, ["a", "c", "B"], "or first");
    assert_eq!(names(&ana, &server, "?sort_by=room_name&sort_order=asc").await[0], "a");
    let never = listed(&ana, &server, "?sort_by=worker_name&sort_order=asc").await[0].clone();
    assert_eq!(never.get("expires_at"), None, "a deployed program's list breaks off at a null");
    assert_eq!(names(&ana, &server, &format!("?room_id={annex}")).await, ["a"]);
    assert_eq!(names(&bob, &server, "").await, ["bobs"]);
    for query in ["?sort_by=size", "?sort_order=up", "?active_only=perhaps"] {
        assert_eq!(ana.get(&server, &format!("{TOKENS}{query}")).await.error().0, 422, "{query}");
    }
    let id = text(&listed(&ana, &server, &format!("?room_id={annex}")).await[0]["token_id"]);
    ana.delete(&server, &format!("{TOKEN}/{id}")).await;
    assert_eq!(names(&ana, &server, "?active_only=true&sort_order=asc").await, ["c", "B"]);
    let revoked = listed(&ana, &server, &format!("?room_id={annex}")).await;
    assert_eq!(revoked[0]["is_active"], json!(false));
    assert!(text(&revoked[0]["revoked_at"]).ends_with('Z'));
}

#[tokio::test]
async fn a_revoked_tokens_worker_is_out_at_once_and_does_not_come_back() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "lab").await;
    let ((secret, id), (other, _)) =
        (ana.worker_token(&server, &room, "gpu1").await, ana.worker_token(&server, &room, "gpu2").await);
    let mut worker = worker_by(&server, &secret, "gpu1").await;
    let _stays = worker_by(&server, &other, "gpu2").await;
    let reply = ana.delete(&server, &format!("{TOKEN}/{secret}")).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"revoked": true, "token_id": id})));
    worker.closed().await;
    let mut client = ana.client(&server, &room, "ana").await;
    client.send(json!({"type": "discover_peers", "from_peer_id": "ana", "filters": {"role": "worker"}})).await;
    let list = client.expect("peer_list").await;
    assert_eq!((&list["count"], &list["peers"][0]["peer_id"]), (&json!(1), &json!("gpu2")));
    let mut again = Socket::open(server.ws, "/").await;
    again.send(json!({"type": "register", "peer_id": "gpu1", "role": "worker", "api_key": secret})).await;
    assert_eq!(again.error().await.1, "Token revoked");
    let reply = ana.delete(&server, &format!("{TOKEN}/{id}")).await;
    assert_eq!(reply.status, 200, "again, by its public name");
}

#[tokio::test]
async fn a_token_is_deleted_once_it_was_revoked() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "lab").await;
    let (_, id) = ana.worker_token(&server, &room, "gpu1").await;
    let path = format!("{TOKENS}/{id}");
    let reply = ana.delete(&server, &path).await;
    assert_eq!(
        (reply.error().0, &reply.json()["detail"]),
        (400, &json!("Cannot delete active token. Revoke it first."))
    );
    ana.delete(&server, &format!("{TOKEN}/{id}")).await;
    let reply = ana.delete(&server, &path).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"deleted": id})));
    for (method, path) in
        [("DELETE", path.clone()), ("DELETE", format!("{TOKEN}/{id}")), ("GET", format!("{path}/workers"))]
    {
        let reply = crate::rig::Request::new(server.http, method, &path).bearer(&ana.token).send().await;
        assert_eq!(
            (reply.error(), &reply.json()["detail"]),
            ((404, "NOT_FOUND".to_owned()), &json!("Token not found"))
        );
    }
    let key = ana.key(&server).await;
    assert_eq!(ana.delete(&server, &format!("{TOKEN}/{key}")).await.error().0, 404, "the key of an account is none");
    assert_eq!(ana.delete(&server, &format!("{TOKEN}/no%20token")).await.error().0, 404);
}

#[tokio::test]
async fn the_rooms_owner_manages_what_members_made_and_they_not_the_owners() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = ana.room(&server, "lab").await;
    bob.joins(&server, &room, &ana).await;
    let (_, theirs) = bob.worker_token(&server, &room, "bobs").await;
    let (_, mine) = ana.worker_token(&server, &room, "anas").await;
    for path in [format!("{TOKEN}/{mine}"), format!("{TOKENS}/{mine}")] {
        let reply = bob.delete(&server, &path).await;
        assert_eq!((reply.error().0, &reply.json()["detail"]), (403, &json!("You don't own this token")));
    }
    assert_eq!(bob.get(&server, &format!("{TOKENS}/{mine}/workers")).await.error().0, 403);
    assert_eq!(ana.delete(&server, &format!("{TOKEN}/{theirs}")).await.status, 200);
    assert_eq!(ana.delete(&server, TOKENS).await.json(), json!({"deleted_count": 1}));
    assert_eq!(names(&bob, &server, "").await, [""; 0]);
    let eve = Account::new(&server, "eve").await;
    for room in [&room, "00000000", "no room"] {
        let reply = eve.post(&server, TOKEN, &json!({"room_id": room, "worker_name": "gpu1"})).await;
        assert_eq!((reply.error().0, &reply.json()["detail"]), (403, &json!("You don't have access to this room")));
    }
}

#[tokio::test]
async fn all_that_have_ended_are_deleted_at_once_in_one_room_or_all() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let (lab, annex) = (ana.room(&server, "lab").await, ana.room(&server, "annex").await);
    for room in [&lab, &annex, &annex] {
        let (_, id) = ana.worker_token(&server, room, "old").await;
        ana.delete(&server, &format!("{TOKEN}/{id}")).await;
    }
    ana.worker_token(&server, &lab, "good").await;
    ana.key(&server).await;
    assert_eq!(ana.delete(&server, &format!("{TOKENS}?room_id={lab}")).await.json(), json!({"deleted_count": 1}));
    assert_eq!(ana.delete(&server, &format!("{TOKENS}?room_id=nowhere")).await.json(), json!({"deleted_count": 0}));
    assert_eq!(ana.delete(&server, TOKENS).await.json(), json!({"deleted_count": 2}));
    assert_eq!(names(&ana, &server, "").await, ["good"]);
    assert_eq!(ana.get(&server, "/api/auth/account-keys").await.json()["keys"].as_array().unwrap().len(), 1);
}
