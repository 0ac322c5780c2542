//! The table.

use crate::rounds::Series;

/// What a ratio or a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim {
    AtLeast(f64),
    AtMost(f64),
    /// Printed for comparison only.
    None,
}

impl Aim {
    fn verdict(self, value: f64) -> String {
        let (sign, bound, reached) = match self {
            Self::AtLeast(bound) => (">=", bound, value >= bound),
            Self::AtMost(bound) => ("<=", bound, value <= bound),
            Self::None => return String::new(),
        };
        format!("{sign} {bound:<6} {}", if reached { "reached" } else { "MISSED" })
    }
}

/// All lines of a run, printed as they come and once more at the end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<String>,
}

impl Report {
    fn line(&mut self, line: String) {
        println!("{line}");
        self.lines.push(line);
    }

    /// Ours beside a yardstick.
    pub(crate) fn ratio(&mut self, what: &str, unit: &str, ours: f64, yardstick: f64, ratio: f64, aim: Aim) {
        let verdict = aim.verdict(ratio);
        self.line(format!("{what:<58} {ours:>9.1} {yardstick:>9.1} {unit:<5} {ratio:>6.2}  {verdict}"));
    }

    /// A figure of its own.
    pub(crate) fn figure(&mut self, what: &str, unit: &str, value: f64, aim: Aim) {
        let verdict = aim.verdict(value);
        self.line(format!("{what:<58} {value:>9.1} {:>9} {unit:<5} {:>6}  {verdict}", "", ""));
    }

    /// How many a second, in thousands, beside a yardstick.
    pub(crate) fn throughput(&mut self, what: &str, ours: &Series, yardstick: &Series, aim: Aim) {
        let figure = |series: &Series| series.median(|round| round.per_second() / 1e3);
        let ratio = ours.ratio(yardstick, crate::way::Round::per_second);
        self.ratio(what, "k/s", figure(ours), figure(yardstick), ratio, aim);
    }

    /// How long a frame takes, beside a yardstick.
    pub(crate) fn time(&mut self, what: &str, share: f64, ours: &Series, yardstick: &Series, aim: Aim) {
        let at = |series: &Series| series.median(|round| round.at(share));
        let ratio = ours.ratio(yardstick, |round| round.at(share));
        self.ratio(what, "us", at(ours), at(yardstick), ratio, aim);
    }

    /// What a frame costs, beside a yardstick.
    pub(crate) fn cpu(&mut self, what: &str, ours: &Series, yardstick: &Series, aim: Aim) {
        let (ours, yardstick) = (ours.cpu_us(), yardstick.cpu_us());
        self.ratio(what, "us", ours, yardstick, ours / yardstick, aim);
    }

    pub(crate) fn print(&self) {
        println!("\n{:<58} {:>9} {:>9} {:<5} {:>6}  aim", "", "server", "yardstick", "", "ratio");
        for line in &self.lines {
            println!("{line}");
        }
    }
}
