use serde_json::{Value, json};

use super::http::Reply;
use super::server::text;
use super::{Installation, Request, Socket, TestServer};

/// A person with a name, by its own token, and the computer with which it was made.
pub(crate) struct Account {
    pub(crate) token: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) computer: Installation,
}

impl Account {
    pub(crate) async fn new(server: &TestServer, name: &str) -> Self {
        let computer = Installation::new();
        let id_token = computer.sign_in(server).await;
        let reply = server.post("/api/auth/account").bearer(&id_token).json(&json!({"username": name})).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let made = reply.json();
        let (token, id) = (text(&made["token"]), text(&made["user"]["id"]));
        Self { token, id, name: name.to_owned(), computer }
    }

    /// A fresh key of it.
    pub(crate) async fn key(&self, server: &TestServer) -> String {
        let reply = self.post(server, "/api/auth/account-keys", &json!({"name": "hpc"})).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        text(&reply.json()["key_id"])
    }

    pub(crate) async fn get(&self, server: &TestServer, path: &str) -> Reply {
        server.get(path).bearer(&self.token).send().await
    }

    pub(crate) async fn post(&self, server: &TestServer, path: &str, body: &Value) -> Reply {
        server.post(path).bearer(&self.token).json(body).send().await
    }

    pub(crate) async fn patch(&self, server: &TestServer, path: &str, body: &Value) -> Reply {
        Request::new(server.http, "PATCH", path).bearer(&self.token).json(body).send().await
    }

    pub(crate) async fn delete(&self, server: &TestServer, path: &str) -> Reply {
        Request::new(server.http, "DELETE", path).bearer(&self.token).send().await
    }

    /// The id of a new room of it.
    pub(crate) async fn room(&self, server: &TestServer, name: &str) -> String {
        let reply = self.post(server, "/api/auth/rooms", &json!({"name": name})).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        text(&reply.json()["room_id"])
    }

    /// Becomes a member of another's room.
    pub(crate) async fn joins(&self, server: &TestServer, room: &str, owner: &Self) {
        let invited = owner.post(server, &format!("/api/auth/rooms/{room}/invite"), &json!({})).await.json();
        let body = json!({"invite_code": invited["invite_code"]});
        let reply = self.post(server, "/api/auth/rooms/join", &body).await;
        assert_eq!((reply.status, &reply.json()["message"]), (200, &json!("Joined successfully")), "{reply:?}");
    }

    /// A token for a worker: the secret, and its public name.
    pub(crate) async fn worker_token(&self, server: &TestServer, room: &str, name: &str) -> (String, String) {
        let made = self.post(server, "/api/auth/token", &json!({"room_id": room, "worker_name": name})).await;
        assert_eq!(made.status, 200, "{made:?}");
        let made = made.json();
        (text(&made["token_id"]), text(&made["id"]))
    }

    /// A connection of it as a client, by its token, as the deployed programs do.
    pub(crate) async fn client(&self, server: &TestServer, room: &str, id: &str) -> Socket {
        let frame = json!({"type": "register", "room_id": room, "peer_id": id, "role": "client", "jwt": self.token});
        registered(server, frame).await
    }
}

/// A worker that came in by its token, as the deployed programs do.
pub(crate) async fn worker_by(server: &TestServer, token: &str, id: &str) -> Socket {
    let metadata = json!({"tags": ["sleap-rtc"], "properties": {"status": "available", "gpu_memory_mb": 24576}});
    let frame = json!({"type": "register", "peer_id": id, "role": "worker", "api_key": token, "metadata": metadata});
    registered(server, frame).await
}

async fn registered(server: &TestServer, frame: Value) -> Socket {
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(frame).await;
    socket.expect("registered_auth").await;
    socket
}
