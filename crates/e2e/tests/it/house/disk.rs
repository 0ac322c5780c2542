//! What lies in folders: names, hashes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// All files below a folder: path with `/`, and BLAKE3 hash.
pub(crate) fn hashes(folder: &Path) -> BTreeMap<String, blake3::Hash> {
    let mut found = BTreeMap::new();
    walk(folder, "", &mut |name, path| {
        found.insert(name, blake3::hash(&fs::read(path).expect("a readable file")));
    });
    found
}

/// Names of all files and folders directly in a folder, sorted; none if it is not there.
pub(crate) fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn walk(folder: &Path, prefix: &str, each: &mut impl FnMut(String, &Path)) {
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{name}/"), each);
        } else {
            each(name, &entry.path());
        }
    }
}
