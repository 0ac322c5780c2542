use proptest::prelude::*;
use sleap_rtc_worker::trainer::yaml::{CLIENT, Limits, Value, read, write};

fn value(text: &str) -> Value {
    read(text, CLIENT).unwrap()
}

fn refused(text: &str) -> String {
    read(text, CLIENT).unwrap_err().to_string()
}

#[test]
fn scalars_mean_what_the_trainer_takes_them_for() {
    let root = value(
        "a: 1\nb: -2.5\nc: 1e-4\nd: 1.0e-06\ne: yes\nf: off\ng: null\nh:\ni: ~\nj: '1'\nk: .inf\nl: 5 px\nm: 251124_080000.centroid.n=12\nn: v1.2.3\no: '.'\np: .",
    );
    let expected = [
        ("a", Value::Int(1)),
        ("b", Value::Float(-2.5)),
        ("c", Value::Float(1e-4)),
        ("d", Value::Float(1e-6)),
        ("e", Value::Bool(true)),
        ("f", Value::Bool(false)),
        ("g", Value::Null),
        ("h", Value::Null),
        ("i", Value::Null),
        ("j", Value::Text("1".into())),
        ("k", Value::Float(f64::INFINITY)),
        ("l", Value::Text("5 px".into())),
        ("m", Value::Text("251124_080000.centroid.n=12".into())),
        ("n", Value::Text("v1.2.3".into())),
        ("o", Value::Text(".".into())),
        ("p", Value::Text(".".into())),
    ];
    for (key, expected) in expected {
        assert_eq!(root.get(key), Some(&expected), "{key}");
    }
}

#[test]
fn what_two_versions_of_yaml_read_differently_is_refused() {
    for text in ["010", "0x1f", "0b11", "0o17", "1_000", "1:30", "-007", "99999999999999999999"] {
        let error = refused(&format!("a: 1\nb: {text}\n"));
        assert!(error.starts_with("line 2: ") && error.contains(text), "{text}: {error}");
    }
}

#[test]
fn keys_are_unique_and_words() {
    assert_eq!(refused("a: 1\nb: 2\na: 3\n"), "line 3: the key 'a' is there twice");
    assert!(refused("? [a, b]\n: 1\n").contains("a key must be a plain word"));
    assert_eq!(value("1: x").get("1"), Some(&Value::Text("x".into())));
}

#[test]
fn tags_second_documents_and_controls_are_refused() {
    assert!(refused("a: !!python/object/apply:os.system [ls]").contains("tags are not allowed"));
    assert!(refused("a: !custom 1").contains("tags are not allowed"));
    assert!(refused("a: 1\n---\nb: 2\n").contains("only one document"));
    assert!(refused("a: \"x\\u001b[31m\"").contains("not allowed"));
    assert!(refused("a: [1, 2\nb: 3").starts_with("line "));
}

#[test]
fn an_alias_is_what_it_names() {
    let root = value("a: &x [1, {b: 2}]\nc: *x\n");
    assert_eq!(root.get("a"), root.get("c"));
    assert!(refused("a: &x [1, *x]").contains("contains it") || refused("a: &x [1, *x]").contains("unknown anchor"));
}

#[test]
fn aliases_cannot_grow_beyond_the_limits() {
    let line = |level: usize, width: usize| {
        let aliases = vec![format!("*a{}", level - 1); width].join(", ");
        format!("a{level}: &a{level} [{aliases}]")
    };
    let bomb: Vec<_> = (1..9).map(|level| line(level, 10)).collect();
    let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}\n", bomb.join("\n"));
    assert!(refused(&bomb).contains("more than 20000 values"));
    let deep: Vec<_> = (1..40).map(|level| line(level, 1)).collect();
    let deep = format!("a0: &a0 [x]\n{}\n", deep.join("\n"));
    assert!(refused(&deep).contains("in each other"));
}

#[test]
fn depth_is_bounded() {
    assert!(refused(&"[".repeat(200)).contains("more than 16"));
    assert!(read("[[1]]", Limits { depth: 2, nodes: 10 }).is_ok());
    assert!(read("[[[1]]]", Limits { depth: 2, nodes: 10 }).is_err());
}

#[test]
fn written_text_has_one_meaning() {
    let map = Value::Map(vec![
        ("lr".into(), Value::Float(1e-4)),
        ("names".into(), Value::List(vec![Value::Text("no".into()), Value::Text("a\"b\\".into())])),
        ("yes".into(), Value::Map(vec![("n".into(), Value::Null), ("x y".into(), Value::Map(Vec::new()))])),
    ]);
    let expected = "lr: 0.0001\nnames: [\"no\", \"a\\\"b\\\\\"]\n\"yes\":\n  n: null\n  \"x y\": {}\n";
    assert_eq!(write(&map), expected);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("NaN is unequal to itself", |f| !f.is_nan()).prop_map(Value::Float),
        "[ -~\n\tà-ÿ🐭]{0,12}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map("[ -~à-ÿ]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Map(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in any_value()) {
        let text = write(&value);
        prop_assert_eq!(read(&text, CLIENT).unwrap(), value, "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_fall_over(text in "[\\PC\n\t]{0,200}") {
        let _ = read(&text, CLIENT);
    }

    #[test]
    fn no_near_yaml_makes_the_reader_fall_over(text in "([a-c*&!|>\\[\\]{}:,#?'\"-]|\n| |  ){0,120}") {
        let _ = read(&text, CLIENT);
    }
}
