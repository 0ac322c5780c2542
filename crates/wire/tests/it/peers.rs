//! What two peers say to each other.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use sleap_rtc_wire::job::{JobSpec, StageSpec, TrainOptions};
use sleap_rtc_wire::limits;
use sleap_rtc_wire::manifest::{BadPath, Hash, PathRules, check_path};
use sleap_rtc_wire::peer::{Bulk, PIECE, Parts, PeerFrame, Submission, TransferId};

use crate::any;

proptest! {
    #[test]
    fn no_control_message_is_a_panic(text in any::text(), value in any::value()) {
        let _ = PeerFrame::decode(&text);
        let _ = PeerFrame::decode(&value.to_string());
    }

    #[test]
    fn no_bulk_message_is_a_panic_and_a_good_one_is_read_back(
        noise in vec(any::<u8>(), 0..64), transfer: u32, chunk: u32, offset: u32, data in vec(any::<u8>(), 1..100),
    ) {
        let _ = Bulk::decode(&Bytes::from(noise));
        let bulk = Bulk { transfer: TransferId(transfer), chunk, offset, data: Bytes::from(data) };
        prop_assert_eq!(Bulk::decode(&bulk.encode()), Ok(bulk));
    }

    /// Whatever a configuration says, its parts fit into control messages and make the same job again.
    #[test]
    fn a_submission_arrives_whole(job_id in any::job(), name in any::text(), piece in any::text(), times in 0..3_000_usize) {
        let config = piece.repeat(times);
        prop_assume!(config.len() <= limits::CONFIG);
        let submission = Submission {
            job: JobSpec {
                job_id,
                attempt: 1,
                trainer: "sleap-nn".to_owned(),
                run_name: name.clone(),
                labels: name,
                val_labels: None,
                videos: Vec::new(),
                stages: vec![StageSpec { name: "centroid".to_owned(), config }],
                options: TrainOptions::default(),
            },
            files: 1,
            bytes: 2,
        };
        // A text in which everything is escaped can be too long for the whole; then it is refused, not cut.
        let Ok(frames) = submission.frames() else { return Ok(()) };
        let mut parts = Parts::default();
        let mut whole = None;
        for frame in frames {
            prop_assert!(whole.is_none());
            let PeerFrame::Submit { total, from, text } = PeerFrame::decode(&frame.encode().unwrap()).unwrap() else {
                panic!("not a part")
            };
            whole = parts.add(total, from, &text).unwrap();
        }
        prop_assert_eq!(whole, Some(submission));
    }

    #[test]
    fn no_path_is_a_panic_and_a_good_one_stays_inside(path in path()) {
        if check_path(&path).is_ok() {
            prop_assert!(!path.starts_with('/') && !path.contains(['\\', ':', '\0']));
            prop_assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
        }
    }

    /// No two paths of one manifest are the same file where case does not matter, and none is another's folder.
    #[test]
    fn paths_do_not_meet(paths in vec("[aA](/[bB]){0,2}", 1..8)) {
        let mut rules = PathRules::default();
        let mut taken: Vec<String> = Vec::new();
        for path in paths {
            if rules.add(&path).is_ok() {
                let lower = path.to_lowercase();
                for other in &taken {
                    prop_assert!(lower != *other);
                    let (inside, around) = (format!("{other}/"), format!("{lower}/"));
                    prop_assert!(!lower.starts_with(&inside) && !other.starts_with(&around));
                }
                taken.push(lower);
            }
        }
    }

    #[test]
    fn hashes_are_read_back(bytes: [u8; 32], text in any::text()) {
        let hash = Hash(bytes);
        prop_assert_eq!(hash.to_string().parse::<Hash>(), Ok(hash));
        prop_assert!(hash.to_string().to_uppercase().parse::<Hash>().is_err() || !hash.to_string().contains(|c: char| c.is_alphabetic()));
        let _ = text.parse::<Hash>();
    }
}

#[test]
fn a_bulk_message_out_of_bounds_is_refused() {
    let with = |len: usize| Bulk { transfer: TransferId(1), chunk: 0, offset: 0, data: Bytes::from(vec![0; len]) };
    assert!(Bulk::decode(&with(PIECE).encode()).is_ok());
    assert!(Bulk::decode(&with(PIECE + 1).encode()).is_err());
    assert!(Bulk::decode(&with(0).encode()).is_err());
}

#[test]
fn no_path_hides_something() {
    let hiding =
        ["\u{AD}", "\u{61C}", "\u{180E}", "\u{200B}", "\u{202E}", "\u{2066}", "\u{FEFF}", "\u{E0041}", "\u{2215}"];
    for hidden in hiding {
        assert_eq!(check_path(&format!("a{hidden}b.slp")), Err(BadPath::Hidden), "{hidden:?}");
    }
    assert_eq!(check_path("Füße 日本/ab.slp"), Ok(()));
}

fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just("con.txt".to_owned()),
        Just("a.".to_owned()),
        Just("C:".to_owned()),
        "[a-z.\\\\/ ]{0,5}",
        any::text(),
    ];
    vec(part, 0..4).prop_map(|parts| parts.join("/"))
}
