//! Which server and which room, and who said so.
//!
//! The first that says something wins: command line, environment, `./sleap-rtc.toml`, `~/.sleap-rtc/config.toml`, defaults.
//! In each place the server can be named by one base address (`server`) or, as the Python program does it, by an address for
//! HTTP and one for WebSocket; in the same place the more special one wins.
//!
//! ```toml
//! [default]
//! server = "http://admin-box:8001"
//! room = "a7f3d2e1"
//! token = "f9g2h5"
//! ca = "lab-ca.pem"                         # beside this file; whose word is taken for an https:// server, instead of this
//!                                           # machine's list
//!
//! [environments.production]                 # as the Python program reads it; SLEAP_RTC_ENV names another table
//! signaling_http = "http://admin-box:8001"
//! signaling_websocket = "ws://admin-box:8080"
//! ```

mod address;
mod private;
mod python;
pub(crate) mod trust;

use std::fmt;
use std::path::{Path, PathBuf};

use sleap_rtc_wire::RoomId;
use toml_edit::DocumentMut;

pub use address::{BadAddress, Server};
pub use python::PythonServers;
pub use trust::Trust;

use crate::env::{self, Environment};
use crate::home::Home;

/// The default: this machine, never anybody's public server.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:8001";

/// The project's file, in the folder where the program runs.
pub const PROJECT_FILE: &str = "sleap-rtc.toml";

/// What the command line says.
#[derive(Clone, Default)]
pub struct Flags {
    /// `--server`.
    pub server: Option<String>,
    /// `--room`.
    pub room: Option<String>,
    /// The room's password, read from `--token-file`. A secret.
    pub token: Option<String>,
    /// `--insecure`: no encryption is fine, wherever the server is.
    pub insecure: bool,
    /// `--ca`.
    pub ca: Option<PathBuf>,
}

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A configuration file.
    File(PathBuf),
    /// Nobody.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// A value and who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Who said it.
    pub source: Source,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not TOML.
    #[error("{}: line {line}: not TOML", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where, from 1. The text is not quoted: it may hold the room's token.
        line: usize,
    },
    /// A value that must be a text is none.
    #[error("{}: {key} must be a text in quotes", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Its name in the file.
        key: String,
    },
    /// An address is not one.
    #[error("{origin}: {error}")]
    Address {
        /// Who said it.
        origin: Source,
        /// What is wrong.
        error: BadAddress,
    },
    /// What is sent could be read and changed on the way.
    #[error("{origin}: {host} is not in a private network, and the address says http:// or ws://, without encryption")]
    NotEncrypted {
        /// Who said it.
        origin: Source,
        /// The server's host.
        host: String,
    },
    /// The certificates of those who are to be believed cannot be used.
    #[error("{origin}: {}: {reason}", path.display())]
    Ca {
        /// Who said it.
        origin: Source,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A room id is not one.
    #[error("{origin}: {error}")]
    Room {
        /// Who said it.
        origin: Source,
        /// What is wrong.
        error: sleap_rtc_wire::InvalidId,
    },
    /// Nobody named a room.
    #[error("no room is set: {} and {} are what `sleap-rtc room create` printed", env::ROOM_ID, env::ROOM_TOKEN)]
    NoRoom,
}

/// Which room, and how we get in.
#[derive(Clone)]
pub struct RoomAccess {
    /// The room.
    pub room: RoomId,
    /// Its password; `None`: we come in as a member. A secret.
    pub token: Option<String>,
}

/// What was found.
#[derive(Clone)]
pub struct Settings {
    /// The server.
    pub server: Setting<Server>,
    room: Option<Setting<RoomId>>,
    token: Option<Setting<String>>,
}

impl Settings {
    /// Reads them. `folder` is where the project's file may be.
    pub fn load(flags: &Flags, environment: &Environment, home: &Home, folder: &Path) -> Result<Self, SettingsError> {
        let table = environment.get(env::ENV).unwrap_or("production");
        let mut layers = vec![Layer::of_flags(flags), Layer::of_environment(environment)];
        for path in [folder.join(PROJECT_FILE), home.config_file()] {
            layers.extend(Layer::of_file(&path, table)?);
        }
        let mut server = None;
        for layer in &layers {
            server = layer.server()?;
            if server.is_some() {
                break;
            }
        }
        let server = match server {
            Some(server) => server,
            None => Setting { value: address(DEFAULT_SERVER, &Source::Default)?, source: Source::Default },
        };
        let ca = layers.iter().find_map(|layer| layer.ca.clone());
        let server = believed(server, flags.insecure || environment.get(env::INSECURE).is_some(), ca)?;
        let room = layers.iter().find_map(|layer| layer.room.clone()).map(|Setting { value, source }| {
            RoomId::new(value.trim())
                .map(|value| Setting { value, source: source.clone() })
                .map_err(|error| SettingsError::Room { origin: source, error })
        });
        let room: Option<Setting<RoomId>> = room.transpose()?;
        // A place that names another room has the token of that one.
        let is_of_another = |layer: &&Layer| match (&layer.room, &room) {
            (Some(named), Some(room)) => named.value.trim() != room.value.as_str(),
            _ => false,
        };
        let token = layers.iter().filter(|layer| !is_of_another(layer)).find_map(|layer| layer.token.clone());
        Ok(Self { server, room, token })
    }

