//! Every seed and every finding, once more.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

fn all(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 10, "{} seeds of {target}", files.len());
    for file in files {
        println!("{}", file.display());
        let bytes = std::fs::read(&file).unwrap();
        // As it is, and cut off and broken at every place.
        run(&bytes);
        for at in 0..bytes.len().min(512) {
            run(&bytes[..at]);
            let mut broken = bytes.clone();
            broken[at] ^= 1 << (at % 8);
            run(&broken);
        }
    }
}

#[test]
fn decode() {
    all("decode", sleap_rtc_fuzz::decode::run);
}

#[test]
fn bodies() {
    all("bodies", sleap_rtc_fuzz::bodies::run);
}

#[test]
fn room() {
    all("room", sleap_rtc_fuzz::room::run);
}
