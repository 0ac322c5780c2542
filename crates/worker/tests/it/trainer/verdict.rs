use sleap_rtc_wire::job::FailCode;
use sleap_rtc_worker::trainer::verdict::{Asked, Evidence, Exit, Verdict, verdict};

/// A run that went well.
fn good() -> Evidence {
    Evidence {
        exit: Exit::Code(0),
        asked: Asked::Nothing,
        stop_obeyed: false,
        finished: true,
        model: true,
        hung_at_end: false,
        gpu_promised: false,
        accelerator: Some("cpu".into()),
        error_line: None,
    }
}

fn failed(evidence: &Evidence) -> (FailCode, String) {
    match verdict(evidence) {
        Verdict::Failed(failure) => (failure.code, failure.cause),
        other => panic!("{other:?}"),
    }
}

#[test]
fn completed_needs_exit_words_and_model() {
    assert_eq!(verdict(&good()), Verdict::Completed { stopped_early: false });
    assert_eq!(failed(&Evidence { finished: false, ..good() }).0, FailCode::TrainerFailed);
    assert!(failed(&Evidence { model: false, ..good() }).1.contains("best.ckpt"));
    assert_eq!(failed(&Evidence { exit: Exit::Code(1), ..good() }).1, "the trainer ended with exit code 1");
}

#[test]
fn stopped_is_completed_early_only_if_it_was_obeyed() {
    let stopped = Evidence { asked: Asked::Stop, stop_obeyed: true, ..good() };
    assert_eq!(verdict(&stopped), Verdict::Completed { stopped_early: true });
    let too_late = Evidence { asked: Asked::Stop, ..good() };
    assert_eq!(verdict(&too_late), Verdict::Completed { stopped_early: false });
    let never_trained = Evidence { finished: false, ..stopped };
    assert_eq!(failed(&never_trained).0, FailCode::TrainerFailed);
}

#[test]
fn cancelled_however_it_ended() {
    for exit in [Exit::Code(0), Exit::Code(1), Exit::Signal(9), Exit::Signal(15)] {
        let evidence = Evidence { asked: Asked::Cancel, exit, finished: false, model: false, ..good() };
        assert_eq!(verdict(&evidence), Verdict::Cancelled);
    }
}

#[test]
fn sigterm_from_elsewhere_is_no_success_though_it_exits_0() {
    let evidence = Evidence { finished: false, model: true, ..good() };
    assert!(failed(&evidence).1.contains("ended from outside"));
}

#[test]
fn a_promised_gpu_must_be_used() {
    let on = |accelerator: &str| Evidence { gpu_promised: true, accelerator: Some(accelerator.into()), ..good() };
    assert_eq!(verdict(&on("cuda:0")), Verdict::Completed { stopped_early: false });
    let (code, cause) = failed(&on("cpu"));
    assert_eq!((code, cause.contains("cpu")), (FailCode::NoGpu, true));
    let ended_for_it = Evidence { exit: Exit::Signal(15), finished: false, ..on("cpu") };
    assert_eq!(failed(&ended_for_it).0, FailCode::NoGpu);
    assert_eq!(verdict(&Evidence { gpu_promised: false, ..on("cpu") }), Verdict::Completed { stopped_early: false });
}

#[test]
fn a_hang_when_all_is_written_is_completed() {
    let hung = Evidence { hung_at_end: true, exit: Exit::Signal(9), ..good() };
    assert_eq!(verdict(&hung), Verdict::Completed { stopped_early: false });
    assert_eq!(failed(&Evidence { model: false, ..hung }).0, FailCode::TrainerFailed);
}

#[test]
fn the_cause_is_the_trainers_own_and_sorted() {
    let cases = [
        ("OSError: [Errno 28] No space left on device", FailCode::DiskFull),
        ("torch.OutOfMemoryError: CUDA out of memory.", FailCode::TrainerFailed),
        ("FileNotFoundError: Video does not exist or cannot be opened for reading: clip.mp4", FailCode::BadData),
        ("omegaconf.errors.ConfigKeyError: Key 'x' not in 'TrainerConfig'", FailCode::BadConfig),
        ("OSError: Unable to synchronously open file (truncated file: eof = 100000)", FailCode::BadData),
        ("ValueError: num_samples should be a positive integer", FailCode::TrainerFailed),
    ];
    for (line, code) in cases {
        let evidence = Evidence { exit: Exit::Code(1), error_line: Some(line.into()), finished: false, ..good() };
        assert_eq!(failed(&evidence), (code, line.to_owned()));
    }
}

#[test]
fn signals_are_named() {
    let killed = Evidence { exit: Exit::Signal(9), finished: false, ..good() };
    assert!(failed(&killed).1.contains("signal 9"));
    let crashed = Evidence { exit: Exit::Signal(11), finished: false, ..good() };
    assert!(failed(&crashed).1.contains("signal 11"));
    assert_eq!((Exit::Signal(9).number(), Exit::Code(3).number()), (-9, 3));
}
