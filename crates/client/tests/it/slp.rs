//! Label files as SLEAP and sleap-io write them, and as they are after a bad download.

use std::fs;
use std::path::{Path, PathBuf};

use sleap_rtc_client::slp::{
    self, MissingVideo, SlpFault, SlpFile, SlpVideo, Source, VideoError, WhyMissing, resolve_videos,
};

use crate::data;

fn file(path: &str) -> Source {
    Source::File(path.into())
}

fn sources(slp: &SlpFile) -> Vec<Source> {
    slp.videos.iter().map(|video| video.source.clone()).collect()
}

fn with_videos(sources: &[Source]) -> SlpFile {
    let videos = sources.iter().cloned().enumerate().map(|(index, source)| SlpVideo { index, source }).collect();
    SlpFile { videos, labelled_frames: Some(1), skeletons: Vec::new(), nodes: Vec::new() }
}

fn touch(path: PathBuf) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"x").unwrap();
    path
}

#[test]
fn labels_without_images_name_their_video() {
    let slp = slp::read(&data("flies.slp")).unwrap();
    assert_eq!(sources(&slp), [file("clip.mp4")]);
    assert_eq!(slp.labelled_frames, Some(30));
    assert_eq!(slp.skeletons, ["Skeleton-3"]);
    assert_eq!(slp.nodes, ["head", "thorax"]);
    assert!(!slp.is_self_contained());
}

#[test]
fn a_package_has_its_images_inside() {
    for (name, frames) in [("minimal_instance.pkg.slp", 1), ("tiny.pkg.slp", 1)] {
        let slp = slp::read(&data(name)).unwrap();
        assert_eq!(sources(&slp), [Source::Embedded("video0/video".into())], "{name}");
        assert_eq!(slp.labelled_frames, Some(frames), "{name}");
        assert!(slp.is_self_contained(), "{name}");
        assert_eq!(resolve_videos(&slp, &data(name), &[]).unwrap(), [], "{name}");
    }
}

#[test]
fn paths_are_read_as_stored() {
    let slp = slp::read(&data("paths.slp")).unwrap();
    let expected = [
        file("D:/Lab/Fly videos/Aufnahme ü 1.mp4"),
        file("//nas/share/clip.avi"),
        file("/mnt/lab/week 2/clip.mp4"),
        file("https://example.org/films/far.mp4"),
    ];
    assert_eq!(sources(&slp), expected);
}

#[test]
fn rows_of_old_programs_are_read() {
    let slp = slp::read(&data("old.slp")).unwrap();
    let expected = [
        file(r"D:\Lab\Fly videos\Aufnahme ü 1.mp4"),
        file(r"\\nas\share\clip.avi"),
        Source::Images(vec![r"D:\Lab\a\1.png".into(), r"D:\Lab\a\2.png".into()]),
        file("top.mp4"),
    ];
    assert_eq!(sources(&slp), expected);
    assert_eq!(slp.skeletons, Vec::<String>::new());
}

#[test]
fn a_sequence_of_images_is_a_list() {
    let slp = slp::read(&data("images.slp")).unwrap();
    let images = ["frames/img.000.png", "frames/img.001.png", "frames/img.002.png"].map(str::to_owned);
    assert_eq!(sources(&slp), [Source::Images(images.into()), file("clip.mp4")]);
}

#[test]
fn the_newest_hdf5_layout_is_read() {
    let slp = slp::read(&data("many.slp")).unwrap();
    assert_eq!(slp.videos.len(), 300);
    assert_eq!(slp.videos[299], SlpVideo { index: 299, source: file("/data/299.mp4") });
    assert_eq!((slp.labelled_frames, slp.skeletons), (Some(7), vec!["bee".to_owned()]));
}

