//! What every adapter does with accounts, the keys of installations and invites.

use std::sync::Arc;

use sleap_rtc_store::{Store, StoreError};
use sleap_rtc_wire::record::{AccountRecord, Change, DeviceKeyRecord, MemberRole};
use sleap_rtc_wire::{PublicKey, Time};

use crate::adapters::on_every_adapter;
use crate::records::{account, api_key, device, invite, member, membership, room, room_id, secret};

async fn apply(store: &dyn Store, changes: impl IntoIterator<Item = Change>) {
    store.apply(changes.into_iter().collect()).await.unwrap();
}

async fn an_account_comes_back_by_member_and_by_name(store: Arc<dyn Store>) {
    assert_eq!(store.account(&member("u_1")).await.unwrap(), None);
    assert_eq!(store.account_named("ana").await.unwrap(), None);
    let ana = account("u_1", "Ana");
    let bob = AccountRecord { avatar_url: None, ..account("4711", "bob") };
    apply(&*store, [ana.clone(), bob.clone()].map(Change::PutAccount)).await;
    assert_eq!(store.account(&member("u_1")).await.unwrap().as_ref(), Some(&ana));
    assert_eq!(store.account(&member("4711")).await.unwrap(), Some(bob));
    for name in ["Ana", "ana", "ANA"] {
        assert_eq!(store.account_named(name).await.unwrap().as_ref(), Some(&ana), "{name}");
    }
    assert_eq!(store.account_named("An").await.unwrap(), None);
    assert_eq!(store.account_named("an_").await.unwrap(), None, "no pattern");
    // Pages are ordered by member.
    let first = store.accounts(None, 1).await.unwrap();
    assert_eq!(first.iter().map(|one| one.member.as_str()).collect::<Vec<_>>(), ["4711"]);
    assert_eq!(store.accounts(Some(&first[0].member), 10).await.unwrap(), [ana]);
}

async fn a_name_belongs_to_one_account_in_whatever_case(store: Arc<dyn Store>) {
    apply(&*store, [Change::PutAccount(account("u_1", "ana"))]).await;
    let batch = vec![Change::PutRoom(room("a")), Change::PutAccount(account("u_2", "ANA"))];
    let refused = store.apply(batch).await;
    assert!(matches!(&refused, Err(StoreError::NameTaken(name)) if name == "ANA"), "{refused:?}");
    assert_eq!(store.room(&room_id("a")).await.unwrap(), None, "nothing of the batch is written");
    // The same account may write its name anew, and take another one; then the old one is free.
    apply(&*store, [Change::PutAccount(account("u_1", "Ana")), Change::PutAccount(account("u_1", "anna"))]).await;
    apply(&*store, [Change::PutAccount(account("u_2", "ana"))]).await;
    assert_eq!(store.account_named("ana").await.unwrap().unwrap().member, member("u_2"));
}

async fn an_account_goes_with_its_keys_and_memberships(store: Arc<dyn Store>) {
    let all_of = |who: &str, n: u8| {
        vec![
            Change::PutAccount(account(who, who)),
            Change::PutApiKey(api_key(n, who, 1)),
            Change::PutDeviceKey(device(n, who, true)),
            Change::PutMembership(membership("a", who, MemberRole::Member)),
        ]
    };
    apply(&*store, [Change::PutRoom(room("a"))].into_iter().chain(all_of("u_1", 1)).chain(all_of("u_2", 2))).await;
    apply(&*store, [Change::DeleteAccount(member("u_1")), Change::DeleteAccount(member("u_1"))]).await;
    assert_eq!(store.account(&member("u_1")).await.unwrap(), None);
    assert_eq!(store.api_key(&secret(1)).await.unwrap(), None);
    assert_eq!(store.device_keys_of(&member("u_1")).await.unwrap(), []);
    assert_eq!(store.memberships(&member("u_1")).await.unwrap(), []);
    // The other one is untouched.
    assert!(store.account_named("u_2").await.unwrap().is_some());
    assert!(store.api_key(&secret(2)).await.unwrap().is_some());
    assert_eq!(store.device_keys_of(&member("u_2")).await.unwrap(), [device(2, "u_2", true)]);
    assert_eq!(store.members(&room_id("a")).await.unwrap(), [membership("a", "u_2", MemberRole::Member)]);
}

async fn all_accounts_come_in_pages(store: Arc<dyn Store>) {
    apply(&*store, ["c", "a", "b"].map(|who| Change::PutAccount(account(who, &format!("name of {who}"))))).await;
    let members = |page: &[AccountRecord]| page.iter().map(|one| one.member.to_string()).collect::<Vec<_>>();
    let first = store.accounts(None, 2).await.unwrap();
    assert_eq!(members(&first), ["a", "b"]);
    let second = store.accounts(first.last().map(|one| &one.member), 2).await.unwrap();
    assert_eq!(members(&second), ["c"]);
    assert_eq!(store.accounts(Some(&member("c")), 2).await.unwrap(), []);
}

