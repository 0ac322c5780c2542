//! Against a naive reading of the rules, on JSON alone.

use std::cmp::Ordering;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sleap_rtc_wire::filter::Rank;
use sleap_rtc_wire::{Filters, Metadata, limits};

use crate::any;

proptest! {
    #[test]
    fn a_filter_means_what_the_rules_say(
        filter in filter(), role in role(), tags in vec(tag(), 0..3), properties in properties(),
    ) {
        let metadata = Metadata::from(json!({"tags": tags, "properties": properties}));
        let expected = naive::matches(&filter, &role, &tags, &properties);
        let filters = Filters::parse(filter.clone()).unwrap();
        prop_assert_eq!(filters.matches(&role, &metadata), expected, "{} on {:?}", filter, metadata);
    }

    #[test]
    fn no_filter_and_no_peer_is_a_panic(filter in any::value(), role in any::text(), metadata in any::value()) {
        if let Ok(filters) = Filters::parse(filter) {
            filters.matches(&role, &Metadata::from(metadata));
        }
    }

    #[test]
    fn any_filter_is_read_back(filter in filter()) {
        let filters = Filters::parse(filter).unwrap();
        let text = serde_json::to_string(&filters).unwrap();
        prop_assert_eq!(serde_json::from_str::<Filters>(&text).unwrap(), filters);
    }

    #[test]
    fn an_overlay_answers_before_the_metadata(own in scalar(), shown in scalar(), wanted in scalar()) {
        let metadata = Metadata::from(json!({"properties": {"status": own, "other": own}}));
        let filters = Filters::parse(json!({"properties": {"status": wanted}})).unwrap();
        let seen = filters.matches_with("worker", &metadata, |name| (name == "status").then_some(&shown));
        let expected = naive::same(&shown, &wanted);
        prop_assert_eq!(seen, expected);
        let other = Filters::parse(json!({"properties": {"other": wanted}})).unwrap();
        let seen = other.matches_with("worker", &metadata, |name| (name == "status").then_some(&shown));
        prop_assert_eq!(seen, naive::same(&own, &wanted));
    }
}

#[test]
fn the_room_and_what_is_no_object_filter_nothing() {
    let everybody = Metadata::default();
    for filter in [json!(null), json!({}), json!([1]), json!({"room_id": "x"}), json!({"properties": null})] {
        assert!(Filters::parse(filter.clone()).unwrap().matches("peer", &everybody), "{filter}");
    }
}

#[test]
fn an_empty_list_of_tags_matches_nobody() {
    let tagged = Metadata::from(json!({"tags": ["a"]}));
    let matches = |tags: Value| Filters::parse(json!({"tags": tags})).unwrap().matches("worker", &tagged);
    assert!(matches(json!(["b", "a"])));
    assert!(!matches(json!([])));
    assert!(!matches(json!("a")));
}

proptest! {
    /// A sort that contradicts itself would be a panic.
    #[test]
    fn ranks_are_in_one_order(values in vec(any::value(), 3)) {
        let ranks: Vec<Option<Rank<'_>>> = values.iter().map(Rank::of).collect();
        for sort in ["x", "-x"] {
            let filters = Filters::parse(json!({"sort": sort})).unwrap();
            let order = |a: usize, b: usize| filters.order(ranks[a], ranks[b]);
            prop_assert_eq!(order(0, 1), order(1, 0).reverse());
            if order(0, 1).is_le() && order(1, 2).is_le() {
                prop_assert!(order(0, 2).is_le());
            }
        }
        if let (Some(a), Some(b)) = (values[0].as_f64(), values[1].as_f64()) {
            prop_assert_eq!(Some(ranks[0].cmp(&ranks[1])), a.partial_cmp(&b));
        }
    }
}

#[test]
fn a_condition_on_a_large_number_is_exact() {
    let large = Metadata::from(json!({"properties": {"n": u64::MAX}}));
    let matches = |operand: Value| Filters::parse(json!({"properties": {"n": operand}})).unwrap().matches("w", &large);
    assert!(matches(json!({"$gt": u64::MAX - 1})));
    assert!(!matches(json!({"$gt": u64::MAX})));
    assert!(matches(json!({"$gt": i64::MIN})));
}

#[test]
fn limits_are_named() {
    let refused = |filter: Value| Filters::parse(filter).unwrap_err().to_string();
    let many: Map<String, Value> = (0..65).map(|n| (n.to_string(), json!(n))).collect();
    assert_eq!(refused(json!({"properties": many})), "filter with 65 conditions, at most 64 are allowed");
    let deep = json!({"properties": {"x": {"$in": [[[1]]]}}});
    assert_eq!(refused(deep), format!("filter nested deeper than {} levels", limits::FILTER_DEPTH));
    assert!(refused(json!({"tags": vec!["x"; 65]})).contains("65 conditions"));
    // Each element of a list is compared with every peer's, so each is a condition.
    for operator in ["$in", "$nin", "$all", "$eq"] {
        let long = json!({"properties": {"x": {operator: vec![1; 60], "$ne": vec![2; 5]}}});
        assert_eq!(refused(long), "filter with 65 conditions, at most 64 are allowed", "{operator}");
    }
    let wordy = json!({"properties": {"x": "x".repeat(limits::FILTER)}});
    assert_eq!(refused(wordy), "filter of 16395 bytes, at most 16384 are allowed");
}

