//! UDP sockets with receive buffers that hold a whole SCTP window, and the addresses to bind them to.
//!
//! The stack leaves `SO_RCVBUF` at the system's default (208 KiB on Linux), which overflows at the sender's bursts:
//! measured, that costs a factor of ten in rate. So it is raised here, what was granted is read back, and the SCTP
//! window is sized to fit it.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::rtc::shared::ifaces::ifaces;
use ::webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime, TokioRuntime,
};
use socket2::SockRef;

/// The buffer that is asked for, in bytes. With a window of 1 MiB beside it no packet was dropped (measured).
const WANTED: usize = 4 << 20;

/// Largest SCTP receive window in bytes: 25 MiB/s at 40 ms round trip, more than a home line carries.
const MAX_WINDOW: u32 = 1 << 20;

/// Smallest window in bytes: it must hold a message of 64 KiB while the next one begins.
const MIN_WINDOW: u32 = 128 << 10;

/// Most sockets of one link. A machine with many virtual interfaces would otherwise offer hundreds of candidates.
const MAX_ADDRESSES: usize = 16;

/// Longest sleep of the driver while a link is being set up.
const HURRIED_SLEEP: Duration = Duration::from_millis(5);

/// What the operating system gives a socket of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Buffers {
    /// Receive buffer in bytes, in the unit in which it is asked for.
    pub(super) granted: usize,
    /// SCTP receive window in bytes.
    pub(super) window: u32,
}

impl Buffers {
    /// Asks with a socket that is thrown away, because the window must be known before the stack makes the real ones.
    pub(super) fn probe() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).or_else(|_| UdpSocket::bind("[::]:0"))?;
        enlarge(&socket)?;
        Ok(Self::of(SockRef::from(&socket).recv_buffer_size()?))
    }

    /// `reported` is what the system says that the buffer holds: Linux reports twice what it was asked for, because
    /// it counts its own bookkeeping, about as much as the payload. A quarter of that for the window leaves half of
    /// the payload's room free.
    fn of(reported: usize) -> Self {
        let granted = if cfg!(target_os = "linux") { reported / 2 } else { reported };
        let window = u32::try_from(reported / 4).unwrap_or(MAX_WINDOW).clamp(MIN_WINDOW, MAX_WINDOW);
        Self { granted, window }
    }

    /// Longest message in bytes that is accepted: a message must fit into the window with room to spare, or it never
    /// completes. 256 KiB, but 64 KiB where the system grants no more than its small default.
    pub(super) fn max_message(self) -> u32 {
        if self.window >= MAX_WINDOW / 2 { 256 << 10 } else { 64 << 10 }
    }
}

/// Raises the buffers as far as the system allows; it caps them without an error.
fn enlarge(socket: &UdpSocket) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_recv_buffer_size(WANTED)?;
    socket.set_send_buffer_size(WANTED)
}

/// The local addresses to offer: every interface's, `loopback` ones only if asked for (and then first, so that the
/// bound never drops them), link-local ones never (they mean nothing to a peer). Never empty.
pub(super) fn local_addresses(loopback: bool) -> io::Result<Vec<IpAddr>> {
    let mut found: Vec<IpAddr> = ifaces()?.iter().filter_map(|interface| Some(interface.addr?.ip())).collect();
    found.retain(|ip| usable(ip, loopback));
    found.sort_by_key(|ip| (!ip.is_loopback(), ip.is_ipv6(), *ip));
    found.dedup();
    found.truncate(MAX_ADDRESSES);
    if found.is_empty() {
        // Offline, or no interface can be listed: with the wildcard a relay can still be reached.
        found.push(Ipv4Addr::UNSPECIFIED.into());
    }
    Ok(found)
}

fn usable(ip: &IpAddr, loopback: bool) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !link_local && !ip.is_unspecified() && (loopback || !ip.is_loopback())
}

type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The tokio runtime with three changes. Every UDP socket gets large buffers. TCP is refused: candidates over TCP are
/// never offered, so no peer can make this process open connections. And while a link is being set up, the driver
/// never sleeps for long: what it produces while it handles an event (the first packets after each handshake), it
/// sends only after its next wake-up, which costs 0.4 s a link if that is a timer of 200 ms.
#[derive(Debug, Default)]
pub(super) struct LinkRuntime {
    hurry: Arc<AtomicBool>,
}

impl LinkRuntime {
    /// The switch for the time of setting up.
    pub(super) fn hurry(&self) -> Arc<AtomicBool> {
        self.hurry.clone()
    }
}

impl Runtime for LinkRuntime {
    fn spawn(&self, future: Later<'static, ()>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        enlarge(&socket)?;
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn wrap_tcp_listener(&self, _: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn connect_tcp(&self, _: SocketAddr) -> Later<'_, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Later<'a, io::Result<Vec<SocketAddr>>> {
        TokioRuntime.resolve_host(host)
    }

    fn sleep(&self, duration: Duration) -> Later<'static, ()> {
        let hurry = self.hurry.load(Ordering::Relaxed);
        TokioRuntime.sleep(if hurry { duration.min(HURRIED_SLEEP) } else { duration })
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> Later<'static, ()> {
        TokioRuntime.yield_now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_the_granted_buffer() {
        assert_eq!(Buffers::of(8 << 20).window, 1 << 20);
        assert_eq!(Buffers::of(2 << 20).window, 512 << 10);
        assert_eq!(Buffers::of(425_984).window, MIN_WINDOW);
        assert_eq!(Buffers::of(8 << 20).max_message(), 256 << 10);
        assert_eq!(Buffers::of(425_984).max_message(), 64 << 10);
    }

    #[test]
    fn loopback_addresses_only_when_asked_for() {
        assert!(local_addresses(true).unwrap().iter().any(IpAddr::is_loopback));
        let without = local_addresses(false).unwrap();
        assert!(!without.is_empty() && !without.iter().any(IpAddr::is_loopback));
    }
}
