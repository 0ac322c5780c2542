//! This program as a member of its room.

use serde_json::json;
use sleap_rtc_peer::api::Api;
use sleap_rtc_peer::client_pool::{ClientEvent, ClientPool};
use sleap_rtc_peer::home::client_peer_id;
use sleap_rtc_session::KeyPair;
use sleap_rtc_session::pool_client::{Failure, Setup};
use sleap_rtc_session::pool_line::FirstTry;
use sleap_rtc_wire::{Metadata, PeerId, RoomId};
use tokio::sync::mpsc::Receiver;

use crate::config::Config;
use crate::error::TrainError;

/// Who we are in the room, and our line to it.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) key: KeyPair,
    pub(crate) me: PeerId,
    pub(crate) room: RoomId,
    pub(crate) server: String,
    pub(crate) pool: ClientPool,
}

impl Member {
    /// Begins to sign in and to register. If the first try fails, every call says why.
    pub(crate) fn join(config: &Config, purpose: &str) -> Result<(Self, Receiver<ClientEvent>), TrainError> {
        let access = config.settings.room_access()?;
        let key = config.home.installation_key()?;
        let me = client_peer_id(&key, random_word()?);
        let server = config.settings.server.value.clone();
        let setup = Setup {
            peer_id: me.clone(),
            room_id: access.room.clone(),
            token: access.token,
            metadata: metadata(purpose),
            first: FirstTry::Once,
        };
        let (pool, events) = ClientPool::start(Api::new(server.clone()), key.clone(), setup);
        Ok((Self { key, me, room: access.room, server: server.to_string(), pool }, events))
    }

    /// What a failed call means to the user.
    pub(crate) fn failed(&self, failure: Failure, worker: Option<&str>) -> TrainError {
        let server = self.server.clone();
        match failure {
            Failure::GivenUp(cause) | Failure::ServerLost(cause) => {
                TrainError::Server { server, room: self.room.clone(), cause }
            }
            Failure::Refused(refused) => {
                TrainError::NoWorker { room: self.room.clone(), refused: Box::new(refused), there: None }
            }
            failure => TrainError::Call { server, worker: worker.map(str::to_owned), failure: Box::new(failure) },
        }
    }
}

/// As the Python program's clients call themselves, so that its tools show ours.
fn metadata(purpose: &str) -> Metadata {
    Metadata::from(json!({
        "tags": ["sleap-rtc", "training-client"],
        "properties": {
            "purpose": purpose,
            "platform": std::env::consts::OS,
            "sleap_rtc_version": env!("CARGO_PKG_VERSION"),
        },
    }))
}

fn random_word() -> Result<u32, TrainError> {
    getrandom::u32().map_err(|error| TrainError::Internal(format!("no random numbers: {error}")))
}
