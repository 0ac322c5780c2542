use proptest::prelude::*;
use sleap_rtc_worker::trainer::output::{Lines, MAX_LINE, Sign, TAIL, Tail, sign};

fn lines(bytes: &[u8]) -> Vec<String> {
    let mut reader = Lines::default();
    let mut all = reader.feed(bytes);
    all.extend(reader.finish());
    all
}

#[test]
fn only_the_newest_piece_of_a_bar_is_kept() {
    let bar = "\rEpoch 0:  10%|█         | 1/10\rEpoch 0: 100%|██████████| 10/10\x1b[A\nnext\r\nlast";
    assert_eq!(lines(bar.as_bytes()), ["Epoch 0: 100%|██████████| 10/10", "next", "last"]);
}

#[test]
fn escapes_and_controls_are_removed() {
    assert_eq!(lines(b"\x1b[31;1mred\x1b[0m \x1b]0;title\x07and\x1b]8;;x\x1b\\ plain\x00\x08\n"), ["red and plain"]);
    assert_eq!(lines(b"cut \x1b[3\nnext\n"), ["cut", "next"]);
}

#[test]
fn what_is_not_utf8_is_replaced_and_long_lines_are_cut() {
    assert_eq!(lines(b"a\xffb\n"), ["a\u{fffd}b"]);
    let long = lines(&[vec![b'x'; 3 * MAX_LINE], b"\nshort\n".to_vec()].concat());
    assert_eq!((long[0].len(), long[1].as_str()), (MAX_LINE, "short"));
}

proptest! {
    #[test]
    fn it_does_not_matter_how_the_bytes_are_cut(bytes in prop::collection::vec(prop_oneof![
        Just(b'\n'), Just(b'\r'), Just(0x1b), Just(b'['), Just(b'm'), any::<u8>()
    ], 0..200), cut in 0_usize..200) {
        let whole = lines(&bytes);
        let cut = cut.min(bytes.len());
        let mut reader = Lines::default();
        let mut parts = reader.feed(&bytes[..cut]);
        parts.extend(reader.feed(&bytes[cut..]));
        parts.extend(reader.finish());
        prop_assert_eq!(parts, whole);
    }
}

fn error(stderr: &str) -> Option<String> {
    let mut tail = Tail::default();
    stderr.lines().for_each(|line| tail.push(line));
    tail.error()
}

#[test]
fn the_cause_is_the_last_unindented_exception() {
    let traceback = "Seed set to 42\nTraceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    raise KeyError: no\n\
        FileNotFoundError: Video does not exist or cannot be opened for reading: clip.mp4\n";
    assert_eq!(
        error(traceback).unwrap(),
        "FileNotFoundError: Video does not exist or cannot be opened for reading: clip.mp4"
    );
    let hydra = "omegaconf.errors.ConfigKeyError: Key 'nosuchkey' not in 'TrainerConfig'\n    full_key: trainer_config.nosuchkey\n\
        \nSet the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.\n";
    assert_eq!(error(hydra).unwrap(), "omegaconf.errors.ConfigKeyError: Key 'nosuchkey' not in 'TrainerConfig'");
    let warned = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\nGPU available: True, used: True\n\
        /x/y.py:759: UserWarning: 'pin_memory' argument is set\nwandb: done\n";
    assert_eq!(error(warned).unwrap(), "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB");
    assert_eq!(error("KeyboardInterrupt\n").unwrap(), "KeyboardInterrupt");
    assert_eq!(error("Usage: sleap-nn\nError: no such option: --x\n").unwrap(), "Error: no such option: --x");
    assert_eq!(error("Seed set to 42\nGPU available: False, used: False\n"), None);
}

#[test]
fn only_the_end_is_kept() {
    let mut tail = Tail::default();
    (0..10_000).for_each(|n| tail.push(&format!("line {n} {}", "x".repeat(50))));
    assert!(tail.lines().map(|line| line.len() + 1).sum::<usize>() <= TAIL);
    assert!(tail.last(1).starts_with("line 9999 "));
    assert_eq!(tail.last(3).lines().count(), 3);
}

#[test]
fn signs_are_known_words() {
    let said = |text: &str| sign(&format!("2026-11-24 08:09:47 | {text}"));
    assert_eq!(said("Setting up model ckpt dir: `models/centroid`..."), Some(Sign::ModelDir("models/centroid".into())));
    assert_eq!(said("Training on cpu accelerator"), Some(Sign::Accelerator("cpu".into())));
    assert_eq!(said("Training on cuda:0 accelerator"), Some(Sign::Accelerator("cuda:0".into())));
    assert_eq!(said("Training on 1 device(s)"), None);
    assert_eq!(said("Finished training at: 2026-11-24 08:10:40.661204"), Some(Sign::Finished));
    assert_eq!(said("Finished training loop. [0.9 min]"), None);
    assert_eq!(said("Received control message: {'command': 'stop'}"), Some(Sign::StopReceived));
    assert_eq!(sign("Saved config to: cfg.yaml"), Some(Sign::SavedConfig("cfg.yaml".into())));
    assert_eq!(
        sign("Saved centroid config to: a/cfg_centroid.yaml"),
        Some(Sign::SavedConfig("a/cfg_centroid.yaml".into()))
    );
    assert_eq!(sign("Training on cpu accelerator"), None);
}
