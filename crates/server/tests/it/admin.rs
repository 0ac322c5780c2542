//! The operator's calls.

use serde_json::json;

use crate::rig::{Installation, MadeRoom, Peer, Request, TestServer, text};

#[tokio::test]
async fn only_the_secret_of_the_data_folder_opens_them() {
    let server = TestServer::start().await;
    let token = Installation::new().sign_in(&server).await;
    for path in ["/admin/stats", "/admin/rooms"] {
        assert_eq!(server.get(path).send().await.error(), (422, "INVALID_MESSAGE".to_owned()));
        assert_eq!(server.get(path).bearer(&token).send().await.error(), (401, "AUTH_FAILED".to_owned()));
        assert_eq!(server.get(path).bearer(&server.admin_secret()).send().await.status, 200);
    }
}

#[tokio::test]
async fn the_operator_makes_lists_and_deletes_rooms() {
    let server = TestServer::start().await;
    let secret = server.admin_secret();
    let body = json!({"name": "pool", "ttl": "7d"});
    let made = server.post("/admin/rooms").bearer(&secret).json(&body).send().await.json();
    let room = MadeRoom { id: text(&made["room_id"]), token: text(&made["token"]), maker: Installation::new() };
    let _worker = Peer::worker(&server, &room, "gpu1").await;
    let reply = server.get("/admin/rooms").bearer(&secret).send().await;
    assert!(!reply.body.contains(&room.token), "a list shows no secrets");
    let list = reply.json();
    let listed = &list["rooms"][0];
    assert_eq!((&listed["room_id"], &listed["name"]), (&made["room_id"], &json!("pool")));
    assert_eq!((&listed["created_by"], &listed["peers"]), (&json!("operator"), &json!({"worker": 1})));
    let path = format!("/admin/rooms/{}", room.id);
    let deleted = Request::new(server.http, "DELETE", &path).bearer(&secret).send().await;
    assert_eq!(deleted.status, 200);
    let list = server.get("/admin/rooms").bearer(&secret).send().await.json();
    assert_eq!(list["rooms"], json!([]));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_data_folder() {
    use std::os::unix::fs::PermissionsExt;

    let server = TestServer::start().await;
    let data = server.folder.path().join("data");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in ["server.sqlite", "server.key", "admin.secret", "lock"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
}
