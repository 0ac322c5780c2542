//! Keys of accounts and of their computers.

use serde_json::{Value, json};

use crate::rig::{Account, Installation, Request, TestServer, text};

#[tokio::test]
async fn the_key_of_an_account_is_shown_once_and_is_as_good_as_the_account() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let made = ana.post(&server, "/api/auth/account-keys", &json!({"name": "hpc"})).await.json();
    let (secret, id) = (text(&made["key_id"]), text(&made["id"]));
    assert!(secret.starts_with("slp_acct_") && secret.len() == 41 && id.starts_with("key_"), "{made}");
    assert_eq!((&made["name"], &made["expires_at"]), (&json!("hpc"), &Value::Null));
    assert!(text(&made["created_at"]).ends_with('Z'));
    let listed = server.get("/api/auth/account-keys").bearer(&secret).send().await;
    assert_eq!((listed.status, listed.body.contains(&secret)), (200, false), "{listed:?}");
    let key = &listed.json()["keys"][0];
    assert_eq!((&key["key_id"], &key["name"], &key["revoked_at"]), (&json!(id), &json!("hpc"), &Value::Null));
    let account = server.get("/api/auth/account").bearer(&secret).send().await.json();
    assert_eq!(account["user"]["username"], "ana");
}

#[tokio::test]
async fn a_key_is_revoked_by_its_name_or_itself_and_then_forgotten() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let secret = ana.key(&server).await;
    let path = format!("/api/auth/account-keys/{secret}");
    let others = bob.delete(&server, &path).await;
    assert_eq!((others.status, &others.json()["detail"]), (404, &json!("Account key not found")));
    assert_eq!(ana.delete(&server, &path).await.json(), json!({"status": "revoked"}));
    let shown = server.get("/api/auth/account").bearer(&secret).send().await;
    assert_eq!(
        (shown.error(), &shown.json()["detail"]),
        ((401, "AUTH_FAILED".to_owned()), &json!("Account key revoked"))
    );
    let key = ana.get(&server, "/api/auth/account-keys").await.json()["keys"][0].clone();
    assert!(key["revoked_at"].is_string(), "{key}");
    let by_name = format!("/api/auth/account-keys/{}", text(&key["key_id"]));
    assert_eq!(ana.delete(&server, &by_name).await.status, 200);
    assert_eq!(ana.get(&server, "/api/auth/account-keys").await.json(), json!({"keys": []}));
    assert_eq!(ana.delete(&server, &by_name).await.status, 404);
    let unknown = server.get("/api/auth/account").bearer(&secret).send().await;
    assert_eq!(unknown.json()["detail"], "Invalid account key");
}

#[tokio::test]
async fn a_key_may_have_an_end_and_needs_a_name_that_can_be_shown() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let path = "/api/auth/account-keys";
    let made = ana.post(&server, path, &json!({"name": "hpc", "expires_in_days": 7})).await.json();
    assert!(made["expires_at"].is_string(), "{made}");
    for bad in
        [json!({"name": ""}), json!({"name": "a\nb"}), json!({"expires_in_days": 0}), json!({"expires_in_days": 9999})]
    {
        assert_eq!(ana.post(&server, path, &bad).await.error(), (422, "INVALID_MESSAGE".to_owned()), "{bad}");
    }
    assert_eq!(ana.post(&server, path, &json!({})).await.json()["name"], "unnamed");
}

#[tokio::test]
async fn a_public_key_that_is_only_said_gives_the_account_nothing() {
    let server = TestServer::start().await;
    let (ana, victim) = (Account::new(&server, "ana").await, Installation::new());
    let id_token = victim.sign_in(&server).await;
    let made = server.post("/create-room").bearer(&id_token).json(&json!({"name": "theirs"})).send().await.json();
    let room = text(&made["room_id"]);
    let body = json!({"public_key": victim.key(), "device_name": "laptop"});
    let said = ana.post(&server, "/api/auth/public-keys", &body).await.json();
    assert_eq!(
        (&said["public_key"], &said["device_name"], &said["proven"]),
        (&json!(victim.key()), &json!("laptop"), &json!(false))
    );
    assert_eq!(ana.get(&server, &format!("/rooms/{room}")).await.status, 403);
    // Said twice it is still one.
    assert_eq!(ana.post(&server, "/api/auth/public-keys", &body).await.json()["key_id"], said["key_id"]);
    let keys = ana.get(&server, "/api/auth/public-keys").await.json();
    assert_eq!(keys["public_keys"].as_array().unwrap().len(), 2, "the computer that made the account, and this one");
    // Nor does it sign its owner in as her.
    let not_hers = server.post("/api/auth/key-login").bearer(&id_token).send().await;
    assert_eq!(not_hers.error(), (404, "NOT_FOUND".to_owned()));
    let path = format!("/api/auth/public-keys/{}", text(&said["key_id"]));
    assert_eq!(ana.delete(&server, &path).await.json(), json!({"status": "removed"}));
    let gone = ana.delete(&server, &path).await;
    assert_eq!((gone.status, &gone.json()["detail"]), (404, &json!("Public key not found")));
}

#[tokio::test]
async fn an_account_has_so_many_computers() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    for _ in 1..sleap_rtc_wire::limits::DEVICES {
        let body = json!({"public_key": Installation::new().key(), "device_name": "x"});
        assert_eq!(ana.post(&server, "/api/auth/public-keys", &body).await.status, 200);
    }
    let body = json!({"public_key": Installation::new().key(), "device_name": "x"});
    let full = ana.post(&server, "/api/auth/public-keys", &body).await;
    assert_eq!(full.error(), (409, "TOO_LARGE".to_owned()));
    assert!(text(&full.json()["error"]).contains("64"), "the limit is named");
}

#[tokio::test]
async fn keys_are_for_accounts_alone() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "pool").await;
    let (worker, _) = ana.worker_token(&server, &room, "gpu").await;
    let nobody = Installation::new().sign_in(&server).await;
    for path in ["/api/auth/account-keys", "/api/auth/public-keys", "/api/auth/account"] {
        assert_eq!(server.get(path).send().await.status, 422, "{path}: as with the deployed server");
        for (credential, status) in [(&nobody, 403), (&worker, 403), (&"forged".to_owned(), 401)] {
            let reply = Request::new(server.http, "GET", path).bearer(credential).send().await;
            assert_eq!(reply.status, status, "{path} {reply:?}");
        }
    }
}
