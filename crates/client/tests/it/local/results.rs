use std::path::{Component, Path, PathBuf};

use proptest::prelude::*;
use sleap_rtc_client::local::results::{BadPath, safe_relative_path};

#[test]
fn plain_results_are_taken() {
    assert_eq!(safe_relative_path("best.ckpt").unwrap(), PathBuf::from("best.ckpt"));
    let nested = safe_relative_path("viz/train.0/ü 果.png").unwrap();
    assert_eq!(nested, Path::new("viz").join("train.0").join("ü 果.png"));
}

#[test]
fn what_leaves_the_folder_is_refused() {
    for (name, why) in [
        ("", BadPath::Empty),
        ("/etc/passwd", BadPath::Absolute),
        ("//nas/share/x", BadPath::Absolute),
        ("a//b", BadPath::Empty),
        ("a/", BadPath::Empty),
        ("..", BadPath::Dots),
        ("a/../../b", BadPath::Dots),
        ("./a", BadPath::Dots),
        ("C:/x", BadPath::Absolute),
        ("C:x", BadPath::Absolute),
        ("a/b:stream", BadPath::Character),
        (r"..\x", BadPath::Character),
        (r"\\nas\share\x", BadPath::Absolute),
        ("a\0.ckpt", BadPath::Hidden),
        ("a\x1b]52;c;x.log", BadPath::Hidden),
        ("CON", BadPath::Reserved),
        ("a/nul.txt", BadPath::Reserved),
        ("a/COM¹", BadPath::Reserved),
        ("best.ckpt.", BadPath::Trailing),
        ("a /b", BadPath::Trailing),
        (&format!("{}a", "a/".repeat(32)), BadPath::TooDeep),
        (&"a".repeat(1025), BadPath::TooLong),
        (&"a".repeat(256), BadPath::PartTooLong),
    ] {
        assert_eq!(safe_relative_path(name).map_err(|error| error.why), Err(why), "{name:?}");
    }
}

proptest! {
    #[test]
    fn a_taken_name_stays_below_its_folder(name in "([a-c.]|/|\\\\|:|\\.\\.|CON| |[\\PC]){0,20}") {
        if let Ok(path) = safe_relative_path(&name) {
            prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{:?}", path);
            prop_assert_eq!(path.components().count(), name.split('/').count());
        }
    }
}
