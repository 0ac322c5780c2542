//! Who is believed.

use std::fs;

use sleap_rtc_peer::env::{self, Environment};
use sleap_rtc_peer::home::Home;
use sleap_rtc_peer::settings::{Flags, PROJECT_FILE, Settings, SettingsError, Source};

/// A folder with a project's and a user's file.
struct Place {
    folder: tempfile::TempDir,
    flags: Flags,
    variables: Vec<(&'static str, &'static str)>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Self { folder, flags: Flags::default(), variables: Vec::new() }
    }

    fn project(&self, text: &str) {
        fs::write(self.folder.path().join(PROJECT_FILE), text).unwrap();
    }

    fn user(&self, text: &str) {
        fs::write(self.folder.path().join("home/config.toml"), text).unwrap();
    }

    fn load(&self) -> Result<Settings, SettingsError> {
        let home = Home::at(self.folder.path().join("home"));
        Settings::load(&self.flags, &Environment::of(self.variables.clone()), &home, self.folder.path())
    }

    fn server(&self) -> (String, String, Source) {
        let server = self.load().unwrap().server;
        (server.value.http().to_owned(), server.value.websocket().to_owned(), server.source)
    }

    fn error(&self) -> String {
        self.load().err().unwrap().to_string()
    }
}

fn addresses(http: &str, ws: &str, source: Source) -> (String, String, Source) {
    (http.to_owned(), ws.to_owned(), source)
}

#[test]
fn the_default_is_this_machine() {
    let place = Place::new();
    assert_eq!(place.server(), addresses("http://127.0.0.1:8001", "ws://127.0.0.1:8001", Source::Default));
    assert!(matches!(place.load().unwrap().room_access(), Err(SettingsError::NoRoom)));
}

#[test]
fn command_line_then_environment_then_project_then_user() {
    let mut place = Place::new();
    let file = |name: &str| Source::File(place.folder.path().join(name));
    let (user, project) = (file("home/config.toml"), file(PROJECT_FILE));
    place.user("[default]\nserver = \"http://user:1\"\nroom = \"r-user\"\ntoken = \"t-user\"");
    assert_eq!(place.server(), addresses("http://user:1", "ws://user:1", user));
    place.project("[default]\nserver = \"https://project\"\nroom = \"r-project\"");
    assert_eq!(place.server(), addresses("https://project", "wss://project", project));
    let access = place.load().unwrap().room_access().unwrap();
    assert_eq!((access.room.as_str(), access.token), ("r-project", None), "the user's token is that of another room");
    place.variables = vec![(env::SERVER, "http://env:3"), (env::ROOM_ID, "r-env"), (env::ROOM_TOKEN, " t-env\n")];
    assert_eq!(place.server(), addresses("http://env:3", "ws://env:3", Source::Variable(env::SERVER)));
    let access = place.load().unwrap().room_access().unwrap();
    assert_eq!((access.room.as_str(), access.token.as_deref()), ("r-env", Some("t-env")));
    place.flags.server = Some("http://flag:4".to_owned());
    assert_eq!(place.server(), addresses("http://flag:4", "ws://flag:4", Source::Flag("--server")));
}

#[test]
fn the_python_programs_own_names_are_honoured() {
    let mut place = Place::new();
    place.user(
        "[environments.production]\nsignaling_http = \"http://box:8001\"\nsignaling_websocket = \"ws://box:8080\"\n\
         [environments.staging]\nsignaling_http = \"http://stage:8001\"\n\
         [worker.io]\nworking_dir = \"/data\"",
    );
    let user = Source::File(place.folder.path().join("home/config.toml"));
    assert_eq!(place.server(), addresses("http://box:8001", "ws://box:8080", user.clone()));
    place.variables = vec![(env::ENV, "staging")];
    assert_eq!(place.server(), addresses("http://stage:8001", "ws://stage:8001", user));
    place.variables =
        vec![(env::SERVER, "http://base:1"), (env::SIGNALING_WS, "wss://other:2/signal"), (env::SIGNALING_HTTP, "")];
    assert_eq!(place.server(), addresses("http://base:1", "wss://other:2/signal", Source::Variable(env::SIGNALING_WS)));
}

#[test]
fn addresses_are_read_with_good_will_and_refused_with_a_reason() {
    let mut place = Place::new();
    place.flags.insecure = true;
    for (text, http, ws) in [
        ("admin-box", "http://admin-box:8001", "ws://admin-box:8001"),
        ("admin-box:9000", "http://admin-box:9000", "ws://admin-box:9000"),
        ("http://localhost/", "http://localhost:8001", "ws://localhost:8001"),
        ("https://rtc.lab.edu/pool/", "https://rtc.lab.edu/pool", "wss://rtc.lab.edu/pool"),
        ("http://rtc.lab.edu", "http://rtc.lab.edu", "ws://rtc.lab.edu"),
        ("ws://10.0.0.1:8080", "http://10.0.0.1:8080", "ws://10.0.0.1:8080"),
        ("http://[::1]:8001", "http://[::1]:8001", "ws://[::1]:8001"),
    ] {
        place.flags.server = Some(text.to_owned());
        let (got_http, got_ws, _) = place.server();
        assert_eq!((got_http.as_str(), got_ws.as_str()), (http, ws), "{text}");
    }
    place.flags.server = Some("https://rtc.lab.edu:444/pool".to_owned());
    assert_eq!(place.load().unwrap().server.value.audience(), "rtc.lab.edu:444");
    for text in ["ftp://box", "http://", "http://a b", "", "http://box?x=1"] {
        place.flags.server = Some(text.to_owned());
        assert!(place.error().starts_with("--server: "), "{text}: {}", place.error());
    }
    place.flags.server = Some("http://ada:pass@box".to_owned());
    assert!(!place.error().contains("pass"), "{}", place.error());
}

