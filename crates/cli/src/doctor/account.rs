//! The account of this computer.

use sleap_rtc_peer::api::ApiError;

use super::check::Check;
use crate::context::Context;

/// Whether this computer belongs to an account.
pub(super) async fn account(context: &Context) -> Check {
    const NAME: &str = "account";
    let api = context.api();
    let signed_in = match context.sign_in(&api).await {
        Ok(signed_in) => signed_in,
        Err(error) => return super::room::failed(NAME, &error),
    };
    match api.key_login(&signed_in.id_token).await {
        Ok(Some(account)) => Check::ok(NAME, format!("{}; in its rooms no token is needed", account.user.username)),
        Ok(None) => Check::ok(NAME, "none; a room's token is enough. To be in rooms by name: sleap-rtc login"),
        // A server of before accounts.
        Err(ApiError::NotAServer { status: 404, .. } | ApiError::Refused { status: 404, .. }) => {
            Check::ok(NAME, "this server has none")
        }
        Err(error) => super::room::failed(NAME, &context.api_error("the account is not known", &error)),
    }
}
