use std::fs;
use std::path::Path;

use sleap_rtc_worker::trainer::find::{find, installed_venv};
use sleap_rtc_worker::trainer::{MINIMUM, TrainerError, Version};

fn program(at: &Path) -> std::path::PathBuf {
    fs::create_dir_all(at).unwrap();
    let program = at.join("sleap-nn");
    fs::write(&program, "").unwrap();
    program
}

#[test]
fn the_named_one_comes_first_then_the_installed_one_then_the_path() {
    let home = tempfile::tempdir().unwrap();
    let (data, elsewhere) = (home.path().join("data"), home.path().join("elsewhere"));
    let path = std::env::join_paths([&home.path().join("nothing"), &elsewhere]).unwrap();
    let on_path = program(&elsewhere);
    assert_eq!(find(None, &data, Some(&path)).unwrap(), on_path);
    let installed = program(&installed_venv(&data).join("bin"));
    assert_eq!(find(None, &data, Some(&path)).unwrap(), installed);
    assert_eq!(find(Some(Path::new("")), &data, Some(&path)).unwrap(), installed);
    assert_eq!(find(Some(&on_path), &data, None).unwrap(), on_path);
}

#[test]
fn none_is_an_error_with_a_hint_and_a_wrong_name_is_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let error = find(None, home.path(), None).unwrap_err();
    assert!(matches!(error, TrainerError::NotFound { .. }));
    assert!(error.hint().unwrap().contains("sleap-rtc trainer install"));
    program(&installed_venv(home.path()).join("bin"));
    let error = find(Some(Path::new("/nosuch/sleap-nn")), home.path(), None).unwrap_err();
    assert!(error.to_string().contains("SLEAP_RTC_TRAINER names /nosuch/sleap-nn"), "{error}");
}

#[test]
fn versions_are_read_and_compared() {
    assert_eq!(Version::parse("sleap-nn 0.3.5\n"), Some(Version(0, 3, 5)));
    assert_eq!(Version::parse("some warning\nsleap-nn, version 0.4.0rc1"), Some(Version(0, 4, 0)));
    assert_eq!(Version::parse("sleap-nn 1.2"), Some(Version(1, 2, 0)));
    assert_eq!(Version::parse("Python 3.11.7"), None);
    assert_eq!(Version::parse(""), None);
    assert!(Version(0, 3, 3) < MINIMUM && Version(0, 3, 4) >= MINIMUM && Version(0, 10, 0) > MINIMUM);
}
