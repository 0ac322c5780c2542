//! Start, end, and start again.

use serde_json::json;
use sleap_rtc_server::{Config, ExtraPort, Server, ServerError, close_code};

use crate::rig::{Peer, Socket, TestServer};

#[tokio::test]
async fn rooms_and_keys_survive_a_restart() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let token = room.maker.sign_in(&server).await;
    let before = Peer::worker(&server, &room, "gpu1").await;
    let server = TestServer::on(server.stop().await, |_| {}, |ports| ports).await;
    drop(before);
    let after = Peer::worker(&server, &room, "gpu1").await;
    assert_eq!(after.registered["room_id"], json!(room.id));
    let extended = server.post("/extend-room").bearer(&token).json(&json!({"room_id": room.id})).send().await;
    assert_eq!(extended.status, 200, "a token of before is good: {extended:?}");
}

#[tokio::test]
async fn every_socket_hears_that_the_server_goes() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let mut unregistered = Socket::open(server.ws, "/").await;
    server.stop().await;
    assert_eq!(worker.socket.closed().await, close_code::GOING_AWAY);
    assert_eq!(unregistered.closed().await, close_code::GOING_AWAY);
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_with_its_address() {
    let server = TestServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path().join("data"));
    (config.http, config.ws) = (server.http, server.ws);
    (config.relay, config.stun) = (ExtraPort::Off, ExtraPort::Off);
    let Err(error) = Server::bind(config).await else { panic!("bound twice") };
    assert!(matches!(error, ServerError::Listen { address, .. } if address == server.http), "{error}");
}

#[tokio::test]
async fn a_second_server_on_one_folder_is_refused() {
    let server = TestServer::start().await;
    let mut config = Config::new(server.folder.path().join("data"));
    (config.http, config.ws) = ("127.0.0.1:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap());
    (config.relay, config.stun) = (ExtraPort::Off, ExtraPort::Off);
    let Err(error) = Server::bind(config).await else { panic!("two servers on one folder") };
    assert!(error.to_string().contains("in use by another server"), "{error}");
}
