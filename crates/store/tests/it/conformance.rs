//! What every adapter does.

use std::sync::Arc;

use serde_json::json;
use sleap_rtc_store::{Store, StoreError};
use sleap_rtc_wire::record::{
    Change, IdentityKind, MemberRole, MembershipRecord, Mesh, RoomKind, RoomRecord, Switches, Taken, WorkerRecord,
};
use sleap_rtc_wire::{PeerId, Time};

use crate::adapters::on_every_adapter;
use crate::records::{identity, member, membership, metadata, room, room_id, worker};

async fn put(store: &dyn Store, rooms: impl IntoIterator<Item = RoomRecord>) {
    store.apply(rooms.into_iter().map(Change::PutRoom).collect()).await.unwrap();
}

async fn a_room_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    assert_eq!(store.room(&room_id("a")).await.unwrap(), None);
    let forever = RoomRecord {
        name: None,
        kind: RoomKind::Ephemeral,
        ttl_ms: None,
        expires_at: None,
        epoch: 0,
        switches: Switches { mesh: Mesh::Reference, strict_offers: false },
        ..room("forever")
    };
    put(&*store, [room("a"), forever.clone()]).await;
    assert_eq!(store.room(&room_id("a")).await.unwrap(), Some(room("a")));
    assert_eq!(store.room(&room_id("forever")).await.unwrap(), Some(forever));
    store.apply(vec![Change::DeleteRoom(room_id("a"))]).await.unwrap();
    store.apply(vec![Change::DeleteRoom(room_id("a"))]).await.unwrap();
    assert_eq!(store.room(&room_id("a")).await.unwrap(), None);
}

async fn a_room_opened_by_a_later_server_is_not_overwritten(store: Arc<dyn Store>) {
    put(&*store, [RoomRecord { epoch: 5, ..room("a") }]).await;
    let late = RoomRecord { epoch: 4, token: "old".to_owned(), ..room("a") };
    let refused = store.apply(vec![Change::PutRoom(late)]).await;
    assert!(matches!(refused, Err(StoreError::Stale { stored: 5, .. })), "{refused:?}");
    let same = RoomRecord { epoch: 5, expires_at: None, ..room("a") };
    put(&*store, [same.clone()]).await;
    assert_eq!(store.room(&room_id("a")).await.unwrap(), Some(same));
    put(&*store, [RoomRecord { epoch: 6, ..room("a") }]).await;
    assert_eq!(store.room(&room_id("a")).await.unwrap().unwrap().epoch, 6);
}

async fn a_refused_batch_changes_nothing(store: Arc<dyn Store>) {
    put(&*store, [RoomRecord { epoch: 5, ..room("a") }]).await;
    let batch = vec![
        Change::PutIdentity(identity("bob", IdentityKind::Key, 1)),
        Change::PutMembership(membership("a", "bob", MemberRole::Member)),
        Change::PutRoom(RoomRecord { epoch: 4, ..room("a") }),
        Change::PutRoom(room("b")),
    ];
    assert!(matches!(store.apply(batch).await, Err(StoreError::Stale { .. })));
    assert_eq!(store.identity(&member("bob")).await.unwrap(), None);
    assert_eq!(store.membership(&room_id("a"), &member("bob")).await.unwrap(), None);
    assert_eq!(store.room(&room_id("b")).await.unwrap(), None);
}

async fn a_batch_is_written_in_its_order(store: Arc<dyn Store>) {
    let changes = vec![
        Change::PutRoom(room("a")),
        Change::PutMembership(membership("a", "alice", MemberRole::Owner)),
        Change::DeleteRoom(room_id("a")),
        Change::PutRoom(RoomRecord { epoch: 0, ..room("a") }),
    ];
    store.apply(changes).await.unwrap();
    assert_eq!(store.room(&room_id("a")).await.unwrap().unwrap().epoch, 0);
    assert_eq!(store.members(&room_id("a")).await.unwrap(), []);
}

async fn memberships_are_found_from_both_ends_and_go_with_the_room(store: Arc<dyn Store>) {
    put(&*store, [room("a"), room("b")]).await;
    let all = [
        membership("a", "alice", MemberRole::Owner),
        membership("a", "bob", MemberRole::Member),
        membership("b", "bob", MemberRole::Owner),
    ];
    store.apply(all.iter().cloned().map(Change::PutMembership).collect()).await.unwrap();
    assert_eq!(store.members(&room_id("a")).await.unwrap(), all[..2]);
    assert_eq!(store.memberships(&member("bob")).await.unwrap(), all[1..]);
    store.apply(vec![Change::PutMembership(membership("a", "bob", MemberRole::Owner))]).await.unwrap();
    let found = store.membership(&room_id("a"), &member("bob")).await.unwrap();
    assert_eq!(found.map(|one| one.role), Some(MemberRole::Owner));
    store.apply(vec![Change::DeleteMembership(room_id("a"), member("bob"))]).await.unwrap();
    assert_eq!(store.members(&room_id("a")).await.unwrap(), all[..1]);
    store.apply(vec![Change::DeleteRoom(room_id("b"))]).await.unwrap();
    assert_eq!(store.memberships(&member("bob")).await.unwrap(), []);
}

