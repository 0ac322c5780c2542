//! The account of this computer, and the Python package beside us.

use std::path::Path;

use serde_json::Value;
use sleap_rtc_peer::api::ApiError;
use sleap_rtc_peer::env::{self, Environment};
use sleap_rtc_peer::home::{Credentials, Home};
use sleap_rtc_peer::settings::{PythonServers, Server, Setting};

use super::check::Check;
use crate::context::Context;
use crate::text::clean;

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

/// Whether the Python package on this machine, if it is used here, goes to the same server.
pub(super) fn python(context: &Context) -> Option<Check> {
    const NAME: &str = "python";
    let environment = Environment::of_process();
    // The Python package knows no other folder than this one.
    let home = Home::find(&Environment::default()).ok()?;
    let credentials = match home.credentials() {
        Ok(credentials) => credentials,
        Err(error) => return Some(Check::warn(NAME, error.to_string(), "the Python package cannot read it either")),
    };
    let servers = match PythonServers::load(&environment, &home, Path::new(".")) {
        Ok(servers) => servers,
        Err(error) => return Some(Check::warn(NAME, error.to_string(), variables(&context.settings.server.value))),
    };
    let who = whom(&credentials, environment.get(env::ACCOUNT_KEY).is_some());
    if who.is_none() && servers.dashboard.is_none() {
        return None;
    }
    let who = who.unwrap_or_else(|| "not logged in".to_owned());
    Some(python_check(&who, &servers, &context.settings.server.value))
}

fn python_check(who: &str, servers: &PythonServers, ours: &Server) -> Check {
    const NAME: &str = "python";
    match elsewhere(servers, ours) {
        None => Check::ok(NAME, format!("the Python package goes to this server too; {who}")),
        Some(why) => Check::warn(NAME, format!("the Python package goes elsewhere: {why}; {who}"), variables(ours)),
    }
}

/// Whom the Python package is logged in as. No secret comes out of here.
fn whom(credentials: &Credentials, key_is_set: bool) -> Option<String> {
    let is_set = |name: &str| credentials.0.get(name).is_some_and(|value| !value.is_null());
    let name = credentials.0.get("user").and_then(|user| user.get("username")).and_then(Value::as_str);
    let login = is_set("jwt").then(|| format!("logged in as {}", clean(name.unwrap_or("somebody"))));
    let key = match (key_is_set, is_set("account_key")) {
        (true, _) => Some("an account key from SLEAP_RTC_ACCOUNT_KEY".to_owned()),
        (false, true) => Some("an account key saved".to_owned()),
        (false, false) => None,
    };
    let tokens = credentials.0.get("tokens").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    let tokens = (tokens > 0).then(|| format!("tokens of {}", crate::text::count(tokens, "room")));
    let parts: Vec<String> = [login, key, tokens].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What leads elsewhere, if anything does. Ports may differ: each of the server's serves both.
fn elsewhere(servers: &PythonServers, ours: &Server) -> Option<String> {
    let of = |setting: &Option<Setting<Server>>, variable: &str| match setting {
        None => Some(format!("{variable} is not set")),
        Some(setting) if host(setting.value.http()) == host(ours.http()) => None,
        Some(setting) => Some(format!("{} leads to {}", setting.source, setting.value)),
    };
    of(&servers.http, env::SIGNALING_HTTP).or_else(|| of(&servers.ws, env::SIGNALING_WS)).or_else(|| {
        let page = servers.dashboard.as_deref();
        match page {
            None => Some(format!("{} is not set, so it logs in elsewhere", env::DASHBOARD_URL)),
            Some(page) if host(page) == host(ours.http()) && page.trim_end_matches('/').ends_with("/login") => None,
            Some(page) => Some(format!("{} leads to {}", env::DASHBOARD_URL, clean(page))),
        }
    })
}

fn variables(ours: &Server) -> String {
    let (ws, http) = (ours.websocket(), ours.http());
    format!("export {}={ws} {}={http} {}={http}/login", env::SIGNALING_WS, env::SIGNALING_HTTP, env::DASHBOARD_URL)
}

/// The host of an address; this machine by any of its two usual names.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.to_ascii_lowercase();
    if host == "localhost" { "127.0.0.1".to_owned() } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(pairs: &[(&str, &str)]) -> PythonServers {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = Environment::of(pairs.iter().map(|(name, value)| (*name, *value)));
        PythonServers::load(&environment, &Home::at(folder.path()), folder.path()).expect("addresses")
    }

    fn ours() -> Server {
        "http://admin-box:8001".parse().expect("an address")
    }

    const WS: (&str, &str) = ("SLEAP_RTC_SIGNALING_WS", "ws://admin-box:8080");
    const HTTP: (&str, &str) = ("SLEAP_RTC_SIGNALING_HTTP", "http://admin-box:8001");
    const PAGE: (&str, &str) = ("SLEAP_DASHBOARD_URL", "http://admin-box:8001/login");

    #[test]
    fn all_three_variables_must_lead_here() {
        assert_eq!(elsewhere(&servers(&[WS, HTTP, PAGE]), &ours()), None);
        for (set, why) in [
            (&[WS, PAGE][..], "SLEAP_RTC_SIGNALING_HTTP is not set"),
            (&[HTTP, PAGE], "SLEAP_RTC_SIGNALING_WS is not set"),
            (&[WS, HTTP], "SLEAP_DASHBOARD_URL is not set, so it logs in elsewhere"),
            (
                &[WS, ("SLEAP_RTC_SIGNALING_HTTP", "https://signaling.sleap.ai"), PAGE],
                "SLEAP_RTC_SIGNALING_HTTP leads to https://signaling.sleap.ai",
            ),
            (
                &[WS, HTTP, ("SLEAP_DASHBOARD_URL", "http://admin-box:8001/")],
                "SLEAP_DASHBOARD_URL leads to http://admin-box:8001/",
            ),
        ] {
            assert_eq!(elsewhere(&servers(set), &ours()).as_deref(), Some(why));
        }
    }

    #[test]
    fn who_is_logged_in_is_said_without_a_secret() {
        let value = serde_json::json!({
            "jwt": "eyJ.secret", "account_key": "slp_acct_secret", "private_key": "secret",
            "user": {"username": "ad\u{1b}[1ma"}, "tokens": {"a7f3d2e1": {"api_key": "slp_secret"}}, "unknown": 1,
        });
        let Value::Object(map) = value else { unreachable!() };
        let who = whom(&Credentials(map), false).expect("somebody");
        assert_eq!(who, "logged in as ada, an account key saved, tokens of 1 room");
        assert_eq!(whom(&Credentials::default(), false), None);
    }
}
