//! What the workers of a room ask for: whom they let in; and who asks for them.

use serde_json::{Value, json};
use sleap_rtc_wire::PublicKey;

use crate::rig::{Account, Installation, MadeRoom, Peer, TestServer, text, worker_by};

fn rows(list: &Value) -> Vec<(String, String, String)> {
    let keys = list["authorized_keys"].as_array().unwrap();
    let mut rows: Vec<_> =
        keys.iter().map(|key| (text(&key["user_id"]), text(&key["username"]), text(&key["public_key"]))).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn a_worker_asks_by_its_own_token_for_the_keys_of_all_members() {
    let server = TestServer::start().await;
    let (ana, bob, eve) =
        (Account::new(&server, "ana").await, Account::new(&server, "bob").await, Account::new(&server, "eve").await);
    let room = ana.room(&server, "lab").await;
    bob.joins(&server, &room, &ana).await;
    // A deployed program of bob's says that it has this one.
    let said = PublicKey([9; 32]);
    let reply = bob.post(&server, "/api/auth/public-keys", &json!({"public_key": said, "device_name": "laptop"})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let made = ana.get(&server, &format!("/api/auth/rooms/{room}")).await.json();
    let made = MadeRoom { id: room.clone(), token: text(&made["token"]), maker: ana.computer.clone() };
    let lone = Installation::new();
    let _lone = Peer::join(&server, &made, &lone, json!({"peer_id": "laptop", "role": "client"})).await;
    let (token, _) = ana.worker_token(&server, &room, "gpu1").await;
    let path = format!("/api/rooms/{room}/authorized-keys");
    let key = |who: &Account, key: PublicKey| (who.id.clone(), who.name.clone(), key.to_string());
    let itself = lone.key().member().to_string();
    let mut expected = [
        key(&ana, ana.computer.key()),
        key(&bob, bob.computer.key()),
        key(&bob, said),
        (itself.clone(), itself, lone.key().to_string()),
    ];
    expected.sort();
    for credential in [token.clone(), ana.token.clone(), bob.key(&server).await, lone.sign_in(&server).await] {
        let reply = server.get(&path).bearer(&credential).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(rows(&reply.json()), expected);
        let all_fields = reply.json()["authorized_keys"]
            .as_array()
            .unwrap()
            .iter()
            .all(|key| key["key_id"].is_string() && key["device_name"].is_string());
        assert!(all_fields, "{reply:?}");
    }
    let reply = server.get(&path).bearer(&eve.token).send().await;
    assert_eq!((reply.error().0, &reply.json()["detail"]), (404, &json!("Room not found or you don't have access")));
    let (foreign, _) = eve.worker_token(&server, &eve.room(&server, "other").await, "gpu9").await;
    assert_eq!(server.get(&path).bearer(&foreign).send().await.error().0, 404, "another room's token");
    // Who leaves the room is let in no longer.
    bob.delete(&server, &format!("/api/auth/rooms/{room}/members/{}", bob.id)).await;
    let left = server.get(&path).bearer(&token).send().await.json();
    assert!(rows(&left).iter().all(|(who, _, _)| *who != bob.id), "{left}");
}

#[tokio::test]
async fn a_bad_credential_is_401_and_a_fault_of_ours_is_not() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "lab").await;
    let path = format!("/api/rooms/{room}/authorized-keys");
    let (token, id) = ana.worker_token(&server, &room, "gpu1").await;
    ana.delete(&server, &format!("/api/auth/token/{id}")).await;
    // What a deployed worker without a key sends: nothing behind the word.
    for credential in ["", "slp_nonsense", "slp_acct_nonsense", "nonsense", &id, &token] {
        let reply = server.get(&path).bearer(credential).send().await;
        assert_eq!(reply.error(), (401, "AUTH_FAILED".to_owned()), "{credential:?}");
    }
    assert_eq!(server.get(&path).send().await.error().0, 422);
}

#[tokio::test]
async fn members_see_the_workers_with_what_they_say_and_by_what_they_came() {
    let server = TestServer::start().await;
    let (ana, eve) = (Account::new(&server, "ana").await, Account::new(&server, "eve").await);
    let room = ana.room(&server, "lab").await;
    let path = format!("/api/rooms/{room}/workers");
    assert_eq!(ana.get(&server, &path).await.json(), json!({"workers": [], "count": 0}));
    let (token, id) = ana.worker_token(&server, &room, "the big one").await;
    let _by_token = worker_by(&server, &token, "gpu1").await;
    let key = ana.key(&server).await;
    let mut by_key = crate::rig::Socket::open(server.ws, "/").await;
    let properties =
        json!({"status": "available", "worker_name": "small", "mounts": [{"path": "/data", "label": "data"}]});
    let frame = json!({
        "type": "register", "room_id": room, "peer_id": "gpu2", "role": "worker", "api_key": key,
        "metadata": {"tags": [], "properties": properties},
    });
    by_key.send(frame).await;
    by_key.expect("registered_auth").await;
    let _client = ana.client(&server, &room, "laptop").await;
    let list = ana.get(&server, &path).await;
    assert!(!list.body.contains("slp_"), "no secrets: {list:?}");
    let list = list.json();
    assert_eq!(list["count"], 2);
    let (first, second) = (&list["workers"][0], &list["workers"][1]);
    assert_eq!((&first["peer_id"], &first["token_id"]), (&json!("gpu1"), &json!(id)));
    assert_eq!((&first["worker_name"], &first["account_key_id"]), (&json!("the big one"), &Value::Null));
    assert_eq!(first["properties"]["gpu_memory_mb"], json!(24576));
    assert!(text(&first["connected_at"]).ends_with('Z'));
    assert_eq!((&second["peer_id"], &second["token_id"]), (&json!("gpu2"), &Value::Null));
    assert!(text(&second["account_key_id"]).starts_with("key_"));
    assert_eq!(
        (&second["worker_name"], &second["properties"]["mounts"][0]["label"]),
        (&json!("small"), &json!("data"))
    );
    for room in [&room, "00000000"] {
        let reply = eve.get(&server, &format!("/api/rooms/{room}/workers")).await;
        assert_eq!(
            (reply.error(), &reply.json()["detail"]),
            ((403, "FORBIDDEN".to_owned()), &json!("No access to this room"))
        );
    }
}
