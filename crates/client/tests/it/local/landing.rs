use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Barrier;

use sleap_rtc_client::local::{Landing, LandingError};

/// Everything in a folder, by name, sorted.
fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn land(models: &Path, run: &str, job: &str, bytes: &[u8]) -> std::path::PathBuf {
    let mut landing = Landing::open(models, run, job).unwrap();
    landing.announce("best.ckpt", bytes.len() as u64).unwrap();
    landing.write_at("best.ckpt", 0, bytes).unwrap();
    landing.finish().unwrap()
}

#[test]
fn results_land_whole_under_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    let mut landing = Landing::open(&models, "centroid.n=10", "job-1").unwrap();
    assert!(!landing.resumed());
    landing.announce("best.ckpt", 6).unwrap();
    landing.announce("viz/train.0/a.png", 0).unwrap();
    landing.write_at("best.ckpt", 3, b"def").unwrap();
    assert_eq!(landing.read_at("best.ckpt", 0, 10).unwrap(), b"\0\0\0def");
    landing.write_at("best.ckpt", 0, b"abc").unwrap();
    assert!(!models.join("centroid.n=10").exists(), "nothing under the final name before the end");
    let landed = landing.finish().unwrap();
    assert_eq!(landed, models.join("centroid.n=10"));
    assert_eq!(fs::read(landed.join("best.ckpt")).unwrap(), b"abcdef");
    assert_eq!(fs::read(landed.join("viz/train.0/a.png")).unwrap(), b"");
    assert_eq!(entries(&models), ["centroid.n=10"]);
}

#[test]
fn a_taken_name_gets_a_number_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path();
    fs::create_dir(models.join("run-1")).unwrap();
    fs::write(models.join("run-2"), b"a file").unwrap();
    assert_eq!(land(models, "run", "a", b"a"), models.join("run"));
    assert_eq!(land(models, "run", "b", b"b"), models.join("run-3"));
    assert_eq!(fs::read(models.join("run/best.ckpt")).unwrap(), b"a");
    assert_eq!(fs::read(models.join("run-2")).unwrap(), b"a file");
    assert_eq!(entries(&models.join("run-1")), Vec::<String>::new(), "not even an empty folder is taken");
}

