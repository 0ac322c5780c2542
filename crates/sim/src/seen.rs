//! What has happened, counted: a proof says something only about what occurred.

use std::fmt::Write;

use sleap_rtc_wire::claim::Reason;

/// Declares what is counted, under headings.
macro_rules! seen {
    ($($heading:literal { $($name:ident = $text:literal,)* })*) => {
        /// Something that may happen in a world.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Note { $($(#[doc = $text] $name,)*)* }

        impl Note {
            /// All of them, with their heading and their words.
            pub const ALL: &[(Self, &str, &str)] = &[$($((Self::$name, $heading, $text),)*)*];
        }
    };
}

seen! {
    "faults" {
        ServerCrash = "server killed",
        WriteLost = "server killed with a write that was not committed",
        ReportLost = "server killed after a commit, before the room knew",
        SecondServer = "an old server goes on beside the new one",
        StoreDown = "a write that the store did not take",
        StoreSlow = "a slow store",
        WireCut = "signaling connection cut",
        FrameLost = "frames lost with a connection",
        HalfOpen = "the server hears of a cut late",
        Superseded = "a peer comes again before its old connection is gone",
        Partition = "a peer cut off from everybody",
        SlowNetwork = "a slow network",
        LinkCut = "link between client and worker cut",
        WorkerCrash = "worker killed",
        CrashWhileRunning = "worker killed while a job runs",
        TornRecord = "worker killed in the middle of a record",
        DiskFails = "a worker's disk fails",
        ClientCrash = "client killed",
        ClientAttach = "a client comes back to its job",
        ClientLeaves = "a client leaves",
        Cancel = "a job is cancelled",
        Stop = "a job is stopped early",
        Drain = "a worker is drained",
        EndNow = "a worker is told to end at once",
        Lie = "a frame under another's name",
        Nonsense = "a claim's frame for a claim that is not the sender's",
        RepeatedClaim = "a claim is asked for twice",
        ManyWorkers = "a claim for several workers",
        FrameAfterUpdate = "update and discovery in one breath",
        RoomMadeAgain = "a room made again under the same name",
        RoomDeleted = "a room deleted by HTTP",
        PeerDeleted = "a peer deleted by HTTP",
        RoomExtended = "a room extended by HTTP",
    }
    "what rooms decide" {
        Granted = "claim granted",
        EndLease = "claim ended: lease expired",
        EndReleased = "claim ended: released",
        EndFinished = "claim ended: finished",
        EndLost = "claim ended: lost",
        EndSuperseded = "claim ended: superseded",
        EndRemoved = "claim ended: room removed",
        ReasonBusy = "reason: all matching busy",
        ReasonNone = "reason: no matching worker",
        ReasonDraining = "reason: draining",
        ReasonSilent = "reason: silent",
        ReasonHeld = "reason: held",
        ReasonMany = "reason: too many claims",
        ReasonBehind = "reason: behind others",
        ReasonRecovering = "reason: recovering",
        ReasonRuns = "reason: job runs",
        ReasonFull = "reason: line full",
        ReasonOther = "reason: another",
        TookOverUsed = "takeover of a running claim",
        TookOverLease = "takeover of an unused claim",
        WentOn = "a worker comes back to a claim that the room still has",
        StrangerRefused = "a register refused",
        RoomGone = "room removed",
        RoomExpired = "room removed by the sweeper",
        RoomGrace = "room removed by itself, its time over or its last peer gone",
    }
    "premises" {
        UpdateThenDiscovery = "a discovery after a confirmed update",
        Waits = "a claim waits in line",
        ServedFromLine = "a claim in line is granted",
        TriedElsewhere = "a job is tried elsewhere, its first worker lost",
        LeaseRan = "a lease that ran out",
        FenceOverRestart = "a grant after a restart",
        CleanEnd = "a world came to its end with nothing left",
        JobEnded = "a job ended",
        JobEndedTold = "a client heard the end of its job",
        EndWithoutClient = "a job ended while nobody looked",
        IdentityForgotten = "an anonymous identity forgotten",
        IdentityAged = "an anonymous identity found by its age",
        SecondAttempt = "a second attempt at work",
        OldFence = "a grant with an old fence",
        SupersededRun = "a run ended because a later attempt was granted",
        OldReached = "an offer handed to an old worker",
        OldBusy = "an offer to an old worker that somebody has refused",
        OldEngaged = "an old worker's answer handed on",
        OldFreed = "an old worker freed by its own word",
        OldTimed = "an old worker freed by time",
        OldJob = "a job given to an old worker through the server",
        OldJobEnds = "a job of an old worker ended by its word",
        OldBack = "an old worker comes back on a new connection while somebody has it",
        OldRestored = "an old worker that somebody has, over a restart",
        SharedName = "a session under a name that another has",
        PlainTook = "a peer without claims took a slot",
    }
}

impl Note {
    /// What a reason counts as.
    pub(crate) const fn of_reason(reason: Reason) -> Self {
        match reason {
            Reason::AllMatchingBusy => Self::ReasonBusy,
            Reason::NoMatchingWorker => Self::ReasonNone,
            Reason::Draining => Self::ReasonDraining,
            Reason::Silent => Self::ReasonSilent,
            Reason::Held => Self::ReasonHeld,
            Reason::TooManyClaims => Self::ReasonMany,
            Reason::BehindOthers => Self::ReasonBehind,
            Reason::Recovering => Self::ReasonRecovering,
            Reason::JobRuns => Self::ReasonRuns,
            Reason::LineFull => Self::ReasonFull,
            Reason::Unknown => Self::ReasonOther,
        }
    }
}

/// Counts of one or many worlds.
#[derive(Clone, Debug)]
pub struct Seen {
    counts: [u64; Note::ALL.len()],
    /// In how many worlds each occurred.
    worlds: [u64; Note::ALL.len()],
    /// How many worlds are counted.
    pub of: u64,
}

impl Default for Seen {
    fn default() -> Self {
        Self { counts: [0; Note::ALL.len()], worlds: [0; Note::ALL.len()], of: 0 }
    }
}

impl Seen {
    /// Counts one.
    pub const fn note(&mut self, note: Note) {
        self.counts[note as usize] += 1;
    }

    /// How often it occurred.
    pub const fn count(&self, note: Note) -> u64 {
        self.counts[note as usize]
    }

    /// Adds one world's counts.
    pub fn add(&mut self, one: &Self) {
        self.of += one.of.max(1);
        for index in 0..self.counts.len() {
            self.counts[index] += one.counts[index];
            self.worlds[index] += if one.of == 0 { u64::from(one.counts[index] > 0) } else { one.worlds[index] };
        }
    }

    /// Those that occurred in less than 1 % of the worlds.
    pub fn rare(&self) -> Vec<&'static str> {
        let rare = |(note, _, _): &&(Note, _, _)| self.worlds[*note as usize] * 100 < self.of;
        Note::ALL.iter().filter(rare).map(|(_, _, text)| *text).collect()
    }

    /// The table that the run prints.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut last = "";
        for (note, heading, words) in Note::ALL {
            if *heading != last {
                let _ = writeln!(text, "\n{heading:<64} {:>12} {:>8}", "times", "seeds");
                last = heading;
            }
            let share = self.worlds[*note as usize] as f64 * 100.0 / self.of.max(1) as f64;
            let _ = writeln!(text, "  {words:<62} {:>12} {share:>7.1}%", self.counts[*note as usize]);
        }
        text
    }
}
