//! The line of a peer to the server: connect, register, notice that it is dead, connect again.
//!
//! Shared by [`crate::pool_worker`] and [`crate::pool_client`]: it only says what to do next (`Step`); they turn that into
//! their effects and know what to register with.

use sleap_rtc_wire::{CLAIMS, Code, Time};

/// First pause before the next try, ms; doubled with each further one up to [`LONGEST_PAUSE_MS`].
pub const FIRST_PAUSE_MS: u64 = 1_000;
/// Longest pause before the next try, ms.
pub const LONGEST_PAUSE_MS: u64 = 60_000;
/// Silence after which the server counts as gone, ms. It sends a ping every 30 s; the deployed workers wait as long.
pub const SILENCE_MS: u64 = 90_000;
/// How long opening the socket, with the sign-in, may take, ms.
pub const CONNECT_MS: u64 = 30_000;
/// How long the answer to `register` may take, ms.
pub const REGISTER_MS: u64 = 10_000;

/// Pauses between tries: 1, 2, 4 … 60 s, each with jitter, so that a restarted server is not met by everybody at once.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next pause, ms: between half of the step and the whole of it, chosen by `random`.
    pub fn next(&mut self, random: u64) -> u64 {
        let step = Self::step(self.tries);
        self.tries = self.tries.saturating_add(1);
        step / 2 + random % (step / 2 + 1)
    }

    /// A registration held for so long, ms. If that is longer than the last pause, the next one is the first again: a server
    /// that throws us out after a while is asked again about that often, and one that does so at once is not asked every second
    /// for ever.
    pub fn held(&mut self, ms: u64) {
        if ms >= Self::step(self.tries.saturating_sub(1)) {
            self.tries = 0;
        }
    }

    /// The longest pause after so many tries, ms.
    fn step(tries: u32) -> u64 {
        FIRST_PAUSE_MS.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE_MS)
    }
}

/// What to do if the very first try fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstTry {
    /// Give up and say why: somebody sits in front of it.
    Once,
    /// Try until it works: the server may start later.
    KeepTrying,
}

/// Why there is no line to the server, in words that fit "failed to …" and "server away: …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The socket could not be opened.
    #[error("{0}")]
    Unreachable(String),
    /// The socket was closed.
    #[error("connection lost: {0}")]
    Closed(String),
    /// The server closed the socket because the same peer has registered on a later one. Whoever comes back takes the place
    /// away again: so nobody does, unless a job runs.
    #[error("another program has registered here under the same name")]
    Replaced,
    /// Nothing was heard for [`SILENCE_MS`].
    #[error("the server has been silent for 90 s")]
    Silent,
    /// A request was not answered in time.
    #[error("the server does not answer")]
    NoAnswer,
    /// The sign-in or the registration was refused.
    #[error("{text}")]
    Refused {
        /// For a program.
        code: Code,
        /// In the server's words.
        text: String,
    },
}

impl Cause {
    /// Whether trying again cannot help, or must not be tried. Servers that send no code ([`Code::Unknown`]) refuse a registration for good.
    fn is_permanent(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                !matches!(code, Code::StoreUnavailable | Code::Internal | Code::RateLimited | Code::Conflict)
            }
            Self::Replaced => true,
            _ => false,
        }
    }

    /// Whether the credential was not good: another sign-in may help.
    fn is_credential(&self) -> bool {
        matches!(self, Self::Refused { code: Code::AuthFailed, .. })
    }
}

/// What the owner of a line has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Open the socket.
    Connect {
        /// With another sign-in, whatever token is at hand.
        fresh: bool,
    },
    /// Drop the socket, if there is one; the line tries again by itself.
    Lost {
        /// Why.
        cause: Cause,
        /// When it tries again, ms from now.
        retry_in_ms: u64,
    },
    /// Drop the socket, if there is one. There will be no other.
    GiveUp(Cause),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No socket; the next try at this time.
    Away { until: Time },
    /// The socket is being opened.
    Connecting { until: Time },
    /// `register` is sent.
    Registering { until: Time },
    /// Registered.
    Up { since: Time, heard: Time },
    /// Given up, or left.
    Over,
}

/// Who has our place in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ours,
    /// Another program under our name: it is asked back while we need it, and not for longer.
    Taken,
}

