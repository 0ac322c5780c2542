//! Numbers and strangers' words.

use std::time::Duration;

use sleap_rtc_cli::text::{bytes, clean, duration, fit, loss, shell_word};

#[test]
fn escape_sequences_go_as_a_whole() {
    let cases = [
        ("plain µ", "plain µ"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07x", "x"),
        ("\u{9b}2Jx", "x"),
        ("\x1b(Bx", "x"),
        ("\x1bP1;2q data\x1b\\x", "x"),
        ("cut \x1b[31", "cut "),
        ("a\tb\r\n", "a b "),
        ("a\x00b\x7f", "a\u{fffd}b\u{fffd}"),
        ("gpj.\u{202e}exe", "gpj.\u{fffd}exe"),
    ];
    for (text, cleaned) in cases {
        assert_eq!(clean(text), cleaned, "{text:?}");
    }
}

#[test]
fn numbers_are_short() {
    assert_eq!(
        [0, 999, 1000, 3_420_306, 999_950, 6_300_000_000].map(bytes),
        ["0 B", "999 B", "1.0 kB", "3.4 MB", "1.0 MB", "6.3 GB"]
    );
    assert_eq!(
        [0, 59, 60, 3725, 90_000].map(|s| duration(Duration::from_secs(s))),
        ["0 s", "59 s", "1 min 00 s", "1 h 02 min", "1 d 1 h"]
    );
    assert_eq!(
        [0.0, 0.011_659, 0.000_012, 12.345, 512.3, f64::NAN].map(loss),
        ["0", "0.0117", "1.2e-5", "12.35", "512", "NaN"]
    );
}

#[test]
fn a_line_never_grows_past_its_width() {
    assert_eq!(fit("abcdef", 6), "abcdef");
    assert_eq!(fit("abcdef", 4), "abc…");
    assert_eq!(fit("abcdef", 0), "");
}

#[test]
fn a_word_of_the_shell_can_be_pasted() {
    assert_eq!(shell_word("data/flies.slp"), "data/flies.slp");
    assert_eq!(shell_word("my flies.slp"), "'my flies.slp'");
    assert_eq!(shell_word("it's"), r"'it'\''s'");
}
