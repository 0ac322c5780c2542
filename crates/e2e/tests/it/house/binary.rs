//! Where the programs under test are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The stand-in for the trainer.
pub(crate) fn standin() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_standin_trainer"))
}

/// `sleap-rtc`: what `SLEAP_RTC_E2E_PROGRAM` names, such as a program as it is shipped; else the one beside the stand-in.
/// `cargo test --workspace` has built it; when only this crate is tested it may be missing or older than its sources, and is
/// built here, once.
pub(crate) fn sleap_rtc() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(named) = std::env::var_os("SLEAP_RTC_E2E_PROGRAM") {
            return named.into();
        }
        let path = standin().with_file_name(format!("sleap-rtc{}", std::env::consts::EXE_SUFFIX));
        let built = fs::metadata(&path).and_then(|file| file.modified()).ok();
        if built.is_none_or(|built| newest_source() > built) {
            build(&path);
        }
        path
    })
}

fn build(path: &Path) {
    let profile = path.parent().expect("a folder");
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--quiet", "--package", "sleap-rtc-cli", "--bin", "sleap-rtc"]);
    cargo.arg("--target-dir").arg(profile.parent().expect("the target folder"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    // Cargo's own variables of this test must not reach another package's build.
    cargo.env_remove("CARGO_MANIFEST_DIR").current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(cargo.status().expect("cargo starts").success(), "sleap-rtc cannot be built");
}

/// When the sources of the program were last changed.
fn newest_source() -> SystemTime {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("crates/");
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(crates).expect("crates/").flatten() {
        if entry.file_name() != "e2e" {
            look(&entry.path().join("src"), &mut newest);
        }
    }
    newest
}

fn look(folder: &Path, newest: &mut SystemTime) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(facts) = entry.metadata() else { continue };
        if facts.is_dir() {
            look(&entry.path(), newest);
        } else if let Ok(changed) = facts.modified() {
            *newest = changed.max(*newest);
        }
    }
}
