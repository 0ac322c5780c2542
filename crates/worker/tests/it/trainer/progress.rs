use proptest::prelude::*;
use sleap_rtc_worker::trainer::progress::{Plan, Progress, Tracker, plan, quote_bare_words};

fn all(messages: &[&str]) -> Vec<Progress> {
    let mut tracker = Tracker::default();
    messages.iter().filter_map(|message| tracker.message(message)).collect()
}

#[test]
fn a_run_as_the_trainer_tells_it() {
    let events = all(&[
        r#"{"what": "", "event": "train_begin", "logs": null, "wandb_url": null}"#,
        r#"{"what": "", "event": "epoch_begin", "logs": null, "epoch": 0}"#,
        r#"{"what": "", "event": "batch_start", "logs": null, "batch": 0}"#,
        r#"{"what": "", "event": "batch_end", "logs": {"loss": 0.5}, "epoch": 0, "batch": 0}"#,
        r#"{"what": "", "event": "batch_start", "logs": null, "batch": 1}"#,
        r#"{"what": "", "event": "batch_end", "logs": {"loss": 0.25}, "epoch": 0, "batch": 1}"#,
        r#"{"what": "", "event": "epoch_end", "logs": {"loss": 0.25, "val/loss": 0.125, "epoch": 0.0}, "epoch": 0}"#,
        r#"{"what": "", "event": "epoch_begin", "logs": null, "epoch": 1}"#,
        r#"{"what": "", "event": "batch_end", "logs": {"loss": 0.1, "train/loss": 0.375}, "epoch": 1, "batch": 0}"#,
        r#"{"what": "", "event": "epoch_end", "logs": {"train/loss": 0.375, "val/loss": 0.05}, "epoch": 1}"#,
        r#"{"what": "", "event": "train_end", "logs": null}"#,
    ]);
    let expected = [
        Progress::TrainBegin,
        Progress::EpochBegin { epoch: 0 },
        Progress::Batch { epoch: 0, batch: 0, loss: Some(0.5) },
        Progress::Batch { epoch: 0, batch: 1, loss: Some(0.25) },
        Progress::EpochEnd { epoch: 0, train_loss: Some(0.375), val_loss: Some(0.125) },
        Progress::EpochBegin { epoch: 1 },
        Progress::Batch { epoch: 1, batch: 0, loss: Some(0.1) },
        Progress::EpochEnd { epoch: 1, train_loss: Some(0.1), val_loss: Some(0.05) },
        Progress::TrainEnd,
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_run_that_diverges_is_still_told() {
    let events = all(&[
        r#"{"event": "batch_end", "logs": {"loss": NaN}, "epoch": 0, "batch": 0}"#,
        r#"{"event": "batch_end", "logs": {"loss": Infinity}, "epoch": 0, "batch": 1}"#,
        r#"{"event": "epoch_end", "logs": {"val/loss": -Infinity}, "epoch": 0}"#,
    ]);
    assert!(matches!(events[0], Progress::Batch { loss: Some(loss), .. } if loss.is_nan()));
    assert!(matches!(events[1], Progress::Batch { loss: Some(f64::INFINITY), .. }));
    assert!(
        matches!(events[2], Progress::EpochEnd { train_loss: Some(mean), val_loss: Some(f64::NEG_INFINITY), .. } if mean.is_nan())
    );
}

#[test]
fn the_first_messages_may_be_lost() {
    let events = all(&[
        r#"{"event": "batch_end", "logs": {"loss": 0.5}, "epoch": 3, "batch": 7}"#,
        r#"{"event": "epoch_end", "logs": {}, "epoch": 3}"#,
        r#"{"event": "epoch_end", "logs": null, "epoch": 4}"#,
    ]);
    assert_eq!(events[1], Progress::EpochEnd { epoch: 3, train_loss: Some(0.5), val_loss: None });
    assert_eq!(events[2], Progress::EpochEnd { epoch: 4, train_loss: None, val_loss: None });
}

#[test]
fn what_is_not_a_message_is_nothing() {
    let nothing = ["", "{", "[]", "{}", r#"{"event": "lr_changed"}"#, r#"{"event": 3}"#, r#"{"event": "batch_end"}"#];
    assert_eq!(all(&nothing), []);
}

#[test]
fn words_inside_strings_stay() {
    let text = r#"{"a": NaN, "NaN": "x \" NaN", "b": [-Infinity, Infinity]}"#;
    let quoted = r#"{"a": "NaN", "NaN": "x \" NaN", "b": ["-Infinity", "Infinity"]}"#;
    assert_eq!(quote_bare_words(text), quoted);
}

#[test]
fn the_plan_is_in_the_training_config() {
    let text = "data_config:\n  skeletons:\n  - nodes: [{name: head}]\ntrainer_config:\n  train_steps_per_epoch: 20\n  max_epochs: 5\n  optimizer: {lr: 1.0e-06}\n";
    assert_eq!(plan(text), Plan { steps: Some(20), epochs: Some(5) });
    assert_eq!(plan("trainer_config: {max_epochs: null}"), Plan::default());
    assert_eq!(plan("{"), Plan::default());
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "\\PC{0,80}") {
        let _ = Tracker::default().message(&text);
    }

    #[test]
    fn json_without_bare_words_is_left_alone(text in "[ -~]{0,60}") {
        let json = serde_json::json!({ "text": text, "n": [1, null] }).to_string();
        prop_assert_eq!(quote_bare_words(&json), json);
    }
}