async fn installations_are_listed_by_age_and_forgotten(store: Arc<dyn Store>) {
    let all = [device(1, "u_1", true), device(2, "u_1", false), device(3, "u_1", true)];
    apply(&*store, all.iter().rev().cloned().map(Change::PutDeviceKey)).await;
    assert_eq!(store.device_keys_of(&member("u_1")).await.unwrap(), all);
    assert_eq!(store.device_keys_of(&member("u_2")).await.unwrap(), []);
    assert_eq!(store.device_key(&PublicKey([1; 32])).await.unwrap(), Some(all[0].clone()));
    assert_eq!(store.device_key(&PublicKey([2; 32])).await.unwrap(), None, "it is not proven");
    let forget = |n: u8, of: &str| Change::DeleteDeviceKey(member(of), PublicKey([n; 32]));
    apply(&*store, [forget(1, "u_1"), forget(1, "u_1"), forget(3, "u_2")]).await;
    assert_eq!(store.device_keys_of(&member("u_1")).await.unwrap(), all[1..]);
    assert_eq!(store.device_key(&PublicKey([1; 32])).await.unwrap(), None);
}

async fn what_is_proven_stays_so_whatever_is_said_later(store: Arc<dyn Store>) {
    apply(&*store, [Change::PutDeviceKey(device(1, "u_1", true))]).await;
    let renamed = DeviceKeyRecord {
        device_name: "desktop".to_owned(),
        registered_at: Time(99),
        proven: false,
        ..device(1, "u_1", true)
    };
    apply(&*store, [Change::PutDeviceKey(renamed)]).await;
    let kept = DeviceKeyRecord { device_name: "desktop".to_owned(), ..device(1, "u_1", true) };
    assert_eq!(store.device_keys_of(&member("u_1")).await.unwrap(), [kept], "only its name has changed");
    apply(&*store, [Change::PutDeviceKey(device(2, "u_1", false)), Change::PutDeviceKey(device(2, "u_1", true))]).await;
    assert_eq!(store.device_key(&PublicKey([2; 32])).await.unwrap(), Some(device(2, "u_1", true)));
}

async fn a_key_is_proven_by_one_account_at_a_time(store: Arc<dyn Store>) {
    let said = [device(1, "u_1", false), device(1, "u_2", false)];
    apply(&*store, said.iter().cloned().map(Change::PutDeviceKey)).await;
    assert_eq!(store.device_key(&PublicKey([1; 32])).await.unwrap(), None, "anybody can say so");
    apply(&*store, [Change::PutDeviceKey(device(1, "u_1", true))]).await;
    assert_eq!(store.device_keys_of(&member("u_2")).await.unwrap(), said[1..], "what others say stays");
    apply(&*store, [Change::PutDeviceKey(device(1, "u_2", true))]).await;
    assert_eq!(store.device_key(&PublicKey([1; 32])).await.unwrap(), Some(device(1, "u_2", true)));
    assert_eq!(store.device_keys_of(&member("u_1")).await.unwrap(), [], "the newest proof wins");
}

async fn invites_are_found_by_code_and_by_room_and_go_with_it(store: Arc<dyn Store>) {
    apply(&*store, [room("a"), room("b")].map(Change::PutRoom)).await;
    let all = [invite("ZZZZZZZZ", "a", 5), invite("AAAAAAAA", "a", 7), invite("BBBBBBBB", "a", 7)];
    apply(&*store, all.iter().rev().cloned().map(Change::PutInvite)).await;
    apply(&*store, [Change::PutInvite(invite("CCCCCCCC", "b", 1))]).await;
    assert_eq!(store.invites_of(&room_id("a")).await.unwrap(), all, "by their end, then by code");
    assert_eq!(store.invite("AAAAAAAA").await.unwrap(), Some(all[1].clone()));
    assert_eq!(store.invite("aaaaaaaa").await.unwrap(), None, "its case matters here");
    let forget = || Change::DeleteInvite("AAAAAAAA".to_owned());
    apply(&*store, [forget(), forget()]).await;
    assert_eq!(store.invite("AAAAAAAA").await.unwrap(), None);
    apply(&*store, [Change::DeleteRoom(room_id("a"))]).await;
    assert_eq!(store.invite("ZZZZZZZZ").await.unwrap(), None);
    assert_eq!(store.invites_of(&room_id("b")).await.unwrap(), [invite("CCCCCCCC", "b", 1)]);
    // One that comes late does nothing, and the rest of its batch is written.
    apply(&*store, [Change::PutInvite(invite("DDDDDDDD", "a", 1)), Change::PutRoom(room("c"))]).await;
    assert!(store.room(&room_id("c")).await.unwrap().is_some());
    apply(&*store, [Change::PutRoom(room("a"))]).await;
    assert_eq!(store.invites_of(&room_id("a")).await.unwrap(), []);
}

on_every_adapter![
    an_account_comes_back_by_member_and_by_name,
    a_name_belongs_to_one_account_in_whatever_case,
    an_account_goes_with_its_keys_and_memberships,
    all_accounts_come_in_pages,
    installations_are_listed_by_age_and_forgotten,
    what_is_proven_stays_so_whatever_is_said_later,
    a_key_is_proven_by_one_account_at_a_time,
    invites_are_found_by_code_and_by_room_and_go_with_it,
];
