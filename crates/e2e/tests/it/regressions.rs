//! `docs/compatibility.md`: each defect of the Python server that ours must not have again has its test, or says whose it is.

use std::fs;
use std::path::Path;

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compatibility.md")).expect("the page")
}

/// Name and file of each test that a text links.
fn links(text: &str) -> Vec<(&str, &str)> {
    text.split("[`").skip(1).filter_map(|rest| rest.split_once(')')?.0.split_once("`](")).collect()
}

#[test]
fn each_test_that_is_named_is_there() {
    let page = page();
    let links = links(&page);
    assert!(links.len() > 20, "{} links", links.len());
    for (name, file) in links {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
        let text = fs::read_to_string(path).unwrap_or_default();
        assert!(text.contains(&format!("fn {name}(")), "{file} has no test {name}");
    }
}

#[test]
fn each_defect_has_a_test_or_is_not_the_servers() {
    let page = page();
    let table = page.split("## Defects of the Python server").nth(1).and_then(|rest| rest.split("\n## ").next());
    let rows: Vec<&str> = table.expect("a table").lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert_eq!(rows.len(), 13, "{rows:#?}");
    for row in rows {
        let says_why = row.split_once("not the server's: ").is_some_and(|(_, why)| why.len() > 20);
        assert!(!links(row).is_empty() || says_why, "neither a test nor a reason: {row}");
    }
}