#[test]
fn what_is_no_label_file_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let write = |bytes: &[u8]| {
        let path = folder.path().join("x.slp");
        fs::write(&path, bytes).unwrap();
        slp::read(&path).unwrap_err().fault
    };
    let whole = fs::read(data("flies.slp")).unwrap();
    assert!(matches!(write(b""), SlpFault::Empty));
    assert!(matches!(write(b"PK\x03\x04 not HDF5 at all"), SlpFault::NotHdf5));
    assert!(matches!(write(b"\x89HD"), SlpFault::NotHdf5));
    let cut = write(&whole[..12_000]);
    assert!(matches!(cut, SlpFault::Truncated { expected: 27_662, actual: 12_000 }), "{cut:?}");
    let stump = write(&whole[..20]);
    assert!(matches!(stump, SlpFault::Truncated { actual: 20, .. }), "{stump:?}");
    assert!(matches!(slp::read(folder.path()).unwrap_err().fault, SlpFault::NotAFile));
    let gone = slp::read(&folder.path().join("gone.slp")).unwrap_err().fault;
    assert!(matches!(gone, SlpFault::Unreadable(error) if error.kind() == std::io::ErrorKind::NotFound));
    assert!(matches!(slp::read(&data("other.h5")).unwrap_err().fault, SlpFault::NotSleap("videos_json")));
    assert!(matches!(slp::read(&data("bad_json.slp")).unwrap_err().fault, SlpFault::Damaged(_)));
}

#[test]
fn every_cut_is_an_error_and_says_how_much_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pkg.slp");
    let whole = fs::read(data("tiny.pkg.slp")).unwrap();
    for len in (0..whole.len()).step_by(97) {
        fs::write(&path, &whole[..len]).unwrap();
        let error = slp::read(&path).unwrap_err();
        assert!(!error.explained().hint.is_empty(), "{len}: {error}");
    }
}

/// No reader may panic, hang or ask for all memory, whatever bits have flipped. (100,000 such files with a counting allocator:
/// `docs/decisions/0004-hdf5-reader.md`.)
#[test]
fn damaged_files_never_bring_the_reader_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.slp");
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let mut errors = 0;
    for name in ["flies.slp", "minimal_instance.pkg.slp", "many.slp"] {
        let whole = fs::read(data(name)).unwrap();
        for _ in 0..700 {
            let mut bytes = whole.clone();
            for _ in 0..=random() % 6 {
                let place = random() % bytes.len();
                bytes[place] = [0xff, 0, bytes[place] ^ (1 << (random() % 8))][random() % 3];
            }
            fs::write(&path, bytes).unwrap();
            if let Err(error) = slp::read(&path) {
                assert!(!error.to_string().contains("gave up"), "a panic inside: {error}");
                errors += 1;
            }
        }
    }
    assert!(errors > 100, "the damage must hit something: {errors}");
}

#[test]
fn errors_have_three_parts() {
    let error = slp::read(Path::new("nowhere/data.slp")).unwrap_err().explained();
    assert_eq!(error.what, "cannot use nowhere/data.slp");
    assert!(error.cause.starts_with("it cannot be read: "), "{}", error.cause);
    assert_eq!(error.hint, "check the path");
}

#[test]
fn a_video_is_found_beside_its_labels_wherever_it_was_before() {
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("labels.slp");
    let deep = touch(folder.path().join("week 2/clip.mp4"));
    let windows = touch(folder.path().join("Aufnahme ü 1.mp4"));
    let nas = touch(folder.path().join("clip.avi"));
    let slp = with_videos(&[
        file("/mnt/lab/week 2/clip.mp4"),
        file(r"D:\Lab\Fly videos\Aufnahme ü 1.mp4"),
        file(r"\\nas\share\clip.avi"),
    ]);
    let found = resolve_videos(&slp, &labels, &[]).unwrap();
    assert_eq!(found.iter().map(|video| video.local.clone()).collect::<Vec<_>>(), [deep, windows, nas]);
    assert_eq!(found[1].stored, r"D:\Lab\Fly videos\Aufnahme ü 1.mp4");
    assert_eq!((found[2].index, found[2].image), (2, None));
}

#[test]
fn the_stored_path_comes_before_what_lies_beside() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = touch(folder.path().join("elsewhere/clip.mp4"));
    let beside = touch(folder.path().join("here/clip.mp4"));
    let labels = folder.path().join("here/labels.slp");
    let slp = with_videos(&[file(elsewhere.to_str().unwrap())]);
    assert_eq!(resolve_videos(&slp, &labels, &[]).unwrap()[0].local, elsewhere);
    assert_eq!(resolve_videos(&slp, &labels, std::slice::from_ref(&beside)).unwrap()[0].local, beside, "--video wins");
}

