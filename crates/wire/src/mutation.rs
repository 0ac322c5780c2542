//! Deliberate faults, so that the proof can be proved: the simulator must find each of them.
//!
//! Without the feature `mutations`, which only the simulator asks for, [`on`] is a constant `false` and costs nothing.

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutation {
    /// A worker honours a grant with a fence that is not higher than all before.
    FenceCheckOff,
    /// A room's epoch is not raised when it is loaded, so that fences repeat.
    EpochNotRaised,
    /// A worker registers again without the claim that it holds.
    HeldNotTold,
    /// An update of metadata is confirmed before it is in force.
    ConfirmedBeforeInForce,
    /// A lease that nobody uses does not end.
    LeaseNotEnded,
    /// The end of a connection removes whatever peer has its id, a later connection's too.
    CleanUpByPeerId,
    /// A room that was loaded anew grants before its workers have said what they hold.
    TakeoverWithoutGrace,
    /// A claim does not change the status that discoveries see.
    StatusNotWithClaim,
    /// A worker counts as free whatever claim is on it.
    ClaimedIsFree,
    /// The line is served from its end.
    LastComeFirst,
    /// A claim in line is not looked at when a worker becomes free.
    LineNotServed,
    /// A second attempt of a job is granted while the first one's worker is only silent.
    AttemptsOverlap,
    /// A room whose time is over stays.
    RoomNotRemoved,
    /// An identity stays when its last connection has been gone for the grace.
    IdentityKept,
    /// A job that has ended may end once more in another way.
    SecondEnd,
    /// A frame is believed whoever it says it comes from.
    SenderNotChecked,
    /// An offer to a worker that somebody has is handed on.
    OffersNotStrict,
    /// A worker that registers on a new connection is free if it says so.
    NewSocketIsProof,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::FenceCheckOff,
        Self::EpochNotRaised,
        Self::HeldNotTold,
        Self::ConfirmedBeforeInForce,
        Self::LeaseNotEnded,
        Self::CleanUpByPeerId,
        Self::TakeoverWithoutGrace,
        Self::StatusNotWithClaim,
        Self::ClaimedIsFree,
        Self::LastComeFirst,
        Self::LineNotServed,
        Self::AttemptsOverlap,
        Self::RoomNotRemoved,
        Self::IdentityKept,
        Self::SecondEnd,
        Self::SenderNotChecked,
        Self::OffersNotStrict,
        Self::NewSocketIsProof,
    ];
}

#[cfg(feature = "mutations")]
thread_local! {
    static ON: std::cell::Cell<Option<Mutation>> = const { std::cell::Cell::new(None) };
}

/// Breaks this rule, and no other, on this thread from now on.
#[cfg(feature = "mutations")]
pub fn set(mutation: Option<Mutation>) {
    ON.set(mutation);
}

/// Whether this rule is broken.
#[cfg(feature = "mutations")]
pub fn on(mutation: Mutation) -> bool {
    ON.get() == Some(mutation)
}

/// Whether this rule is broken: never.
#[cfg(not(feature = "mutations"))]
#[inline]
pub const fn on(_mutation: Mutation) -> bool {
    false
}
