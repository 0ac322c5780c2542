//! Where this run's server, room and key come from, and what their errors mean to the user.

use std::path::Path;
use std::sync::Arc;

use sleap_rtc_client::local::Explained;
use sleap_rtc_client::{Code, TrainError};
use sleap_rtc_link::webrtc::{self, WebRtcConnector};
use sleap_rtc_peer::api::{Api, ApiError, SignedIn};
use sleap_rtc_peer::env::Environment;
use sleap_rtc_peer::home::{Home, HomeError};
use sleap_rtc_peer::settings::{DEFAULT_SERVER, Flags, RoomAccess, Settings, SettingsError};
use sleap_rtc_session::KeyPair;
use sleap_rtc_wire::Code as WireCode;

use crate::args::{Connect, Dial};
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;

/// What a command needs to talk to a server.
#[derive(Clone)]
pub(crate) struct Context {
    /// Settings and keys.
    pub(crate) home: Home,
    /// Server and room, and who said so.
    pub(crate) settings: Settings,
}

impl Context {
    /// Reads flags, environment and files.
    pub(crate) fn load(connect: &Connect) -> CliResult<Self> {
        let environment = Environment::of_process();
        let home = Home::find(&environment).map_err(|error| home_error(&error))?;
        let token = connect.token_file.as_deref().map(token).transpose()?;
        let Dial { server, ca, insecure } = connect.dial.clone();
        let flags = Flags { server, room: connect.room.clone(), token, insecure, ca };
        let settings = Settings::load(&flags, &environment, &home, Path::new("."));
        Ok(Self { home, settings: settings.map_err(|error| settings_error(&error))? })
    }

    /// The same where only the server matters.
    pub(crate) fn of_server(dial: Dial) -> CliResult<Self> {
        Self::load(&Connect { dial, ..Connect::default() })
    }

    /// The room, which must be set, and its token if there is one.
    pub(crate) fn room(&self) -> CliResult<RoomAccess> {
        self.settings.room_access().map_err(|error| settings_error(&error))
    }

    /// The installation's key.
    pub(crate) fn key(&self) -> CliResult<KeyPair> {
        self.home.installation_key().map_err(|error| home_error(&error))
    }

    /// What the client's verbs need.
    pub(crate) fn client(&self) -> sleap_rtc_client::Config {
        let connector = Arc::new(WebRtcConnector::new(webrtc::Config::default()));
        sleap_rtc_client::Config::new(self.home.clone(), self.settings.clone(), connector)
    }

    /// Calls to the server.
    pub(crate) fn api(&self) -> Api {
        Api::new(self.settings.server.value.clone())
    }

    /// Signs in with the installation's key.
    pub(crate) async fn sign_in(&self, api: &Api) -> CliResult<SignedIn> {
        let key = self.key()?;
        api.sign_in(&key).await.map_err(|error| self.api_error("cannot sign in to the server", &error))
    }

    /// A failed call in three parts.
    pub(crate) fn api_error(&self, what: &str, error: &ApiError) -> CliError {
        let setting = &self.settings.server;
        match error {
            ApiError::Unreachable { cause, .. } => unreachable(&setting.value.to_string(), cause),
            ApiError::NotAServer { .. } => {
                CliError::new(Exit::ServerUnreachable, format!("there is no sleap-rtc server at {}", setting.value))
                    .because(error)
                    .hint(format!("check the address; it comes from {}", setting.source))
            }
            ApiError::Refused { status, code, text } => {
                let error = |exit| CliError::new(exit, what).cause(text.clone());
                match (code, status) {
                    (
                        WireCode::AuthFailed | WireCode::RoomNotFound | WireCode::RoomExpired | WireCode::Forbidden,
                        _,
                    ) => error(Exit::RoomRefused).hint("sleap-rtc doctor"),
                    (_, 400 | 413 | 422) => error(Exit::Usage),
                    (_, 429) => error(Exit::ServerUnreachable).hint("wait a minute and try again"),
                    _ => error(Exit::ServerUnreachable).hint("see the server's own output"),
                }
            }
            ApiError::Internal(_) => CliError::internal(error.to_string()),
        }
    }
}

