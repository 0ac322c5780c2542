//! Manifests, paths and messages: whatever is written is read, whatever is garbage is refused.

use bytes::Bytes;
use proptest::prelude::*;
use sleap_rtc_session::transfer::missing;
use sleap_rtc_wire::job::{JobEvent, Stream, What};
use sleap_rtc_wire::manifest::{
    BadManifest, BadPath, Chunk, FileEntry, Hash, Manifest, PathRules, Tiler, check_path, cut,
};
use sleap_rtc_wire::peer::{Bulk, Parts, PeerFrame, Submission, TransferId};
use sleap_rtc_wire::{Time, limits};

use crate::fixtures::{Files, chunks, entries, job, noise};
use crate::world::World;

#[test]
fn bad_paths_are_refused_with_the_reason() {
    let long = "a".repeat(1025);
    let part = format!("{}/b", "a".repeat(256));
    let deep = "a/".repeat(32) + "a";
    let cases = [
        ("", BadPath::Empty),
        ("a//b", BadPath::Empty),
        ("a/", BadPath::Empty),
        (long.as_str(), BadPath::TooLong),
        (part.as_str(), BadPath::PartTooLong),
        (deep.as_str(), BadPath::TooDeep),
        ("/etc/passwd", BadPath::Absolute),
        ("\\\\server\\share", BadPath::Absolute),
        ("C:/x", BadPath::Absolute),
        ("c:x", BadPath::Absolute),
        ("..", BadPath::Dots),
        ("a/../b", BadPath::Dots),
        ("./a", BadPath::Dots),
        ("a\\..\\b", BadPath::Character),
        ("a/b:stream", BadPath::Character),
        ("a*b", BadPath::Character),
        ("a\0b", BadPath::Hidden),
        ("a\nb", BadPath::Hidden),
        ("a\u{202e}gpj.exe", BadPath::Hidden),
        ("a\u{ff0f}b", BadPath::Hidden),
        ("\u{2024}\u{2024}/b", BadPath::Hidden),
        ("a./b", BadPath::Trailing),
        ("a/b ", BadPath::Trailing),
        ("...", BadPath::Trailing),
        ("CON", BadPath::Reserved),
        ("a/nul.txt", BadPath::Reserved),
        ("com1.slp", BadPath::Reserved),
        ("LPT\u{b9}", BadPath::Reserved),
        ("aux .x", BadPath::Reserved),
    ];
    for (path, why) in cases {
        assert_eq!(check_path(path), Err(why), "{path:?}");
    }
    for path in ["labels.slp", "a/b/c.mp4", "console.txt", "com10", "ünï/ x", "-rf", "~x", ".hidden", "n=12 (1).slp"]
    {
        assert_eq!(check_path(path), Ok(()), "{path:?}");
    }
}

#[test]
fn names_that_are_one_file_somewhere_are_refused() {
    let add = |paths: &[&str]| {
        let mut rules = PathRules::default();
        paths.iter().try_for_each(|path| rules.add(path))
    };
    assert_eq!(add(&["a", "A"]), Err(BadPath::Clash));
    assert_eq!(add(&["É.slp", "é.slp"]), Err(BadPath::Clash));
    assert_eq!(add(&["a/x", "A/y"]), Err(BadPath::Clash));
    assert_eq!(add(&["a", "a/b"]), Err(BadPath::FileAndFolder));
    assert_eq!(add(&["a/b", "A"]), Err(BadPath::FileAndFolder));
    assert_eq!(add(&["a/b", "a/c", "b/a", "b/c/a"]), Ok(()));
}

#[test]
fn a_manifest_must_fill_its_files_exactly() {
    let files: Files = [("a".to_owned(), noise(1, 10)), ("b".to_owned(), Vec::new())].into();
    let manifest = Manifest { files: entries(&files), chunks: chunks(&files) };
    assert_eq!(manifest.check(), Ok(()));
    let with = |len: &[u32]| {
        let chunks = len.iter().map(|len| Chunk { hash: Hash([0; 32]), len: *len }).collect();
        Manifest { files: manifest.files.clone(), chunks }.check()
    };
    assert_eq!(with(&[4, 6]), Ok(()));
    assert_eq!(with(&[4]), Err(BadManifest::ChunksMissing));
    assert_eq!(with(&[4, 7]), Err(BadManifest::ChunkOutside { index: 1 }));
    assert_eq!(with(&[10, 1]), Err(BadManifest::ChunkOutside { index: 1 }));
    assert_eq!(with(&[0, 10]), Err(BadManifest::ChunkLength { index: 0, len: 0 }));
    assert_eq!(with(&[(1 << 20) + 1]), Err(BadManifest::ChunkLength { index: 0, len: (1 << 20) + 1 }));
    let huge = vec![FileEntry { path: "a".to_owned(), size: u64::MAX }, FileEntry { path: "b".to_owned(), size: 1 }];
    assert_eq!(Manifest { files: huge, chunks: vec![] }.check(), Err(BadManifest::Size));
}

