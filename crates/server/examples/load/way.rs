//! Frames on a way from one end to the other, and how long each was on it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::rig::Error;
use crate::rig::socket::Socket;

/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A frame that is sent again and again, and where what it causes arrives.
pub(crate) struct Way {
    out: SplitSink<Socket, Message>,
    into: SplitStream<Socket>,
    /// The directions that nobody uses: dropped, they would close the sockets.
    _unused: Option<(SplitStream<Socket>, SplitSink<Socket, Message>)>,
    frame: Utf8Bytes,
    /// How the frame that arrives begins.
    arrives: String,
}

/// What one round gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    /// Sorted, microseconds.
    pub(crate) times: Vec<f64>,
    /// Seconds.
    pub(crate) took: f64,
    /// CPU seconds of the measured process.
    pub(crate) cpu: f64,
}

impl Way {
    /// What one connection says, another one hears.
    pub(crate) fn between(from: Socket, to: Socket, frame: &str) -> Self {
        let ((out, back), (forth, into)) = (from.split(), to.split());
        Self { out, into, _unused: Some((back, forth)), frame: frame.into(), arrives: String::new() }
    }

    /// What a connection says is answered on it, by a frame that begins like this.
    pub(crate) fn round_trip(socket: Socket, frame: &str, arrives: &str) -> Self {
        let (out, into) = socket.split();
        Self { out, into, _unused: None, frame: frame.into(), arrives: arrives.to_owned() }
    }

    /// Keeps so many frames on their way for so long, then waits for the last of them.
    pub(crate) async fn drive(&mut self, in_flight: usize, how_long: Duration) -> Result<Round, Error> {
        timeout(how_long + PATIENCE, self.send_and_hear(in_flight, how_long)).await?
    }

    async fn send_and_hear(&mut self, in_flight: usize, how_long: Duration) -> Result<Round, Error> {
        let (mut sent, mut times) = (VecDeque::new(), Vec::new());
        let begin = Instant::now();
        while begin.elapsed() < how_long {
            while sent.len() < in_flight {
                self.out.feed(Message::Text(self.frame.clone())).await?;
                sent.push_back(Instant::now());
            }
            self.out.flush().await?;
            // Half of them, so that a window is refilled in one piece.
            while sent.len() > in_flight / 2 {
                self.hear(&mut sent, &mut times).await?;
            }
        }
        let took = begin.elapsed().as_secs_f64();
        let heard = times.len();
        while !sent.is_empty() {
            self.hear(&mut sent, &mut times).await?;
        }
        times.truncate(heard);
        times.sort_by(f64::total_cmp);
        Ok(Round { times, took, cpu: 0.0 })
    }

    async fn hear(&mut self, sent: &mut VecDeque<Instant>, times: &mut Vec<f64>) -> Result<(), Error> {
        match self.into.next().await.ok_or("closed")?? {
            Message::Text(text) if text.starts_with(&self.arrives) => {
                let at = sent.pop_front().ok_or("more came than went")?;
                times.push(at.elapsed().as_secs_f64() * 1e6);
            }
            Message::Text(text) if text.as_str() != r#"{"type":"ping"}"# => {
                return Err(format!("unexpected: {text}").into());
            }
            _ => {}
        }
        Ok(())
    }

    /// One frame there and what it causes back.
    pub(crate) async fn once(&mut self) -> Result<String, Error> {
        self.out.send(Message::Text(self.frame.clone())).await?;
        Ok(self.into.next().await.ok_or("closed")??.to_text()?.to_owned())
    }
}

impl Round {
    /// The time that this share of the frames did not exceed, microseconds.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let last = self.times.len().saturating_sub(1);
        self.times.get((last as f64 * share) as usize).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.took
    }
}
