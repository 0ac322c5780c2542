//! Names of runs: folders on this machine, experiments of the trainer on the other.

use sleap_rtc_wire::Time;

use crate::error::TrainError;
use crate::local::safe_name;

/// Longest name of a run, bytes: with a stage's name behind it, it must fit the trainer's 100.
pub(crate) const MAX_RUN_NAME: usize = 60;

/// Whether the trainer takes the character in a name.
pub(crate) fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '=' | '+')
}

/// A word of at most `max` bytes that the trainer and every file system take, made of anything.
pub(crate) fn word(text: &str, max: usize) -> String {
    let mut word: String = text.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    word.truncate(word.floor_char_boundary(max));
    let trimmed = word.trim_start_matches(['.', '-']).trim_end_matches('.');
    safe_name(trimmed)
}

/// Checks a name that the user chose.
pub(crate) fn check(name: &str) -> Result<(), TrainError> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.len() > MAX_RUN_NAME {
        "it is longer than 60 bytes"
    } else if !name.chars().all(is_plain) {
        "it may have letters, digits and . _ - = + only"
    } else if name.starts_with(['.', '-']) {
        "it begins with a dot or a dash"
    } else if safe_name(name) != name {
        "not every system takes it as the name of a folder"
    } else {
        return Ok(());
    };
    Err(TrainError::RunName { name: name.to_owned(), why })
}

/// `261124_103512.centroid`: when, and what. The time is UTC, so that names sort in the order of training everywhere.
pub(crate) fn default(now: Time, what: &str) -> String {
    let stamp = stamp(now.unix_seconds());
    let rest = MAX_RUN_NAME - stamp.len() - 1;
    format!("{stamp}.{}", word(what, rest))
}

/// `YYMMDD_HHMMSS`.
fn stamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!("{:02}{month:02}{day:02}_{:02}{:02}{:02}", year % 100, second / 3600, second / 60 % 60, second % 60)
}

/// The civil date of a day since 1970-01-01.
fn date(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_name_says_when_and_what() {
        // 2026-11-24 10:35:12 UTC, 2024-02-29 23:59:59 UTC, 2000-01-01.
        assert_eq!(default(Time::from_unix_seconds(1_795_516_512), "centroid"), "261124_103512.centroid");
        assert_eq!(stamp(1_709_251_199), "240229_235959");
        assert_eq!(stamp(946_684_800), "000101_000000");
    }

    #[test]
    fn a_default_name_is_one_that_is_accepted() {
        for what in ["my flies (old)", "..", "-x", "", "ö.é", "a".repeat(300).as_str(), "CON", "ends."] {
            let name = default(Time(0), what);
            assert!(check(&name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_name_that_the_trainer_refuses_is_refused_here() {
        for name in ["", ".hidden", "-x", "a b", "a/b", "..", "$x", "CON", "end.", &"a".repeat(61)] {
            assert!(check(name).is_err(), "{name}");
        }
        assert!(check("fly_2026-11.v1+lr=0.1").is_ok());
    }
}
