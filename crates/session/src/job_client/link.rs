//! The client's link: made, proven, lost, made again.

use bytes::Bytes;
use sleap_rtc_wire::job::FailCode;
use sleap_rtc_wire::manifest::Hash;
use sleap_rtc_wire::peer::{ByeReason, Hello, METHOD_KEY, PeerFrame, RefuseCode, Role, VERSION};
use sleap_rtc_wire::{Time, limits};

use super::{ClientEffect, ClientError, JobClient, Outcome, Show, Stage};
use crate::channel::{Alarm, Channel, Heard};
use crate::transfer::{Receiver, TransferError};
use crate::{Binding, LinkId, Refusal};

/// First pause before the next try, ms; doubled with each one up to [`LONGEST_PAUSE_MS`].
const FIRST_PAUSE_MS: u64 = 500;
/// Longest pause before the next try, ms.
const LONGEST_PAUSE_MS: u64 = 30_000;

impl JobClient {
    pub(super) fn link_up(&mut self, link: LinkId, binding: Binding, nonce: [u8; 32], now: Time) {
        if self.stage != Stage::Connecting {
            return self.out.push_back(ClientEffect::Close { link });
        }
        let target = &self.target;
        let hello = Hello {
            versions: vec![VERSION],
            software: concat!("sleap-rtc ", env!("CARGO_PKG_VERSION")).to_owned(),
            features: Vec::new(),
            role: Role::Client,
            room: target.room.clone(),
            from: target.me.clone(),
            to: target.worker.clone(),
            key: self.key.public(),
            nonce: Hash(nonce),
            job_id: target.job_id.clone(),
            attempt: target.attempt,
            claim_id: target.claim_id.clone(),
            fence: target.fence,
            methods: vec![METHOD_KEY.to_owned()],
        };
        let (channel, text) = Channel::open(link, self.key.clone(), hello, target.worker_key, binding, now);
        self.channel = Some(channel);
        self.stage = Stage::Linked;
        self.out.push_back(ClientEffect::Send { link, text });
    }

    pub(super) fn connect_failed(&mut self, cause: String, chance: u32, now: Time) {
        if self.stage == Stage::Connecting {
            self.pause(cause, chance, now);
        }
    }

    pub(super) fn link_down(&mut self, link: LinkId, cause: String, chance: u32, now: Time) {
        if self.channel.as_ref().is_none_or(|channel| channel.id != link) {
            return;
        }
        // What made this end close the link says more than that it is closed.
        let cause = if self.stage == Stage::Closing { self.cause.clone() } else { cause };
        self.forget_link();
        self.pause(cause, chance, now);
    }

    fn forget_link(&mut self) {
        self.channel = None;
        if let Some(sender) = &mut self.sender {
            sender.cut();
        }
        if let Some(receiver) = self.receiver.take() {
            self.queries = receiver.next_query();
            // With every chunk here the files can be made without a link.
            self.receiver = Some(receiver).filter(Receiver::is_complete);
        }
    }

    /// Waits for the next try: each pause twice the one before, spread over its second half by chance.
    fn pause(&mut self, cause: String, chance: u32, now: Time) {
        let since = *self.down_since.get_or_insert(now);
        let longest = (FIRST_PAUSE_MS << self.tries.min(16)).min(LONGEST_PAUSE_MS);
        let retry_ms = longest / 2 + u64::from(chance) % (longest / 2);
        self.tries += 1;
        self.cause.clone_from(&cause);
        self.stage = Stage::Pausing { until: now.plus_ms(retry_ms) };
        self.show(Show::Reconnecting { since, accepted: self.is_accepted(), retry_ms, cause });
    }

    /// When the client stops trying.
    pub(super) fn gives_up_at(&self) -> Option<Time> {
        let watches = self.is_accepted() && self.met && self.command.is_none();
        let patience = if watches { self.times.lost_ms } else { self.times.connect_ms };
        self.down_since.map(|since| since.plus_ms(patience))
    }

    /// Alarms of the link, the pause and the patience.
    pub(super) fn look_at_time(&mut self, now: Time) {
        if self.stage == Stage::Finished {
            return;
        }
        if self.gives_up_at().is_some_and(|at| now >= at) && !self.is_open() {
            return self.give_up(now);
        }
        match self.stage {
            Stage::Pausing { until } if now >= until => {
                self.stage = Stage::Connecting;
                self.out.push_back(ClientEffect::Connect);
            }
            Stage::Linked => self.look_at_link(now),
            _ => {}
        }
    }

