use proptest::prelude::*;
use serde_json::{Value, json};
use sleap_rtc_wire::{Metadata, limits};

use crate::any;

proptest! {
    #[test]
    fn an_update_adds_tags_overrides_properties_and_keeps_the_rest(old in any::metadata(), new in any::metadata()) {
        let mut merged = old.clone();
        merged.merge(new.clone());

        let (before, update) = (Value::from(old.clone()), Value::from(new.clone()));
        let after = Value::from(merged.clone());
        for (key, value) in before.as_object().unwrap() {
            if key != "tags" && key != "properties" {
                let given = update.get(key);
                prop_assert_eq!(&after[key], given.unwrap_or(value));
            }
        }
        for tag in old.tags().chain(new.tags()) {
            prop_assert!(merged.tags().any(|own| own == tag));
        }
        prop_assert!(merged.tags().all(|tag| old.tags().chain(new.tags()).any(|other| other == tag)));
        let names = |value: &Value| value["properties"].as_object().unwrap().clone();
        for (name, value) in names(&before).into_iter().chain(names(&update)) {
            let expected = names(&update).get(&name).cloned().unwrap_or(value);
            prop_assert_eq!(merged.property(&name), Some(&expected));
        }
    }

    #[test]
    fn the_same_update_again_changes_nothing(old in any::metadata(), new in any::value()) {
        let new = Metadata::from(new);
        let mut once = old;
        once.merge(new.clone());
        let mut twice = once.clone();
        twice.merge(new);
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn whatever_is_merged_old_workers_find_their_properties(old in any::value(), new in any::value()) {
        let mut merged = Metadata::from(old);
        merged.merge(Metadata::from(new));
        prop_assert!(Value::from(merged.clone()).get("properties").is_some());
        let _ = (merged.tags().count(), merged.property("status"), merged.exceeds());
    }

    #[test]
    fn any_metadata_is_read_back(metadata in any::metadata()) {
        let text = serde_json::to_string(&metadata).unwrap();
        prop_assert_eq!(serde_json::from_str::<Metadata>(&text).unwrap(), metadata);
    }
}

#[test]
fn what_is_no_object_is_empty() {
    for value in [json!(null), json!([1]), json!("x"), json!(7)] {
        assert!(Metadata::from(value).is_empty());
    }
}

#[test]
fn an_update_of_the_wrong_form_destroys_nothing() {
    let mut metadata = Metadata::from(json!({"tags": ["a"], "properties": {"status": "available"}}));
    metadata.merge(Metadata::from(json!({"tags": "b", "properties": null})));
    assert_eq!(Value::from(metadata), json!({"tags": ["a"], "properties": {"status": "available"}}));
}

#[test]
fn null_stays_null() {
    let mut metadata = Metadata::from(json!({"properties": {"job": "x"}}));
    metadata.merge(Metadata::from(json!({"properties": {"job": null}})));
    assert_eq!(metadata.property("job"), Some(&Value::Null));
}

/// Each new tag is looked for among the old ones: more than are allowed are not even merged.
#[test]
fn too_many_tags_are_not_merged_one_by_one() {
    let mut metadata = Metadata::from(json!({"tags": ["a"]}));
    let tags: Vec<u32> = (0..300_000).collect();
    metadata.merge(Metadata::from(json!({"tags": tags})));
    assert_eq!(metadata.exceeds().as_deref(), Some("65 tags, at most 64 are allowed"));
}

#[test]
fn limits_are_named() {
    let exceeds = |value: Value| Metadata::from(value).exceeds();
    assert_eq!(exceeds(json!({"tags": vec!["x"; limits::TAGS]})), None);
    let tags = exceeds(json!({"tags": vec!["x"; limits::TAGS + 1]}));
    assert_eq!(tags.as_deref(), Some("65 tags, at most 64 are allowed"));
    let properties: serde_json::Map<String, Value> = (0..257).map(|n| (n.to_string(), json!(n))).collect();
    let properties = exceeds(json!({"properties": properties}));
    assert_eq!(properties.as_deref(), Some("257 properties, at most 256 are allowed"));
    assert!(exceeds(json!({"notes": "x".repeat(limits::METADATA)})).unwrap().starts_with("metadata of 65548 bytes"));
}

#[test]
fn what_is_written_follows_every_change_and_no_clone_does() {
    let mut own = Metadata::from(json!({"tags": ["a"], "properties": {"n": 1}, "x": "é\""}));
    let before = own.clone();
    let text = r#"{"properties":{"n":1},"tags":["a"],"x":"é\""}"#;
    assert_eq!(own.text(), text);
    own.set_property("n", json!(2));
    assert_eq!(own.text(), r#"{"properties":{"n":2},"tags":["a"],"x":"é\""}"#);
    own.merge(Metadata::from(json!({"tags": ["b"], "properties": {"n": null}, "x": 0})));
    assert_eq!(serde_json::to_string(&own).unwrap(), r#"{"properties":{"n":null},"tags":["a","b"],"x":0}"#);
    assert_eq!(before.text(), text);
    assert_eq!(serde_json::to_value(&own).unwrap(), json!({"properties": {"n": null}, "tags": ["a", "b"], "x": 0}));
}

#[test]
fn too_many_properties_are_not_merged_one_by_one() {
    let many =
        |from: usize| (from..from + 100_000).map(|n| (n.to_string(), json!(n))).collect::<serde_json::Map<_, _>>();
    let mut own = Metadata::from(json!({"properties": many(0)}));
    own.merge(Metadata::from(json!({"properties": many(100_000)})));
    assert_eq!(own.exceeds().unwrap(), "100000 properties, at most 256 are allowed");
    let mut own = Metadata::from(json!({"properties": {"a": 1}}));
    own.merge(Metadata::from(json!({"properties": many(0)})));
    assert_eq!(own.exceeds().unwrap(), "257 properties, at most 256 are allowed");
}

#[test]
fn a_name_that_is_shared_is_the_same_name() {
    let known: std::sync::Arc<str> = "status".into();
    let mut own = Metadata::from(json!({"properties": {"status": "busy", "n": 1}}));
    let before = own.clone();
    own.share_names(|name| (name == "status").then_some(&known));
    assert_eq!((own.text(), &own), (before.text(), &before));
    assert_eq!(std::sync::Arc::strong_count(&known), 2);
}

#[test]
fn what_has_changed_is_told_by_name_with_both_values() {
    let before = Metadata::from(json!({"tags": ["a"], "properties": {"gone": 1, "same": "x", "status": "available"}}));
    let mut after = before.clone();
    assert_eq!(before.changes(&after).count(), 0);
    after.merge(Metadata::from(json!({"tags": ["b"], "properties": {"new": null, "same": "x", "status": "busy"}})));
    let changes: Vec<_> = before.changes(&after).collect();
    let (available, busy) = (json!("available"), json!("busy"));
    assert_eq!(changes, [("new", None, Some(&Value::Null)), ("status", Some(&available), Some(&busy))]);
    let other = Metadata::from(json!({"properties": {"same": "x", "z": 1}}));
    let names: Vec<_> = before.changes(&other).map(|(name, old, new)| (name, old.is_some(), new.is_some())).collect();
    assert_eq!(names, [("gone", true, false), ("status", true, false), ("z", false, true)]);
}
