//! A UDP wire between two peers on loopback that can be cut: both see the other only at the wire's addresses.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// One end: the wire's socket that stands for a peer, and the peer's real port once its description went by.
struct End {
    socket: UdpSocket,
    peer: AtomicU16,
}

impl End {
    async fn new() -> Arc<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Arc::new(Self { socket, peer: AtomicU16::new(0) })
    }

    /// Rewrites the peer's description so that it names the wire.
    fn rewrite(&self, sdp: &str) -> String {
        let port = sdp.lines().find_map(candidate_port).expect("a candidate");
        self.peer.store(port, Ordering::SeqCst);
        sdp.replace(&format!(" {port} typ"), &format!(" {} typ", self.socket.local_addr().unwrap().port()))
    }
}

fn candidate_port(line: &str) -> Option<u16> {
    line.strip_prefix("a=candidate:")?.split(' ').nth(5)?.parse().ok()
}

/// Carries datagrams until it is cut.
pub(crate) struct Wire {
    offerer: Arc<End>,
    answerer: Arc<End>,
    carriers: Mutex<Vec<JoinHandle<()>>>,
}

impl Wire {
    pub(crate) async fn new() -> Self {
        let (offerer, answerer) = (End::new().await, End::new().await);
        let carriers = vec![
            tokio::spawn(carry(offerer.clone(), answerer.clone())),
            tokio::spawn(carry(answerer.clone(), offerer.clone())),
        ];
        Self { offerer, answerer, carriers: Mutex::new(carriers) }
    }

    pub(crate) fn offer(&self, sdp: &str) -> String {
        self.offerer.rewrite(sdp)
    }

    pub(crate) fn answer(&self, sdp: &str) -> String {
        self.answerer.rewrite(sdp)
    }

    /// Carries nothing from now on.
    pub(crate) async fn cut(&self) {
        let carriers = std::mem::take(&mut *self.carriers.lock().unwrap());
        for carrier in carriers {
            carrier.abort();
            let _ = carrier.await;
        }
    }
}

/// What arrives at `to`'s stand-in goes to `to`'s peer, from the address of the other stand-in.
async fn carry(to: Arc<End>, from: Arc<End>) {
    let mut datagram = vec![0; 65_536];
    loop {
        // An error here is the echo of an earlier datagram to a peer that is gone.
        let Ok((len, _)) = to.socket.recv_from(&mut datagram).await else { continue };
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, to.peer.load(Ordering::SeqCst)));
        let _ = from.socket.send_to(&datagram[..len], peer).await;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for carrier in self.carriers.lock().unwrap().drain(..) {
            carrier.abort();
        }
    }
}