    fn look_at_link(&mut self, now: Time) {
        match self.channel.as_mut().and_then(|channel| channel.alarm(now)) {
            Some(Alarm::Ask) => self.say(&PeerFrame::Ping),
            Some(Alarm::NoProof) => self.close("the worker did not prove itself in time"),
            Some(Alarm::Dead) => self.close("nothing was heard of the worker"),
            None => {}
        }
        if let Some(receiver) = &mut self.receiver {
            receiver.tick(now);
        }
        let stalled = self.sender.as_ref().is_some_and(|sender| sender.is_stalled(now))
            || self.receiver.as_ref().is_some_and(|receiver| receiver.is_stalled(now));
        if stalled {
            self.close("the transfer stands still");
        }
        if self.is_open()
            && let Some(seq) = self.story.ack(false, now)
        {
            self.say(&PeerFrame::Ack { seq });
        }
    }

    fn give_up(&mut self, now: Time) {
        let for_ms = self.down_since.map_or(0, |since| now.since(since));
        self.say_bye(ByeReason::Done);
        let cause = self.cause.clone();
        self.gone(if self.is_accepted() && self.met {
            ClientError::Lost { for_ms, cause }
        } else {
            ClientError::Unreachable { cause }
        });
    }

    /// The room has given the worker up, and there is no link: patience is of no use.
    pub(super) fn worker_lost(&mut self, for_ms: u64) {
        if self.stage == Stage::Connecting {
            let cause = self.cause.clone();
            self.gone(ClientError::Lost { for_ms, cause });
        }
    }

    fn gone(&mut self, error: ClientError) {
        self.finish(match self.end.clone() {
            // The job is not lost; only its results are still there and not here.
            Some(terminal) => {
                let text = format!("the worker is gone: {}", self.cause);
                let error = TransferError::new(FailCode::TransferFailed, text);
                Outcome::Ended { terminal, results: Some(Err(error)) }
            }
            None => Outcome::Failed(error),
        });
    }

    pub(super) fn control(&mut self, text: &str, now: Time) {
        let Some(channel) = &mut self.channel else { return };
        match channel.take(text, now) {
            Heard::Nothing => {}
            Heard::Say(frame) => self.say_at_door(&frame),
            Heard::Proven => {
                self.met = true;
                self.down_since = None;
                self.tries = 0;
                self.opened();
            }
            Heard::Frame(frame) => self.frame(frame, now),
            Heard::Refused(refusal) => self.refused(refusal),
            Heard::Refuse(refusal) => self.refuse(refusal),
        }
    }

    /// The worker says no.
    fn refused(&mut self, refusal: Refusal) {
        let Refusal { code, message } = refusal;
        match code {
            RefuseCode::TimedOut | RefuseCode::Unknown => self.close(&message),
            _ => {
                self.say_bye(ByeReason::Done);
                self.finish(Outcome::Failed(ClientError::Refused { code, message }));
            }
        }
    }

    /// Says no to the worker, for good.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.say_at_door(&refusal.frame());
        if let Some(channel) = self.channel.take() {
            self.out.push_back(ClientEffect::Close { link: channel.id });
        }
        let Refusal { code, message } = refusal;
        self.finish(Outcome::Failed(ClientError::Unproven { code, message }));
    }

    /// Ends the link, but not the try.
    pub(super) fn close(&mut self, cause: &str) {
        if let (Stage::Linked, Some(channel)) = (self.stage, &self.channel) {
            self.out.push_back(ClientEffect::Close { link: channel.id });
            cause.clone_into(&mut self.cause);
            self.stage = Stage::Closing;
            if let Some(sender) = &mut self.sender {
                sender.cut();
            }
        }
    }

    pub(super) fn is_current(&self, link: LinkId) -> bool {
        self.stage == Stage::Linked && self.channel.as_ref().is_some_and(|channel| channel.id == link)
    }

    /// Whether the worker is there and proven.
    pub(super) fn is_open(&self) -> bool {
        self.stage == Stage::Linked && self.channel.as_ref().is_some_and(Channel::is_proven)
    }

    /// Says something to the proven worker; to nobody if there is none.
    pub(super) fn say(&mut self, frame: &PeerFrame) {
        if self.is_open() {
            self.say_at_door(frame);
        }
    }

    /// The same, before the proof: only proof and refusal.
    fn say_at_door(&mut self, frame: &PeerFrame) {
        let Some(channel) = self.channel.as_ref().filter(|_| self.stage == Stage::Linked) else { return };
        let link = channel.id;
        match frame.encode() {
            Ok(text) => self.out.push_back(ClientEffect::Send { link, text }),
            // Every frame that is made here has a bound below the limit.
            Err(error) => self.close(&error.to_string()),
        }
    }

    pub(super) fn say_bulk(&mut self, data: Bytes) {
        debug_assert!(data.len() <= limits::BULK);
        if let (Stage::Linked, Some(channel)) = (self.stage, &self.channel) {
            self.out.push_back(ClientEffect::SendBulk { link: channel.id, data });
        }
    }

    /// Leaves the link in good order.
    pub(super) fn say_bye(&mut self, reason: ByeReason) {
        self.say(&PeerFrame::Bye { reason });
        if let Some(channel) = self.channel.take() {
            self.out.push_back(ClientEffect::Close { link: channel.id });
        }
    }
}
