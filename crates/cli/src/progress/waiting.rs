//! The wait for a worker: the place in line, why there is none yet, and a server that is away meanwhile.

use std::time::Duration;

use sleap_rtc_client::{Missing, why};
use sleap_rtc_wire::claim::{ClaimWaiting, Reason, Workers};

use super::lines::line;
use super::state::{State, Step};
use super::story::Training;
use crate::text::{about, clean, count, duration};

/// From so many columns on there is room for whole words.
const WIDE: usize = 72;

/// A place in line, as it was told last.
#[derive(Clone, Debug)]
pub(crate) struct InLine {
    place: u32,
    reason: Reason,
    workers: Workers,
    /// Until when there is a worker at the latest.
    until: Option<Duration>,
    /// Who is missed, and when that was asked.
    missing: Vec<Missing>,
    asked: Duration,
}

/// The server is out of reach.
#[derive(Clone, Debug)]
pub(crate) struct Away {
    /// When the next try is.
    retry: Duration,
    /// Until when the place in line is kept.
    kept: Option<Duration>,
}

impl InLine {
    fn new(waiting: &ClaimWaiting, now: Duration) -> Self {
        let ClaimWaiting { place, reason, workers, estimate_ms, .. } = *waiting;
        let until = estimate_ms.map(|ms| now + Duration::from_millis(ms));
        Self { place, reason, workers, until, missing: Vec::new(), asked: now }
    }

    /// `all 3 that match are busy`, `gpu-box has been silent for 40 s`.
    fn why(&self, now: Duration) -> String {
        let silent =
            |missing: &Missing| duration(Duration::from_millis(missing.silent_ms) + now.saturating_sub(self.asked));
        match self.missing.iter().min_by_key(|missing| missing.silent_ms) {
            None => why(self.reason, self.workers),
            Some(last) => match self.missing.len() {
                1 => format!("{} has been silent for {}", clean(&last.name), silent(last)),
                n => format!("{} and {} more have been silent for {}", clean(&last.name), n - 1, silent(last)),
            },
        }
    }

    /// What is known, as long as there is room for: the estimate gets shorter before the reason is cut.
    fn words(&self, since: Duration, now: Duration, room: usize) -> String {
        let place = format!("place {}, {}", self.place, self.why(now));
        let waited = duration(now.saturating_sub(since));
        let Some(left) = self.until.map(|until| about(until.saturating_sub(now))) else {
            return fitting(room, &[format!("{place} · {waited} so far"), format!("{place} · {waited}")]);
        };
        fitting(
            room,
            &[
                format!("{place} · at the latest in about {left} · {waited} so far"),
                format!("{place} · at the latest in {left} · {waited}"),
                format!("{place} · at most {left} · {waited}"),
                format!("{place} · at most {left}"),
            ],
        )
    }
}

/// The first text that fits, else the last.
fn fitting(room: usize, texts: &[String]) -> String {
    let fits = |text: &&String| text.chars().count() <= room;
    texts.iter().find(fits).or(texts.last()).cloned().unwrap_or_default()
}

impl Away {
    /// `server away, your place is kept for 10 minutes; trying again in 4 s`.
    fn words(&self, now: Duration, room: usize) -> String {
        // By the room alone, so that the words do not change with the number.
        let unit = if room < WIDE { "min" } else { "minute" };
        let place = match self.kept {
            None => String::new(),
            Some(kept) if kept > now => format!(", your place is kept for {}", minutes(kept.saturating_sub(now), unit)),
            Some(_) => ", your place is no longer kept".to_owned(),
        };
        match self.retry.saturating_sub(now) {
            Duration::ZERO => format!("server away{place}; trying again"),
            left => format!("server away{place}; trying again in {} s", left.as_secs().max(1)),
        }
    }
}

/// `10 minutes` or `10 min`, rounded down but for the last one.
fn minutes(time: Duration, unit: &str) -> String {
    let n = ((time.as_secs_f64() / 60.0 + 0.05) as u64).max(1);
    if unit == "min" { format!("{n} min") } else { count(n as usize, unit) }
}

impl State {
    /// The place in line, while we wait.
    pub fn place(&self) -> Option<u32> {
        match &self.step {
            Step::Waiting(told) => Some(told.place),
            _ => None,
        }
    }

    pub(super) fn waiting(&mut self, waiting: &ClaimWaiting, now: Duration) -> Vec<String> {
        let mut told = InLine::new(waiting, now);
        let mut out: Vec<String> = match self.back_from.take() {
            Some(place) if place == told.place => vec![line("Server", "is back; place unchanged")],
            Some(_) => vec![line("Server", &format!("is back; your place is {} now", told.place))],
            None => Vec::new(),
        };
        // The time counts from the first word.
        if let Step::Waiting(before) = &mut self.step {
            if before.reason == told.reason && told.reason == Reason::Silent {
                told.asked = before.asked;
                told.missing = std::mem::take(&mut before.missing);
            }
            *before = told;
        } else {
            out.push(line("Waiting", &format!("for a worker: place {}, {}", told.place, told.why(now))));
            self.enter(Step::Waiting(told), now);
        }
        out
    }

    pub(super) fn missing(&mut self, missing: &[Missing], now: Duration) {
        if let Step::Waiting(told) = &mut self.step {
            told.asked = now;
            told.missing = missing.to_vec();
        }
    }

    pub(super) fn server_away(
        &mut self,
        retry: Duration,
        cause: &str,
        kept: Option<Duration>,
        now: Duration,
    ) -> Option<String> {
        let first = self.away.is_none();
        let away = Away { retry: now + retry, kept: kept.map(|kept| now + kept) };
        let means = match (self.place(), &away.kept) {
            _ if self.accepted => "; the job is running and not touched by that",
            (Some(_), Some(_)) => "; your place in line is kept",
            _ => "",
        };
        if let Some(place) = self.place() {
            self.back_from = Some(place);
        }
        self.away = Some(away);
        first.then(|| line("Warning", &format!("the server is away ({}){means}", clean(cause))))
    }

    pub(super) fn server_back(&mut self) -> Option<String> {
        let was_away = self.away.take().is_some();
        // Who waits is told with the place.
        (was_away && self.back_from.is_none()).then(|| line("Server", "is back"))
    }

    /// The worker is lost, and another one is looked for.
    pub(super) fn given_up(&mut self, now: Duration) {
        self.accepted = false;
        self.sent = false;
        self.lost = None;
        self.worker = None;
        self.training = Training::default();
        self.enter(Step::Finding, now);
    }

    /// The line of one who waits.
    pub(super) fn waiting_line(&self, told: &InLine, now: Duration, width: usize) -> String {
        let room = width.saturating_sub(line("", "").chars().count());
        let text = match (&self.away, self.back_from) {
            (Some(away), _) => away.words(now, room),
            (None, Some(_)) => {
                format!("server is back, asking for your place · {}", duration(now.saturating_sub(self.since)))
            }
            (None, None) => told.words(self.since, now, room),
        };
        line("Waiting", &text)
    }
}
