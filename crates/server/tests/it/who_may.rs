//! Who may delete and extend: the deployed programs' literal calls carry no credential, and are good from the address that made
//! the room or that the named peer registered from.

use std::net::IpAddr;

use serde_json::{Value, json};
use sleap_rtc_server::{Config, close_code};

use crate::rig::{Anonymous, ELSEWHERE, HERE, Installation, MadeRoom, Peer, Request, Socket, TestServer, register};

/// What a caller shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    Nothing,
    /// A Bearer credential that is none.
    Nonsense,
    /// Of somebody who has nothing to do with the room.
    Stranger,
    Creator,
    /// Came in with a key.
    Member,
    /// Is connected, without a key.
    Inside,
    Token,
    WrongToken,
    Operator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    DeleteRoom,
    DeleteRoomOfPeer,
    DeletePeer,
    Extend,
}

const DEEDS: [Deed; 4] = [Deed::DeleteRoom, Deed::DeleteRoomOfPeer, Deed::DeletePeer, Deed::Extend];
const OK: u16 = 200;

/// A room that was made here, with a worker from here in it.
struct Scene {
    server: TestServer,
    room: MadeRoom,
    member: Installation,
    inside: Anonymous,
    _peers: [Peer; 3],
}

impl Scene {
    async fn new(set: impl FnOnce(&mut Config)) -> Self {
        let server = TestServer::with(set).await;
        let room = server.room().await;
        let (member, inside) = (Installation::new(), server.anonymous().await);
        let fields = |id: &str| json!({"peer_id": id, "role": "worker"});
        let peers = [
            Peer::worker(&server, &room, "gpu1").await,
            Peer::join(&server, &room, &member, fields("gpu2")).await,
            Peer::join_from(&server, &room, &inside.id_token, fields("gpu3"), HERE).await,
        ];
        Self { server, room, member, inside, _peers: peers }
    }

    async fn status(&self, deed: Deed, shows: Shows, from: IpAddr, header: Option<&str>) -> u16 {
        let (path, mut body) = match deed {
            Deed::DeleteRoom => ("/delete-peers-and-room", json!({"room_id": self.room.id})),
            Deed::DeleteRoomOfPeer => ("/delete-peers-and-room", json!({"peer_id": "gpu1"})),
            Deed::DeletePeer => ("/delete-peer", json!({"peer_id": "gpu1"})),
            Deed::Extend => ("/extend-room", json!({"room_id": self.room.id})),
        };
        match shows {
            Shows::Token => body["token"] = json!(self.room.token),
            Shows::WrongToken => body["token"] = json!("0".repeat(32)),
            _ => {}
        }
        let mut request = self.server.post(path).from(from).json(&body);
        if let Some(credential) = self.credential(shows).await {
            request = request.bearer(&credential);
        }
        if let Some(forwarded) = header {
            request = request.header("X-Forwarded-For", forwarded);
        }
        let reply = request.send().await;
        let code = if reply.status == OK { String::new() } else { reply.error().1 };
        let expected = match reply.status {
            OK => "",
            401 => "AUTH_FAILED",
            403 => "FORBIDDEN",
            other => panic!("{other}: {reply:?}"),
        };
        assert_eq!(code, expected);
        reply.status
    }

    async fn credential(&self, shows: Shows) -> Option<String> {
        match shows {
            Shows::Nothing | Shows::Token | Shows::WrongToken => None,
            Shows::Nonsense => Some("nonsense".to_owned()),
            Shows::Stranger => Some(Installation::new().sign_in(&self.server).await),
            Shows::Creator => Some(self.room.maker.sign_in(&self.server).await),
            Shows::Member => Some(self.member.sign_in(&self.server).await),
            Shows::Inside => Some(self.inside.id_token.clone()),
            Shows::Operator => Some(self.server.admin_secret()),
        }
    }
}

/// Every deed of this caller has this status; for each that takes something away there is a new room.
async fn check(set: impl Fn(&mut Config) + Copy, shows: Shows, from: IpAddr, header: Option<&str>, status: u16) {
    let mut scene = Scene::new(set).await;
    for deed in DEEDS {
        assert_eq!(scene.status(deed, shows, from, header).await, status, "{deed:?} {shows:?} from {from} {header:?}");
        if status == OK && deed != Deed::Extend {
            scene = Scene::new(set).await;
        }
    }
}

#[tokio::test]
async fn the_literal_calls_work_from_the_address_that_made_the_room() {
    for shows in [Shows::Nothing, Shows::Nonsense, Shows::Stranger, Shows::WrongToken] {
        check(|_| {}, shows, HERE, None, OK).await;
    }
}

