//! `identity cleanup`.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use sleap_rtc_cli::exit::Exit;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::{Operator, anonymous, create_room, operator_option};
use crate::house::{Ended, House};

fn last(told: &Ended) -> &str {
    told.out.last().expect("a line")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_users_that_are_not_in_use_are_deleted() {
    let house = House::with_server();
    let operator = Operator::of(&house);
    let (forgotten, connected, owner) = (anonymous(&house), anonymous(&house), anonymous(&house));
    let room = create_room(&house, &owner);
    let (mut socket, _) = connect_async(house.ws()).await.unwrap();
    let register = json!({
        "type": "register", "peer_id": connected["username"], "role": "worker", "room_id": room["room_id"],
        "token": room["token"], "id_token": connected["id_token"],
    });
    socket.send(Message::text(register.to_string())).await.unwrap();
    let joined: Value = serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
    assert_eq!(joined["type"], "registered_auth", "{joined}");

    // Nobody is an hour old.
    let desk = house.desk("ci-runner");
    assert_eq!(last(&desk.run(&["identity", "cleanup"]).good()), "Deleted 0 old users");
    for age in ["24h", "7d"] {
        assert_eq!(last(&desk.run(&["identity", "cleanup", "--older-than", age]).good()), "Deleted 0 old users");
    }
    let told = desk.run(&["identity", "cleanup", "--older-than", "0s", "--dry-run"]).good();
    assert_eq!(last(&told), "Would delete 1 old users", "{told}");
    assert!(told.out[0].contains(forgotten["username"].as_str().unwrap()), "{told}");
    assert_eq!(operator.users(), 3, "it was only asked");

    let told = desk.run(&["--json", "identity", "cleanup", "--older-than", "0s"]).good().event("cleaned_up");
    assert_eq!((&told["deleted"], &told["kept_connected"], &told["kept_owners"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(operator.users(), 2);

    // Once its room is gone, so is its maker.
    house
        .desk("admin")
        .run(&["room", "delete", room["room_id"].as_str().unwrap(), "--yes", &operator_option(&house)])
        .good();
    drop(socket);
    assert_eq!(operator.would_clean_up().kept_owners, 0);
}

#[test]
fn the_operator_cleans_up_everywhere() {
    let house = House::with_server();
    anonymous(&house);
    let desk = house.desk("admin");
    let told = desk.run(&["identity", "cleanup", "--older-than", "0s", &operator_option(&house)]).good();
    assert_eq!(last(&told), "Deleted 1 old users", "{told}");
    assert_eq!(Operator::of(&house).users(), 0);
}

#[test]
fn what_cannot_be_asked_is_said() {
    let mut house = House::with_server();
    let desk = house.desk("admin");
    let told = desk.run(&["identity", "cleanup", "--older-than", "a while"]);
    assert_eq!(told.code, i32::from(Exit::Usage.number()), "{told}");
    desk.run(&["identity", "cleanup", "--operator=nowhere"]).fails(Exit::RoomRefused);
    house.end_server();
    desk.run(&["identity", "cleanup"]).fails(Exit::ServerUnreachable);
}