async fn a_membership_keeps_when_it_began(store: Arc<dyn Store>) {
    put(&*store, [room("a")]).await;
    let first = MembershipRecord { joined_at: Time(5), ..membership("a", "bob", MemberRole::Member) };
    let again = MembershipRecord { joined_at: Time(9), role: MemberRole::Owner, ..first.clone() };
    store.apply(vec![Change::PutMembership(first.clone()), Change::PutMembership(again)]).await.unwrap();
    let kept = store.membership(&room_id("a"), &member("bob")).await.unwrap();
    assert_eq!(kept, Some(MembershipRecord { role: MemberRole::Owner, ..first.clone() }));
    // Who left and comes again joins anew.
    store.apply(vec![Change::DeleteMembership(room_id("a"), member("bob"))]).await.unwrap();
    let later = MembershipRecord { joined_at: Time(12), ..first };
    store.apply(vec![Change::PutMembership(later.clone())]).await.unwrap();
    assert_eq!(store.members(&room_id("a")).await.unwrap(), [later]);
}

async fn nobody_belongs_to_a_room_that_is_gone(store: Arc<dyn Store>) {
    put(&*store, [room("a")]).await;
    let late = || Change::PutMembership(membership("a", "bob", MemberRole::Member));
    store.apply(vec![Change::DeleteRoom(room_id("a")), late()]).await.unwrap();
    store.apply(vec![late(), Change::PutIdentity(identity("bob", IdentityKind::Key, 1))]).await.unwrap();
    assert_eq!(store.memberships(&member("bob")).await.unwrap(), []);
    assert!(store.identity(&member("bob")).await.unwrap().is_some(), "the rest of the batch is written");
    // A room of the same name later is another one.
    put(&*store, [room("a")]).await;
    assert_eq!(store.members(&room_id("a")).await.unwrap(), []);
}

async fn all_rooms_come_in_pages(store: Arc<dyn Store>) {
    put(&*store, ["c", "a", "e", "b", "d"].map(room)).await;
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.rooms(after.as_ref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        seen.extend(page.iter().map(|room| room.room_id.to_string()));
        after = page.last().map(|room| room.room_id.clone());
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
}

async fn expired_rooms_come_by_their_end_in_pages(store: Arc<dyn Store>) {
    let ending = |id: &str, end: Option<u64>| RoomRecord { expires_at: end.map(Time), ..room(id) };
    let rooms =
        [ending("d", Some(10)), ending("c", Some(10)), ending("b", Some(20)), ending("a", Some(21)), ending("e", None)];
    put(&*store, rooms).await;
    let ids = |page: &[RoomRecord]| page.iter().map(|room| room.room_id.to_string()).collect::<Vec<_>>();
    let first = store.expired_rooms(Time(20), None, 2).await.unwrap();
    assert_eq!(ids(&first), ["c", "d"]);
    let last = first.last().map(|room| (room.expires_at.unwrap(), room.room_id.clone()));
    let second = store.expired_rooms(Time(20), last.as_ref(), 2).await.unwrap();
    assert_eq!(ids(&second), ["b"]);
    assert_eq!(ids(&store.expired_rooms(Time(9), None, 2).await.unwrap()), [""; 0]);
}

async fn identities_come_by_their_age_in_pages(store: Arc<dyn Store>) {
    let all = [
        identity("z", IdentityKind::Anonymous, 1),
        identity("y", IdentityKind::Anonymous, 2),
        identity("x", IdentityKind::Anonymous, 2),
        identity("k", IdentityKind::Key, 1),
        identity("w", IdentityKind::Anonymous, 3),
    ];
    store.apply(all.iter().cloned().map(Change::PutIdentity).collect()).await.unwrap();
    for one in &all {
        assert_eq!(store.identity(&one.member).await.unwrap().as_ref(), Some(one));
    }
    let first = store.identities_before(IdentityKind::Anonymous, Time(3), None, 2).await.unwrap();
    assert_eq!(first, [all[0].clone(), all[2].clone()]);
    let last = first.last().map(|one| (one.created_at, one.member.clone()));
    let second = store.identities_before(IdentityKind::Anonymous, Time(3), last.as_ref(), 2).await.unwrap();
    assert_eq!(second, [all[1].clone()]);
    store.apply(vec![Change::DeleteIdentity(member("z")), Change::DeleteIdentity(member("z"))]).await.unwrap();
    assert_eq!(store.identity(&member("z")).await.unwrap(), None);
}

async fn writers_at_once_each_get_their_own_answer(store: Arc<dyn Store>) {
    put(&*store, [RoomRecord { epoch: 9, ..room("fenced") }]).await;
    let writers = (0..64).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let fenced = (n % 8 == 0).then(|| Change::PutRoom(RoomRecord { epoch: 1, ..room("fenced") }));
            let mine = Change::PutRoom(room(&format!("room-{n:02}")));
            store.apply([mine].into_iter().chain(fenced).collect()).await.is_ok()
        })
    });
    for (n, writer) in writers.collect::<Vec<_>>().into_iter().enumerate() {
        let confirmed = writer.await.unwrap();
        assert_eq!(confirmed, n % 8 != 0);
        let found = store.room(&room_id(&format!("room-{n:02}"))).await.unwrap();
        assert_eq!(found.is_some(), confirmed, "room-{n:02}");
    }
    assert_eq!(store.room(&room_id("fenced")).await.unwrap().unwrap().epoch, 9);
}

