//! Moves a link's messages to and from the session that owns it.
//!
//! Three tasks a link: one reads, one writes control messages, one writes bulk messages, so that a full bulk queue never
//! delays a control message. They end with the link; dropping the [`Pump`] ends link and tasks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sleap_rtc_link::{CloseReason, Link, LinkError, LinkEvent};
use sleap_rtc_session::LinkId;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::task::JoinHandle;

/// Control messages that may wait for the link. A session has a few hundred at most on their way; more wait only for a peer
/// that asks and asks and does not read.
const CONTROL: usize = 1024;
/// How long a close waits until the link has taken what is queued: a peer that does not read must not keep the link.
const FLUSH: Duration = Duration::from_secs(3);

/// What a link does, for the session that owns it. The last one is [`PumpEvent::Down`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PumpEvent {
    /// A control message came.
    Control(String),
    /// A bulk message came.
    Bulk(Bytes),
    /// The link took a bulk message.
    BulkTaken,
    /// The link is gone.
    Down(CloseReason),
}

/// A link with its tasks.
///
/// Bulk messages are queued without bound here: the session itself never has more than about 16 MiB on their way.
#[derive(Debug)]
pub struct Pump {
    control: Sender<String>,
    bulk: UnboundedSender<Bytes>,
    closing: UnboundedSender<Closing>,
}

/// How a link is to be closed.
#[derive(Debug)]
enum Closing {
    /// After what is queued.
    Flush,
    /// At once.
    Now,
}

impl Pump {
    /// Starts the tasks. Events go to `events` with the link's number; a slow owner slows the peer down.
    pub fn start(id: LinkId, link: Arc<dyn Link>, events: Sender<(LinkId, PumpEvent)>) -> Self {
        let (control, control_queue) = channel(CONTROL);
        let (bulk, bulk_queue) = unbounded_channel();
        let (closing, close_wanted) = unbounded_channel();
        let writers = [
            tokio::spawn(write_control(link.clone(), control_queue)),
            tokio::spawn(write_bulk(id, link.clone(), bulk_queue, events.clone())),
        ];
        tokio::spawn(close(link.clone(), close_wanted, writers));
        tokio::spawn(read(id, link, events));
        Self { control, bulk, closing }
    }

    /// Queues a control message. For a link that is gone it is dropped: [`PumpEvent::Down`] is on its way. If too many wait the
    /// link is closed.
    pub fn send(&self, text: String) {
        if let Err(TrySendError::Full(_)) = self.control.try_send(text) {
            tracing::warn!("a peer does not read what it is told; the link is closed");
            self.closing.send(Closing::Now).ok();
        }
    }

    /// Queues a bulk message, answered by [`PumpEvent::BulkTaken`].
    pub fn send_bulk(&self, data: Bytes) {
        self.bulk.send(data).ok();
    }

    /// Sends what is queued, as far as the peer takes it, then closes; [`PumpEvent::Down`] follows.
    pub fn close(self) {
        // The queues end with `self`, the writers with their queues; the reader goes on until the link has ended.
        self.closing.send(Closing::Flush).ok();
    }
}

async fn read(id: LinkId, link: Arc<dyn Link>, events: Sender<(LinkId, PumpEvent)>) {
    loop {
        let event = match link.next().await {
            LinkEvent::Control(text) => PumpEvent::Control(text),
            LinkEvent::Bulk(data) => PumpEvent::Bulk(data),
            LinkEvent::Closed(reason) => PumpEvent::Down(reason),
        };
        let last = matches!(event, PumpEvent::Down(_));
        if events.send((id, event)).await.is_err() || last {
            return;
        }
    }
}

async fn write_control(link: Arc<dyn Link>, mut queue: Receiver<String>) {
    while let Some(text) = queue.recv().await {
        if let Err(error) = link.send_control(text).await {
            return give_up(&*link, &error).await;
        }
    }
}

async fn write_bulk(
    id: LinkId,
    link: Arc<dyn Link>,
    mut queue: UnboundedReceiver<Bytes>,
    events: Sender<(LinkId, PumpEvent)>,
) {
    while let Some(data) = queue.recv().await {
        if let Err(error) = link.send_bulk(data).await {
            return give_up(&*link, &error).await;
        }
        if events.send((id, PumpEvent::BulkTaken)).await.is_err() {
            return;
        }
    }
}

