//! Checks on the repository itself: who imports whom, licences, direct dependencies, and where the operating system may be named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Package};

/// Which crates of ours a crate may import. The pure ones import `wire` and nothing else.
const ARROWS: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("room", &["wire"]),
    ("access", &["wire"]),
    ("session", &["wire"]),
    ("store", &["wire"]),
    ("identity", &["wire", "store"]),
    ("link", &[]),
    ("server", &["wire", "room", "access", "store", "identity"]),
    ("peer", &["wire", "session", "link"]),
    ("worker", &["wire", "session", "link", "peer"]),
    ("client", &["wire", "session", "link", "peer"]),
    ("cli", &["wire", "session", "link", "peer", "worker", "client", "server", "store", "identity"]),
    ("sim", &["wire", "room", "access", "session"]),
    ("e2e", &["wire", "session", "link", "peer", "worker", "client", "server", "store", "identity"]),
];

/// Crates that decide: no runtime, no clock, no chance, no sockets.
const PURE: &[&str] = &["wire", "room", "access", "session"];

/// What a pure crate may import from outside.
const PURE_OUTSIDE: &[&str] =
    &["base64", "blake3", "bytes", "bytestring", "ed25519-dalek", "serde", "serde_json", "subtle", "thiserror"];

/// Licences that a BSD program may link without a thought.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("workspace root").to_path_buf()
}

fn metadata() -> &'static Metadata {
    static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
        MetadataCommand::new()
            .manifest_path(root().join("Cargo.toml"))
            .features(CargoOpt::SomeFeatures(Vec::new()))
            .other_options(["--locked".to_owned()])
            .exec()
            .expect("cargo metadata")
    });
    &METADATA
}

fn ours(package: &Package) -> &str {
    package.name.as_str().strip_prefix("sleap-rtc-").expect("prefix sleap-rtc-")
}

fn dependencies(package: &Package, kinds: &[DependencyKind]) -> BTreeSet<String> {
    package.dependencies.iter().filter(|d| kinds.contains(&d.kind)).map(|d| d.name.clone()).collect()
}

#[test]
fn crates_import_only_whom_they_may() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    for package in metadata().workspace_packages() {
        let name = ours(package);
        assert!(
            package.manifest_path.ends_with(format!("crates/{name}/Cargo.toml")),
            "folder name = crate name: {name}"
        );
        let may = allowed.get(name).unwrap_or_else(|| panic!("{name} is not in the list of arrows"));
        for other in dependencies(package, &[DependencyKind::Normal, DependencyKind::Build]) {
            if let Some(other) = other.strip_prefix("sleap-rtc-") {
                assert!(may.contains(&other), "{name} must not import {other}");
            }
        }
    }
}

#[test]
fn pure_crates_have_no_runtime() {
    for package in metadata().workspace_packages() {
        if PURE.contains(&ours(package)) {
            for other in dependencies(package, &[DependencyKind::Normal, DependencyKind::Build]) {
                let fine = other.starts_with("sleap-rtc-") || PURE_OUTSIDE.contains(&other.as_str());
                assert!(fine, "{} is pure and must not import {other}", package.name);
            }
        }
    }
}

#[test]
fn the_bans_of_the_pure_crates_are_the_same() {
    let read = |name: &str| std::fs::read_to_string(root().join("crates").join(name).join("clippy.toml")).expect(name);
    for name in PURE {
        assert_eq!(read(name), read("room"), "crates/{name}/clippy.toml differs");
    }
}

#[test]
fn only_the_simulator_breaks_rules_on_purpose() {
    let asks = |package: &&Package| {
        package.dependencies.iter().any(|one| one.features.iter().any(|feature| feature == "mutations"))
    };
    let asking: Vec<_> = metadata().workspace_packages().into_iter().filter(asks).map(ours).collect();
    assert_eq!(asking, ["sim"], "nothing that is shipped may be built with the feature");
    for package in metadata().workspace_packages() {
        let all = [DependencyKind::Normal, DependencyKind::Build];
        assert!(!dependencies(package, &all).contains("sleap-rtc-sim"), "{} must not import sim", package.name);
    }
}

#[test]
fn licences_are_permissive() {
    for package in &metadata().packages {
        let licence = package.license.as_deref().unwrap_or("");
        // `A OR B`: one is enough; `A AND B`: all are needed. Old manifests write `/` for OR.
        let fits = licence
            .replace('/', " OR ")
            .split(" OR ")
            .any(|option| option.split(" AND ").all(|one| LICENCES.contains(&one.trim().trim_matches(['(', ')']))));
        assert!(fits, "{} {} has the licence {licence:?}", package.name, package.version);
    }
}

#[test]
fn direct_dependencies_are_the_listed_ones() {
    let listed = std::fs::read_to_string(root().join("docs/dependencies.md")).expect("docs/dependencies.md");
    let listed: BTreeSet<_> =
        listed.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect();
    let all = [DependencyKind::Normal, DependencyKind::Build, DependencyKind::Development];
    let direct: BTreeSet<_> = metadata()
        .workspace_packages()
        .into_iter()
        .flat_map(|package| dependencies(package, &all))
        .filter(|name| !name.starts_with("sleap-rtc-"))
        .collect();
    assert_eq!(
        direct, listed,
        "left: what the crates use; right: docs/dependencies.md, one row a crate with its reason"
    );
}

fn sources(under: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(under).expect("readable folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_operating_system_is_named_only_in_sys() {
    let mut files = Vec::new();
    for package in metadata().workspace_packages() {
        let src = package.manifest_path.parent().expect("folder").join("src");
        // `e2e` is never shipped.
        if src.exists() && ours(package) != "e2e" {
            sources(src.as_std_path(), &mut files);
        }
    }
    assert!(files.len() > 20, "the sources were not found");
    for file in files {
        if file.components().any(|part| part.as_os_str() == "sys") || file.ends_with("src/sys.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("readable source");
        for word in ["std::os::", "libc::", "nix::", "tokio::signal::unix"] {
            assert!(!text.contains(word), "{} names {word}; move it to sys/", file.display());
        }
    }
}

#[test]
fn nothing_of_the_makers_machine_is_in_the_sources() {
    let listed =
        std::process::Command::new("git").args(["ls-files"]).current_dir(root()).output().expect("git ls-files");
    for name in String::from_utf8(listed.stdout).expect("UTF-8 names").lines() {
        let Ok(text) = std::fs::read_to_string(root().join(name)) else { continue };
        for prefix in ["/work", "/root"] {
            let word = format!("{prefix}/");
            assert!(!text.contains(&word), "{name} has a path under {word}");
        }
    }
}
