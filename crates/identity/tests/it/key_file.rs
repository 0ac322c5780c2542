//! The server's own key.

use std::sync::Arc;

use sleap_rtc_identity::{Identity, KeyFileError, Local};
use sleap_rtc_store::Memory;

use crate::rig::{NOW, rig};

#[tokio::test]
async fn tokens_survive_a_restart() {
    let rig = rig();
    let token = rig.identity.sign_in_anonymous(NOW).await.unwrap().id_token;
    let again = Local::open(&rig.folder.path().join("server.key"), rig.store.clone()).unwrap();
    again.verify(&token, NOW).await.unwrap();
}

#[test]
fn a_derived_secret_survives_a_restart_and_is_of_no_use_elsewhere() {
    let (rig, other) = (rig(), rig());
    let line = rig.identity.derive("sleap-rtc test line");
    let again = Local::open(&rig.folder.path().join("server.key"), rig.store.clone()).unwrap();
    assert_eq!(again.derive("sleap-rtc test line"), line);
    assert_ne!(again.derive("sleap-rtc test other"), line);
    assert_ne!(other.identity.derive("sleap-rtc test line"), line);
    let key = std::fs::read_to_string(rig.folder.path().join("server.key")).unwrap();
    let bytes =
        |hex: &str| (0..32).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect::<Vec<_>>();
    assert_ne!(bytes(key.trim()), line, "not the key itself");
}

#[test]
fn a_file_without_a_key_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.key");
    for text in ["", "my notes", &"0".repeat(63), &"0".repeat(65), &"\u{1f41d}".repeat(16)] {
        std::fs::write(&path, text).unwrap();
        let answer = Local::open(&path, Arc::new(Memory::default()));
        assert!(matches!(answer, Err(KeyFileError::NotAKey(_) | KeyFileError::Io { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_key() {
    use std::os::unix::fs::PermissionsExt;

    let rig = rig();
    let metadata = std::fs::metadata(rig.folder.path().join("server.key")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}