async fn expected_workers_are_put_replaced_and_deleted(store: Arc<dyn Store>) {
    put(&*store, [room("a"), room("b")]).await;
    assert_eq!(store.workers(&room_id("a")).await.unwrap(), []);
    let all = [worker("a", "gpu1"), worker("a", "gpu2"), worker("b", "gpu1")];
    store.apply(all.iter().rev().cloned().map(Change::PutWorker).collect()).await.unwrap();
    assert_eq!(store.workers(&room_id("a")).await.unwrap(), all[..2], "by peer");
    assert_eq!(store.workers(&room_id("b")).await.unwrap(), all[2..]);
    let taken = Taken { by: Some(PeerId::new("ana").unwrap()), job_id: None, since: Time(6) };
    let silent = WorkerRecord {
        member: member("bob"),
        metadata: metadata(json!({"tags": ["old"], "properties": {"status": "busy", "note": "\u{1f41d}", "x": null}})),
        silent_since: Some(Time(7)),
        taken: Some(taken),
        ..worker("a", "gpu1")
    };
    store.apply(vec![Change::PutWorker(silent.clone())]).await.unwrap();
    assert_eq!(store.workers(&room_id("a")).await.unwrap(), [silent, all[1].clone()]);
    let delete = |peer: &str| Change::DeleteWorker(room_id("a"), PeerId::new(peer).unwrap());
    store.apply(vec![delete("gpu1"), delete("gpu1"), delete("gpu3")]).await.unwrap();
    assert_eq!(store.workers(&room_id("a")).await.unwrap(), all[1..2]);
    assert_eq!(store.workers(&room_id("b")).await.unwrap(), all[2..], "the same name elsewhere stays");
}

async fn no_worker_is_expected_in_a_room_that_is_gone(store: Arc<dyn Store>) {
    put(&*store, [room("a"), room("b")]).await;
    store.apply(vec![Change::PutWorker(worker("a", "gpu1")), Change::PutWorker(worker("b", "gpu1"))]).await.unwrap();
    store.apply(vec![Change::DeleteRoom(room_id("a"))]).await.unwrap();
    assert_eq!(store.workers(&room_id("a")).await.unwrap(), []);
    assert_eq!(store.workers(&room_id("b")).await.unwrap(), [worker("b", "gpu1")]);
    // A write that comes late does not bring it back, and the rest of its batch is written.
    store.apply(vec![Change::PutWorker(worker("a", "gpu1")), Change::PutRoom(room("c"))]).await.unwrap();
    assert!(store.room(&room_id("c")).await.unwrap().is_some());
    put(&*store, [room("a")]).await;
    assert_eq!(store.workers(&room_id("a")).await.unwrap(), [], "a room of the same name later is another one");
}

on_every_adapter![
    a_room_comes_back_as_it_was_written,
    a_room_opened_by_a_later_server_is_not_overwritten,
    a_refused_batch_changes_nothing,
    a_batch_is_written_in_its_order,
    memberships_are_found_from_both_ends_and_go_with_the_room,
    a_membership_keeps_when_it_began,
    nobody_belongs_to_a_room_that_is_gone,
    all_rooms_come_in_pages,
    expired_rooms_come_by_their_end_in_pages,
    identities_come_by_their_age_in_pages,
    expected_workers_are_put_replaced_and_deleted,
    no_worker_is_expected_in_a_room_that_is_gone,
    writers_at_once_each_get_their_own_answer,
];
