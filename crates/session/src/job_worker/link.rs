//! The worker's links: a few at once, each proven by the job's owner.

use bytes::Bytes;
use sleap_rtc_wire::manifest::Hash;
use sleap_rtc_wire::peer::{Hello, METHOD_KEY, Parts, PeerFrame, RefuseCode, Role, VERSION};
use sleap_rtc_wire::{PeerId, Time};

use super::{Fact, JobWorker, Results, Stage, WorkerEffect};
use crate::channel::{Alarm, Channel, Heard};
use crate::transfer::{Receiver, Sender};
use crate::{Binding, LinkId, Refusal};

/// Links at once: one that watches, one that says a word, one that takes over, and one more.
const LINKS: usize = 4;

/// Somebody at the door, or in.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) channel: Channel,
    pub(super) peer: PeerId,
    /// The job on its way.
    pub(super) parts: Parts,
    /// Told to close: nothing is read or said any more.
    pub(super) closing: bool,
}

impl JobWorker {
    pub(super) fn link_up(&mut self, link: LinkId, peer: PeerId, binding: Binding, nonce: [u8; 32], now: Time) {
        if !self.make_room() {
            return self.out.push_back(WorkerEffect::Close { link });
        }
        let grant = &self.grant;
        let hello = Hello {
            versions: vec![VERSION],
            software: concat!("sleap-rtc ", env!("CARGO_PKG_VERSION")).to_owned(),
            features: Vec::new(),
            role: Role::Worker,
            room: grant.room.clone(),
            from: grant.worker.clone(),
            to: peer.clone(),
            key: self.key.public(),
            nonce: Hash(nonce),
            job_id: grant.job_id.clone(),
            attempt: grant.attempt,
            claim_id: grant.claim_id.clone(),
            fence: grant.fence,
            methods: vec![METHOD_KEY.to_owned()],
        };
        let (channel, text) = Channel::open(link, self.key.clone(), hello, grant.client_key, binding, now);
        self.links.insert(link, Visitor { channel, peer, parts: Parts::default(), closing: false });
        self.out.push_back(WorkerEffect::Send { link, text });
    }

    /// Whether there is a place for one more. Who has stood at the door longest without a proof makes way: strangers must not
    /// keep the owner out.
    fn make_room(&mut self) -> bool {
        let here = || self.links.values().filter(|visitor| !visitor.closing);
        if here().count() < LINKS {
            return true;
        }
        let Some(stranger) = here().find(|visitor| !visitor.channel.is_proven()).map(|visitor| visitor.channel.id)
        else {
            return false;
        };
        self.refuse(stranger, Refusal::new(RefuseCode::TimedOut, "too many are at the door"));
        true
    }

    pub(super) fn link_down(&mut self, link: LinkId, now: Time) {
        if self.links.remove(&link).is_none() {
            return;
        }
        self.unwatch(link);
        self.note_absence(now);
    }

    /// A stranger at the door does not count as the client.
    pub(super) fn note_absence(&mut self, now: Time) {
        if !self.links.values().any(|visitor| visitor.channel.is_proven()) {
            self.alone_since.get_or_insert(now);
        }
    }

    pub(super) fn control(&mut self, link: LinkId, text: &str, now: Time) {
        let Some(visitor) = self.links.get_mut(&link).filter(|visitor| !visitor.closing) else { return };
        match visitor.channel.take(text, now) {
            Heard::Nothing => {}
            Heard::Say(frame) => self.say(link, &frame),
            Heard::Proven => {
                let peer = visitor.peer.clone();
                self.alone_since = None;
                self.out.push_back(WorkerEffect::Report(Fact::Proven { link, peer }));
            }
            Heard::Frame(frame) => self.frame(link, frame, now),
            Heard::Refused(Refusal { code, message }) => {
                self.out.push_back(WorkerEffect::Report(Fact::Refused { link, code, message }));
                self.close(link);
            }
            Heard::Refuse(refusal) => self.refuse(link, refusal),
        }
    }

    /// Whether the owner of the job is on this link.
    pub(super) fn is_open(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|visitor| visitor.channel.is_proven() && !visitor.closing)
    }

    /// Says no and ends the link. The job is not touched.
    pub(super) fn refuse(&mut self, link: LinkId, refusal: Refusal) {
        self.say(link, &refusal.frame());
        let Refusal { code, message } = refusal;
        self.out.push_back(WorkerEffect::Report(Fact::Refused { link, code, message }));
        self.close(link);
    }

    pub(super) fn refuse_protocol(&mut self, link: LinkId, why: &str) {
        self.refuse(link, Refusal::new(RefuseCode::Protocol, why));
    }

    pub(super) fn close(&mut self, link: LinkId) {
        let Some(visitor) = self.links.get_mut(&link) else { return };
        if !visitor.closing {
            visitor.closing = true;
            self.out.push_back(WorkerEffect::Close { link });
        }
        self.unwatch(link);
    }

    pub(super) fn say(&mut self, link: LinkId, frame: &PeerFrame) {
        if self.links.get(&link).is_none_or(|visitor| visitor.closing) {
            return;
        }
        match frame.encode() {
            Ok(text) => self.out.push_back(WorkerEffect::Send { link, text }),
            // Every frame that is made here has a bound below the limit.
            Err(error) => {
                let (code, message) = (RefuseCode::Protocol, error.to_string());
                self.out.push_back(WorkerEffect::Report(Fact::Refused { link, code, message }));
                self.close(link);
            }
        }
    }

    pub(super) fn say_bulk(&mut self, link: LinkId, data: Bytes) {
        if self.is_open(link) {
            self.out.push_back(WorkerEffect::SendBulk { link, data });
        }
    }

    /// Alarms of links, transfers, records, and of a client that is gone.
    pub(super) fn look_at_time(&mut self, now: Time) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            let visitor = self.links.get_mut(&link).filter(|visitor| !visitor.closing);
            match visitor.and_then(|visitor| visitor.channel.alarm(now)) {
                Some(Alarm::Ask) => self.say(link, &PeerFrame::Ping),
                Some(Alarm::NoProof) => {
                    self.refuse(link, Refusal::new(RefuseCode::TimedOut, "the proof did not come in time"));
                }
                Some(Alarm::Dead) => self.close(link),
                None => {}
            }
        }
        if let Some(receiver) = &mut self.receiver {
            receiver.tick(now);
        }
        if self.is_stalled(now)
            && let Some(watcher) = &self.watcher
        {
            self.close(watcher.link);
        }
        self.record_again(now);
        self.look_for_client(now);
    }

    fn is_stalled(&self, now: Time) -> bool {
        let sending = if let Results::Known(sender) = &self.results { sender.is_stalled(now) } else { false };
        sending || self.receiver.as_ref().is_some_and(|receiver| receiver.is_stalled(now))
    }

    /// When to give [`super::WorkerInput::Tick`].
    pub fn next_timeout(&self) -> Option<Time> {
        if self.stage == Stage::Forgotten {
            return None;
        }
        let links =
            self.links.values().filter(|visitor| !visitor.closing).map(|visitor| visitor.channel.next_timeout());
        let watched = self.watcher.is_some();
        let receiver = self.receiver.as_ref().filter(|_| watched).and_then(Receiver::next_timeout);
        let sender = if let Results::Known(sender) = &self.results { Sender::stalls_at(sender) } else { None };
        let sender = sender.filter(|_| watched);
        links.chain(receiver).chain(sender).chain(self.again_at).chain(self.gives_up_at()).min()
    }
}
