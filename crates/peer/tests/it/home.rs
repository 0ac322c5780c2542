//! Our files.

use std::fs;
use std::thread;

use serde_json::json;
use sleap_rtc_peer::env::{self, Environment};
use sleap_rtc_peer::home::{FenceFile, Home, HomeError, client_peer_id};
use sleap_rtc_session::pool_worker::Seen;
use sleap_rtc_wire::{Fence, JobId, RoomId};

#[test]
fn the_environment_names_the_folder() {
    let home = Home::find(&Environment::of([(env::HOME, "/elsewhere")])).unwrap();
    assert_eq!(home.folder(), std::path::Path::new("/elsewhere"));
    assert!(Home::find(&Environment::default()).unwrap().folder().ends_with(".sleap-rtc"));
}

#[test]
fn of_many_processes_that_come_first_all_get_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("not/yet/there"));
    let keys: Vec<_> = thread::scope(|scope| {
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| home.installation_key().unwrap().public())).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
    assert_eq!(home.installation_key().unwrap().public(), keys[0]);
    let other = Home::at(folder.path().join("other")).installation_key().unwrap();
    assert_ne!(other.public(), keys[0]);
}

#[cfg(unix)]
#[test]
fn secrets_are_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    home.installation_key().unwrap();
    home.change_credentials(|_| {}).unwrap();
    for file in ["installation.key", "credentials.json"] {
        let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }
}

#[test]
fn a_damaged_key_is_an_error_that_does_not_show_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("installation.key"), "sleap-rtc ed25519 v1 c2VjcmV0\n").unwrap();
    let error = Home::at(folder.path()).installation_key().unwrap_err();
    assert!(matches!(error, HomeError::Invalid { .. }));
    assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
}

#[test]
fn credentials_of_the_python_program_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials.json");
    fs::write(&path, r#"{"jwt": "a", "room_secrets": {"r": "s"}, "of_a_later_version": [1, 2]}"#).unwrap();
    let home = Home::at(folder.path());
    home.change_credentials(|map| {
        map.insert("default_room".to_owned(), json!("r"));
    })
    .unwrap();
    let after: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let wanted = json!({"jwt": "a", "room_secrets": {"r": "s"}, "of_a_later_version": [1, 2], "default_room": "r"});
    assert_eq!(after, wanted);
    assert!(!format!("{:?}", home.credentials().unwrap()).contains(r#""a""#));

    fs::write(&path, r#"{"jwt": secret"#).unwrap();
    let error = home.change_credentials(|_| {}).unwrap_err().to_string();
    assert!(!error.contains("secret"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), r#"{"jwt": secret"#);
}

#[test]
fn two_processes_that_change_credentials_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    thread::scope(|scope| {
        for n in 0..16 {
            let home = &home;
            scope.spawn(move || {
                home.change_credentials(|map| {
                    map.insert(format!("k{n}"), json!(n));
                })
                .unwrap();
            });
        }
    });
    assert_eq!(home.credentials().unwrap().0.len(), 16);
}

#[test]
fn a_fence_is_kept_by_room_and_never_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let (room, other) = (RoomId::new("a7f3d2e1").unwrap(), RoomId::new("other").unwrap());
    let file = FenceFile::of(&folder.path().join("worker/cpu"), &room);
    assert_eq!(file.load().unwrap(), Seen::default());
    let seen: Seen = serde_json::from_value(json!({"fence": [3, 41], "attempts": [["j1", 2]]})).unwrap();
    file.save(&seen).unwrap();
    assert_eq!(file.load().unwrap(), seen);
    assert_eq!(seen.attempt(&JobId::new("j1").unwrap()), Some(2));
    assert_eq!(FenceFile::of(&folder.path().join("worker/cpu"), &other).load().unwrap(), Seen::default());
    let on_disk = fs::read_dir(folder.path().join("worker/cpu")).unwrap().next().unwrap().unwrap().path();
    fs::write(&on_disk, "[3, 41]\n").unwrap();
    assert_eq!(file.load().unwrap(), Seen::new(Fence { epoch: 3, counter: 41 }), "as the first versions wrote it");
    fs::write(on_disk, "[3,").unwrap();
    assert!(matches!(file.load(), Err(HomeError::Invalid { .. })));
}

#[test]
fn two_clients_of_one_user_have_two_names() {
    let folder = tempfile::tempdir().unwrap();
    let key = Home::at(folder.path()).installation_key().unwrap();
    let (one, two) = (client_peer_id(&key, 1), client_peer_id(&key, 2));
    assert_ne!(one, two);
    assert!(one.as_str().starts_with(&format!("client-{}", &key.public().member().as_str()[..8])), "{one}");
}
