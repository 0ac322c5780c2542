//! Messages from one end to the other.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::Error;
use crate::process::Process;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Two ends of a way.
pub(crate) struct Pair {
    pub(crate) from: Socket,
    pub(crate) to: Socket,
}

/// How long one round lasts.
const ROUND: Duration = Duration::from_secs(3);
/// A message, bytes of payload.
const PAYLOAD: usize = 1024;

pub(crate) async fn connect(address: SocketAddr, path: &str) -> Result<Socket, Error> {
    Ok(connect_async_with_config(format!("ws://{address}{path}"), None, true).await?.0)
}

/// What one round gave.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    p50_us: f64,
    p99_us: f64,
    per_second: f64,
    per_core_second: f64,
}

/// Keeps so many messages on their way for one round. The frame is a `peer_message` for both, so that both carry the same.
pub(crate) async fn relay(process: &Process, pair: Pair, in_flight: usize) -> Result<Figures, Error> {
    let Pair { mut from, mut to } = pair;
    let frame = serde_json::json!({
        "type": "peer_message", "from_peer_id": "a", "to_peer_id": "b", "payload": "x".repeat(PAYLOAD),
    });
    let frame = Utf8Bytes::from(frame.to_string());
    let (mut sent, mut times) = (VecDeque::new(), Vec::new());
    let (begin, cpu) = (Instant::now(), process.cpu_seconds()?);
    while begin.elapsed() < ROUND {
        while sent.len() < in_flight {
            from.feed(Message::Text(frame.clone())).await?;
            sent.push_back(Instant::now());
        }
        from.flush().await?;
        // All that have come, so that a full window is refilled in one piece.
        loop {
            match timeout(ROUND, to.next()).await?.ok_or("closed")?? {
                Message::Text(text) if text.len() == frame.len() => {
                    let at = sent.pop_front().ok_or("more came than went")?;
                    times.push(at.elapsed().as_secs_f64() * 1e6);
                }
                Message::Text(text) => return Err(format!("unexpected: {text}").into()),
                _ => continue,
            }
            if sent.len() <= in_flight / 2 {
                break;
            }
        }
    }
    let (took, used) = (begin.elapsed().as_secs_f64(), process.cpu_seconds()? - cpu);
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let count = times.len() as f64;
    Ok(Figures { p50_us: at(0.5), p99_us: at(0.99), per_second: count / took, per_core_second: count / used })
}

impl Figures {
    /// Each figure's own median.
    pub(crate) fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| {
            let mut all: Vec<f64> = rounds.iter().map(figure).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        Self {
            p50_us: of(|round| round.p50_us),
            p99_us: of(|round| round.p99_us),
            per_second: of(|round| round.per_second),
            per_core_second: of(|round| round.per_core_second),
        }
    }

    pub(crate) fn print(&self, name: &str, in_flight: usize) {
        let Self { p50_us, p99_us, per_second, per_core_second } = self;
        println!("{name:10} {in_flight:>9} {p50_us:>10.0} {p99_us:>10.0} {per_second:>12.0} {per_core_second:>16.0}");
    }

    pub(crate) fn compare(&self, bare: &Self) {
        let ratio = |ours: f64, bare: f64| ours / bare;
        println!(
            "{:10} {:>9} {:>10.2} {:>10.2} {:>12.2} {:>16.2}",
            "ratio",
            "",
            ratio(self.p50_us, bare.p50_us),
            ratio(self.p99_us, bare.p99_us),
            ratio(self.per_second, bare.per_second),
            ratio(self.per_core_second, bare.per_core_second),
        );
    }
}
