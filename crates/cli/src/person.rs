//! The account that this computer belongs to.

use sleap_rtc_peer::api::{Api, ApiError};
use sleap_rtc_wire::Code;
use sleap_rtc_wire::http::{AccountSignedIn, User};

use crate::args::Dial;
use crate::context::Context;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;

/// Somebody with an account.
pub(crate) struct Person {
    /// Server and settings.
    pub(crate) context: Context,
    /// Calls to the server.
    pub(crate) api: Api,
    /// The account's token, which each call shows. A secret.
    pub(crate) token: String,
    /// Whose it is.
    pub(crate) user: User,
}

impl Person {
    /// Signs in with the installation's key, as the account that it is attached to.
    pub(crate) async fn new(dial: Dial) -> CliResult<Self> {
        let context = Context::of_server(dial)?;
        let api = context.api();
        let id_token = context.sign_in(&api).await?.id_token;
        let account = api.key_login(&id_token).await;
        let account = account.map_err(|error| context.api_error("cannot sign in to your account", &error))?;
        let Some(AccountSignedIn { token, user, .. }) = account else { return Err(no_account(&context)) };
        Ok(Self { context, api, token, user })
    }

    /// The server's words.
    pub(crate) fn says(&self, text: &str) -> String {
        format!("the server at {} says: {text}", self.context.settings.server.value)
    }

    /// A call about something of the account, named by its public name, that failed.
    pub(crate) fn error(&self, what: &str, error: &ApiError, list: &str) -> CliError {
        match error {
            ApiError::Refused { code: Code::NotFound | Code::Forbidden, text, .. } => {
                CliError::new(Exit::Usage, what).cause(self.says(text)).hint(list)
            }
            _ => self.context.api_error(what, error),
        }
    }
}

fn no_account(context: &Context) -> CliError {
    CliError::new(Exit::RoomRefused, "this computer belongs to no account")
        .cause(format!("{} knows its key, and no account that has it", context.settings.server.value))
        .hint("you have an account: sleap-rtc login")
        .hint("you have none yet: sleap-rtc account create NAME")
}

/// A secret where a public name is meant.
pub(crate) fn secret_refused(kind: &str, list: &str) -> CliError {
    CliError::new(Exit::Usage, format!("a {kind} is not taken from the command line"))
        .cause("others on this machine can read a program's arguments")
        .hint(format!("name it as this prints it: {list}"))
}
