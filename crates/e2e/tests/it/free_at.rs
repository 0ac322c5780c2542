//! Those who wait hear when a worker is free at the latest: what the trainer says of its epochs reaches the room.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use crate::house::House;
use crate::original_path::Seed;
use crate::survives::{SLOW, train, until_training};

/// More than an epoch of the slow stand-in takes, s.
const EPOCH: u64 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn while_the_last_stage_trains_the_room_knows_its_latest_end() {
    let house = House::with_room();
    let _worker = house.worker_with(&SLOW);
    let mut onlooker = Seed::join(&house).await;
    assert_eq!(free_at(&mut onlooker).await, Value::Null);

    let laptop = house.desk("laptop");
    let client = train(&laptop, "1000");
    let job = until_training(&client);
    let told = loop {
        if let Some(told) = free_at(&mut onlooker).await.as_u64() {
            break told;
        }
    };
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((now + 100..now + 1000 * EPOCH).contains(&told), "{told}, and it is {now}");

    laptop.run(&["stop", &job]).good();
    client.end().good();
    while !free_at(&mut onlooker).await.is_null() {}
}

async fn free_at(onlooker: &mut Seed) -> Value {
    // Not more often than a screen looks: the trainer has to come along as well.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let workers = onlooker.workers().await;
    assert_eq!(workers.len(), 1, "{workers:?}");
    workers[0]["metadata"]["properties"]["free_at"].clone()
}
