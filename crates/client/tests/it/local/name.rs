use proptest::prelude::*;
use sleap_rtc_client::local::name::MAX_MADE;
use sleap_rtc_client::local::results::check_path;
use sleap_rtc_client::local::safe_name;

#[test]
fn names_are_made_safe() {
    for (name, expected) in [
        ("flies.pkg.slp", "flies.pkg.slp"),
        ("Aufnahme ü 1.mp4", "Aufnahme ü 1.mp4"),
        ("果蝇.slp", "果蝇.slp"),
        ("n=12 (1),x.slp", "n=12 (1),x.slp"),
        ("CON", "_CON"),
        ("nul.slp", "_nul.slp"),
        ("Aux .tar.gz", "_Aux .tar.gz"),
        ("com1.yaml", "_com1.yaml"),
        ("LPT³", "_LPT³"),
        ("COM10", "COM10"),
        ("console.slp", "console.slp"),
        ("a.slp. . ", "a.slp"),
        ("  x.slp", "x.slp"),
        ("C:\\x.slp", "C__x.slp"),
        ("../x", ".._x"),
        ("a\0b\nc\u{7f}", "a_b_c_"),
        ("gpj.\u{202e}slp", "gpj._slp"),
        ("${env:HOME}.yaml", "_{env_HOME}.yaml"),
        ("-rf.slp", "_-rf.slp"),
        ("~x.slp", "_~x.slp"),
        ("...", "_"),
        ("", "_"),
    ] {
        assert_eq!(safe_name(name), expected, "{name:?}");
    }
}

#[test]
fn a_long_name_keeps_its_ending() {
    let name = safe_name(&format!("{}.pkg.slp", "ü".repeat(200)));
    assert!(name.ends_with("ü.pkg.slp") && name.len() <= MAX_MADE, "{name}");
    assert!(safe_name(&format!("{}.mp4", "x".repeat(300))).ends_with("x.mp4"));
    assert_eq!(safe_name(&"x".repeat(300)).len(), MAX_MADE);
    assert_eq!(safe_name(&format!("{} .{}", "x".repeat(10), "y".repeat(200))).len(), MAX_MADE);
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[a-z]{1,60}",
        prop::sample::select(vec![
            "..", "/", "\\", ":", "CON", "nul", "COM1", ".", " ", "-", "$", "\0", "\u{3000}", ".pkg.slp"
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_becomes_a_name(text in hostile()) {
        let name = safe_name(&text);
        prop_assert_eq!(check_path(&name), Ok(()), "{:?}", name);
        prop_assert!(name.len() <= MAX_MADE);
        prop_assert!(!name.starts_with(['-', '~', ' ']));
        prop_assert!(!name.contains(['$', '/']));
        prop_assert_eq!(safe_name(&name), name.clone(), "a safe name stays");
    }

    #[test]
    fn plain_names_stay(name in "[\\p{L}\\p{N}_][\\p{L}\\p{N}_ =,()+-]{0,18}[\\p{L}\\p{N}_]\\.[a-z0-9]{2,4}") {
        prop_assume!(check_path(&name).is_ok());
        prop_assert_eq!(safe_name(&name), name.clone());
    }
}
