//! Worlds in which something did not hold once.

use std::path::Path;

use sleap_rtc_sim::{read_plan, run};

#[test]
fn what_was_found_once_stays_found() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut saved = 0;
    for entry in std::fs::read_dir(folder).expect("crates/sim/seeds") {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{}: the first line says what was found", path.display());
        let plan = read_plan(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (world, failure) = run(&plan);
        let failure = failure.map(|failure| failure.violation.to_string());
        assert_eq!(failure, None, "{}", path.display());
        assert!(world.steps() >= plan.events, "{}", path.display());
        saved += 1;
    }
    assert!(saved >= 3, "{saved} saved worlds");
}
