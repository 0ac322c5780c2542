//! What must hold, by name.

use std::fmt;

/// A rule of which the world is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A slot has one job at a time, and a worker one claim.
    OneJobPerSlot,
    /// An attempt of a job ends once; everybody is told the same end, after it is recorded.
    OneTerminalState,
    /// Fences only grow: in a room over all its loadings, at a worker over all its processes.
    FencesNeverGoBack,
    /// What a room has confirmed, every later discovery shows; who is not connected is in no list.
    ConfirmedIsSeen,
    /// A claim that nobody uses ends with its lease, or with its client's grace.
    NoClaimOutlivesItsLease,
    /// What a room thinks of its claims is what it has said and heard.
    ClaimsAreKnown,
    /// Nobody waits while a matching worker is free.
    NobodyStarves,
    /// Those who came first are served first.
    FirstComeFirstServed,
    /// A room that was loaded grants nothing before its workers have said what they hold, or their time for that is over.
    TakeoverWaits,
    /// Of one job, a second attempt is granted only if the first one's worker is lost.
    OneAttemptAtWork,
    /// Every room is removed in the end.
    RoomsGo,
    /// No anonymous identity outlives its last connection by more than the grace.
    IdentitiesGo,
    /// Nobody's identity is taken while it is connected.
    IdentitiesStay,
    /// What a peer says reaches only peers of its own room, under its own name; what a room says reaches whom it is for.
    RepliesStayInTheRoom,
    /// A connection's end removes only what is its own.
    OnlyItsOwnIsRemoved,
    /// No worker of the deployed kind is offered to a second client while it has one, or a job.
    OneClientAtATime,
    /// Who has a worker of the deployed kind has come by an offer or a job, and leaves by a word of the worker, or by time.
    OccupancyIsKnown,
    /// The rules that a room has for its own tables (`Room::violations`, and its assertions in debug builds).
    RoomsOwnRules,
    /// When faults have stopped, everybody who waits is served or told why, every job ends, all rooms and identities go.
    EverythingComesToAnEnd,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::OneJobPerSlot,
        Self::OneTerminalState,
        Self::FencesNeverGoBack,
        Self::ConfirmedIsSeen,
        Self::NoClaimOutlivesItsLease,
        Self::ClaimsAreKnown,
        Self::NobodyStarves,
        Self::FirstComeFirstServed,
        Self::TakeoverWaits,
        Self::OneAttemptAtWork,
        Self::RoomsGo,
        Self::IdentitiesGo,
        Self::IdentitiesStay,
        Self::RepliesStayInTheRoom,
        Self::OnlyItsOwnIsRemoved,
        Self::OneClientAtATime,
        Self::OccupancyIsKnown,
        Self::RoomsOwnRules,
        Self::EverythingComesToAnEnd,
    ];

    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneJobPerSlot => "one job per slot",
            Self::OneTerminalState => "one terminal state per job",
            Self::FencesNeverGoBack => "fences never go back",
            Self::ConfirmedIsSeen => "a confirmed update is seen by every later discovery",
            Self::NoClaimOutlivesItsLease => "no claim outlives its lease",
            Self::ClaimsAreKnown => "a room knows its claims",
            Self::NobodyStarves => "nobody starves while a matching worker is free",
            Self::FirstComeFirstServed => "first come, first served",
            Self::TakeoverWaits => "nothing is granted before the workers have answered",
            Self::OneAttemptAtWork => "one attempt of a job at work",
            Self::RoomsGo => "every room is removed in the end",
            Self::IdentitiesGo => "no identity outlives its last connection by more than the grace",
            Self::IdentitiesStay => "no identity goes while it is connected",
            Self::RepliesStayInTheRoom => "replies reach only their own room",
            Self::OnlyItsOwnIsRemoved => "a connection's end removes only what is its own",
            Self::OneClientAtATime => "an old worker has one client at a time",
            Self::OccupancyIsKnown => "who has an old worker is known",
            Self::RoomsOwnRules => "a room's own rules",
            Self::EverythingComesToAnEnd => "everything comes to an end",
        }
    }
}

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// What was seen.
    pub text: String,
}

impl Violation {
    pub(crate) fn new(rule: Rule, text: impl Into<String>) -> Self {
        Self { rule, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.name(), self.text)
    }
}
