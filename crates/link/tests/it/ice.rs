//! ICE servers: what a link makes of those that answer, and of those that do not.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rtc::stun::message::{BINDING_SUCCESS, Message, Setter};
use rtc::stun::xoraddr::XorMappedAddress;
use sleap_rtc_link::webrtc::WebRtcConnector;
use sleap_rtc_link::{Connector, IceServer, Link};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use crate::rig::{PATIENCE, bounded, control, loopback};

/// Too short for a link to a peer that has gone.
const SHORT: Duration = Duration::from_millis(300);

/// A STUN server that sees everybody at one address, as behind a NAT; or one that only listens.
struct Stun {
    address: SocketAddr,
    /// Who has asked, each once however often it repeats itself.
    askers: Arc<Mutex<HashSet<SocketAddr>>>,
    _task: JoinSet<()>,
}

impl Stun {
    async fn start(seen: Option<IpAddr>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, askers) = (socket.local_addr().unwrap(), Arc::<Mutex<HashSet<_>>>::default());
        let mut task = JoinSet::new();
        task.spawn(serve(socket, seen, askers.clone()));
        Self { address, askers, _task: task }
    }

    fn server(&self) -> IceServer {
        stun(&format!("stun:{}", self.address))
    }

    fn asked(&self) -> usize {
        self.askers.lock().unwrap().len()
    }
}

async fn serve(socket: UdpSocket, seen: Option<IpAddr>, askers: Arc<Mutex<HashSet<SocketAddr>>>) {
    let mut buffer = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        askers.lock().unwrap().insert(from);
        let Some(ip) = seen else { continue };
        let mut request = Message::new();
        request.unmarshal_binary(&buffer[..length]).unwrap();
        let mut answer = Message::new();
        (answer.transaction_id, answer.typ) = (request.transaction_id, BINDING_SUCCESS);
        answer.write_header();
        XorMappedAddress { ip, port: from.port() }.add_to(&mut answer).unwrap();
        socket.send_to(&answer.raw, from).await.unwrap();
    }
}

fn stun(url: &str) -> IceServer {
    IceServer { urls: vec![url.to_owned()], username: String::new(), credential: String::new() }
}

/// A relay where nobody is.
fn relay() -> IceServer {
    IceServer {
        urls: vec!["turn:127.0.0.1:9?transport=udp".to_owned()],
        username: "ada".to_owned(),
        credential: "secret".to_owned(),
    }
}

fn connector() -> WebRtcConnector {
    WebRtcConnector::new(loopback(PATIENCE))
}

async fn pair(a: &WebRtcConnector, b: &WebRtcConnector, servers: &[IceServer]) -> (Arc<dyn Link>, Arc<dyn Link>) {
    let offered = bounded(a.offer(servers)).await.unwrap();
    let answered = bounded(b.answer(offered.sdp(), servers)).await.unwrap();
    let answer = answered.sdp().to_owned();
    let (a, b) = tokio::join!(offered.connect(&answer, PATIENCE), answered.connected(PATIENCE));
    (a.unwrap(), b.unwrap())
}

async fn they_talk((a, b): (Arc<dyn Link>, Arc<dyn Link>)) {
    a.send_control("here".into()).await.unwrap();
    assert_eq!(control(&*b).await, "here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_a_server_saw_is_offered_and_answered() {
    let nat: IpAddr = "192.0.2.77".parse().unwrap();
    let server = Stun::start(Some(nat)).await;
    let offered = bounded(connector().offer(&[server.server()])).await.unwrap();
    let reflexive = |sdp: &str| sdp.lines().any(|line| line.contains(" 192.0.2.77 ") && line.contains(" typ srflx"));
    assert!(reflexive(offered.sdp()), "{}", offered.sdp());
    assert!(offered.sdp().contains(" typ host"), "{}", offered.sdp());
    let answered = bounded(connector().answer(offered.sdp(), &[server.server()])).await.unwrap();
    assert!(reflexive(answered.sdp()), "{}", answered.sdp());
    let answer = answered.sdp().to_owned();
    let (a, b) = tokio::join!(offered.connect(&answer, PATIENCE), answered.connected(PATIENCE));
    // Nobody answers at that address here: the direct path is taken.
    they_talk((a.unwrap(), b.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_the_own_one_does_no_harm() {
    let server = Stun::start(Some("127.0.0.1".parse().unwrap())).await;
    they_talk(bounded(pair(&connector(), &connector(), &[server.server()])).await).await;
    assert_eq!(server.asked(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_hinders_no_link_and_is_not_asked_again_at_once() {
    let silent = Stun::start(None).await;
    let (a, b) = (connector(), connector());
    they_talk(bounded(pair(&a, &b, &[silent.server()])).await).await;
    assert_eq!(silent.asked(), 2, "both ends asked");
    they_talk(bounded(pair(&a, &b, &[silent.server()])).await).await;
    assert_eq!(silent.asked(), 2);
    // Another list is another server's matter.
    let server = Stun::start(Some("192.0.2.77".parse().unwrap())).await;
    let offered = bounded(a.offer(&[silent.server(), server.server()])).await.unwrap();
    assert!(offered.sdp().contains(" 192.0.2.77 "), "one that answers is enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_with_a_relay_is_asked_for_every_link_however_silent_it_was() {
    let silent = Stun::start(None).await;
    let (a, b) = (connector(), connector());
    let servers = [silent.server(), relay()];
    they_talk(bounded(pair(&a, &b, &servers)).await).await;
    assert_eq!(silent.asked(), 2, "both ends asked");
    they_talk(bounded(pair(&a, &b, &servers)).await).await;
    assert_eq!(silent.asked(), 4, "and ask again: the relay may be the only way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_link_that_failed_without_them_silent_servers_are_asked_again() {
    let silent = Stun::start(None).await;
    let servers = [silent.server()];
    let (a, b) = (connector(), connector());
    they_talk(bounded(pair(&a, &b, &servers)).await).await;
    let offered = bounded(a.offer(&servers)).await.unwrap();
    let answered = bounded(b.answer(offered.sdp(), &servers)).await.unwrap();
    assert_eq!(silent.asked(), 2, "neither asks at once");
    let (offer, answer) = (offered.sdp().to_owned(), answered.sdp().to_owned());
    drop(answered);
    assert!(offered.connect(&answer, SHORT).await.is_err());
    bounded(a.offer(&servers)).await.unwrap();
    assert_eq!(silent.asked(), 3, "the offerer");
    let answered = bounded(b.answer(&offer, &servers)).await.unwrap();
    assert_eq!(silent.asked(), 3, "at the other end no link has failed");
    assert!(answered.connected(SHORT).await.is_err());
    bounded(b.answer(&offer, &servers)).await.unwrap();
    assert_eq!(silent.asked(), 4, "the answerer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_nowhere_or_nonsense_hinder_no_link() {
    let relay = relay();
    assert!(!format!("{relay:?}").contains("secret"));
    let servers = [stun("stun:no-such-host.invalid:3478"), stun("stun:127.0.0.1:9"), stun("x"), stun(""), relay];
    they_talk(bounded(pair(&connector(), &connector(), &servers)).await).await;
}