#[test]
fn a_manifest_has_so_many_chunks_and_no_more() {
    let files = [FileEntry { path: "a".to_owned(), size: u64::MAX }];
    let mut tiler = Tiler::default();
    for _ in 0..limits::CHUNKS {
        tiler.place(&files, 1).unwrap();
    }
    assert_eq!(tiler.place(&files, 1), Err(BadManifest::TooManyChunks));
}

#[test]
fn the_root_names_everything() {
    let files: Files = [("a".to_owned(), noise(1, 10)), ("b".to_owned(), noise(2, 10))].into();
    let manifest = Manifest { files: entries(&files), chunks: chunks(&files) };
    let mut roots = vec![manifest.root()];
    let mut other = |change: &dyn Fn(&mut Manifest)| {
        let mut changed = manifest.clone();
        change(&mut changed);
        roots.push(changed.root());
    };
    other(&|m| m.files[0].path.push('x'));
    other(&|m| m.files[0].size += 1);
    other(&|m| m.files.swap(0, 1));
    other(&|m| m.chunks.swap(0, 1));
    other(&|m| m.chunks[0].len += 1);
    other(&|m| m.chunks.truncate(1));
    other(&|m| m.files.truncate(1));
    roots.sort();
    roots.dedup();
    assert_eq!(roots.len(), 8);
    // Fixed for ever: other programs compute it too.
    assert_eq!(Manifest::default().root().to_string(), EMPTY_ROOT);
}

const EMPTY_ROOT: &str = "a81d80938ecf10d078d39322fc7da060f735ecc4dad110723f9b12aa18759d42";

