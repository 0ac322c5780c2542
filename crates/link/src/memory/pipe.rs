//! The two ends of one link in memory: a bounded queue for each flow and direction, and one fate.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Mutex, mpsc, watch};

use crate::error::{CloseReason, LinkError};
use crate::port::{Binding, Link, LinkEvent, MAX_BULK_MESSAGE, MAX_CONTROL_MESSAGE, PathInfo, PathKind, check_size};

/// Messages that wait in one flow of one direction: 16 × 64 KiB = 1 MiB, the receive window of the real link.
const QUEUE: usize = 16;

/// Which of the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Offerer,
    Answerer,
}

/// How the link stands, the same for both ends. Set once.
#[derive(Debug)]
pub(super) struct Fate {
    end: watch::Sender<Option<Ending>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Cut,
    ClosedBy(Side),
}

impl Fate {
    pub(super) fn cut(&self) {
        self.finish(Ending::Cut);
    }

    fn finish(&self, ending: Ending) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            *end = end.or(Some(ending));
            first
        });
    }
}

/// One end of a link.
#[derive(Debug)]
pub(super) struct End {
    side: Side,
    binding: Binding,
    fate: Arc<Fate>,
    control: mpsc::Sender<String>,
    bulk: mpsc::Sender<Bytes>,
    inbox: Mutex<Inbox>,
}

#[derive(Debug)]
struct Inbox {
    control: mpsc::Receiver<String>,
    bulk: mpsc::Receiver<Bytes>,
}

impl End {
    /// The offerer's end and the answerer's end of a new link.
    pub(super) fn pair(offerer: [u8; 32], answerer: [u8; 32]) -> (Self, Self) {
        let fate = Arc::new(Fate { end: watch::Sender::new(None) });
        let (control_to_answerer, answerer_control) = mpsc::channel(QUEUE);
        let (bulk_to_answerer, answerer_bulk) = mpsc::channel(QUEUE);
        let (control_to_offerer, offerer_control) = mpsc::channel(QUEUE);
        let (bulk_to_offerer, offerer_bulk) = mpsc::channel(QUEUE);
        let offering = Self {
            side: Side::Offerer,
            binding: Binding { local: offerer, remote: answerer },
            fate: fate.clone(),
            control: control_to_answerer,
            bulk: bulk_to_answerer,
            inbox: Mutex::new(Inbox { control: offerer_control, bulk: offerer_bulk }),
        };
        let answering = Self {
            side: Side::Answerer,
            binding: Binding { local: answerer, remote: offerer },
            fate,
            control: control_to_offerer,
            bulk: bulk_to_offerer,
            inbox: Mutex::new(Inbox { control: answerer_control, bulk: answerer_bulk }),
        };
        (offering, answering)
    }

    pub(super) fn fate(&self) -> &Arc<Fate> {
        &self.fate
    }

    fn reason(&self, ending: Ending) -> CloseReason {
        match ending {
            Ending::Cut => CloseReason::Lost,
            Ending::ClosedBy(side) if side == self.side => CloseReason::ByUs,
            Ending::ClosedBy(_) => CloseReason::ByPeer,
        }
    }

    /// Puts a message into `queue`, unless the link ends first.
    async fn send<T>(&self, queue: &mpsc::Sender<T>, message: T) -> Result<(), LinkError> {
        let mut end = self.fate.end.subscribe();
        tokio::select! {
            biased;
            ending = ended(&mut end) => Err(LinkError::Closed(self.reason(ending))),
            sent = queue.send(message) => sent.map_err(|_| LinkError::Closed(CloseReason::ByPeer)),
        }
    }
}

/// Waits until the link has ended. The sender of `end` lives in the [`Fate`] that the caller's end holds.
async fn ended(end: &mut watch::Receiver<Option<Ending>>) -> Ending {
    match end.wait_for(Option::is_some).await.map(|ending| *ending) {
        Ok(Some(ending)) => ending,
        Ok(None) | Err(_) => Ending::Cut,
    }
}

impl Inbox {
    /// What the peer sent before it closed and nobody read yet.
    fn leftover(&mut self) -> Option<LinkEvent> {
        let control = self.control.try_recv().ok().map(LinkEvent::Control);
        control.or_else(|| self.bulk.try_recv().ok().map(LinkEvent::Bulk))
    }
}

#[async_trait]
impl Link for End {
    async fn send_control(&self, text: String) -> Result<(), LinkError> {
        check_size(text.len(), MAX_CONTROL_MESSAGE)?;
        self.send(&self.control, text).await
    }

    async fn send_bulk(&self, data: Bytes) -> Result<(), LinkError> {
        check_size(data.len(), MAX_BULK_MESSAGE)?;
        self.send(&self.bulk, data).await
    }

    async fn next(&self) -> LinkEvent {
        let mut inbox = self.inbox.lock().await;
        let inbox = &mut *inbox;
        let mut end = self.fate.end.subscribe();
        let ending = tokio::select! {
            biased;
            ending = ended(&mut end) => ending,
            Some(text) = inbox.control.recv() => return LinkEvent::Control(text),
            Some(data) = inbox.bulk.recv() => return LinkEvent::Bulk(data),
        };
        let reason = self.reason(ending);
        let leftover = if reason == CloseReason::ByPeer { inbox.leftover() } else { None };
        leftover.unwrap_or(LinkEvent::Closed(reason))
    }

    fn binding(&self) -> Binding {
        self.binding
    }

    fn path(&self) -> PathInfo {
        PathInfo { kind: PathKind::Memory, local: None, remote: None, relayed: false, bulk: true, receive_buffer: None }
    }

    async fn close(&self) {
        self.fate.finish(Ending::ClosedBy(self.side));
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.fate.cut();
    }
}