#[tokio::test]
async fn from_elsewhere_they_need_a_credential() {
    for (shows, status) in [
        (Shows::Nothing, 401),
        (Shows::Nonsense, 401),
        (Shows::Stranger, 403),
        (Shows::WrongToken, 403),
        (Shows::Creator, OK),
        (Shows::Member, OK),
        (Shows::Inside, OK),
        (Shows::Token, OK),
        (Shows::Operator, OK),
    ] {
        check(|_| {}, shows, ELSEWHERE, None, status).await;
    }
}

#[tokio::test]
async fn what_a_proxy_says_counts_only_from_a_trusted_one() {
    let maker = HERE.to_string();
    // Anybody can write the header: it neither gives the maker's address nor leaves one's own.
    check(|_| {}, Shows::Nothing, ELSEWHERE, Some(&maker), 401).await;
    check(|_| {}, Shows::Nothing, HERE, Some("192.0.2.1"), 401).await;
    check(|_| {}, Shows::Token, ELSEWHERE, Some(&maker), OK).await;
    let trusting = |config: &mut Config| config.trusted_proxies = vec![ELSEWHERE];
    check(trusting, Shows::Nothing, ELSEWHERE, Some(&maker), OK).await;
    check(trusting, Shows::Nothing, ELSEWHERE, Some("192.0.2.1"), 401).await;
    check(trusting, Shows::Nothing, ELSEWHERE, None, 401).await;
    check(trusting, Shows::Nothing, HERE, Some(&maker), 401).await;
    check(trusting, Shows::Nothing, HERE, None, OK).await;
}

#[tokio::test]
async fn a_proxy_is_trusted_in_either_form_of_its_address() {
    let trusting = |config: &mut Config| config.trusted_proxies = vec!["::ffff:127.0.0.2".parse().unwrap()];
    check(trusting, Shows::Nothing, ELSEWHERE, Some(&HERE.to_string()), OK).await;
}

#[tokio::test]
async fn a_page_in_somebodys_browser_has_not_the_browsers_address() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let (_peer, unused) = (Peer::worker(&server, &room, "gpu1").await, server.anonymous().await);
    let refused = (401, "AUTH_FAILED".to_owned());
    let page = |path: &str, body: Value| server.post(path).header("Origin", "https://evil.example").json(&body).send();
    for (path, body) in [
        ("/delete-peers-and-room", json!({"peer_id": "gpu1"})),
        ("/delete-peers-and-room", json!({"room_id": room.id})),
        ("/delete-peer", json!({"peer_id": "gpu1"})),
        ("/extend-room", json!({"room_id": room.id})),
        ("/identities/cleanup", json!({"older_than": 0})),
    ] {
        assert_eq!(page(path, body).await.error(), refused, "{path}");
    }
    assert_eq!(server.post("/create-room").bearer(&unused.id_token).send().await.status, OK, "it is not forgotten");
    // A credential is as good in a browser as anywhere.
    let token = json!({"room_id": room.id, "token": room.token});
    assert_eq!(page("/delete-peers-and-room", token).await.status, OK);
}

#[tokio::test]
async fn open_deletes_give_the_originals_openness_back() {
    let open = |config: &mut Config| config.open_deletes = true;
    for (shows, header) in [(Shows::Nothing, None), (Shows::Nothing, Some("192.0.2.1")), (Shows::Stranger, None)] {
        check(open, shows, ELSEWHERE, header, OK).await;
    }
}

#[tokio::test]
async fn the_named_peers_own_address_does_as_well() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let token = Installation::new().sign_in(&server).await;
    let fields = |id: &str| json!({"peer_id": id, "role": "worker"});
    let mut far = Peer::join_from(&server, &room, &token, fields("far"), ELSEWHERE).await;
    let near = Peer::worker(&server, &room, "near").await;
    let call = |path: &str, body: Value| server.post(path).from(ELSEWHERE).json(&body).send();
    let refused = (401, "AUTH_FAILED".to_owned());
    assert_eq!(call("/delete-peer", json!({"peer_id": "near"})).await.error(), refused);
    assert_eq!(call("/delete-peers-and-room", json!({"peer_id": "near"})).await.error(), refused);
    assert_eq!(call("/delete-peers-and-room", json!({"room_id": room.id})).await.error(), refused);
    assert_eq!(call("/delete-peer", json!({"peer_id": "far"})).await.status, OK);
    assert_eq!(far.socket.closed().await, close_code::DELETED);
    let token = Installation::new().sign_in(&server).await;
    let _far = Peer::join_from(&server, &room, &token, fields("far2"), ELSEWHERE).await;
    assert_eq!(call("/delete-peers-and-room", json!({"peer_id": "far2"})).await.status, OK);
    drop(near);
}

