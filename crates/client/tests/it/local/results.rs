use std::path::{Component, Path, PathBuf};

use proptest::prelude::*;
use sleap_rtc_client::local::name::NameFault;
use sleap_rtc_client::local::results::{PathFault, PathSet, safe_relative_path};

#[test]
fn plain_results_are_taken() {
    assert_eq!(safe_relative_path("best.ckpt").unwrap(), PathBuf::from("best.ckpt"));
    let nested = safe_relative_path("viz/train.0/ü 果.png").unwrap();
    assert_eq!(nested, Path::new("viz").join("train.0").join("ü 果.png"));
}

#[test]
fn what_leaves_the_folder_is_refused() {
    let character = |c| PathFault::Part(NameFault::Character(c));
    for (name, fault) in [
        ("", PathFault::Part(NameFault::Empty)),
        ("/etc/passwd", PathFault::Part(NameFault::Empty)),
        ("//nas/share/x", PathFault::Part(NameFault::Empty)),
        ("a//b", PathFault::Part(NameFault::Empty)),
        ("a/", PathFault::Part(NameFault::Empty)),
        ("..", PathFault::Part(NameFault::Dots)),
        ("a/../../b", PathFault::Part(NameFault::Dots)),
        ("./a", PathFault::Part(NameFault::Dots)),
        ("C:/x", character(':')),
        ("C:x", character(':')),
        ("a/b:stream", character(':')),
        (r"..\x", character('\\')),
        (r"\\nas\share\x", character('\\')),
        ("a\0.ckpt", character('\0')),
        ("a\x1b]52;c;x.log", character('\x1b')),
        ("CON", PathFault::Part(NameFault::Device)),
        ("a/nul.txt", PathFault::Part(NameFault::Device)),
        ("a/COM¹", PathFault::Part(NameFault::Device)),
        ("best.ckpt.", PathFault::Part(NameFault::End)),
        ("a /b", PathFault::Part(NameFault::End)),
        (&format!("{}a", "a/".repeat(32)), PathFault::TooDeep),
        (&"a".repeat(1025), PathFault::TooLong),
        (&"a".repeat(256), PathFault::Part(NameFault::TooLong)),
    ] {
        assert_eq!(safe_relative_path(name).map_err(|error| error.fault), Err(fault), "{name:?}");
    }
}

#[test]
fn a_list_that_clashes_anywhere_is_refused() {
    let faults = |names: &[&str]| {
        let mut set = PathSet::new();
        names.iter().map(|name| set.insert(name).err().map(|error| error.fault)).collect::<Vec<_>>()
    };
    let clash = |name: &str| Some(PathFault::CaseClash(name.into()));
    assert_eq!(faults(&["a", "b/c", "b/d", "c"]), [None, None, None, None]);
    assert_eq!(faults(&["a", "a"]), [None, Some(PathFault::Twice)]);
    assert_eq!(faults(&["Best.ckpt", "best.ckpt"]), [None, clash("Best.ckpt")]);
    assert_eq!(faults(&["STRASSE", "straße"]), [None, clash("STRASSE")]);
    assert_eq!(faults(&["viz/a", "Viz/b"]), [None, clash("viz")]);
    assert_eq!(faults(&["a", "A/b"]), [None, Some(PathFault::FileAndFolder)]);
    assert_eq!(faults(&["a/b/c", "A/B"]), [None, Some(PathFault::FileAndFolder)]);
}

#[test]
fn a_refused_name_leaves_the_list_as_it_was() {
    let mut set = PathSet::new();
    set.insert("a").unwrap();
    set.insert("x/../y").unwrap_err();
    set.insert("a/b/c").unwrap_err();
    set.insert("x").unwrap();
    assert_eq!(set.len(), 2);
}

proptest! {
    #[test]
    fn a_taken_name_stays_below_its_folder(name in "([a-c.]|/|\\\\|:|\\.\\.|CON| |[\\PC]){0,20}") {
        if let Ok(path) = safe_relative_path(&name) {
            prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{:?}", path);
            prop_assert_eq!(path.components().count(), name.split('/').count());
        }
    }

    #[test]
    fn a_list_in_any_order_never_has_two_names_for_one_place(names in prop::collection::vec("[aAbB](/[aAbB]){0,2}", 0..12)) {
        let mut set = PathSet::new();
        let taken: Vec<_> = names.iter().filter(|name| set.insert(name).is_ok()).map(|name| name.to_lowercase()).collect();
        for (i, one) in taken.iter().enumerate() {
            for other in taken.iter().skip(i + 1) {
                let (below_one, below_other) = (format!("{one}/"), format!("{other}/"));
                prop_assert!(one != other && !other.starts_with(&below_one) && !one.starts_with(&below_other));
            }
        }
    }
}
