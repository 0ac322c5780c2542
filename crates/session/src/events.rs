//! The job's story as the worker keeps it for whoever comes back.

use std::collections::VecDeque;

use sleap_rtc_wire::job::{JobEvent, Terminal, What};
use sleap_rtc_wire::{Time, limits};

/// What is kept in memory, bytes of text; beyond it the oldest log lines go, and a warning says so in their place.
const KEPT: usize = 8 << 20;
/// Events kept in memory at most.
const KEPT_EVENTS: usize = 50_000;
/// What an event costs beside its text, bytes.
const EVENT_COST: usize = 64;
/// A cause, a name or a warning, bytes.
const SENTENCE: usize = 4 << 10;

/// Events in the order of their numbers.
#[derive(Debug)]
pub(crate) struct EventLog {
    events: VecDeque<JobEvent>,
    next: u64,
    bytes: usize,
    /// Log lines that are no longer here.
    gone: u64,
    kept: usize,
}

impl EventLog {
    /// Empty; the next event gets the number `next`.
    pub(crate) fn new(next: u64) -> Self {
        Self { events: VecDeque::new(), next, bytes: 0, gone: 0, kept: KEPT }
    }

    /// Bounded otherwise, for tests.
    #[cfg(test)]
    fn with_kept(kept: usize) -> Self {
        Self { kept, ..Self::new(1) }
    }

    /// The number of the next event.
    pub(crate) const fn next_seq(&self) -> u64 {
        self.next
    }

    /// Appends. A batch directly after a batch takes its place: nobody needs the older one.
    pub(crate) fn push(&mut self, at: Time, mut what: What) {
        clean(&mut what);
        if let (What::Batch { .. }, Some(What::Batch { .. })) = (&what, self.events.back().map(|event| &event.what)) {
            self.events.pop_back();
            self.bytes -= EVENT_COST;
        }
        self.bytes += cost(&what);
        self.events.push_back(JobEvent { seq: self.next, at, what });
        self.next += 1;
        if self.bytes > self.kept || self.events.len() > KEPT_EVENTS {
            self.shed();
        }
    }

    /// The first event from `seq` on.
    pub(crate) fn from(&self, seq: u64) -> Option<&JobEvent> {
        self.events.get(self.events.partition_point(|event| event.seq < seq))
    }

    /// Lets the oldest quarter of the log lines go, and leaves one warning with the number of the last of them.
    fn shed(&mut self) {
        let mut last = None;
        let target = self.kept / 4 * 3;
        let (mut bytes, mut count) = (self.bytes, self.events.len());
        let only_logs = self.events.iter().any(|event| matches!(event.what, What::Log { .. }));
        self.events.retain(|event| {
            let over = bytes > target || count > KEPT_EVENTS / 4 * 3;
            let goes = over && (!only_logs || matches!(event.what, What::Log { .. } | What::Warning { .. }));
            if goes {
                bytes -= cost(&event.what);
                count -= 1;
                last = Some((event.seq, event.at));
                self.gone += 1;
            }
            !goes
        });
        self.bytes = bytes;
        let Some((seq, at)) = last else { return };
        let text = format!("{} earlier lines are no longer kept here; the worker's own log file has them", self.gone);
        let what = What::Warning { text };
        self.bytes += cost(&what);
        let place = self.events.partition_point(|event| event.seq < seq);
        self.events.insert(place, JobEvent { seq, at, what });
    }
}

fn cost(what: &What) -> usize {
    let text = match what {
        What::Log { line: text, .. } | What::Warning { text } | What::Stage { name: text, .. } => text.len(),
        What::End { end } => end.cause.as_ref().map_or(0, String::len),
        _ => 0,
    };
    EVENT_COST + text
}

/// Makes every text of an event fit for a control message and a terminal.
fn clean(what: &mut What) {
    match what {
        What::Log { line, .. } => clean_text(line, limits::LOG_LINE),
        What::Warning { text } | What::Stage { name: text, .. } => clean_text(text, SENTENCE),
        What::End { end } => clean_terminal(end),
        _ => {}
    }
}

/// The same for a cause.
pub(crate) fn clean_terminal(terminal: &mut Terminal) {
    if let Some(cause) = &mut terminal.cause {
        clean_text(cause, SENTENCE);
    }
}

/// No control characters but the tab, at most `max` bytes.
fn clean_text(text: &mut String, max: usize) {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max - '…'.len_utf8()));
        text.push('…');
    }
    if text.contains(|c: char| c.is_control() && c != '\t') {
        *text = text.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
    }
}

#[cfg(test)]
mod tests {
    use sleap_rtc_wire::job::Stream;

    use super::*;

    fn line(text: &str) -> What {
        What::Log { stream: Stream::Out, line: text.to_owned() }
    }

    fn all(log: &EventLog) -> Vec<JobEvent> {
        let mut events: Vec<JobEvent> = Vec::new();
        while let Some(event) = log.from(events.last().map_or(0, |event| event.seq + 1)) {
            events.push(event.clone());
        }
        events
    }

    #[test]
    fn the_oldest_lines_go_and_a_warning_says_so() {
        let mut log = EventLog::with_kept(10_000);
        log.push(Time(0), What::Stage { index: 0, count: 1, name: "centroid".to_owned() });
        for n in 0..1_000 {
            log.push(Time(n), line(&format!("line {n} {}", "x".repeat(100))));
        }
        let events = all(&log);
        assert!(log.bytes <= 10_000, "{}", log.bytes);
        assert_eq!(log.bytes, events.iter().map(|event| cost(&event.what)).sum::<usize>());
        assert!(matches!(events[0].what, What::Stage { .. }), "only lines go");
        let warnings = events.iter().filter(|event| matches!(event.what, What::Warning { .. })).count();
        assert_eq!(warnings, 1);
        assert!(matches!(&events[1].what, What::Warning { text } if text.contains("no longer kept")));
        assert_eq!(events[2].seq, events[1].seq + 1, "the warning stands where the last lost line stood");
        assert_eq!(events.last().map(|event| event.seq), Some(1_001));
        assert!(events.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    }

    #[test]
    fn what_is_not_a_line_goes_only_when_no_line_is_left() {
        let mut log = EventLog::with_kept(1_000);
        for epoch in 0..100 {
            log.push(Time(0), What::Epoch { epoch, train_loss: None, val_loss: None });
        }
        assert!(log.bytes <= 1_000 + 200);
        assert!(all(&log).len() > 5);
    }

    #[test]
    fn a_batch_takes_the_place_of_the_one_before() {
        let mut log = EventLog::new(1);
        for batch in 0..5 {
            log.push(Time(0), What::Batch { epoch: 0, batch, loss: None });
        }
        log.push(Time(0), line("x"));
        log.push(Time(0), What::Batch { epoch: 0, batch: 5, loss: None });
        assert_eq!(all(&log).iter().map(|event| event.seq).collect::<Vec<_>>(), [5, 6, 7]);
        assert_eq!(log.next_seq(), 8);
    }
}