#[tokio::test]
async fn a_peer_behind_a_trusted_proxy_has_its_own_address() {
    let server = TestServer::with(|config| config.trusted_proxies = vec![ELSEWHERE]).await;
    let room = server.room().await;
    let mut worker = Socket::open_by(server.ws, ELSEWHERE, "192.0.2.7").await;
    let token = Installation::new().sign_in(&server).await;
    worker.send(register(&room, &token, json!({"peer_id": "gpu1", "role": "worker"}))).await;
    worker.expect("registered_auth").await;
    let body = json!({"peer_id": "gpu1"});
    let call =
        |caller: &str| server.post("/delete-peer").from(ELSEWHERE).header("X-Forwarded-For", caller).json(&body).send();
    assert_eq!(call("192.0.2.8").await.error(), (401, "AUTH_FAILED".to_owned()));
    assert_eq!(call("192.0.2.7").await.status, OK);
    assert_eq!(worker.closed().await, close_code::DELETED);
}

#[tokio::test]
async fn a_name_that_is_in_several_rooms_means_the_one_whose_peer_is_the_callers() {
    let server = TestServer::start().await;
    let (one, other, foreign) = (server.room().await, server.room().await, server.room().await);
    let fields = json!({"peer_id": "gpu1", "role": "worker"});
    let join = async |room: &MadeRoom, from| {
        let token = Installation::new().sign_in(&server).await;
        Peer::join_from(&server, room, &token, fields.clone(), from).await
    };
    let (mut first, mut second) = (join(&one, HERE).await, join(&other, ELSEWHERE).await);
    let _third = join(&foreign, ELSEWHERE).await;
    // Made here, all of them; but only one of the peers came from here.
    let deleted = server.post("/delete-peer").json(&json!({"peer_id": "gpu1"})).send().await;
    assert_eq!(deleted.status, OK, "{deleted:?}");
    assert_eq!(first.socket.closed().await, close_code::DELETED);
    let body = json!({"peer_id": "gpu1"});
    for path in ["/delete-peer", "/delete-peers-and-room"] {
        let unclear = server.post(path).json(&body).send().await;
        assert_eq!(unclear.error(), (409, "CONFLICT".to_owned()));
        assert!(unclear.body.contains("room_id"), "says what to do: {unclear:?}");
    }
    // The others' rooms do not count for who may not delete there.
    let owner = other.maker.sign_in(&server).await;
    let theirs = server.post("/delete-peer").from("127.0.0.3".parse().unwrap()).bearer(&owner).json(&body).send().await;
    assert_eq!(theirs.status, OK, "{theirs:?}");
    assert_eq!(second.socket.closed().await, close_code::DELETED);
    let named = json!({"peer_id": "gpu1", "room_id": foreign.id});
    assert_eq!(server.post("/delete-peer").json(&named).send().await.status, OK);
}

#[tokio::test]
async fn a_deployed_fixtures_name_stands_for_its_room_when_the_peer_has_gone() {
    let server = TestServer::start().await;
    let anonymous = server.anonymous().await;
    let room = server.ephemeral_room(&anonymous).await;
    let body = json!({"peer_id": anonymous.username});
    let elsewhere = server.post("/delete-peers-and-room").from(ELSEWHERE).json(&body).send().await;
    assert_eq!(elsewhere.error(), (401, "AUTH_FAILED".to_owned()));
    let deleted = server.post("/delete-peers-and-room").json(&body).send().await;
    assert_eq!((deleted.status, &deleted.json()["status"]), (OK, &json!("peer deleted successfully")));
    let secret = server.admin_secret();
    let gone = server.get(&format!("/rooms/{}", room.id)).bearer(&secret).send().await;
    assert_eq!(gone.error(), (404, "ROOM_NOT_FOUND".to_owned()));
    let again = server.post("/create-room").bearer(&anonymous.id_token).send().await;
    assert_eq!(
        again.error(),
        (401, "AUTH_FAILED".to_owned()),
        "the identity went with it, before the call was answered"
    );
    let unknown = server.post("/delete-peers-and-room").json(&body).send().await;
    assert_eq!((unknown.status, &unknown.json()["status"]), (OK, &json!("peer not found")));
}

#[tokio::test]
async fn the_rooms_of_a_lab_behind_one_proxy_are_not_everybodys() {
    let server = TestServer::with(|config| config.public_url = Some("https://rtc.lab.edu".to_owned())).await;
    let room = server.room().await;
    let body = json!({"room_id": room.id});
    let reply = server.post("/delete-peers-and-room").json(&body).send().await;
    assert_eq!(reply.error(), (401, "AUTH_FAILED".to_owned()));
    let owned = Request::new(server.http, "POST", "/delete-peers-and-room");
    let token = json!({"room_id": room.id, "token": room.token});
    assert_eq!(owned.json(&token).send().await.status, OK);
}
