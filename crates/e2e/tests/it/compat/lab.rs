//! A laboratory of today that has put our server in the place of the old one, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Home, PyWorker, page};
use crate::house::{House, example};

/// What the Python programs of the tests are, beside the wheel's own.
const PEERS: [(&str, &str); 11] = [
    ("site/sitecustomize.py", include_str!("peers/site/sitecustomize.py")),
    ("api.py", include_str!("peers/api.py")),
    ("channel.py", include_str!("peers/channel.py")),
    ("crowd.py", include_str!("peers/crowd.py")),
    ("errors.py", include_str!("peers/errors.py")),
    ("files.py", include_str!("peers/files.py")),
    ("hold.py", include_str!("peers/hold.py")),
    ("proxy.py", include_str!("peers/proxy.py")),
    ("quiet.py", include_str!("peers/quiet.py")),
    ("race.py", include_str!("peers/race.py")),
    ("words.py", include_str!("peers/words.py")),
];

/// Our server, and homes with the Python programs.
pub(crate) struct Lab {
    pub(crate) house: House,
    python: PathBuf,
}

/// Somebody who is logged in and has made a room and a key, as a person does with the Python command line.
pub(crate) struct Member {
    pub(crate) home: Home,
    pub(crate) room: String,
    pub(crate) key: String,
}

/// A Python with the wheel; without one the tests say how to have it, and in CI they fail.
fn python() -> Option<PathBuf> {
    let path = std::env::var_os("SLEAP_RTC_TEST_PYTHON_PEERS").map(PathBuf::from);
    if path.is_none() {
        let how = "set SLEAP_RTC_TEST_PYTHON_PEERS to a Python with examples/python-peers/requirements.txt (--no-deps)";
        assert!(std::env::var("CI").is_err(), "today's Python programs are not tested, and this is CI: {how}");
        eprintln!("SKIPPED: today's Python programs are not tested: {how}");
    }
    path
}

impl Lab {
    /// With a server; none if there is no Python to test with.
    pub(crate) fn open() -> Option<Self> {
        let python = python()?;
        let house = House::with_server();
        for (name, text) in PEERS {
            let path = house.path().join("peers").join(name);
            fs::create_dir_all(path.parent().expect("a folder")).and_then(|()| fs::write(path, text)).expect(name);
        }
        Some(Self { house, python })
    }

    /// A home. Nobody is logged in.
    pub(crate) fn home(&self, name: &str) -> Home {
        let folder = self.house.path().join(name);
        let data = folder.join("data");
        fs::create_dir_all(&data).and_then(|()| fs::create_dir_all(folder.join(".sleap-rtc"))).expect("folders");
        let path = data.display();
        let mounts = format!("[worker.io]\n[[worker.io.mounts]]\npath = \"{path}\"\nlabel = \"data\"\n");
        fs::write(folder.join(".sleap-rtc/config.toml"), mounts).expect("a file");
        let peers = self.house.path().join("peers");
        let environment = self.environment(&folder, &peers);
        Home { folder, peers, python: self.python.clone(), environment }
    }

    /// What `docs/compatibility.md` says that a laboratory sets, and what makes a test of it.
    fn environment(&self, home: &Path, peers: &Path) -> Vec<(String, String)> {
        let site = peers.join("site").display().to_string();
        let settings = [
            ("SLEAP_RTC_SIGNALING_WS", self.house.ws().to_owned()),
            ("SLEAP_RTC_SIGNALING_HTTP", self.house.http().to_owned()),
            ("SLEAP_DASHBOARD_URL", format!("{}/login", self.house.http())),
            ("HOME", home.display().to_string()),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("PYTHONPATH", site),
            ("PYTHONUNBUFFERED", "1".to_owned()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("SLEAP_RTC_TEST_STUN", self.house.stun().to_owned()),
            // No browser is opened: the test is the browser.
            ("BROWSER", "/bin/true".to_owned()),
            ("TERM", "xterm".to_owned()),
            ("USER", "somebody".to_owned()),
        ];
        settings.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// An account that the operator has made: its name and its key.
    pub(crate) fn account(&self, name: &str) -> Value {
        let secret = fs::read_to_string(self.house.path().join("server/admin.secret")).expect("the secret");
        let reply = ureq::post(format!("{}/admin/accounts", self.house.http()))
            .header("Authorization", format!("Bearer {}", secret.trim()))
            .send_json(json!({"username": name}));
        reply.expect("an answer").body_mut().read_json().expect("JSON")
    }

    /// A home where somebody has an account and has logged in with `sleap-rtc login`.
    pub(crate) fn logged_in(&self, name: &str) -> Home {
        let home = self.home(name);
        log_in(&home, name, self.account(name)["account_key"].as_str().expect("a key"));
        home
    }

    /// Somebody with a room and a key.
    pub(crate) fn member(&self, name: &str) -> Member {
        let home = self.logged_in(name);
        let room = first_room(&home);
        let key = key_in(&home.run(&["key", "create", "--name", "gpu-box"]));
        Member { home, room, key }
    }

    /// A worker on a machine of its own, with the stand-in for its trainer and the flies in its data.
    pub(crate) fn worker(&self, member: &Member) -> PyWorker {
        self.worker_with(member, &[])
    }

    /// The same with faults and delays of the stand-in.
    pub(crate) fn worker_with(&self, member: &Member, knobs: &[(&str, &str)]) -> PyWorker {
        PyWorker::start(self.machine("gpu-box", knobs), &["--account-key", &member.key, "--room", &member.room])
    }

    /// A machine with the stand-in for its trainer and the flies in its data.
    pub(crate) fn machine(&self, name: &str, knobs: &[(&str, &str)]) -> Home {
        let home = self.home(name);
        for file in ["flies.pkg.slp", "centroid.yaml"] {
            fs::copy(example(file), home.data().join(file)).expect(file);
        }
        let bin = home.folder.join("bin");
        sleap_rtc_e2e::standin::install(crate::house::binary::standin(), &bin, knobs).expect("a trainer");
        home.finding_first(&bin)
    }
}

/// `sleap-rtc login` there, allowed on the page with the key of this account.
pub(crate) fn log_in(home: &Home, name: &str, key: &str) {
    let login = home.cli(&["login"]);
    page::allow(&login, key);
    let (code, text) = login.end();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(&format!("Logged in as {name}")), "{text}");
}

/// Makes somebody's first room.
pub(crate) fn first_room(home: &Home) -> String {
    let mut made = home.cli(&["room", "create", "--name", "lab"]);
    let text = made.shows("Set this as your default room?");
    made.press("y\n");
    assert_eq!(made.end().0, 0, "{text}");
    word_after(&text, "Room ID:")
}

/// The first word after this one.
pub(crate) fn word_after(text: &str, label: &str) -> String {
    let rest = text.split_once(label).unwrap_or_else(|| panic!("no {label} in {text}")).1;
    rest.split_whitespace().next().expect("a word").to_owned()
}

/// The account key that a text shows.
pub(crate) fn key_in(text: &str) -> String {
    let found = text.split_whitespace().find(|word| word.starts_with("slp_acct_"));
    found.unwrap_or_else(|| panic!("no key in {text}")).to_owned()
}
