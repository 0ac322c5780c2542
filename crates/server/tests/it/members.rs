//! Who belongs to a room, and who does no longer.

use serde_json::{Value, json};

use crate::rig::{Account, Installation, MadeRoom, Peer, Request, Socket, TestServer, eventually, text, worker_by};

async fn members(who: &Account, server: &TestServer, room: &str) -> Vec<Value> {
    let reply = who.get(server, &format!("/api/auth/rooms/{room}/members")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["members"].as_array().unwrap().clone()
}

async fn made(who: &Account, server: &TestServer, name: &str) -> MadeRoom {
    let made = who.post(server, "/api/auth/rooms", &json!({"name": name})).await.json();
    MadeRoom { id: text(&made["room_id"]), token: text(&made["room_token"]), maker: who.computer.clone() }
}

#[tokio::test]
async fn a_person_is_listed_once_whichever_of_its_names_came_in() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = made(&ana, &server, "lab").await;
    let _computer = Peer::join(&server, &room, &bob.computer, json!({"peer_id": "bobs", "role": "client"})).await;
    bob.joins_or_is(&server, &room.id, &ana).await;
    let lone = Installation::new();
    let _lone = Peer::join(&server, &room, &lone, json!({"peer_id": "gpu1", "role": "worker"})).await;
    let list = members(&bob, &server, &room.id).await;
    let rows: Vec<_> =
        list.iter().map(|one| (text(&one["user_id"]), text(&one["username"]), text(&one["role"]))).collect();
    let key = lone.key().member().to_string();
    let row = |id: &str, name: &str, role: &str| (id.to_owned(), name.to_owned(), role.to_owned());
    assert_eq!(rows, [row(&ana.id, "ana", "owner"), row(&bob.id, "bob", "member"), row(&key, &key, "member")]);
    assert!(list.iter().all(|one| text(&one["joined_at"]).ends_with('Z') && one["avatar_url"].is_null()));
    let eve = Account::new(&server, "eve").await;
    let reply = eve.get(&server, &format!("/api/auth/rooms/{}/members", room.id)).await;
    assert_eq!((reply.error().0, &reply.json()["detail"]), (404, &json!("Room not found or you don't have access")));
}

#[tokio::test]
async fn a_removed_member_is_out_at_once_under_all_its_names() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = made(&ana, &server, "lab").await;
    bob.joins(&server, &room.id, &ana).await;
    let mut by_account = bob.client(&server, &room.id, "bob").await;
    let mut computer = Peer::join(&server, &room, &bob.computer, json!({"peer_id": "gpu1", "role": "worker"})).await;
    let (token, _) = bob.worker_token(&server, &room.id, "gpu2").await;
    let mut worker = worker_by(&server, &token, "gpu2").await;
    let mut owner = ana.client(&server, &room.id, "ana").await;
    let path = format!("/api/auth/rooms/{}/members/{}", room.id, bob.id);
    let reply = ana.delete(&server, &path).await;
    assert_eq!(
        (reply.status, reply.json()),
        (200, json!({"status": "removed", "room_id": room.id, "user_id": bob.id}))
    );
    for socket in [&mut by_account, &mut computer.socket, &mut worker] {
        socket.closed().await;
    }
    owner.send(json!({"type": "discover_peers", "from_peer_id": "ana", "filters": {}})).await;
    assert_eq!(owner.expect("peer_list").await["count"], 0, "nobody of them is left");
    assert_eq!(members(&ana, &server, &room.id).await.len(), 1);
    // Neither account nor the token that it made opens the room again.
    let mut again = Socket::open(server.ws, "/").await;
    again
        .send(json!({"type": "register", "room_id": room.id, "peer_id": "bob", "role": "client", "jwt": bob.token}))
        .await;
    assert_eq!(again.error().await.1, "No access to this room");
    again.send(json!({"type": "register", "peer_id": "gpu2", "role": "worker", "api_key": token})).await;
    assert_eq!(again.error().await.1, "Token revoked");
    assert_eq!(bob.get(&server, &format!("/api/auth/rooms/{}", room.id)).await.error().0, 404);
}

