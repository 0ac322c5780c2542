//! What people do around training: rooms, clean-up, tests of their own.

mod cleanup;
mod pytest;
mod rooms;
mod rules;
mod scripts;
mod test_room;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sleap_rtc_wire::http::CleanedUp;

use crate::house::House;

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("workspace root").to_path_buf()
}

/// The server's data folder, as an option.
fn operator_option(house: &House) -> String {
    format!("--operator={}", house.path().join("server").display())
}

/// Who may read the server's data folder, over HTTP.
struct Operator {
    http: String,
    secret: String,
}

impl Operator {
    fn of(house: &House) -> Self {
        let secret = fs::read_to_string(house.path().join("server/admin.secret")).expect("the secret");
        Self { http: house.http().to_owned(), secret: format!("Bearer {}", secret.trim()) }
    }

    /// The ids of all rooms.
    fn rooms(&self) -> Vec<String> {
        let reply = ureq::get(format!("{}/admin/rooms", self.http)).header("Authorization", &self.secret).call();
        let listed: Value = reply.expect("an answer").body_mut().read_json().expect("JSON");
        let rooms = listed["rooms"].as_array().expect("rooms");
        rooms.iter().map(|room| room["room_id"].as_str().expect("an id").to_owned()).collect()
    }

    /// How many anonymous users there are.
    fn users(&self) -> usize {
        let CleanedUp { deleted, kept_connected, kept_owners, .. } = self.would_clean_up();
        deleted + kept_connected + kept_owners
    }

    /// What a clean-up of all that are not in use would do.
    fn would_clean_up(&self) -> CleanedUp {
        let reply = ureq::post(format!("{}/identities/cleanup", self.http))
            .header("Authorization", &self.secret)
            .send_json(json!({"older_than": 0, "dry_run": true}));
        reply.expect("an answer").body_mut().read_json().expect("JSON")
    }
}

/// Signs in as the original's programs do.
fn anonymous(house: &House) -> Value {
    let reply = ureq::post(format!("{}/anonymous-signin", house.http())).send_empty();
    reply.expect("an answer").body_mut().read_json().expect("JSON")
}

/// Makes a room as the original's programs do.
fn create_room(house: &House, user: &Value) -> Value {
    let bearer = format!("Bearer {}", user["id_token"].as_str().expect("a token"));
    let reply = ureq::post(format!("{}/create-room", house.http())).header("Authorization", &bearer).send_empty();
    reply.expect("an answer").body_mut().read_json().expect("JSON")
}