/// The state of the line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    state: State,
    backoff: Backoff,
    first: FirstTry,
    /// Silence that is too long, ms; the server pings workers only.
    silence_ms: Option<u64>,
    ever_up: bool,
    /// The next connection signs in anew.
    fresh: bool,
    place: Place,
    claims: bool,
}

impl Line {
    /// A line that wants to connect at once.
    pub(crate) fn new(first: FirstTry, silence_ms: Option<u64>, now: Time) -> Self {
        Self {
            state: State::Away { until: now },
            backoff: Backoff::default(),
            first,
            silence_ms,
            ever_up: false,
            fresh: false,
            place: Place::Ours,
            claims: false,
        }
    }

    /// Whether this peer is registered.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// Whether `register` waits for its answer.
    pub(crate) fn is_registering(&self) -> bool {
        matches!(self.state, State::Registering { .. })
    }

    /// Whether there will be no further try.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Whether the server that we are registered with knows claims.
    pub(crate) fn has_claims(&self) -> bool {
        self.is_up() && self.claims
    }

    /// The socket is open: `register` is to be sent. `false` if nobody waits for a socket.
    pub(crate) fn connected(&mut self, now: Time) -> bool {
        let waited = matches!(self.state, State::Connecting { .. });
        if waited {
            self.state = State::Registering { until: now.plus_ms(REGISTER_MS) };
        }
        waited
    }

    /// A frame came.
    pub(crate) fn heard(&mut self, now: Time) {
        if let State::Up { heard, .. } = &mut self.state {
            *heard = now;
        }
    }

    /// The server let us in.
    pub(crate) fn registered(&mut self, features: &[String], now: Time) {
        self.claims = features.iter().any(|feature| feature == CLAIMS);
        self.ever_up = true;
        self.fresh = false;
        self.place = Place::Ours;
        self.state = State::Up { since: now, heard: now };
    }

    /// The line is gone, or could not be made. `needed`: something runs that must not be left, so never give up.
    pub(crate) fn lost(&mut self, cause: Cause, needed: bool, now: Time, random: u64) -> Option<Step> {
        if matches!(self.state, State::Over | State::Away { .. }) {
            return None;
        }
        if let State::Up { since, .. } = self.state {
            self.backoff.held(now.since(since));
        }
        let second_sign_in = cause.is_credential() && !self.fresh;
        self.fresh |= cause.is_credential();
        let hopeless = cause.is_permanent() && !second_sign_in;
        let never = !self.ever_up && self.first == FirstTry::Once && !second_sign_in;
        if (hopeless || never) && !needed {
            self.state = State::Over;
            return Some(Step::GiveUp(cause));
        }
        if cause == Cause::Replaced {
            self.place = Place::Taken;
        }
        let retry_in_ms = match &cause {
            _ if second_sign_in => 0,
            // Two that run a job each must not throw each other out all the time.
            Cause::Replaced => LONGEST_PAUSE_MS,
            _ => self.backoff.next(random),
        };
        self.state = State::Away { until: now.plus_ms(retry_in_ms) };
        Some(Step::Lost { cause, retry_in_ms })
    }

    /// What time demands.
    pub(crate) fn tick(&mut self, needed: bool, now: Time, random: u64) -> Option<Step> {
        if self.timeout().is_none_or(|at| now < at) {
            return None;
        }
        match self.state {
            State::Away { .. } if self.place == Place::Taken && !needed => {
                self.state = State::Over;
                Some(Step::GiveUp(Cause::Replaced))
            }
            State::Away { .. } => {
                self.state = State::Connecting { until: now.plus_ms(CONNECT_MS) };
                Some(Step::Connect { fresh: self.fresh })
            }
            State::Connecting { .. } | State::Registering { .. } => self.lost(Cause::NoAnswer, needed, now, random),
            State::Up { .. } => self.lost(Cause::Silent, needed, now, random),
            State::Over => None,
        }
    }

    /// When [`Line::tick`] has something to do.
    pub(crate) fn timeout(&self) -> Option<Time> {
        match self.state {
            State::Away { until } | State::Connecting { until } | State::Registering { until } => Some(until),
            State::Up { heard, .. } => self.silence_ms.map(|silence| heard.plus_ms(silence)),
            State::Over => None,
        }
    }

    /// We leave: no further try.
    pub(crate) fn end(&mut self) {
        self.state = State::Over;
    }
}