#[tokio::test]
async fn everybody_but_the_owner_may_leave() {
    let server = TestServer::start().await;
    let (ana, bob, cy) =
        (Account::new(&server, "ana").await, Account::new(&server, "bob").await, Account::new(&server, "cy").await);
    let room = ana.room(&server, "lab").await;
    bob.joins(&server, &room, &ana).await;
    cy.joins(&server, &room, &ana).await;
    let of = |who: &str| format!("/api/auth/rooms/{room}/members/{who}");
    let reply = bob.delete(&server, &of(&cy.id)).await;
    assert_eq!(reply.error(), (403, "FORBIDDEN".to_owned()));
    // By the account or by its computer: it is the same person.
    let key = bob.computer.key().member().to_string();
    let reply = bob.delete(&server, &of(&key)).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"status": "left", "room_id": room})));
    let computer = cy.computer.sign_in(&server).await;
    let reply = Request::new(server.http, "DELETE", &of(&cy.id)).bearer(&computer).send().await;
    assert_eq!(reply.json(), json!({"status": "left", "room_id": room}));
    let reply = ana.delete(&server, &of(&ana.id)).await;
    assert_eq!(reply.error().0, 400, "a room has an owner: {reply:?}");
    for nobody in [&bob.id, "u_nobody", "no%20member"] {
        let reply = ana.delete(&server, &of(nobody)).await;
        assert_eq!((reply.error().0, &reply.json()["detail"]), (404, &json!("User is not a member of this room")));
    }
    assert_eq!(bob.delete(&server, &of(&ana.id)).await.error().0, 404, "who has left does not know the room");
}

#[tokio::test]
async fn a_removed_members_place_in_line_and_its_claim_are_given_back() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = made(&ana, &server, "lab").await;
    bob.joins(&server, &room.id, &ana).await;
    let _worker = Peer::worker(&server, &room, "gpu1").await;
    let mut theirs = Peer::join(&server, &room, &bob.computer, json!({"peer_id": "bob", "role": "client"})).await;
    let claim = |id: &str, wait: u64| json!({"type": "claim", "request_id": id, "filters": {"role": "worker"}, "job_id": id, "wait_ms": wait});
    theirs.socket.send(claim("r1", 0)).await;
    theirs.socket.expect("claimed").await;
    let mut mine = Peer::join(&server, &room, &ana.computer, json!({"peer_id": "ana", "role": "client"})).await;
    mine.socket.send(claim("r2", 60_000)).await;
    mine.socket.expect("claim_waiting").await;
    ana.delete(&server, &format!("/api/auth/rooms/{}/members/{}", room.id, bob.id)).await;
    eventually("the next one in line has it", || async {
        server.shown(&ana.token, &room.id).await["waiting"] == json!(0)
    })
    .await;
    mine.socket.expect("claimed").await;
}

impl Account {
    /// A member by an invite, who may be one already.
    async fn joins_or_is(&self, server: &TestServer, room: &str, owner: &Self) {
        let invited = owner.post(server, &format!("/api/auth/rooms/{room}/invite"), &json!({})).await.json();
        let body = json!({"invite_code": invited["invite_code"]});
        assert_eq!(self.post(server, "/api/auth/rooms/join", &body).await.json()["message"], "Already a member");
    }
}

#[tokio::test]
async fn a_removed_member_does_not_come_back_by_the_code_that_it_had() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = ana.room(&server, "lab").await;
    let invited = ana.post(&server, &format!("/api/auth/rooms/{room}/invite"), &json!({})).await.json();
    let join = || bob.post(&server, "/api/auth/rooms/join", &invited);
    assert_eq!(join().await.status, 200);
    // Who leaves may change their mind.
    let own = format!("/api/auth/rooms/{room}/members/{}", bob.id);
    assert_eq!(bob.delete(&server, &own).await.status, 200);
    assert_eq!(join().await.status, 200);
    assert_eq!(ana.delete(&server, &own).await.status, 200);
    let refused = join().await;
    assert_eq!((refused.status, &refused.json()["detail"]), (400, &json!("Invalid invite code")));
}
