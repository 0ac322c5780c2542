//! Codes by which somebody becomes a member.

use std::sync::Arc;

use serde_json::json;
use sleap_rtc_server::Ports;
use sleap_rtc_wire::record::{Change, InviteRecord, MemberRole, MembershipRecord};
use sleap_rtc_wire::{MemberId, RoomId, Time, limits};

use crate::rig::{Account, TestServer, text};

const JOIN: &str = "/api/auth/rooms/join";

async fn code(who: &Account, server: &TestServer, room: &str) -> String {
    let reply = who.post(server, &format!("/api/auth/rooms/{room}/invite"), &json!({})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    text(&reply.json()["invite_code"])
}

#[tokio::test]
async fn a_code_is_good_for_many_for_an_hour() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "lab").await;
    // Deployed programs send no body.
    let reply = server.post(&format!("/api/auth/rooms/{room}/invite")).bearer(&ana.token).send().await;
    let made = reply.json();
    let code = text(&made["invite_code"]);
    assert!(code.len() == 8 && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{code}");
    assert_eq!((&made["room_id"], &made["expires_in_seconds"]), (&json!(room), &json!(3600)));
    assert!(text(&made["expires_at"]).ends_with('Z'));
    for (name, typed) in
        [("bob", code.clone()), ("cy", code.to_lowercase()), ("dan", format!(" {}-{} ", &code[..4], &code[4..]))]
    {
        let who = Account::new(&server, name).await;
        let joined = who.post(&server, JOIN, &json!({"invite_code": typed})).await;
        assert_eq!(joined.status, 200, "{joined:?}");
        let joined = joined.json();
        assert_eq!((&joined["message"], &joined["room_id"]), (&json!("Joined successfully"), &json!(room)));
        assert_eq!(joined["role"], "member");
        let again = who.post(&server, JOIN, &json!({"invite_code": code})).await.json();
        assert_eq!(again["message"], "Already a member");
        // A member comes into the room without its password.
        who.client(&server, &room, name).await;
    }
    let owner = ana.post(&server, JOIN, &json!({"invite_code": code})).await.json();
    assert_eq!((&owner["message"], &owner["role"]), (&json!("Already a member"), &json!("owner")));
}

#[tokio::test]
async fn a_computer_that_joins_joins_for_its_account() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = ana.room(&server, "lab").await;
    let computer = bob.computer.sign_in(&server).await;
    let body = json!({"invite_code": code(&ana, &server, &room).await});
    assert_eq!(server.post(JOIN).bearer(&computer).json(&body).send().await.json()["message"], "Joined successfully");
    assert_eq!(bob.post(&server, JOIN, &body).await.json()["message"], "Already a member");
    let members = ana.get(&server, &format!("/api/auth/rooms/{room}/members")).await.json();
    assert_eq!(members["members"][1]["user_id"], json!(bob.id));
}

#[tokio::test]
async fn what_is_no_code_opens_nothing() {
    let mut store = None;
    let keep = |ports: Ports| {
        store = Some(ports.store.clone());
        ports
    };
    let server = TestServer::on(Arc::new(tempfile::tempdir().unwrap()), |_| {}, keep).await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = ana.room(&server, "lab").await;
    let invite = InviteRecord {
        code: "ABCDEFGH".to_owned(),
        room_id: RoomId::new(&room).unwrap(),
        made_by: MemberId::new(&ana.id).unwrap(),
        expires_at: Time(1),
    };
    store.unwrap().apply(vec![Change::PutInvite(invite)]).await.unwrap();
    for (typed, text) in [
        ("ABCDEFGH", "Invite code expired"),
        ("ABCDEFGJ", "Invalid invite code"),
        ("", "Invalid invite code"),
        ("ABCDEFG0", "Invalid invite code"),
        ("ABCDEFGHABCDEFGH", "Invalid invite code"),
    ] {
        let reply = bob.post(&server, JOIN, &json!({"invite_code": typed})).await;
        assert_eq!((reply.error().0, &reply.json()["detail"]), (400, &json!(text)), "{typed}");
    }
    assert_eq!(bob.post(&server, JOIN, &json!({})).await.error().0, 422);
    let good = code(&ana, &server, &room).await;
    ana.delete(&server, &format!("/api/auth/rooms/{room}")).await;
    let reply = bob.post(&server, JOIN, &json!({"invite_code": good})).await;
    assert_eq!(reply.json()["detail"], "Invalid invite code", "it goes with its room");
}