/// A message that cannot be sent would be missing in its flow: the link is of no use any more.
async fn give_up(link: &dyn Link, error: &LinkError) {
    if !matches!(error, LinkError::Closed(_)) {
        tracing::warn!(%error, "a message could not be sent; the link is closed");
    }
    link.close().await;
}

/// Closes the link when asked, or when the pump is dropped.
async fn close(link: Arc<dyn Link>, mut wanted: UnboundedReceiver<Closing>, mut writers: [JoinHandle<()>; 2]) {
    if let Some(Closing::Flush) = wanted.recv().await {
        let flushed = async {
            for writer in &mut writers {
                // A writer that panicked has nothing more to flush.
                writer.await.ok();
            }
        };
        if tokio::time::timeout(FLUSH, flushed).await.is_err() {
            tracing::debug!("the peer did not take everything before the link was closed");
        }
    }
    for writer in &writers {
        writer.abort();
    }
    link.close().await;
}

#[cfg(test)]
mod tests {
    use sleap_rtc_link::Connector as _;
    use sleap_rtc_link::memory::Network;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn pair() -> (Arc<dyn Link>, Arc<dyn Link>) {
        let network = Network::new();
        let (a, b) = (network.connector(), network.connector());
        let offered = a.offer(&[]).await.expect("offer");
        let answered = b.answer(offered.sdp(), &[]).await.expect("answer");
        let sdp = answered.sdp().to_owned();
        let (a, b) = tokio::join!(offered.connect(&sdp, PATIENCE), answered.connected(PATIENCE));
        (a.expect("offerer"), b.expect("answerer"))
    }

    #[tokio::test]
    async fn what_was_queued_before_close_arrives() {
        let (a, b) = pair().await;
        let (events, mut inbox) = channel(8);
        let pump = Pump::start(LinkId(1), a, events);
        for n in 0..100 {
            pump.send(format!("{n}"));
        }
        pump.close();
        for n in 0..100 {
            assert_eq!(b.next().await, LinkEvent::Control(format!("{n}")));
        }
        assert_eq!(b.next().await, LinkEvent::Closed(CloseReason::ByPeer));
        assert_eq!(inbox.recv().await, Some((LinkId(1), PumpEvent::Down(CloseReason::ByUs))));
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_does_not_keep_the_link() {
        let (a, b) = pair().await;
        let (events, mut inbox) = channel(8);
        let pump = Pump::start(LinkId(1), a, events);
        for n in 0..100 {
            pump.send(format!("{n}"));
        }
        pump.close();
        let down = tokio::time::timeout(PATIENCE, inbox.recv()).await.expect("closed");
        assert_eq!(down, Some((LinkId(1), PumpEvent::Down(CloseReason::ByUs))));
        drop(b);
    }

    #[tokio::test]
    async fn a_peer_that_asks_and_does_not_read_loses_the_link() {
        let (a, b) = pair().await;
        let (events, mut inbox) = channel(8);
        let pump = Pump::start(LinkId(1), a, events);
        for n in 0..2 * CONTROL {
            pump.send(format!("{n}"));
        }
        let down = tokio::time::timeout(PATIENCE, inbox.recv()).await.expect("closed");
        assert_eq!(down, Some((LinkId(1), PumpEvent::Down(CloseReason::ByUs))));
        drop((b, pump));
    }

    #[tokio::test]
    async fn each_bulk_message_is_taken_once_and_a_dropped_pump_ends_the_link() {
        let (a, b) = pair().await;
        let (events, mut inbox) = channel(8);
        let pump = Pump::start(LinkId(7), a, events);
        pump.send_bulk(Bytes::from_static(b"one"));
        pump.send_bulk(Bytes::from_static(b"two"));
        for _ in 0..2 {
            assert_eq!(inbox.recv().await, Some((LinkId(7), PumpEvent::BulkTaken)));
        }
        assert_eq!(b.next().await, LinkEvent::Bulk(Bytes::from_static(b"one")));
        drop(pump);
        assert_eq!(b.next().await, LinkEvent::Bulk(Bytes::from_static(b"two")));
        assert!(matches!(b.next().await, LinkEvent::Closed(_)));
    }
}
