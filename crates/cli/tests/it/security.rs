//! `SECURITY.md`: the tests that hold its promises are there.

use std::fs;
use std::path::Path;

#[test]
fn each_promise_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("SECURITY.md")).expect("the page");
    let links: Vec<(&str, &str)> =
        page.split("[`").skip(1).filter_map(|rest| rest.split_once(')')?.0.split_once("`](")).collect();
    assert!(links.len() > 60, "{} links", links.len());
    for (name, file) in links {
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        assert!(text.contains(&format!("fn {name}(")), "{file} has no test {name}");
    }
}

#[test]
fn each_limit_has_a_test() {
    let page = include_str!("../../../../SECURITY.md");
    let rows: Vec<&str> = page
        .split("## Limits")
        .nth(1)
        .expect("a table")
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .collect();
    assert!(rows.len() > 12);
    for row in rows {
        assert!(row.contains("[`"), "no test: {row}");
    }
}
