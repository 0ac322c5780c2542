use sleap_rtc_access::{NameError, label, username};

#[test]
fn an_account_is_called_by_a_word() {
    let longest = "a".repeat(39);
    for name in ["a", "Ana", "ana-2", "ana.b_c", "4711", &longest] {
        assert_eq!(username(name), Ok(()), "{name}");
    }
    let too_long = "a".repeat(40);
    for name in ["", ".", "..", "-a", "_a", "a b", "a/b", "a\n", "änne", "<b>", &too_long] {
        assert_eq!(username(name), Err(NameError::Username), "{name:?}");
    }
}

#[test]
fn a_key_or_a_computer_is_called_by_a_line() {
    let longest = "ü".repeat(64);
    for name in ["laptop of Ana", "gpu-1", &longest] {
        assert_eq!(label(name), Ok(()), "{name}");
    }
    let too_long = "a".repeat(65);
    for name in ["", " ", "a\nb", "\u{1b}[0m", &too_long] {
        assert_eq!(label(name), Err(NameError::Label), "{name:?}");
    }
}
