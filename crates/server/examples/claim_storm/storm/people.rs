//! Who takes part: each with a key of its own, signed in, in one named room.

use std::net::SocketAddr;

use serde_json::json;
use sleap_rtc_session::KeyPair;
use sleap_rtc_wire::http::key_signin_text;
use sleap_rtc_wire::{Filters, Metadata, PeerId, RoomId};

use super::super::rig::Error;
use super::super::rig::room::{post, text};

/// The room, as everybody knows it.
#[derive(Clone)]
pub(super) struct Lab {
    pub(super) address: SocketAddr,
    pub(super) id: RoomId,
    pub(super) token: String,
}

/// Somebody who may register.
pub(super) struct Person {
    pub(super) peer_id: PeerId,
    pub(super) room: Lab,
    pub(super) id_token: String,
}

async fn sign_in(address: SocketAddr) -> Result<String, Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let (key, audience) = (KeyPair::from_seed(&seed), address.to_string());
    let public_key = key.public();
    let nonce = text(&post(address, "/key-signin", "", &json!({"public_key": public_key})).await?, "nonce")?;
    let signature = key.sign(key_signin_text(&audience, &nonce).as_bytes());
    let proof = json!({"public_key": public_key, "nonce": nonce, "audience": audience, "signature": signature});
    text(&post(address, "/key-signin", "", &proof).await?, "id_token")
}

impl Lab {
    pub(super) async fn open(address: SocketAddr) -> Result<Self, Error> {
        let made = post(address, "/create-room", &sign_in(address).await?, &json!({"name": "storm"})).await?;
        Ok(Self { address, id: text(&made, "room_id")?.parse()?, token: text(&made, "token")? })
    }

    pub(super) async fn people(&self, name: &str, count: usize) -> Result<Vec<Person>, Error> {
        let mut people = Vec::with_capacity(count);
        for number in 0..count {
            let peer_id = format!("{name}-{number}").parse()?;
            people.push(Person { peer_id, room: self.clone(), id_token: sign_in(self.address).await? });
        }
        Ok(people)
    }
}

pub(super) fn worker_metadata() -> Metadata {
    json!({"tags": ["sleap-rtc"], "properties": {"gpu_memory_mb": 24576}}).into()
}

/// What every client wants: any of the workers.
pub(super) fn wanted() -> Filters {
    Filters::parse(json!({"tags": ["sleap-rtc"], "properties": {"gpu_memory_mb": {"$gte": 16384}}})).unwrap_or_default()
}
