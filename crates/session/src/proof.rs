//! Who is at the other end: both ends sign one transcript of this very link.
//!
//! The transcript holds both hellos as they were sent (client's first), room, claim, fence, both keys and the fingerprints of
//! both ends of the connection, ordered by role. Each signature carries its signer's role, so that one end's cannot be sent
//! back as the other's. A program in the middle has another fingerprint on one side at least; a replay has other nonces.

use sleap_rtc_wire::manifest::Hash;
use sleap_rtc_wire::peer::{Hello, METHOD_KEY, PeerFrame, RefuseCode, Role, VERSION};
use sleap_rtc_wire::{PublicKey, Time};

use crate::KeyPair;
use crate::key::verify;

/// How long an end may take to prove itself, ms.
pub const PROOF_MS: u64 = 10_000;

/// Names the use of the transcript's hash.
const TRANSCRIPT_CONTEXT: &str = "sleap-rtc 2026-11 session transcript v1";
/// What a proof's signature begins with, so that it is good for nothing else.
const PROOF_DOMAIN: &[u8] = b"sleap-rtc session proof v1\0";

/// The two ends of one connection: SHA-256 of the certificate that each really showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Of this end.
    pub local: [u8; 32],
    /// Of the other end.
    pub remote: [u8; 32],
}

/// Why the other end is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For a program.
    pub code: RefuseCode,
    /// For a person.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(code: RefuseCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn frame(&self) -> PeerFrame {
        PeerFrame::Refused { code: self.code, message: self.message.clone() }
    }
}

/// One end's way through hello and proof.
#[derive(Debug)]
pub(crate) struct Handshake {
    key: KeyPair,
    mine: Hello,
    mine_text: String,
    theirs: Option<(Hello, String)>,
    their_key: PublicKey,
    binding: Binding,
    deadline: Time,
}

/// What comes of a frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// Say this.
    Say(PeerFrame),
    /// It is who it must be.
    Proven,
    /// The other end says no.
    Refused(Refusal),
    /// Nothing.
    Wait,
}

impl Handshake {
    /// Begins; answers what to say first.
    pub(crate) fn start(
        key: KeyPair,
        mine: Hello,
        mine_text: String,
        their_key: PublicKey,
        binding: Binding,
        now: Time,
    ) -> Self {
        let deadline = now.plus_ms(PROOF_MS);
        Self { key, mine, mine_text, theirs: None, their_key, binding, deadline }
    }

    /// When it must be over.
    pub(crate) const fn deadline(&self) -> Time {
        self.deadline
    }

    /// Takes one frame and its text.
    pub(crate) fn take(&mut self, frame: PeerFrame, text: &str) -> Result<Step, Refusal> {
        match (frame, &self.theirs) {
            (PeerFrame::Refused { code, message }, _) => Ok(Step::Refused(Refusal { code, message })),
            (PeerFrame::Hello(hello), None) => {
                self.check(&hello)?;
                self.theirs = Some((*hello, text.to_owned()));
                let signature = self.key.sign(&self.message(self.mine.role));
                Ok(Step::Say(PeerFrame::Proof { method: METHOD_KEY.to_owned(), signature }))
            }
            (PeerFrame::Proof { method, .. }, Some(_)) if method != METHOD_KEY => Ok(Step::Wait),
            (PeerFrame::Proof { signature, .. }, Some((hello, _))) => {
                if verify(&self.their_key, &self.message(hello.role), &signature) {
                    Ok(Step::Proven)
                } else {
                    Err(Refusal::new(RefuseCode::BadProof, "the signature does not hold for this link"))
                }
            }
            _ => Err(Refusal::new(RefuseCode::NotProven, "only hello and proof are read before the proof")),
        }
    }

    fn check(&self, theirs: &Hello) -> Result<(), Refusal> {
        let mine = &self.mine;
        let wrong = |what: &str| Err(Refusal::new(RefuseCode::WrongHello, format!("hello for another {what}")));
        if !theirs.versions.contains(&VERSION) {
            return Err(Refusal::new(RefuseCode::Version, format!("no common version: {VERSION} is spoken here")));
        }
        if !theirs.methods.iter().any(|method| method == METHOD_KEY) {
            return Err(Refusal::new(RefuseCode::NoMethod, format!("no common method: {METHOD_KEY:?} is asked for")));
        }
        if theirs.role == mine.role {
            return wrong("role");
        }
        if theirs.room != mine.room {
            return wrong("room");
        }
        if theirs.from != mine.to || theirs.to != mine.from {
            return wrong("peer");
        }
        if theirs.job_id != mine.job_id || theirs.attempt != mine.attempt {
            return wrong("job");
        }
        if theirs.fence < mine.fence {
            return Err(Refusal::new(RefuseCode::StaleFence, "the claim is older than the job's"));
        }
        if theirs.fence != mine.fence || theirs.claim_id != mine.claim_id {
            return wrong("claim");
        }
        if theirs.key != self.their_key {
            return Err(Refusal::new(RefuseCode::WrongKey, "not the key that the room told"));
        }
        Ok(())
    }

    /// What the end in `role` signs.
    fn message(&self, role: Role) -> Vec<u8> {
        let theirs = self.theirs.as_ref().map_or("", |(_, text)| text.as_str());
        let mine = self.mine_text.as_str();
        let transcript = match self.mine.role {
            Role::Client => Transcript {
                hellos: [mine, theirs],
                fingerprints: [self.binding.local, self.binding.remote],
                keys: [self.mine.key, self.their_key],
            },
            Role::Worker => Transcript {
                hellos: [theirs, mine],
                fingerprints: [self.binding.remote, self.binding.local],
                keys: [self.their_key, self.mine.key],
            },
        };
        signed_message(role, &transcript.hash(&self.mine))
    }
}

/// What both ends see the same of one link; the client's part first.
struct Transcript<'a> {
    hellos: [&'a str; 2],
    fingerprints: [[u8; 32]; 2],
    keys: [PublicKey; 2],
}

impl Transcript<'_> {
    fn hash(&self, mine: &Hello) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key(TRANSCRIPT_CONTEXT);
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        self.hellos.into_iter().for_each(&mut text);
        text(mine.room.as_str());
        text(mine.claim_id.as_str());
        hasher.update(&mine.fence.epoch.to_le_bytes());
        hasher.update(&mine.fence.counter.to_le_bytes());
        for fingerprint in &self.fingerprints {
            hasher.update(fingerprint);
        }
        for key in &self.keys {
            hasher.update(&key.0);
        }
        Hash(*hasher.finalize().as_bytes())
    }
}

fn signed_message(role: Role, transcript: &Hash) -> Vec<u8> {
    let role: &[u8] = match role {
        Role::Client => b"client\0",
        Role::Worker => b"worker\0",
    };
    [PROOF_DOMAIN, role, &transcript.0].concat()
}