#[test]
fn frames_are_written_as_the_protocol_says() {
    let frame = PeerFrame::Event(JobEvent {
        seq: 7,
        at: Time(5),
        what: What::Log { stream: Stream::Out, line: "\"x\"".to_owned() },
    });
    let text = r#"{"type":"event","seq":7,"at":5,"event":"log","stream":"out","line":"\"x\""}"#;
    assert_eq!(frame.encode().unwrap(), text);
    assert_eq!(PeerFrame::decode(text).unwrap(), frame);
    let chunk = Chunk { hash: Hash([0xab; 32]), len: 3 };
    let frame = PeerFrame::Chunks { transfer: TransferId::FILES, first: 0, chunks: vec![chunk] };
    let text = format!(r#"{{"type":"chunks","transfer":1,"first":0,"chunks":[["{}",3]]}}"#, "ab".repeat(32));
    assert_eq!(frame.encode().unwrap(), text);
    assert_eq!(PeerFrame::decode(r#"{"type":"new_thing","x":[1]}"#).unwrap(), PeerFrame::Unknown);
    assert!(PeerFrame::decode(&" ".repeat(limits::CONTROL + 1)).is_err());
    assert!(PeerFrame::decode("[]").is_err());
}

#[test]
fn a_full_page_fits_a_message() {
    let chunk = Chunk { hash: Hash([0xab; 32]), len: 1 << 20 };
    let first = u32::MAX - 1;
    let frame = PeerFrame::Chunks { transfer: TransferId(u32::MAX), first, chunks: vec![chunk; 512] };
    assert!(frame.encode().is_ok());
    let mut world = World::new((0..3_000).map(|n| (format!("{n}/{}", "ü".repeat(100)), vec![n as u8; 3])).collect(), 1);
    world.assert_completed();
    let mut world =
        World::new((0..200).map(|n| (format!("{n}{}/a", "/bcdefg".repeat(30)), vec![n as u8])).collect(), 1);
    world.assert_completed();
}

proptest! {
    #[test]
    fn any_bulk_message_is_read_as_it_was_written(
        transfer in any::<u32>(), chunk in any::<u32>(), offset in any::<u32>(),
        data in prop::collection::vec(any::<u8>(), 1..3000),
    ) {
        let bulk = Bulk { transfer: TransferId(transfer), chunk, offset, data: data.into() };
        prop_assert_eq!(Bulk::decode(&bulk.encode()), Ok(bulk));
    }

    #[test]
    fn garbage_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,200}") {
        let _ = Bulk::decode(&Bytes::from(bytes));
        let _ = PeerFrame::decode(&text);
        let _ = check_path(&text);
        let _ = text.parse::<Hash>();
    }

    #[test]
    fn any_name_and_text_survives_encode_and_decode(line in ".{0,500}", seq in any::<u64>()) {
        let frame = PeerFrame::Event(JobEvent { seq, at: Time(seq), what: What::Warning { text: line } });
        prop_assert_eq!(PeerFrame::decode(&frame.encode().unwrap()).unwrap(), frame);
    }

    #[test]
    fn any_job_travels_in_parts(config in "(?s).{0,30000}", name in ".{0,50}") {
        let mut spec = job(1);
        spec.stages[0].config = config;
        spec.run_name = name;
        let submission = Submission { job: spec, files: 1, bytes: 2 };
        let mut parts = Parts::default();
        let mut whole = None;
        for frame in submission.frames().unwrap() {
            let text = frame.encode().unwrap();
            let PeerFrame::Submit { total, from, text } = PeerFrame::decode(&text).unwrap() else { panic!() };
            prop_assert!(whole.is_none());
            whole = parts.add(total, from, &text).unwrap();
        }
        prop_assert_eq!(whole, Some(submission));
    }

    #[test]
    fn paths_that_pass_stay_inside(path in "[a-zA-Z./\\\\ :~-]{0,30}") {
        if check_path(&path).is_ok() {
            prop_assert!(std::path::Path::new(&path).components().all(|c| matches!(c, std::path::Component::Normal(_))));
            prop_assert!(!path.contains(['\\', ':']));
        }
    }

    #[test]
    fn pieces_cover_a_file_exactly(size in 0u64..5_000_000) {
        let mut at = 0;
        for (offset, len) in cut(size) {
            prop_assert_eq!(offset, at);
            prop_assert!(len > 0 && len as usize <= limits::CHUNK);
            at += u64::from(len);
        }
        prop_assert_eq!(at, size);
    }

    #[test]
    fn what_is_missing_and_what_is_here_is_what_is_wanted(
        wanted in prop::collection::vec(0u8..20, 0..60), here in prop::collection::btree_set(0u8..20, 0..20),
    ) {
        let chunks: Vec<Chunk> = wanted.iter().map(|n| Chunk { hash: Hash([*n; 32]), len: 1 }).collect();
        let missing = missing(&chunks, |hash| here.contains(&hash.0[0]));
        let mut got: Vec<u8> = missing.iter().map(|index| wanted[*index]).collect();
        let unique = got.len();
        got.sort_unstable();
        got.dedup();
        prop_assert_eq!(got.len(), unique, "each once");
        let all: std::collections::BTreeSet<u8> = wanted.iter().copied().collect();
        let expected: std::collections::BTreeSet<u8> = all.difference(&here).copied().collect();
        prop_assert_eq!(got.into_iter().collect::<std::collections::BTreeSet<u8>>(), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn only_what_is_missing_crosses(
        sizes in prop::collection::vec(0usize..200_000, 0..8), have in prop::collection::vec(any::<bool>(), 16),
        equal in any::<bool>(),
    ) {
        let seed = |n: usize| if equal { 1 } else { n as u64 };
        let files: Files =
            sizes.iter().enumerate().map(|(n, size)| (format!("f{n}"), noise(seed(n), *size))).collect();
        let mut world = World::new(files.clone(), 1);
        let mut lacking = std::collections::BTreeSet::new();
        for (n, bytes) in files.values().filter(|bytes| !bytes.is_empty()).enumerate() {
            let hash = Hash::of(bytes);
            if have[n] {
                world.worker_disk.store.insert(hash, Bytes::from(bytes.clone()));
            }
            lacking.insert(hash);
        }
        lacking.retain(|hash| !world.worker_disk.store.contains_key(hash));
        world.assert_completed();
        let written: std::collections::BTreeSet<Hash> = world.worker_disk.written.iter().copied().collect();
        prop_assert_eq!(written.len(), world.worker_disk.written.len());
        prop_assert_eq!(written, lacking);
    }

    #[test]
    fn garbage_on_a_proven_link_never_starts_anything(text in "[{}\\[\\]a-z\":,0-9 ]{0,80}", data in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut world = World::usual();
        world.until("it is proven", |world| !world.facts.is_empty());
        let link = world.link.as_ref().map(|(link, _)| *link).unwrap();
        world.worker_input(sleap_rtc_session::WorkerInput::Control { link, text: text.clone() });
        world.worker_input(sleap_rtc_session::WorkerInput::Bulk { link, data: data.clone().into() });
        world.client_input(sleap_rtc_session::ClientInput::Control { link, text });
        world.client_input(sleap_rtc_session::ClientInput::Bulk { link, data: data.into() });
        prop_assert_eq!((world.runs, world.ends.len()), (0, 0));
    }
}