#[test]
fn every_missing_video_is_named_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("labels.slp");
    touch(folder.path().join("b.mp4"));
    let images = Source::Images(vec!["f/1.png".into(), "f/2.png".into(), "f/3.png".into()]);
    let slp = with_videos(&[file("/far/a.mp4"), file("/far/b.mp4"), file(r"C:\c.mp4"), images]);
    let error = resolve_videos(&slp, &labels, &[]).unwrap_err();
    let missing =
        |index, stored: &str, more| MissingVideo { index, stored: stored.into(), more, why: WhyMissing::NotFound };
    let expected = vec![missing(0, "/far/a.mp4", 0), missing(2, r"C:\c.mp4", 0), missing(3, "f/1.png", 2)];
    assert_eq!(error, VideoError::Missing { labels: labels.clone(), missing: expected });
    let error = error.explained();
    assert_eq!(
        error.cause,
        r"not found on this machine: /far/a.mp4, C:\c.mp4, f/1.png and 2 more images of its sequence"
    );

    let slp = with_videos(&[file("/far/a.mp4")]);
    let hint = resolve_videos(&slp, Path::new("labels.slp"), &[]).unwrap_err().explained().hint;
    assert_eq!(hint, "put it beside labels.slp, or add --video PATH/a.mp4");
}

#[test]
fn videos_of_one_name_are_not_mixed_up() {
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("labels.slp");
    let given = touch(folder.path().join("given/clip.mp4"));
    touch(folder.path().join("clip.mp4"));
    let slp = with_videos(&[file("/a/clip.mp4"), file("/b/clip.mp4")]);
    for extra in [vec![], vec![given]] {
        let VideoError::Missing { missing, .. } = resolve_videos(&slp, &labels, &extra).unwrap_err() else { panic!() };
        assert!(missing.iter().all(|video| video.why == WhyMissing::Ambiguous), "{missing:?}");
    }
    let both = [touch(folder.path().join("a/clip.mp4")), touch(folder.path().join("b/clip.mp4"))];
    let found = resolve_videos(&slp, &labels, &[]).unwrap();
    assert_eq!(found.into_iter().map(|video| video.local).collect::<Vec<_>>(), both);
}

#[test]
fn a_folder_given_by_hand_is_looked_through() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("films");
    let images = [touch(films.join("a/1.png")), touch(films.join("a/2.png"))];
    let slp = with_videos(&[Source::Images(vec![r"D:\Lab\a\1.png".into(), r"D:\Lab\a\2.png".into()])]);
    let found = resolve_videos(&slp, Path::new("nowhere/labels.slp"), &[films]).unwrap();
    assert_eq!(
        found.iter().map(|video| (video.image, &video.local)).collect::<Vec<_>>(),
        [(Some(0), &images[0]), (Some(1), &images[1])]
    );
}

#[test]
fn a_file_given_in_vain_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("labels.slp");
    let extra = touch(folder.path().join("other.mp4"));
    touch(folder.path().join("clip.mp4"));
    let slp = with_videos(&[file("clip.mp4")]);
    let error = resolve_videos(&slp, &labels, std::slice::from_ref(&extra)).unwrap_err();
    assert_eq!(error, VideoError::Unused { labels: labels.clone(), extra, named: vec!["clip.mp4".into()] });
    let gone = folder.path().join("clip2/clip.mp4");
    assert_eq!(
        resolve_videos(&slp, &labels, std::slice::from_ref(&gone)).unwrap_err(),
        VideoError::NoSuchFile { extra: gone }
    );
}

/// A label file from a stranger must not be able to send the user's keys to a worker.
#[test]
fn only_videos_leave_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("labels.slp");
    let secrets = [touch(folder.path().join("id_ed25519")), touch(folder.path().join("passwords.txt"))];
    for secret in secrets {
        let slp = with_videos(&[file(secret.to_str().unwrap())]);
        let VideoError::Missing { missing, .. } = resolve_videos(&slp, &labels, &[]).unwrap_err() else { panic!() };
        assert_eq!(missing[0].why, WhyMissing::NotAVideo);
    }
}
