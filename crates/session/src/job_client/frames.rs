//! What the proven worker says.

use bytes::Bytes;
use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::{FailCode, JobEvent, What};
use sleap_rtc_wire::peer::{Bulk, ByeReason, PeerFrame, RefuseCode, TransferId};

use super::{ClientError, JobClient, Outcome, Show, Standing};
use crate::Refusal;
use crate::transfer::{Receiver, TransferError};

impl JobClient {
    /// The worker is who it must be: say what this link is for.
    pub(super) fn opened(&mut self) {
        self.show(Show::Connected);
        self.story.begin();
        if self.command.is_none() {
            if self.is_accepted() {
                let (from_seq, results) = (self.story.last_seq() + 1, self.wants_results);
                let files = self.sender.is_some() || self.unsendable.is_some();
                self.say(&PeerFrame::Attach { from_seq, results, files });
            } else {
                self.standing = Standing::Submitted;
                for frame in self.submit.clone() {
                    self.say(&frame);
                }
            }
        }
        self.say_wish();
        self.say_unsendable();
    }

    pub(super) fn frame(&mut self, frame: PeerFrame, now: Time) {
        match frame {
            PeerFrame::Accepted { attached, files, .. } => self.job_accepted(attached, files, now),
            PeerFrame::Event(event) => self.event(event, now),
            PeerFrame::Transfer { transfer: TransferId::RESULTS, files, bytes } => self.results(files, bytes, now),
            PeerFrame::Files { transfer: TransferId::RESULTS, .. }
            | PeerFrame::Chunks { transfer: TransferId::RESULTS, .. }
            | PeerFrame::Sealed { transfer: TransferId::RESULTS, .. } => match &mut self.receiver {
                Some(receiver) => receiver.frame(frame, now),
                None => self.refuse_protocol("files without an announcement"),
            },
            PeerFrame::TransferFailed { transfer: TransferId::RESULTS, code, cause } => {
                self.results_failed(TransferError { code, cause, told: true });
            }
            PeerFrame::Taken { transfer: TransferId::FILES, .. }
            | PeerFrame::Want { transfer: TransferId::FILES, .. }
            | PeerFrame::Verified { transfer: TransferId::FILES, .. }
            | PeerFrame::TransferDone { transfer: TransferId::FILES, .. }
            | PeerFrame::TransferFailed { transfer: TransferId::FILES, .. } => {
                if let Some(sender) = &mut self.sender {
                    sender.frame(frame, now);
                }
            }
            PeerFrame::Obeyed { wish, end } => {
                if self.command == Some(wish) {
                    self.say_bye(ByeReason::Done);
                    self.finish(Outcome::Obeyed { wish, end });
                } else if self.wish == Some(wish) {
                    self.wish = None;
                }
            }
            PeerFrame::Bye { reason: ByeReason::Replaced } => {
                self.say_bye(ByeReason::Done);
                self.finish(Outcome::Failed(ClientError::Replaced));
            }
            PeerFrame::Bye { .. } => self.close("the worker closed the link"),
            _ => self.refuse_protocol("a frame that a client cannot take"),
        }
    }

    fn job_accepted(&mut self, attached: bool, files: bool, now: Time) {
        self.standing = Standing::Accepted;
        self.show(Show::Accepted { attached });
        match &mut self.sender {
            Some(sender) if files => sender.begin(now),
            // The worker has them from an earlier link, though it could not say so there.
            _ if !files => self.sender = None,
            // They cannot be sent, and the worker has been told so.
            _ => {}
        }
    }

    fn event(&mut self, event: JobEvent, now: Time) {
        if !self.story.take(event.seq, now) {
            return;
        }
        let end = if let What::End { end } = &event.what { Some(end.clone()) } else { None };
        self.show(Show::Event(event));
        let ended = end.is_some();
        if let Some(end) = end {
            self.end = Some(end);
            self.sender = None;
            self.wish = None;
        }
        if let Some(seq) = self.story.ack(ended, now) {
            self.say(&PeerFrame::Ack { seq });
        }
        if ended && !self.wants_results {
            self.over(None);
        }
    }

    fn results(&mut self, files: u32, bytes: u64, now: Time) {
        if self.end.is_none() || !self.wants_results || self.receiver.is_some() {
            return self.refuse_protocol("results before the end, or twice");
        }
        if bytes > self.max_results {
            let cause = format!("the results have {bytes} bytes, there is room for {}", self.max_results);
            return self.results_failed(TransferError::new(FailCode::DiskFull, cause));
        }
        self.receiver = Some(Receiver::new(TransferId::RESULTS, files, bytes, self.queries, now));
    }

    pub(super) fn bulk(&mut self, data: &Bytes, now: Time) {
        let Some(channel) = &mut self.channel else { return };
        channel.heard(now);
        match (Bulk::decode(data), &mut self.receiver) {
            (Ok(piece), Some(receiver)) if piece.transfer == TransferId::RESULTS && channel.is_proven() => {
                receiver.bulk(&piece, now);
            }
            (Err(error), _) => self.refuse_protocol(&error.to_string()),
            _ => self.refuse_protocol("a bulk message that nobody asked for"),
        }
    }

    /// The worker breaks the rules: it is not talked to again.
    pub(super) fn refuse_protocol(&mut self, why: &str) {
        self.refuse(Refusal::new(RefuseCode::Protocol, why));
    }
}