#[test]
fn a_bad_file_is_named_with_its_line_and_not_quoted() {
    let place = Place::new();
    place.project("[default]\ntoken = \"f9g2h5\n");
    let error = place.error();
    assert!(error.contains(PROJECT_FILE) && error.contains("line 2") && !error.contains("f9g2h5"), "{error}");
    place.project("[default]\nroom = 12345678");
    assert!(place.error().ends_with("default.room must be a text in quotes"), "{}", place.error());
    place.project("[default]\nroom = \"no/room\"");
    assert!(place.error().contains("invalid room id"), "{}", place.error());
}

#[test]
fn nothing_is_sent_to_a_stranger_without_encryption_unless_somebody_says_so() {
    let mut place = Place::new();
    for text in
        ["http://rtc.lab.edu", "ws://rtc.lab.edu:8080", "rtc.lab.edu", "http://8.8.8.8:8001", "http://[2001:db8::1]"]
    {
        place.flags.server = Some(text.to_owned());
        let error = place.load().err().unwrap();
        assert!(
            matches!(&error, SettingsError::NotEncrypted { origin: Source::Flag("--server"), .. }),
            "{text}: {error}"
        );
    }
    assert!(place.error().contains("without encryption"), "{}", place.error());
    for text in ["https://rtc.lab.edu", "http://admin-box", "http://10.0.0.1", "http://box.local", "http://[fd00::1]:1"]
    {
        place.flags.server = Some(text.to_owned());
        place.server();
    }
    place.flags.server = Some("https://rtc.lab.edu".to_owned());
    place.variables = vec![(env::SIGNALING_WS, "ws://rtc.lab.edu")];
    place.server();
    // Where one side of a server is encrypted and the other is not, nobody is safe.
    place.flags.server = None;
    place.variables = vec![(env::SERVER, "https://rtc.lab.edu"), (env::SIGNALING_WS, "ws://rtc.lab.edu:8080")];
    assert!(place.error().contains("rtc.lab.edu"), "{}", place.error());
    place.variables.push((env::INSECURE, "1"));
    place.server();
    place.variables.pop();
    place.flags.insecure = true;
    place.server();
}

#[test]
fn who_is_believed_is_read_from_a_file_that_must_be_there() {
    let mut place = Place::new();
    place.flags.server = Some("https://rtc.lab.edu".to_owned());
    let nowhere = place.folder.path().join("nowhere.pem");
    place.flags.ca = Some(nowhere.clone());
    let error = place.load().err().unwrap();
    assert!(matches!(&error, SettingsError::Ca { path, .. } if *path == nowhere), "{error}");
    fs::write(&nowhere, "nothing").unwrap();
    assert!(place.error().starts_with("--ca: ") && place.error().contains("BEGIN CERTIFICATE"), "{}", place.error());
    place.flags.ca = None;
    place.project("[default]\nca = \"/no/such/file\"");
    assert!(place.error().contains(PROJECT_FILE), "{}", place.error());
    assert!(place.error().contains(": /no/such/file: "), "{}", place.error());
}

#[test]
fn who_is_believed_is_named_as_seen_from_the_file_that_says_so() {
    let mut place = Place::new();
    place.flags.server = Some("https://rtc.lab.edu".to_owned());
    let lies = |place: &Place| match place.load().err().unwrap() {
        SettingsError::Ca { path, .. } => path,
        other => panic!("{other}"),
    };
    place.user("[default]\nca = \"lab/ca.pem\"");
    assert_eq!(lies(&place), place.folder.path().join("home/lab/ca.pem"));
    place.project("[default]\nca = \" ca.pem\"");
    assert_eq!(lies(&place), place.folder.path().join("ca.pem"));
    // Who types it means the folder where that happens.
    place.flags.ca = Some("typed.pem".into());
    assert_eq!(lies(&place), std::path::Path::new("typed.pem"));
}

#[test]
fn who_is_believed_does_not_matter_where_nobody_is_asked() {
    let mut place = Place::new();
    place.user("[default]\nca = \"gone.pem\"");
    for text in ["http://admin-box:8001", "admin-box"] {
        place.flags.server = Some(text.to_owned());
        place.server();
    }
    place.variables = vec![(env::SIGNALING_WS, "wss://admin-box")];
    place.flags.server = None;
    assert!(matches!(place.load().err().unwrap(), SettingsError::Ca { .. }), "one side is encrypted");
}