const NAMES: [&str; 3] = ["status", "gpu", "jobs"];

fn role() -> impl Strategy<Value = String> {
    prop_oneof![Just("worker"), Just("client")].prop_map(str::to_owned)
}

fn tag() -> impl Strategy<Value = String> {
    "[abc]"
}

/// Few values, so that they often meet.
fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..3).prop_map(Value::from),
        (-4_i32..6).prop_map(|n| Value::from(f64::from(n) / 2.0)),
        "[ab]{0,2}".prop_map(Value::from),
        vec(prop_oneof![Just(json!(1)), Just(json!(1.0)), Just(json!("a"))], 0..3).prop_map(Value::from),
    ]
}

fn properties() -> impl Strategy<Value = Map<String, Value>> {
    vec((prop::sample::select(&NAMES[..]), scalar()), 0..4)
        .prop_map(|map| map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn condition() -> impl Strategy<Value = Value> {
    const OPERATORS: [&str; 12] =
        ["$gte", "$lte", "$gt", "$lt", "$eq", "$ne", "$in", "$nin", "$exists", "$all", "$unknown", "gpu"];
    let operators = vec((prop::sample::select(&OPERATORS[..]), scalar()), 0..3)
        .prop_map(|map| Value::Object(map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
    prop_oneof![scalar(), operators]
}

fn filter() -> impl Strategy<Value = Value> {
    let conditions = vec((prop::sample::select(&NAMES[..]), condition()), 0..3);
    let shorthand = vec((prop::sample::select(&NAMES[..]), condition()), 0..2);
    (of(role()), of(vec(tag(), 0..3)), of(conditions), shorthand).prop_map(|(role, tags, properties, shorthand)| {
        let mut filter = Map::new();
        if let Some(role) = role {
            filter.insert("role".to_owned(), json!(role));
        }
        if let Some(tags) = tags {
            filter.insert("tags".to_owned(), json!(tags));
        }
        if let Some(properties) = properties {
            let properties = properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            filter.insert("properties".to_owned(), Value::Object(properties));
        }
        filter.extend(shorthand.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Value::Object(filter)
    })
}

/// The rules, read literally.
mod naive {
    use super::{Map, Ordering, Value};

    pub(super) fn matches(filter: &Value, role: &str, tags: &[String], properties: &Map<String, Value>) -> bool {
        filter.as_object().unwrap().iter().all(|(key, wanted)| match key.as_str() {
            "role" => wanted == role,
            "tags" => wanted.as_array().unwrap().iter().any(|tag| tags.iter().any(|own| tag == own)),
            "properties" => {
                wanted.as_object().unwrap().iter().all(|(name, wanted)| holds(properties.get(name), wanted))
            }
            name => holds(properties.get(name), wanted),
        })
    }

    fn holds(value: Option<&Value>, wanted: &Value) -> bool {
        let value = value.cloned().unwrap_or(Value::Null);
        let Some(operators) = wanted.as_object() else { return same(&value, wanted) };
        operators.iter().all(|(operator, operand)| match operator.as_str() {
            "$gte" => matches!(order(&value, operand), Some(Ordering::Greater | Ordering::Equal)),
            "$lte" => matches!(order(&value, operand), Some(Ordering::Less | Ordering::Equal)),
            "$gt" => order(&value, operand) == Some(Ordering::Greater),
            "$lt" => order(&value, operand) == Some(Ordering::Less),
            "$eq" => same(&value, operand),
            "$ne" => !same(&value, operand),
            "$in" => operand.as_array().is_some_and(|list| list.iter().any(|one| same(&value, one))),
            "$nin" => operand.as_array().is_some_and(|list| !list.iter().any(|one| same(&value, one))),
            "$exists" => match operand {
                Value::Bool(yes) => *yes != value.is_null(),
                _ => false,
            },
            "$all" => match (&value, operand) {
                (Value::Array(has), Value::Array(wants)) => {
                    wants.iter().all(|want| has.iter().any(|one| same(one, want)))
                }
                _ => false,
            },
            _ => true,
        })
    }

    fn number(value: &Value) -> Option<f64> {
        match value {
            Value::Bool(true) => Some(1.0),
            Value::Bool(false) => Some(0.0),
            // The tests' numbers are small halves, exact in floating point.
            value => value.as_f64(),
        }
    }

    fn order(a: &Value, b: &Value) -> Option<Ordering> {
        match (a.as_str(), b.as_str()) {
            (Some(a), Some(b)) => Some(a.cmp(b)),
            _ => number(a)?.partial_cmp(&number(b)?),
        }
    }

    pub(super) fn same(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
            _ => match (number(a), number(b)) {
                (Some(a), Some(b)) => a.partial_cmp(&b) == Some(Ordering::Equal),
                _ => a == b,
            },
        }
    }
}