#[test]
fn many_at_once_all_land_under_different_names() {
    const N: usize = 16;
    let folder = tempfile::tempdir().unwrap();
    let barrier = Barrier::new(N);
    let mut landed: Vec<_> = std::thread::scope(|scope| {
        let (models, barrier) = (folder.path(), &barrier);
        let threads: Vec<_> = (0..N)
            .map(|n| {
                scope.spawn(move || {
                    let mut landing = Landing::open(models, "run", &format!("job-{n}")).unwrap();
                    landing.announce("n", 8).unwrap();
                    landing.write_at("n", 0, &(n as u64).to_le_bytes()).unwrap();
                    barrier.wait();
                    (landing.finish().unwrap(), n as u64)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    landed.sort();
    landed.dedup_by(|a, b| a.0 == b.0);
    assert_eq!(landed.len(), N);
    for (path, n) in landed {
        assert_eq!(fs::read(path.join("n")).unwrap(), n.to_le_bytes());
    }
}

#[test]
fn the_next_try_goes_on_from_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path();
    let mut first = Landing::open(models, "run", "job").unwrap();
    first.announce("best.ckpt", 6).unwrap();
    first.announce("old/of the first try", 3).unwrap();
    first.announce("shrinks", 5).unwrap();
    first.write_at("best.ckpt", 0, b"abc").unwrap();
    first.write_at("shrinks", 0, b"12345").unwrap();
    drop(first);
    assert_eq!(entries(models), [".run.partial-job", ".run.partial-job.lock"]);

    let mut second = Landing::open(models, "run", "job").unwrap();
    assert!(second.resumed());
    second.announce("best.ckpt", 6).unwrap();
    second.announce("shrinks", 2).unwrap();
    assert_eq!(second.read_at("best.ckpt", 0, 6).unwrap(), b"abc");
    second.write_at("best.ckpt", 3, b"def").unwrap();
    let landed = second.finish().unwrap();
    assert_eq!(fs::read(landed.join("best.ckpt")).unwrap(), b"abcdef");
    assert_eq!(fs::read(landed.join("shrinks")).unwrap(), b"12");
    assert_eq!(entries(&landed), ["best.ckpt", "shrinks"], "what the first try alone had is gone");
    assert_eq!(entries(models), ["run"]);
}

#[test]
fn two_processes_do_not_share_a_partial_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = Landing::open(folder.path(), "run", "job").unwrap();
    assert!(matches!(Landing::open(folder.path(), "run", "job").unwrap_err(), LandingError::InUse(_)));
    Landing::open(folder.path(), "run", "other job").unwrap();
    drop(first);
    Landing::open(folder.path(), "run", "job").unwrap();
}

#[test]
fn a_file_that_is_not_whole_does_not_land() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path();
    let mut landing = Landing::open(models, "run", "job").unwrap();
    landing.announce("best.ckpt", 6).unwrap();
    landing.write_at("best.ckpt", 0, b"abc").unwrap();
    let error = landing.finish().unwrap_err();
    assert!(matches!(&error, LandingError::Incomplete { have: 3, len: 6, .. }), "{error}");
    assert!(!models.join("run").exists());
    assert!(Landing::open(models, "run", "job").unwrap().resumed());
}

#[test]
fn the_other_side_writes_only_what_it_announced() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    let mut landing = Landing::open(&models, "../run", "../job").unwrap();
    assert_eq!(landing.partial(), models.join("..._run.partial-.._job"));
    for name in ["../x", "/x", "a\\b", "NUL", "a/../../x"] {
        assert!(matches!(landing.announce(name, 1), Err(LandingError::Name(_))), "{name}");
    }
    landing.announce("a", 4).unwrap();
    assert!(matches!(landing.announce("A", 4), Err(LandingError::Name(_))));
    assert!(matches!(landing.write_at("b", 0, b"x"), Err(LandingError::Unknown(_))));
    assert!(matches!(landing.write_at("a", 2, b"xyz"), Err(LandingError::TooLong { .. })));
    assert!(matches!(landing.write_at("a", u64::MAX, b"x"), Err(LandingError::TooLong { .. })));
    landing.discard().unwrap();
    assert_eq!(entries(&models), Vec::<String>::new());
    assert_eq!(entries(folder.path()), ["models"]);
}

#[cfg(unix)]
#[test]
fn links_that_an_earlier_try_has_left_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    let victim = folder.path().join("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("file"), b"precious").unwrap();
    let partial = Landing::open(&models, "run", "job").unwrap().partial().to_owned();
    let link = |to: &Path, name: &str| {
        assert!(Command::new("ln").arg("-s").args([to, &partial.join(name)]).status().unwrap().success());
    };
    link(&victim.join("file"), "best.ckpt");
    link(&victim, "viz");
    let mut landing = Landing::open(&models, "run", "job").unwrap();
    assert!(landing.announce("best.ckpt", 1).is_err());
    assert!(landing.announce("viz/file", 1).is_err());
    landing.announce("fine", 0).unwrap();
    let landed = landing.finish().unwrap();
    assert_eq!(entries(&landed), ["fine"]);
    assert_eq!(fs::read(victim.join("file")).unwrap(), b"precious");
}

#[test]
fn the_words_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Landing::open(folder.path(), "run", "job").unwrap();
    let words = Landing::open(folder.path(), "run", "job").unwrap_err().explained();
    assert_eq!(words.what, "the job is followed in another terminal already");
    assert!(words.cause.starts_with("another sleap-rtc holds "), "{}", words.cause);
}

/// Set in the child that [`a_full_disk_is_named_and_nothing_lands`] starts: a folder on a disk of 128 KiB.
const SMALL_DISK: &str = "SLEAP_RTC_TEST_SMALL_DISK";

/// A real full disk: this test again, in a mount namespace of its own, on a tmpfs of 128 KiB.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_nothing_lands() {
    if let Some(disk) = std::env::var_os(SMALL_DISK) {
        return fill(Path::new(&disk));
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=128k tmpfs \"$1\" || exit 77; export SLEAP_RTC_TEST_SMALL_DISK=\"$1\"; exec \"$2\" --exact local::landing::a_full_disk_is_named_and_nothing_lands --nocapture";
    let run = Command::new("unshare")
        .args(["-Urm", "sh", "-c", mount, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .output();
    let Ok(run) = run else { return skipped("there is no unshare") };
    let text = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    // 77: the mount was refused; without any output of the test harness, the namespace was.
    if run.status.code() == Some(77) || !text.contains("running 1 test") {
        return skipped(&format!("no mount of our own: {text}"));
    }
    assert!(run.status.success() && text.contains("the disk was full"), "{text}");
}

#[cfg(target_os = "linux")]
fn skipped(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "in CI a full disk must be tried: {why}");
    eprintln!("SKIPPED: a full disk cannot be tried here: {why}");
}

#[cfg(target_os = "linux")]
fn fill(disk: &Path) {
    let models = disk.join("models");
    let mut landing = Landing::open(&models, "run", "job").unwrap();
    landing.announce("best.ckpt", 1 << 20).unwrap();
    let error = (0..16).find_map(|n| landing.write_at("best.ckpt", n << 16, &vec![7; 1 << 16]).err()).unwrap();
    assert!(error.is_full(), "{error:?}");
    let words = error.explained();
    assert!(words.cause.contains("is full"), "{words}");
    assert!(words.hint.starts_with("free some space at "), "{words}");
    assert!(matches!(landing.finish().unwrap_err(), LandingError::Incomplete { .. }));
    assert!(!models.join("run").exists());
    assert!(Landing::open(&models, "run", "job").unwrap().resumed());
    println!("the disk was full");
}
