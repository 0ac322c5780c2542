//! The STUN responder, and what peers are told of it.

use std::net::SocketAddr;
use std::time::Duration;

use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Getter, Message, TransactionId};
use rtc_stun::xoraddr::XorMappedAddress;
use serde_json::{Value, json};
use sleap_rtc_server::{Config, Extra, ExtraPort, Server, ServerError};
use sleap_rtc_wire::signal::IceServer;
use tokio::net::UdpSocket;

use crate::rig::{HERE, Peer, TestServer, eventually};

/// Asks until there is an answer, as datagrams may get lost; the address that it tells.
async fn ask(socket: &UdpSocket, server: SocketAddr) -> SocketAddr {
    let mut request = Message::new();
    request.build(&[Box::new(TransactionId([7; 12])), Box::new(BINDING_REQUEST)]).unwrap();
    let mut buffer = [0; 1500];
    for _ in 0..100 {
        socket.send_to(&request.raw, server).await.unwrap();
        let received = tokio::time::timeout(Duration::from_millis(300), socket.recv_from(&mut buffer)).await;
        let Ok(received) = received else { continue };
        let (length, from) = received.unwrap();
        assert_eq!(from, server);
        let mut answer = Message::new();
        answer.unmarshal_binary(&buffer[..length]).unwrap();
        assert_eq!((answer.typ, answer.transaction_id), (BINDING_SUCCESS, TransactionId([7; 12])));
        let mut mapped = XorMappedAddress::default();
        mapped.get_from(&answer).unwrap();
        return SocketAddr::new(mapped.ip, mapped.port);
    }
    panic!("no answer");
}

async fn with_stun(set: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|config| {
        config.stun = ExtraPort::Needed(0);
        set(config);
    })
    .await
}

/// What a peer is told when it registers.
async fn told(server: &TestServer, fields: Value) -> Value {
    let room = server.room().await;
    let mut register = json!({"peer_id": "worker-1", "role": "worker"});
    register.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Peer::join(server, &room, &crate::rig::Installation::new(), register).await.registered
}

/// `stun:HOST:PORT` as an address.
fn address(registered: &Value) -> SocketAddr {
    registered["ice_servers"][0]["urls"][0].as_str().unwrap().strip_prefix("stun:").unwrap().parse().unwrap()
}

async fn count(server: &TestServer, name: &str) -> u64 {
    let metrics = server.get("/metrics/prometheus").send().await.body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_peer_is_told_of_the_servers_responder_which_tells_it_its_address() {
    let server = with_stun(|_| {}).await;
    let registered = told(&server, json!({})).await;
    assert_eq!(registered["ice_servers"], registered["mesh_ice_servers"]);
    let stun = address(&registered);
    assert_eq!(stun.ip(), HERE, "the host that it dialled");
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    assert_eq!(ask(&socket, stun).await, socket.local_addr().unwrap());
    assert!(count(&server, "sleap_rtc_stun_answers_total").await >= 1);
}

/// Old peers unpack each entry as keyword arguments: another key than theirs, and no offer is ever answered.
#[tokio::test]
async fn hazard_06_ice_servers_have_only_the_keys_that_old_peers_know() {
    let server = with_stun(|config| {
        let turn = "turn:relay.lab.edu:3478?transport=udp".to_owned();
        config.ice_servers =
            vec![IceServer { urls: vec![turn], username: Some("ada".to_owned()), credential: Some("pw".to_owned()) }];
    })
    .await;
    let old = told(&server, json!({"features": []})).await;
    let port = address(&old).port();
    let expected = json!([
        {"urls": [format!("stun:127.0.0.1:{port}")]},
        {"urls": ["turn:relay.lab.edu:3478?transport=udp"], "username": "ada", "credential": "pw"},
    ]);
    assert_eq!((&old["ice_servers"], &old["mesh_ice_servers"]), (&expected, &expected));
}

#[tokio::test]
async fn the_public_address_is_told_where_there_is_one() {
    let server = with_stun(|config| config.public_url = Some("https://rtc.lab.edu:8001".to_owned())).await;
    let registered = told(&server, json!({})).await;
    let url = registered["ice_servers"][0]["urls"][0].as_str().unwrap().to_owned();
    assert!(url.starts_with("stun:rtc.lab.edu:"), "{url}");
}

#[tokio::test]
async fn one_address_gets_so_many_answers_a_minute() {
    let server = with_stun(|config| config.rates.stun = 3).await;
    let stun = address(&told(&server, json!({})).await);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut request = Message::new();
    request.build(&[Box::new(TransactionId([7; 12])), Box::new(BINDING_REQUEST)]).unwrap();
    eventually("the limit", || async {
        socket.send_to(&request.raw, stun).await.unwrap();
        count(&server, "sleap_rtc_stun_limited_total").await > 0
    })
    .await;
    // In the minute that begins with the first one, or in two that it falls into.
    assert!((3..=6).contains(&count(&server, "sleap_rtc_stun_answers_total").await));
}

#[tokio::test]
async fn it_ends_with_the_server() {
    let server = with_stun(|_| {}).await;
    let stun = address(&told(&server, json!({})).await);
    UdpSocket::bind(stun).await.unwrap_err();
    server.stop().await;
    UdpSocket::bind(stun).await.unwrap();
}

/// A server on free ports but for these two.
async fn bind(relay: ExtraPort, stun: ExtraPort) -> Result<(Extra, Extra), ServerError> {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path().join("data"));
    (config.http, config.ws) = ("127.0.0.1:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap());
    (config.relay, config.stun) = (relay, stun);
    Server::bind(config).await.map(|server| (server.relay, server.stun))
}

#[tokio::test]
async fn a_default_port_that_is_taken_is_done_without_and_one_that_was_asked_for_is_an_error() {
    let (udp, tcp) =
        (UdpSocket::bind("127.0.0.1:0").await.unwrap(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let (udp, tcp_port) = ((udp.local_addr().unwrap().port(), udp), tcp.local_addr().unwrap().port());
    let (relay, stun) = bind(ExtraPort::IfFree(tcp_port), ExtraPort::IfFree(udp.0)).await.unwrap();
    assert!(matches!(relay, Extra::Failed { port, .. } if port == tcp_port), "{relay:?}");
    assert!(matches!(stun, Extra::Failed { port, .. } if port == udp.0), "{stun:?}");
    let error = bind(ExtraPort::Off, ExtraPort::Needed(udp.0)).await.unwrap_err();
    assert!(matches!(error, ServerError::Stun { address, .. } if address.port() == udp.0), "{error}");
    let error = bind(ExtraPort::Needed(tcp_port), ExtraPort::Off).await.unwrap_err();
    assert!(matches!(error, ServerError::Listen { address, .. } if address.port() == tcp_port), "{error}");
    assert_eq!(bind(ExtraPort::Off, ExtraPort::Off).await.unwrap(), (Extra::Off, Extra::Off));
}

#[tokio::test]
async fn without_a_responder_nobody_is_told_of_one() {
    let server = TestServer::start().await;
    assert_eq!(told(&server, json!({})).await["ice_servers"], json!([]));
}
