//! What every adapter does with the keys of accounts and workers.

use std::sync::Arc;

use sleap_rtc_store::Store;
use sleap_rtc_wire::record::{ApiKeyRecord, Change};
use sleap_rtc_wire::{ApiKey, Time};

use crate::adapters::on_every_adapter;
use crate::records::{api_key, member, room, room_id, secret, worker_key};

async fn put(store: &dyn Store, keys: impl IntoIterator<Item = ApiKeyRecord>) {
    store.apply(keys.into_iter().map(Change::PutApiKey).collect()).await.unwrap();
}

async fn a_key_is_found_by_itself_and_by_its_public_name(store: Arc<dyn Store>) {
    store.apply(vec![Change::PutRoom(room("a"))]).await.unwrap();
    let all = [api_key(1, "u_1", 1), worker_key(2, "u_1", "a")];
    assert_eq!(store.api_key(&secret(1)).await.unwrap(), None);
    put(&*store, all.clone()).await;
    for (n, key) in [(1, &all[0]), (2, &all[1])] {
        assert_eq!(store.api_key(&secret(n)).await.unwrap().as_ref(), Some(key), "active or not");
        assert_eq!(store.api_key_named(&key.id()).await.unwrap().as_ref(), Some(key));
    }
    let other: ApiKey = "slp_of-nobody".parse().unwrap();
    assert_eq!(store.api_key(&other).await.unwrap(), None);
    assert_eq!(store.api_key_named(&other.hash().id()).await.unwrap(), None);
}

async fn keys_are_listed_by_age_for_their_owner_and_for_their_room(store: Arc<dyn Store>) {
    store.apply(vec![Change::PutRoom(room("a")), Change::PutRoom(room("b"))]).await.unwrap();
    let mut same_age = [api_key(3, "u_1", 7), api_key(4, "u_1", 7)];
    same_age.sort_by_key(|key| key.hash);
    let (first, of_a, of_b) = (api_key(1, "u_1", 1), worker_key(2, "u_1", "a"), worker_key(5, "u_1", "b"));
    let foreign = worker_key(6, "u_2", "a");
    let [third, fourth] = same_age;
    put(&*store, [&fourth, &of_b, &third, &foreign, &of_a, &first].map(Clone::clone)).await;
    assert_eq!(store.api_keys_of(&member("u_1")).await.unwrap(), [first, of_a.clone(), of_b, third, fourth]);
    assert_eq!(store.api_keys_for(&room_id("a")).await.unwrap(), [of_a, foreign]);
    assert_eq!(store.api_keys_for(&room_id("c")).await.unwrap(), []);
    assert_eq!(store.api_keys_of(&member("u_3")).await.unwrap(), []);
}

async fn a_key_is_replaced_and_deleted(store: Arc<dyn Store>) {
    let key = api_key(1, "u_1", 1);
    let revoked = ApiKeyRecord { revoked_at: Some(Time(5)), ..key.clone() };
    put(&*store, [key, revoked.clone()]).await;
    assert_eq!(store.api_keys_of(&member("u_1")).await.unwrap(), std::slice::from_ref(&revoked));
    let delete = || Change::DeleteApiKey(revoked.hash);
    store.apply(vec![delete(), delete()]).await.unwrap();
    assert_eq!(store.api_key(&secret(1)).await.unwrap(), None);
    assert_eq!(store.api_key_named(&revoked.id()).await.unwrap(), None);
}

async fn a_workers_key_goes_with_its_room(store: Arc<dyn Store>) {
    store.apply(vec![Change::PutRoom(room("a")), Change::PutRoom(room("b"))]).await.unwrap();
    put(&*store, [worker_key(1, "u_1", "a"), worker_key(2, "u_1", "b"), api_key(3, "u_1", 3)]).await;
    store.apply(vec![Change::DeleteRoom(room_id("a"))]).await.unwrap();
    assert_eq!(store.api_key(&secret(1)).await.unwrap(), None);
    assert_eq!(store.api_keys_of(&member("u_1")).await.unwrap(), [worker_key(2, "u_1", "b"), api_key(3, "u_1", 3)]);
    // One that comes late does nothing, and the rest of its batch is written.
    put(&*store, [worker_key(4, "u_1", "a"), api_key(5, "u_1", 5)]).await;
    store.apply(vec![Change::PutRoom(room("a"))]).await.unwrap();
    assert_eq!(store.api_keys_for(&room_id("a")).await.unwrap(), []);
    assert!(store.api_key(&secret(5)).await.unwrap().is_some());
}

on_every_adapter![
    a_key_is_found_by_itself_and_by_its_public_name,
    keys_are_listed_by_age_for_their_owner_and_for_their_room,
    a_key_is_replaced_and_deleted,
    a_workers_key_goes_with_its_room,
];
