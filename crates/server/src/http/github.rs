//! The account of somebody whom GitHub names.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use sleap_rtc_store::StoreError;
use sleap_rtc_wire::http::AccountSignedIn;
use sleap_rtc_wire::record::{AccountRecord, Change};
use sleap_rtc_wire::{ApiKey, Code, MemberId};

use super::accounts::{new_account, new_key, signed_in};
use super::address::Address;
use super::body::Body;
use super::fault::Fault;
use super::sign_in;
use crate::app::App;
use crate::github::{GitHub, GitHubError, GitHubUser};

/// Names that are tried for somebody whose own is taken here: `NAME-2`, `NAME-3`…
const NAMES: usize = 20;
/// What the first key of an account is called.
const FIRST_KEY: &str = "made at the first login";

#[derive(Deserialize)]
pub(crate) struct CallBack {
    code: String,
    #[serde(default)]
    redirect_uri: Option<String>,
}

/// `POST /api/auth/github/callback`: for a dashboard to which GitHub sent the browser back.
pub(crate) async fn call_back(
    State(app): State<Arc<App>>,
    address: Address,
    body: Body,
) -> Result<Json<AccountSignedIn>, Fault> {
    sign_in::counted(&app, address)?;
    let CallBack { code, redirect_uri } = body.json()?;
    let github = configured(&app)?;
    let (account, key) = account_of(&app, github, code, redirect_uri.or_else(|| github.redirect_uri.clone())).await?;
    Ok(Json(signed_in(&app, &account, key.as_ref()).await?))
}

/// GitHub, if this server is known there.
pub(super) fn configured(app: &App) -> Result<&GitHub, Fault> {
    let github = app.context.config.github.as_ref();
    github
        .ok_or_else(|| Fault::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Unsupported, "GitHub OAuth not configured"))
}

/// The account that a code from GitHub stands for, and its first key if it was just made.
pub(super) async fn account_of(
    app: &App,
    github: &GitHub,
    code: String,
    redirect_uri: Option<String>,
) -> Result<(AccountRecord, Option<ApiKey>), Fault> {
    let user = app.github.user(github, code, redirect_uri).await.map_err(|error| not_named(&error))?;
    // Digits are always a valid member id.
    let member = MemberId::new(&user.id.to_string()).map_err(|_| Fault::internal())?;
    let _alone = app.accounts.lock().await;
    match app.context.store.account(&member).await? {
        Some(known) => Ok((brought_up_to_date(app, known, user).await?, None)),
        None => made(app, member, user).await.map(|(account, key)| (account, Some(key))),
    }
}

/// With the picture that it has now. Its name stays: others know it by that.
async fn brought_up_to_date(app: &App, known: AccountRecord, user: GitHubUser) -> Result<AccountRecord, Fault> {
    if known.avatar_url == user.avatar_url {
        return Ok(known);
    }
    let now = AccountRecord { avatar_url: user.avatar_url, ..known };
    app.context.store.apply(vec![Change::PutAccount(now.clone())]).await?;
    Ok(now)
}

async fn made(app: &App, member: MemberId, user: GitHubUser) -> Result<(AccountRecord, ApiKey), Fault> {
    let (secret, key) = new_key(&member, FIRST_KEY, None, app.context.now())?;
    for n in 1..=NAMES {
        let name = if n == 1 { user.login.clone() } else { format!("{:.35}-{n}", user.login) };
        let account = new_account(app, member.clone(), &name, user.avatar_url.clone())?;
        let changes = vec![Change::PutAccount(account.clone()), Change::PutApiKey(key.clone())];
        match app.context.store.apply(changes).await {
            Ok(()) => {
                tracing::info!(account = %account.member, "account made by GitHub");
                return Ok((account, secret));
            }
            Err(StoreError::NameTaken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Fault::conflict(format!("the name {} is taken, and all like it", user.login)))
}

/// Never 401: a browser would be logged out, and a program throws its key away.
fn not_named(error: &GitHubError) -> Fault {
    let (status, code) = match error {
        GitHubError::Refused(_) | GitHubError::NoToken | GitHubError::NoUser => {
            (StatusCode::BAD_REQUEST, Code::AuthFailed)
        }
        GitHubError::Unreachable(_) => (StatusCode::BAD_GATEWAY, Code::Internal),
        GitHubError::Busy => (StatusCode::SERVICE_UNAVAILABLE, Code::RateLimited),
    };
    tracing::warn!(%error, "a sign-in by GitHub failed");
    Fault::new(status, code, error.to_string())
}