    /// The room, if one is set.
    pub fn room(&self) -> Option<&Setting<RoomId>> {
        self.room.as_ref()
    }

    /// The room, which must be set, and its password if that is set too.
    pub fn room_access(&self) -> Result<RoomAccess, SettingsError> {
        let room = self.room.clone().ok_or(SettingsError::NoRoom)?.value;
        let token = self.token.as_ref().map(|token| token.value.trim().to_owned());
        Ok(RoomAccess { room, token })
    }
}

/// What one place says.
#[derive(Default)]
struct Layer {
    server: Option<Setting<String>>,
    http: Option<Setting<String>>,
    ws: Option<Setting<String>>,
    room: Option<Setting<String>>,
    token: Option<Setting<String>>,
    ca: Option<Setting<String>>,
}

impl Layer {
    fn of_flags(flags: &Flags) -> Self {
        let set =
            |value: &Option<String>, name| value.clone().map(|value| Setting { value, source: Source::Flag(name) });
        Self {
            server: set(&flags.server, "--server"),
            room: set(&flags.room, "--room"),
            token: set(&flags.token, "--token-file"),
            ca: set(&flags.ca.as_ref().map(|path| path.display().to_string()), "--ca"),
            ..Self::default()
        }
    }

    fn of_environment(environment: &Environment) -> Self {
        let set = |name| {
            environment.get(name).map(|value| Setting { value: value.to_owned(), source: Source::Variable(name) })
        };
        Self {
            server: set(env::SERVER),
            http: set(env::SIGNALING_HTTP),
            ws: set(env::SIGNALING_WS),
            room: set(env::ROOM_ID),
            token: set(env::ROOM_TOKEN),
            ca: set(env::CA),
        }
    }

    fn of_file(path: &Path, table: &str) -> Result<Option<Self>, SettingsError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SettingsError::Read { path: path.to_owned(), source }),
        };
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            let at = error.span().map_or(0, |span| span.start);
            let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
            SettingsError::Syntax { path: path.to_owned(), line }
        })?;
        let set = |table: &[&str], key: &str| text_at(&document, table, key, path);
        let python = ["environments", table];
        Ok(Some(Self {
            server: set(&["default"], "server")?,
            http: set(&python, "signaling_http")?,
            ws: set(&python, "signaling_websocket")?,
            room: set(&["default"], "room")?,
            token: set(&["default"], "token")?,
            ca: set(&["default"], "ca")?.map(|ca| beside(path, ca)),
        }))
    }

    /// The server that this place names, if it names one.
    fn server(&self) -> Result<Option<Setting<Server>>, SettingsError> {
        let parsed = |setting: &Option<Setting<String>>| {
            setting.as_ref().map(|setting| address(&setting.value, &setting.source)).transpose()
        };
        let (base, http, ws) = (parsed(&self.server)?, parsed(&self.http)?, parsed(&self.ws)?);
        let Some(source) = [&self.http, &self.ws, &self.server].into_iter().find_map(|setting| setting.as_ref()) else {
            return Ok(None);
        };
        let http_side = http.as_ref().or(base.as_ref()).or(ws.as_ref());
        let ws_side = ws.as_ref().or(base.as_ref()).or(http.as_ref());
        Ok(http_side
            .zip(ws_side)
            .map(|(http, ws)| Setting { value: http.with_websocket_of(ws), source: source.source.clone() }))
    }
}

/// The server, if it may be talked to as its address says, and by whose word it will be believed.
fn believed(
    server: Setting<Server>,
    insecure: bool,
    ca: Option<Setting<String>>,
) -> Result<Setting<Server>, SettingsError> {
    let Setting { value, source } = server;
    if let Some(host) = value.open_host()
        && !insecure
    {
        return Err(SettingsError::NotEncrypted { origin: source, host: host.to_owned() });
    }
    let trust = match ca {
        // Nobody is asked for a certificate.
        _ if !value.is_encrypted() => Trust::default(),
        Some(Setting { value: path, source: origin }) => {
            let path = PathBuf::from(path.trim());
            Trust::of_file(&path).map_err(|reason| SettingsError::Ca { origin, path, reason })?
        }
        None => Trust::of_system(),
    };
    Ok(Setting { value: value.trusting(trust), source })
}

/// A file's name in a configuration file is seen from there, wherever the program runs.
fn beside(file: &Path, named: Setting<String>) -> Setting<String> {
    let Setting { value, source } = named;
    let path = file.with_file_name(value.trim());
    Setting { value: path.display().to_string(), source }
}

/// A text in a table of a file, if it is there and not empty.
fn text_at(
    document: &DocumentMut,
    table: &[&str],
    key: &str,
    path: &Path,
) -> Result<Option<Setting<String>>, SettingsError> {
    let found = table.iter().try_fold(document.as_item(), |item, name| item.get(name)).and_then(|item| item.get(key));
    let Some(item) = found else { return Ok(None) };
    let Some(value) = item.as_str() else {
        return Err(SettingsError::NotText { path: path.to_owned(), key: format!("{}.{key}", table.join(".")) });
    };
    let set = Setting { value: value.to_owned(), source: Source::File(path.to_owned()) };
    Ok((!value.trim().is_empty()).then_some(set))
}

fn address(text: &str, source: &Source) -> Result<Server, SettingsError> {
    text.parse().map_err(|error| SettingsError::Address { origin: source.clone(), error })
}
