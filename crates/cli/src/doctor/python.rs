//! The Python package beside us.

use std::path::Path;

use serde_json::Value;
use sleap_rtc_peer::api::{Api, ApiError};
use sleap_rtc_peer::env::{self, Environment};
use sleap_rtc_peer::home::{Credentials, Home};
use sleap_rtc_peer::settings::{PythonServers, Server, Setting};

use super::check::Check;
use crate::context::Context;
use crate::text::{clean, shell_word};

/// Whether the Python package on this machine, if it is used here, goes to the same server.
pub(super) async fn python(context: &Context) -> Option<Check> {
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
    let ours = &context.settings.server.value;
    let used = Used::of(&environment);
    let who = whom(&credentials, used);
    let is_led = servers.http.is_some() || servers.ws.is_some() || servers.dashboard.is_some();
    if who.is_none() && !is_led {
        return None;
    }
    let who = who.unwrap_or_else(|| "not logged in".to_owned());
    if let Some(why) = elsewhere(&servers, ours, used) {
        return Some(Check::warn(NAME, format!("the Python package goes elsewhere: {why}; {who}"), variables(ours)));
    }
    if let Some(why) = stale_login(&context.api(), &credentials, environment.get(env::ACCOUNT_KEY)).await {
        return Some(Check::warn(NAME, format!("{why}; {who}"), log_in_anew(&home, &credentials, used)));
    }
    Some(Check::ok(NAME, format!("the Python package goes to this server too; {who}")))
}

/// Which secrets the environment gives the Python package.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    account_key: bool,
    worker_token: bool,
}

impl Used {
    fn of(environment: &Environment) -> Self {
        let is_set = |name| environment.get(name).is_some();
        Self { account_key: is_set(env::ACCOUNT_KEY), worker_token: is_set(env::API_KEY) }
    }
}

/// Why the Python package's login is of no use at the server to which it leads, as far as can be told: it keeps what it had at
/// another one, and does not look whether this one knows it. It shows the server the same.
async fn stale_login(api: &Api, credentials: &Credentials, account_key: Option<&str>) -> Option<String> {
    let saved = |name: &str| credentials.0.get(name).and_then(Value::as_str);
    let shown = account_key.or_else(|| saved("account_key")).or_else(|| saved("jwt"))?;
    let is_told = credentials.0.get("public_key_registered").and_then(Value::as_bool) == Some(true);
    match api.account(shown).await {
        Ok(account) => {
            let key = credentials.python_key().filter(|_| is_told)?;
            let is_known = account.devices.iter().any(|device| device.public_key == key);
            let name = clean(&account.user.username).into_owned();
            (!is_known).then(|| format!("its key is not one of {name}'s here, and workers will refuse it"))
        }
        Err(ApiError::Refused { status: 401, .. }) => {
            Some("this server does not take its login or account key".to_owned())
        }
        Err(_) => None,
    }
}

/// Its own `login` keeps what another server knew, and its `logout` does nothing without a login.
fn log_in_anew(home: &Home, credentials: &Credentials, used: Used) -> String {
    if credentials.0.is_empty() {
        return format!("unset {}, or take one of this server: sleap-rtc key create --name NAME", env::ACCOUNT_KEY);
    }
    let file = home.folder().join("credentials.json");
    let file = shell_word(&file.display().to_string()).into_owned();
    let unset = if used.account_key { format!("unset {}; ", env::ACCOUNT_KEY) } else { String::new() };
    format!("{unset}mv {file} {file}.old; then, with the Python package: sleap-rtc login")
}

/// Whom the Python package is logged in as. No secret comes out of here.
fn whom(credentials: &Credentials, used: Used) -> Option<String> {
    let is_set = |name: &str| credentials.0.get(name).is_some_and(|value| !value.is_null());
    let name = credentials.0.get("user").and_then(|user| user.get("username")).and_then(Value::as_str);
    let login = is_set("jwt").then(|| format!("logged in as {}", clean(name.unwrap_or("somebody"))));
    let key = match (used.account_key, is_set("account_key")) {
        (true, _) => Some("an account key from SLEAP_RTC_ACCOUNT_KEY".to_owned()),
        (false, true) => Some("an account key saved".to_owned()),
        (false, false) => None,
    };
    let tokens = credentials.0.get("tokens").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    let tokens = (tokens > 0).then(|| format!("tokens of {}", crate::text::count(tokens, "room")));
    let token = used.worker_token.then(|| format!("a worker's token from {}", env::API_KEY));
    let parts: Vec<String> = [login, key, token, tokens].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What leads elsewhere, if anything does. Ports may differ: each of the server's serves both.
fn elsewhere(servers: &PythonServers, ours: &Server, used: Used) -> Option<String> {
    let of = |setting: &Option<Setting<Server>>, variable: &str| match setting {
        None => Some(format!("{variable} is not set")),
        Some(setting) if host(setting.value.http()) == host(ours.http()) => None,
        Some(setting) => Some(format!("{} leads to {}", setting.source, setting.value)),
    };
    of(&servers.http, env::SIGNALING_HTTP).or_else(|| of(&servers.ws, env::SIGNALING_WS)).or_else(|| {
        let page = servers.dashboard.as_deref();
        match page {
            // A worker that has its token logs in nowhere.
            None if used.worker_token => None,
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
        assert_eq!(elsewhere(&servers(&[WS, HTTP, PAGE]), &ours(), Used::default()), None);
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
            assert_eq!(elsewhere(&servers(set), &ours(), Used::default()).as_deref(), Some(why));
        }
        let worker = Used { worker_token: true, ..Used::default() };
        assert_eq!(elsewhere(&servers(&[WS, HTTP]), &ours(), worker), None, "it logs in nowhere");
    }

    #[test]
    fn who_is_logged_in_is_said_without_a_secret() {
        let value = serde_json::json!({
            "jwt": "eyJ.secret", "account_key": "slp_acct_secret", "private_key": "secret",
            "user": {"username": "ad\u{1b}[1ma"}, "tokens": {"a7f3d2e1": {"api_key": "slp_secret"}}, "unknown": 1,
        });
        let Value::Object(map) = value else { unreachable!() };
        let who = whom(&Credentials(map), Used::default()).expect("somebody");
        assert_eq!(who, "logged in as ada, an account key saved, tokens of 1 room");
        assert_eq!(whom(&Credentials::default(), Used::default()), None);
        let used =
            Used::of(&Environment::of([("SLEAP_RTC_API_KEY", "slp_secret"), ("SLEAP_RTC_ACCOUNT_KEY", "slp_acct_s")]));
        let who = whom(&Credentials::default(), used).expect("somebody");
        assert_eq!(who, "an account key from SLEAP_RTC_ACCOUNT_KEY, a worker's token from SLEAP_RTC_API_KEY");
    }
}
