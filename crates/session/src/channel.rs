//! One link as both halves see it: first the proof, then frames; and whether anybody is still there.

use sleap_rtc_wire::peer::{Hello, PeerFrame, RefuseCode};
use sleap_rtc_wire::{PublicKey, Time};

use crate::proof::{Handshake, Refusal, Step};
use crate::{Binding, KeyPair, LinkId};

/// How long nothing may come before the other end is asked, ms.
pub(crate) const QUIET_MS: u64 = 10_000;
/// How long nothing may come before the link counts as dead, ms.
pub(crate) const DEAD_MS: u64 = 30_000;

/// A link from its first frame on.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) id: LinkId,
    handshake: Option<Handshake>,
    heard: Time,
    asked: bool,
}

/// What came.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    /// Nothing for anybody else.
    Nothing,
    /// Answer this.
    Say(PeerFrame),
    /// The other end is proven; the link is open.
    Proven,
    /// A frame of the proven other end.
    Frame(PeerFrame),
    /// The other end says no.
    Refused(Refusal),
    /// Say no and end the link.
    Refuse(Refusal),
}

/// What the time brings.
#[derive(Debug, PartialEq)]
pub(crate) enum Alarm {
    /// Ask whether anybody is there.
    Ask,
    /// The proof did not come.
    NoProof,
    /// Nobody is there.
    Dead,
}

impl Channel {
    /// A new link, and the text to say first.
    pub(crate) fn open(
        id: LinkId,
        key: KeyPair,
        hello: Hello,
        their_key: PublicKey,
        binding: Binding,
        now: Time,
    ) -> (Self, String) {
        // A hello is bounded: ids are, and the rest is ours.
        let text = PeerFrame::Hello(Box::new(hello.clone())).encode().unwrap_or_default();
        let handshake = Handshake::start(key, hello, text.clone(), their_key, binding, now);
        (Self { id, handshake: Some(handshake), heard: now, asked: false }, text)
    }

    /// Whether the other end is who it must be.
    pub(crate) const fn is_proven(&self) -> bool {
        self.handshake.is_none()
    }

    /// Something came that is not for here: a bulk message.
    pub(crate) fn heard(&mut self, now: Time) {
        self.heard = now;
        self.asked = false;
    }

    /// Takes one control message.
    pub(crate) fn take(&mut self, text: &str, now: Time) -> Heard {
        self.heard(now);
        let frame = match PeerFrame::decode(text) {
            Ok(frame) => frame,
            Err(error) => return Heard::Refuse(Refusal::new(RefuseCode::Protocol, error.to_string())),
        };
        let Some(handshake) = &mut self.handshake else { return Self::open_frame(frame) };
        match handshake.take(frame, text) {
            Ok(Step::Say(frame)) => Heard::Say(frame),
            Ok(Step::Wait) => Heard::Nothing,
            Ok(Step::Refused(refusal)) => Heard::Refused(refusal),
            Ok(Step::Proven) => {
                self.handshake = None;
                Heard::Proven
            }
            Err(refusal) => Heard::Refuse(refusal),
        }
    }

    fn open_frame(frame: PeerFrame) -> Heard {
        match frame {
            PeerFrame::Ping => Heard::Say(PeerFrame::Pong),
            PeerFrame::Pong | PeerFrame::Unknown => Heard::Nothing,
            PeerFrame::Refused { code, message } => Heard::Refused(Refusal { code, message }),
            PeerFrame::Hello(_) | PeerFrame::Proof { .. } => {
                Heard::Refuse(Refusal::new(RefuseCode::Protocol, "hello and proof come once"))
            }
            frame => Heard::Frame(frame),
        }
    }

    /// Looks at the time.
    pub(crate) fn alarm(&mut self, now: Time) -> Option<Alarm> {
        if let Some(handshake) = &self.handshake {
            return (now >= handshake.deadline()).then_some(Alarm::NoProof);
        }
        if now.since(self.heard) >= DEAD_MS {
            return Some(Alarm::Dead);
        }
        if !self.asked && now.since(self.heard) >= QUIET_MS {
            self.asked = true;
            return Some(Alarm::Ask);
        }
        None
    }

    /// When to look at the time again.
    pub(crate) fn next_timeout(&self) -> Time {
        match &self.handshake {
            Some(handshake) => handshake.deadline(),
            None => self.heard.plus_ms(if self.asked { DEAD_MS } else { QUIET_MS }),
        }
    }
}
