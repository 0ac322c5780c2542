//! A store that does not answer: what is refused, what goes on, and that nothing is confirmed that is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use sleap_rtc_server::Ports;
use sleap_rtc_store::{ExpiredAfter, IdentityAfter, Store, StoreError};
use sleap_rtc_wire::record::{
    AccountRecord, ApiKeyRecord, Change, DeviceKeyRecord, IdentityKind, IdentityRecord, InviteRecord, MembershipRecord,
    RoomRecord, WorkerRecord,
};
use sleap_rtc_wire::{ApiKey, KeyId, MemberId, PublicKey, RoomId, Time};
use tokio::sync::oneshot;

use crate::rig::{Account, Peer, Request, Socket, TestServer, register};

/// A store behind a wire that can be cut. Reads that decide go through it as well.
struct Cuttable {
    inner: Arc<dyn Store>,
    cut: Arc<AtomicBool>,
    delay: Delay,
}

/// What delays the next answer about a membership: told when it is known, and waited for before it is given.
type Delay = Arc<Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>>;

impl Cuttable {
    fn check(&self) -> Result<(), StoreError> {
        if self.cut.load(Ordering::SeqCst) { Err(StoreError::Unavailable("cut".to_owned())) } else { Ok(()) }
    }
}

#[async_trait::async_trait]
impl Store for Cuttable {
    async fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        self.check()?;
        self.inner.room(room).await
    }

    async fn rooms(&self, after: Option<&RoomId>, limit: usize) -> Result<Vec<RoomRecord>, StoreError> {
        self.check()?;
        self.inner.rooms(after, limit).await
    }

    async fn expired_rooms(
        &self,
        now: Time,
        after: Option<&ExpiredAfter>,
        limit: usize,
    ) -> Result<Vec<RoomRecord>, StoreError> {
        self.check()?;
        self.inner.expired_rooms(now, after, limit).await
    }

    async fn membership(&self, room: &RoomId, member: &MemberId) -> Result<Option<MembershipRecord>, StoreError> {
        self.check()?;
        let found = self.inner.membership(room, member).await;
        let delay = self.delay.lock().unwrap().take();
        if let Some((known, give)) = delay {
            known.send(()).unwrap();
            give.await.unwrap();
        }
        found
    }

    async fn members(&self, room: &RoomId) -> Result<Vec<MembershipRecord>, StoreError> {
        self.check()?;
        self.inner.members(room).await
    }

    async fn memberships(&self, member: &MemberId) -> Result<Vec<MembershipRecord>, StoreError> {
        self.check()?;
        self.inner.memberships(member).await
    }

    async fn workers(&self, room: &RoomId) -> Result<Vec<WorkerRecord>, StoreError> {
        self.check()?;
        self.inner.workers(room).await
    }

    async fn identity(&self, member: &MemberId) -> Result<Option<IdentityRecord>, StoreError> {
        self.check()?;
        self.inner.identity(member).await
    }

    async fn identities_before(
        &self,
        kind: IdentityKind,
        before: Time,
        after: Option<&IdentityAfter>,
        limit: usize,
    ) -> Result<Vec<IdentityRecord>, StoreError> {
        self.check()?;
        self.inner.identities_before(kind, before, after, limit).await
    }

    async fn account(&self, member: &MemberId) -> Result<Option<AccountRecord>, StoreError> {
        self.check()?;
        self.inner.account(member).await
    }

    async fn accounts(&self, after: Option<&MemberId>, limit: usize) -> Result<Vec<AccountRecord>, StoreError> {
        self.check()?;
        self.inner.accounts(after, limit).await
    }

    async fn account_named(&self, username: &str) -> Result<Option<AccountRecord>, StoreError> {
        self.check()?;
        self.inner.account_named(username).await
    }

    async fn api_key(&self, shown: &ApiKey) -> Result<Option<ApiKeyRecord>, StoreError> {
        self.check()?;
        self.inner.api_key(shown).await
    }

    async fn api_key_named(&self, id: &KeyId) -> Result<Option<ApiKeyRecord>, StoreError> {
        self.check()?;
        self.inner.api_key_named(id).await
    }

    async fn api_keys_of(&self, owner: &MemberId) -> Result<Vec<ApiKeyRecord>, StoreError> {
        self.check()?;
        self.inner.api_keys_of(owner).await
    }

    async fn api_keys_for(&self, room: &RoomId) -> Result<Vec<ApiKeyRecord>, StoreError> {
        self.check()?;
        self.inner.api_keys_for(room).await
    }

    async fn device_key(&self, key: &PublicKey) -> Result<Option<DeviceKeyRecord>, StoreError> {
        self.check()?;
        self.inner.device_key(key).await
    }

    async fn device_keys_of(&self, account: &MemberId) -> Result<Vec<DeviceKeyRecord>, StoreError> {
        self.check()?;
        self.inner.device_keys_of(account).await
    }

    async fn invite(&self, code: &str) -> Result<Option<InviteRecord>, StoreError> {
        self.check()?;
        self.inner.invite(code).await
    }

    async fn invites_of(&self, room: &RoomId) -> Result<Vec<InviteRecord>, StoreError> {
        self.check()?;
        self.inner.invites_of(room).await
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.check()?;
        self.inner.apply(changes).await
    }
}

