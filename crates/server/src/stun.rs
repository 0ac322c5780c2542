//! The STUN responder: tells a peer from which address and port its packets come, so that peers behind NAT find each other and
//! no lab needs somebody else's server for that.
//!
//! One UDP socket an address family, each with one task and no memory of who asked. It must not be of use to anybody who writes
//! other addresses into his packets: an answer is a little larger than its request (`message`), and how many there are is limited
//! a network and in all.

mod budget;
mod message;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;

use crate::app::App;
use crate::rates::Rate;
use budget::Budget;

/// Longest datagram that is looked at, bytes. A request without anything that we do not know has 20, or a few more.
const LONGEST: usize = 576;
/// Most answers in a second, all askers together: less than 100 KB/s whatever somebody tries.
const EVERYBODY: u32 = 2000;

/// Sockets that wait to be served.
pub(crate) struct Responder {
    pub(crate) port: u16,
    sockets: Vec<UdpSocket>,
}

impl Responder {
    /// Binds both families if `at` is every address, else that one. Port 0 takes a free one.
    pub(crate) fn bind(at: SocketAddr) -> io::Result<Self> {
        if !at.ip().is_unspecified() {
            let socket = open(at)?;
            return Ok(Self { port: socket.local_addr()?.port(), sockets: vec![socket] });
        }
        let v4 = open(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), at.port()))?;
        let port = v4.local_addr()?.port();
        let mut sockets = vec![v4];
        match open(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
            Ok(v6) => sockets.push(v6),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            // A machine without IPv6.
            Err(error) => tracing::debug!(%error, "STUN over IPv4 only"),
        }
        Ok(Self { port, sockets })
    }

    /// Answers until the server ends.
    pub(crate) async fn run(self, app: Arc<App>) {
        let limits = Arc::new(Limits { each: Rate::new(app.context.config.rates.stun), all: Budget::new(EVERYBODY) });
        let mut tasks = tokio::task::JoinSet::new();
        for socket in self.sockets {
            tasks.spawn(serve(socket, limits.clone(), app.clone()));
        }
        app.closed().await;
        tasks.shutdown().await;
    }
}

struct Limits {
    each: Rate,
    all: Budget,
}

impl Limits {
    fn allow(&self, from: IpAddr, app: &App) -> bool {
        let now = app.context.now();
        self.each.allows(from, now) && self.all.take(now)
    }
}

fn open(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, None)?;
    if at.is_ipv6() {
        // IPv4 has a socket of its own, and its addresses are then written as such.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    UdpSocket::from_std(socket.into())
}

async fn serve(socket: UdpSocket, limits: Arc<Limits>, app: Arc<App>) {
    let mut buffer = [0; LONGEST];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // Of a datagram that was too long, or of an answer that could not be delivered.
                tracing::trace!(%error, "STUN: receiving");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let Some(answer) = message::answer(buffer.get(..length).unwrap_or_default(), from) else { continue };
        if !limits.allow(from.ip(), &app) {
            app.context.metrics.stun_limited.add();
            continue;
        }
        // Without waiting: who asks does so again.
        match socket.try_send_to(&answer, from) {
            Ok(_) => app.context.metrics.stun_answered.add(),
            Err(error) => tracing::trace!(%error, %from, "STUN: answering"),
        }
    }
}