/// What a verb of the client could not do: its own words, and the exit code of its kind.
pub(crate) fn client_error(error: &TrainError) -> CliError {
    if let TrainError::Settings(error) = error {
        return settings_error(error);
    }
    let exit = match error.code() {
        Code::Usage => Exit::Usage,
        Code::BadInput => Exit::BadInput,
        Code::ServerUnreachable => Exit::ServerUnreachable,
        Code::RoomRefused => Exit::RoomRefused,
        Code::NoWorker => Exit::NoWorker,
        Code::WorkerUnreachable => Exit::WorkerUnreachable,
        Code::NoTrainer => Exit::NoTrainer,
        Code::JobFailed => Exit::JobFailed,
        Code::LocalDisk => Exit::LocalDisk,
        Code::Taken => Exit::Taken,
        Code::NoSuchJob => Exit::NoSuchJob,
        Code::Internal => Exit::Internal,
    };
    let Explained { what, cause, hint } = error.explained();
    CliError::new(exit, what).cause(cause).hint(hint)
}

/// Nobody answers at an address.
pub(crate) fn unreachable(server: &str, cause: &str) -> CliError {
    let error =
        CliError::new(Exit::ServerUnreachable, format!("the server at {server} cannot be reached")).cause(cause);
    if server == DEFAULT_SERVER {
        error
            .hint("start one here: sleap-rtc server")
            .hint("or name another: export SLEAP_RTC_SERVER=http://admin-box:8001")
    } else {
        error.hint("is it running, and is its port open? On its machine: sleap-rtc doctor")
    }
}

/// The room's token out of a file.
fn token(path: &Path) -> CliResult<String> {
    let failed = || {
        CliError::new(Exit::Usage, "cannot read the room's token").hint("--token-file FILE, with the token alone in it")
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed().cause(format!("{}: {error}", path.display())))?;
    let token = text.trim();
    if token.is_empty() { Err(failed().cause(format!("{} is empty", path.display()))) } else { Ok(token.to_owned()) }
}

/// Settings that cannot be used.
pub(crate) fn settings_error(error: &SettingsError) -> CliError {
    let base = |what: &str| CliError::new(Exit::Usage, what).because(error);
    match error {
        SettingsError::NoRoom => CliError::new(Exit::Usage, "no room is set")
            .cause("neither --room nor SLEAP_RTC_ROOM_ID nor a configuration file names one")
            .hint("export SLEAP_RTC_ROOM_ID=… SLEAP_RTC_ROOM_TOKEN=…, as `sleap-rtc room create` printed them"),
        SettingsError::Read { .. } | SettingsError::Syntax { .. } | SettingsError::NotText { .. } => {
            base("cannot read the settings").hint("mend the file, or move it away")
        }
        SettingsError::Address { .. } => {
            base("cannot use the server's address").hint("write it as http://admin-box:8001")
        }
        SettingsError::NotEncrypted { .. } => base("nothing is sent to this server without encryption")
            .hint("does it speak TLS? Write https://")
            .hint("is the network between you and it your own? Add --insecure, or: export SLEAP_RTC_INSECURE=1"),
        SettingsError::Ca { .. } => {
            base("cannot read the certificates to believe").hint("--ca FILE, with -----BEGIN CERTIFICATE----- in it")
        }
        SettingsError::Room { .. } => base("cannot use the room's id").hint("copy it from `sleap-rtc room create`"),
    }
}

/// Files of ours that cannot be used.
pub(crate) fn home_error(error: &HomeError) -> CliError {
    match error {
        HomeError::NoHome => CliError::new(Exit::Usage, "there is no home folder")
            .cause("HOME is not set")
            .hint("export SLEAP_RTC_HOME=/a/folder/of/yours"),
        HomeError::Invalid { .. } => {
            CliError::new(Exit::LocalDisk, "a file of sleap-rtc is damaged").because(error).hint("move it away")
        }
        HomeError::Io { .. } => CliError::new(Exit::LocalDisk, "a file of sleap-rtc cannot be used")
            .because(error)
            .hint("check its permissions and the disk: sleap-rtc doctor"),
        HomeError::Random(_) => CliError::internal(error.to_string()),
    }
}