async fn cuttable() -> (TestServer, Arc<AtomicBool>) {
    let (server, cut, _) = delayed().await;
    (server, cut)
}

async fn delayed() -> (TestServer, Arc<AtomicBool>, Delay) {
    let (cut, delay) = (Arc::new(AtomicBool::new(false)), Delay::default());
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let change = |ports: Ports| {
        let store: Arc<dyn Store> = Arc::new(Cuttable { inner: ports.store, cut: cut.clone(), delay: delay.clone() });
        let key = folder.path().join("data/server.key");
        let identity = Arc::new(sleap_rtc_identity::Local::open(&key, store.clone()).unwrap());
        Ports { store, identity, line_key: ports.line_key }
    };
    (TestServer::on(folder.clone(), |_| {}, change).await, cut, delay)
}

const UNAVAILABLE: &str = "STORE_UNAVAILABLE";

#[tokio::test]
async fn nothing_is_confirmed_and_never_401_while_the_store_is_gone() {
    let (server, cut) = cuttable().await;
    let room = server.room().await;
    let token = room.maker.sign_in(&server).await;
    cut.store(true, Ordering::SeqCst);
    let unavailable = (503, UNAVAILABLE.to_owned());
    assert_eq!(server.post("/anonymous-signin").send().await.error(), unavailable);
    assert_eq!(server.post("/create-room").bearer(&token).send().await.error(), unavailable);
    let body = json!({"room_id": room.id});
    assert_eq!(server.post("/extend-room").bearer(&token).json(&body).send().await.error(), unavailable);
    assert_eq!(server.post("/delete-peers-and-room").bearer(&token).json(&body).send().await.error(), unavailable);
    assert_eq!(server.get("/ready").send().await.error(), unavailable);
    assert_eq!(server.get("/health").send().await.status, 200, "the process lives");
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(register(&room, &token, json!({"peer_id": "gpu1"}))).await;
    assert_eq!(socket.error().await.0, UNAVAILABLE);
    cut.store(false, Ordering::SeqCst);
    socket.send(register(&room, &token, json!({"peer_id": "gpu1"}))).await;
    socket.expect("registered_auth").await;
    assert_eq!(server.get("/ready").send().await.status, 200);
}

#[tokio::test]
async fn no_page_of_an_account_says_that_a_good_credential_is_bad() {
    let (server, cut) = cuttable().await;
    let ana = Account::new(&server, "ana").await;
    let key = ana.key(&server).await;
    let room = ana.room(&server, "lab").await;
    let (worker, token) = ana.worker_token(&server, &room, "gpu1").await;
    cut.store(true, Ordering::SeqCst);
    let paths = [
        ("GET", "/api/auth/rooms".to_owned()),
        ("POST", "/api/auth/rooms".to_owned()),
        ("GET", format!("/api/auth/rooms/{room}")),
        ("PATCH", format!("/api/auth/rooms/{room}")),
        ("DELETE", format!("/api/auth/rooms/{room}")),
        ("POST", format!("/api/auth/rooms/{room}/invite")),
        ("GET", format!("/api/auth/rooms/{room}/members")),
        ("DELETE", format!("/api/auth/rooms/{room}/members/{}", ana.id)),
        ("GET", "/api/auth/tokens".to_owned()),
        ("DELETE", "/api/auth/tokens".to_owned()),
        ("DELETE", format!("/api/auth/token/{token}")),
        ("GET", format!("/api/rooms/{room}/workers")),
        ("GET", format!("/api/rooms/{room}/authorized-keys")),
    ];
    for (method, path) in &paths {
        for credential in [&ana.token, &key] {
            let reply = Request::new(server.http, method, path).bearer(credential).send().await;
            assert_eq!(reply.error(), (503, UNAVAILABLE.to_owned()), "{method} {path}");
        }
    }
    let keys = format!("/api/rooms/{room}/authorized-keys");
    assert_eq!(server.get(&keys).bearer(&worker).send().await.error(), (503, UNAVAILABLE.to_owned()));
    cut.store(false, Ordering::SeqCst);
    assert_eq!(server.get(&keys).bearer(&worker).send().await.status, 200);
}

