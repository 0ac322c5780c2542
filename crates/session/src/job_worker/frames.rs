//! What the proven client says.

use bytes::Bytes;
use sleap_rtc_wire::Time;
use sleap_rtc_wire::peer::{Bulk, PeerFrame, RefuseCode, Submission, TransferId, Wish};

use super::{JobWorker, Results, Stage, WorkerEffect};
use crate::transfer::TransferError;
use crate::{LinkId, Refusal};

impl JobWorker {
    pub(super) fn frame(&mut self, link: LinkId, frame: PeerFrame, now: Time) {
        match frame {
            PeerFrame::Submit { total, from, text } => self.submit_part(link, total, from, &text),
            PeerFrame::Attach { from_seq, results, files } => self.attach(link, from_seq, results, files),
            PeerFrame::Ack { seq } => self.acked(link, seq),
            PeerFrame::Stop => self.obey(link, Wish::Stop, now),
            PeerFrame::Cancel => self.obey(link, Wish::Cancel, now),
            PeerFrame::Bye { .. } => self.close(link),
            PeerFrame::TransferFailed { transfer: TransferId::FILES, code, cause } => {
                if !matches!(self.stage, Stage::Running) {
                    self.files_failed(TransferError { code, cause, told: true }, now);
                }
            }
            PeerFrame::Files { transfer: TransferId::FILES, .. }
            | PeerFrame::Chunks { transfer: TransferId::FILES, .. }
            | PeerFrame::Sealed { transfer: TransferId::FILES, .. } => self.files(link, frame, now),
            PeerFrame::Transfer { transfer: TransferId::FILES, files, bytes } => self.announced(link, files, bytes),
            PeerFrame::Taken { transfer: TransferId::RESULTS, .. }
            | PeerFrame::Want { transfer: TransferId::RESULTS, .. }
            | PeerFrame::Verified { transfer: TransferId::RESULTS, .. }
            | PeerFrame::TransferDone { transfer: TransferId::RESULTS, .. }
            | PeerFrame::TransferFailed { transfer: TransferId::RESULTS, .. } => {
                if let (true, Results::Known(sender)) = (self.is_watcher(link), &mut self.results) {
                    sender.frame(frame, now);
                }
            }
            _ => self.refuse_protocol(link, "a frame that a worker cannot take"),
        }
    }

    fn is_watcher(&self, link: LinkId) -> bool {
        self.watcher.as_ref().is_some_and(|watcher| watcher.link == link)
    }

    fn submit_part(&mut self, link: LinkId, total: u32, from: u32, text: &str) {
        let Some(visitor) = self.links.get_mut(&link) else { return };
        match visitor.parts.add(total, from, text) {
            Ok(None) => {}
            Ok(Some(submission)) => self.submit(link, submission),
            Err(error) => self.refuse_protocol(link, &error.to_string()),
        }
    }

    fn submit(&mut self, link: LinkId, submission: Submission) {
        let job = &submission.job;
        if job.job_id != self.grant.job_id || job.attempt != self.grant.attempt {
            let message = "the job is not the one that the claim is for";
            return self.refuse(link, Refusal::new(RefuseCode::WrongHello, message));
        }
        match &self.submission {
            None if self.stage == Stage::Offered => {
                let (job, files, bytes) = (Box::new(job.clone()), submission.files, submission.bytes);
                self.submission = Some(submission);
                self.stage = Stage::Checking;
                self.out.push_back(WorkerEffect::Accept { job, files, bytes });
                self.watch(link, false, 1, true);
            }
            // Cancelled before it came: the story, which is only its end, is all there is.
            None => self.watch(link, true, 1, true),
            Some(known) if *known == submission => self.watch(link, true, 1, true),
            Some(_) => {
                let message = "a job with this id was brought before, with another content";
                self.refuse(link, Refusal::new(RefuseCode::JobDiffers, message));
            }
        }
    }

    fn attach(&mut self, link: LinkId, from_seq: u64, results: bool, files: bool) {
        if self.stage == Stage::Offered {
            return self.refuse(link, Refusal::new(RefuseCode::UnknownJob, "the job was never brought here"));
        }
        let arriving = match self.stage {
            Stage::Checking | Stage::Accepting => true,
            Stage::Receiving => self.receiver.as_ref().is_none_or(|receiver| !receiver.is_complete()),
            _ => false,
        };
        if arriving && !files {
            let message = "the job's files are still being sent, by another program";
            return self.refuse(link, Refusal::new(RefuseCode::FilesMissing, message));
        }
        self.watch(link, true, from_seq.max(1), results);
    }

    fn obey(&mut self, link: LinkId, wish: Wish, now: Time) {
        let end = self.wish(wish, now);
        self.say(link, &PeerFrame::Obeyed { wish, end });
    }

    /// The announcement on the link must be the one that was accepted with the job.
    fn announced(&mut self, link: LinkId, files: u32, bytes: u64) {
        let agreed = self.submission.as_ref().is_some_and(|known| known.files == files && known.bytes == bytes);
        if !agreed {
            self.refuse_protocol(link, "other files than were announced with the job");
        }
    }

    fn files(&mut self, link: LinkId, frame: PeerFrame, now: Time) {
        // Frames that were on their way when the job ended find nobody.
        if let (true, Some(receiver)) = (self.is_watcher(link), &mut self.receiver) {
            receiver.frame(frame, now);
        }
    }

    pub(super) fn bulk(&mut self, link: LinkId, data: &Bytes, now: Time) {
        let Some(visitor) = self.links.get_mut(&link).filter(|visitor| !visitor.closing) else { return };
        visitor.channel.heard(now);
        if !visitor.channel.is_proven() {
            return self.refuse(link, Refusal::new(RefuseCode::NotProven, "bytes before the proof"));
        }
        match Bulk::decode(data) {
            Ok(piece) if piece.transfer == TransferId::FILES => {
                if let (true, Some(receiver)) = (self.is_watcher(link), &mut self.receiver) {
                    receiver.bulk(&piece, now);
                }
            }
            Ok(_) => self.refuse_protocol(link, "bytes of a transfer that goes the other way"),
            Err(error) => self.refuse_protocol(link, &error.to_string()),
        }
    }

    pub(super) fn bulk_taken(&mut self, link: LinkId, count: u32, now: Time) {
        if let (true, Results::Known(sender)) = (self.is_watcher(link), &mut self.results) {
            sender.taken(count, now);
        }
    }
}