#[tokio::test]
async fn only_the_owner_invites() {
    let server = TestServer::start().await;
    let (ana, bob, eve) =
        (Account::new(&server, "ana").await, Account::new(&server, "bob").await, Account::new(&server, "eve").await);
    let room = ana.room(&server, "lab").await;
    bob.joins(&server, &room, &ana).await;
    let path = format!("/api/auth/rooms/{room}/invite");
    let reply = bob.post(&server, &path, &json!({})).await;
    assert_eq!((reply.error().0, &reply.json()["error"]), (403, &json!("Only room owners can create invites")));
    assert_eq!(eve.post(&server, &path, &json!({})).await.error().0, 404);
}

#[tokio::test]
async fn a_room_has_so_many_codes_and_so_many_members() {
    let mut store = None;
    let keep = |ports: Ports| {
        store = Some(ports.store.clone());
        ports
    };
    let server = TestServer::on(Arc::new(tempfile::tempdir().unwrap()), |_| {}, keep).await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = ana.room(&server, "lab").await;
    let mut last = String::new();
    for _ in 0..limits::INVITES {
        last = code(&ana, &server, &room).await;
    }
    let path = format!("/api/auth/rooms/{room}/invite");
    let refused = ana.post(&server, &path, &json!({})).await;
    assert_eq!(refused.error(), (409, "TOO_LARGE".to_owned()));
    assert!(refused.body.contains("16 invites"), "it names its limit: {refused:?}");
    let store = store.unwrap();
    let member = |n: usize| MembershipRecord {
        room_id: RoomId::new(&room).unwrap(),
        member: MemberId::new(&format!("u_{n}")).unwrap(),
        role: MemberRole::Member,
        joined_at: Time(1),
    };
    store.apply((1..limits::MEMBERS).map(member).map(Change::PutMembership).collect()).await.unwrap();
    let refused = bob.post(&server, JOIN, &json!({"invite_code": last})).await;
    assert_eq!(refused.error(), (409, "TOO_LARGE".to_owned()));
    assert!(refused.body.contains("1000 members"), "it names its limit: {refused:?}");
    // What has had its time makes place for a new one.
    let old = store.invite(&last).await.unwrap().unwrap();
    store.apply(vec![Change::PutInvite(InviteRecord { expires_at: Time(1), ..old })]).await.unwrap();
    code(&ana, &server, &room).await;
    assert_eq!(store.invite(&last).await.unwrap(), None);
}

#[tokio::test]
async fn who_guesses_codes_has_to_wait() {
    let server = TestServer::with(|config| config.limits.guesses = 3).await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = ana.room(&server, "lab").await;
    let good = code(&ana, &server, &room).await;
    for n in 2..5 {
        assert_eq!(bob.post(&server, JOIN, &json!({"invite_code": format!("AAAAAAA{n}")})).await.error().0, 400);
    }
    let reply = bob.post(&server, JOIN, &json!({"invite_code": good})).await;
    assert_eq!(reply.error(), (429, "RATE_LIMITED".to_owned()));
}

#[tokio::test]
async fn no_room_has_one_time_codes() {
    let server = TestServer::start().await;
    let (ana, eve) = (Account::new(&server, "ana").await, Account::new(&server, "eve").await);
    let path = format!("/api/auth/rooms/{}/verify-otp", ana.room(&server, "lab").await);
    let body = json!({"otp_code": "123456"});
    let reply = ana.post(&server, &path, &body).await;
    assert_eq!((reply.error().0, &reply.json()["detail"]), (400, &json!("Room does not have OTP configured")));
    assert_eq!(ana.post(&server, &path, &json!({})).await.error().0, 422);
    assert_eq!(eve.post(&server, &path, &body).await.error().0, 404);
}