#[tokio::test]
async fn connected_peers_do_not_notice() {
    let (server, cut) = cuttable().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    cut.store(true, Ordering::SeqCst);
    client.say("gpu1", json!("hello")).await;
    worker.socket.expect("peer_message").await;
    let update = json!({"type": "update_metadata", "peer_id": "gpu1", "metadata": {"properties": {"x": 1}}});
    worker.socket.send(update).await;
    worker.socket.expect("metadata_updated").await;
    assert_eq!(client.discover(json!({"x": 1})).await, ["gpu1"]);
}

/// On 401 the deployed command line throws the account's key away.
#[tokio::test]
async fn hazard_10_a_good_key_is_never_answered_with_401_while_the_store_is_gone() {
    let (server, cut) = cuttable().await;
    let ana = Account::new(&server, "ana").await;
    let (key, id_token) = (ana.key(&server).await, ana.computer.sign_in(&server).await);
    let room = ana.room(&server, "lab").await;
    let (worker, _) = ana.worker_token(&server, &room, "gpu1").await;
    cut.store(true, Ordering::SeqCst);
    for credential in [&key, &ana.token, &id_token, &worker] {
        for (method, path) in [
            ("GET", "/api/auth/account-keys"),
            ("POST", "/api/auth/account-keys"),
            ("DELETE", "/api/auth/account-keys/key_0123456789abcdef"),
            ("GET", "/api/auth/public-keys"),
            ("GET", "/api/auth/account"),
            ("POST", "/api/auth/key-login"),
            ("POST", "/api/auth/device"),
            ("POST", "/api/auth/cli/allow"),
            ("GET", "/rooms"),
            ("POST", "/create-room"),
        ] {
            let reply = Request::new(server.http, method, path).bearer(credential).json(&json!({})).send().await;
            assert_eq!(reply.error(), (503, UNAVAILABLE.to_owned()), "{method} {path}");
        }
    }
    let mut socket = Socket::open(server.ws, "/").await;
    for (shown, text) in [
        (json!({"api_key": key, "room_id": room}), "Account key lookup failed"),
        (json!({"api_key": worker}), "API key validation failed"),
        (json!({"jwt": ana.token, "room_id": room}), "JWT validation failed"),
    ] {
        let mut frame = json!({"type": "register", "role": "worker", "peer_id": "gpu1"});
        frame.as_object_mut().unwrap().extend(shown.as_object().unwrap().clone());
        socket.send(frame).await;
        assert_eq!(socket.error().await, (UNAVAILABLE.to_owned(), text.to_owned()));
    }
    cut.store(false, Ordering::SeqCst);
    // The same credentials are good again, and nobody was counted as guessing.
    assert_eq!(server.get("/api/auth/account").bearer(&key).send().await.status, 200);
    socket.send(json!({"type": "register", "role": "worker", "api_key": worker, "peer_id": "gpu1"})).await;
    socket.expect("registered_auth").await;
}

/// Lets somebody be removed from a room after they were found to belong to it, and before they have what they asked for.
async fn removed_meanwhile<T>(
    server: &TestServer,
    delay: &Delay,
    by: (&Account, String),
    asked: impl Future<Output = T>,
) -> T {
    let ((known, is_known), (give, given)) = (oneshot::channel(), oneshot::channel());
    *delay.lock().unwrap() = Some((known, given));
    let removal = async {
        is_known.await.unwrap();
        let removed = by.0.delete(server, &by.1).await;
        assert_eq!(removed.json()["status"], "removed");
        // Whoever asked may have been cut off by now.
        let _ = give.send(());
    };
    tokio::join!(asked, removal).0
}

#[tokio::test]
async fn who_is_removed_while_coming_in_is_not_in() {
    let (server, _, delay) = delayed().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = ana.room(&server, "lab").await;
    bob.joins(&server, &room, &ana).await;
    let path = format!("/api/auth/rooms/{room}/members/{}", bob.id);
    let mut socket = Socket::open(server.ws, "/").await;
    removed_meanwhile(&server, &delay, (&ana, path), async {
        let frame = json!({"type": "register", "room_id": room, "peer_id": "bob", "role": "client", "jwt": bob.token});
        socket.send(frame).await;
        socket.closed().await;
    })
    .await;
}

#[tokio::test]
async fn who_is_removed_while_making_a_token_has_none() {
    let (server, _, delay) = delayed().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = ana.room(&server, "lab").await;
    bob.joins(&server, &room, &ana).await;
    let path = format!("/api/auth/rooms/{room}/members/{}", bob.id);
    let body = json!({"room_id": room, "worker_name": "gpu1"});
    let made = removed_meanwhile(&server, &delay, (&ana, path), bob.post(&server, "/api/auth/token", &body)).await;
    assert_eq!(made.error(), (403, "FORBIDDEN".to_owned()));
    assert_eq!(bob.get(&server, "/api/auth/tokens").await.json(), json!({"tokens": []}));
}
