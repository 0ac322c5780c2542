use sleap_rtc_worker::trainer::{MINIMUM, Version};

#[test]
fn versions_are_read_and_compared() {
    assert_eq!(Version::parse("sleap-nn 0.3.5\n"), Some(Version(0, 3, 5)));
    assert_eq!(Version::parse("some warning\nsleap-nn, version 0.4.0rc1"), Some(Version(0, 4, 0)));
    assert_eq!(Version::parse("sleap-nn 1.2"), Some(Version(1, 2, 0)));
    assert_eq!(Version::parse("Python 3.11.7"), None);
    assert_eq!(Version::parse(""), None);
    assert!(Version(0, 3, 3) < MINIMUM && Version(0, 3, 4) >= MINIMUM && Version(0, 10, 0) > MINIMUM);
}
