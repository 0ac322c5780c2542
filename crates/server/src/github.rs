//! Signing in by GitHub: a code that a browser brought back becomes the person whom GitHub names.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use ureq::Agent;
use ureq::http::Response;

/// Who this server is at GitHub: `GITHUB_CLIENT_ID`, `GITHUB_CLIENT_SECRET`, `GITHUB_REDIRECT_URI`.
#[derive(Clone)]
pub struct GitHub {
    /// The application's public name.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Where GitHub sends a browser back to, if it is not what is registered there.
    pub redirect_uri: Option<String>,
    /// Where people sign in. Default: `https://github.com`.
    pub site: String,
    /// Where programs ask. Default: `https://api.github.com`.
    pub api: String,
}

/// Without the secret.
impl std::fmt::Debug for GitHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { client_id, redirect_uri, site, api, .. } = self;
        f.debug_struct("GitHub")
            .field("client_id", client_id)
            .field("redirect_uri", redirect_uri)
            .field("site", site)
            .field("api", api)
            .finish_non_exhaustive()
    }
}

impl GitHub {
    /// An application at the real GitHub.
    pub fn new(client_id: String, client_secret: String) -> Self {
        let (site, api) = ("https://github.com".to_owned(), "https://api.github.com".to_owned());
        Self { client_id, client_secret, redirect_uri: None, site, api }
    }
}

/// Somebody, as GitHub names them.
#[derive(Debug, Deserialize)]
pub(crate) struct GitHubUser {
    pub(crate) id: u64,
    pub(crate) login: String,
    #[serde(default)]
    pub(crate) avatar_url: Option<String>,
}

/// Why GitHub named nobody, in the deployed server's words where it has any.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitHubError {
    #[error("GitHub OAuth error: {0}")]
    Refused(String),
    #[error("No access token received from GitHub")]
    NoToken,
    #[error("Failed to fetch GitHub user info")]
    NoUser,
    #[error("GitHub did not answer: {0}")]
    Unreachable(String),
    #[error("too many sign-ins by GitHub are under way, try again")]
    Busy,
}

/// Sign-ins by GitHub that wait for it at once; each holds a thread.
const AT_ONCE: usize = 8;
/// How long GitHub may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, bytes.
const ANSWER: u64 = 64 << 10;
/// What a refusal may say, characters.
const REASON: usize = 200;

/// The way to GitHub.
pub(crate) struct Way {
    agent: Agent,
    free: Arc<Semaphore>,
}

impl Default for Way {
    fn default() -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("sleap-rtc/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: agent.into(), free: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Way {
    /// Whom a code stands for. GitHub takes a code once.
    pub(crate) async fn user(
        &self,
        github: &GitHub,
        code: String,
        redirect_uri: Option<String>,
    ) -> Result<GitHubUser, GitHubError> {
        let permit = self.free.clone().try_acquire_owned().map_err(|_| GitHubError::Busy)?;
        let (agent, github) = (self.agent.clone(), github.clone());
        let asked = tokio::task::spawn_blocking(move || {
            // The thread's: it goes on if whoever asks hangs up.
            let _permit = permit;
            let token = access_token(&agent, &github, &code, redirect_uri.as_deref())?;
            user(&agent, &github, &token)
        });
        asked.await.map_err(|error| GitHubError::Unreachable(error.to_string()))?
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

fn access_token(agent: &Agent, github: &GitHub, code: &str, redirect_uri: Option<&str>) -> Result<String, GitHubError> {
    let mut form = vec![
        ("client_id", github.client_id.as_str()),
        ("client_secret", github.client_secret.as_str()),
        ("code", code),
    ];
    form.extend(redirect_uri.map(|uri| ("redirect_uri", uri)));
    let url = format!("{}/login/oauth/access_token", github.site);
    let answer = agent.post(&url).header("accept", "application/json").send_form(form);
    let answer: TokenAnswer = read(answer, || GitHubError::NoToken)?;
    if let Some(error) = answer.error_description.or(answer.error) {
        return Err(GitHubError::Refused(error.chars().filter(|c| !c.is_control()).take(REASON).collect()));
    }
    answer.access_token.filter(|token| !token.is_empty()).ok_or(GitHubError::NoToken)
}

fn user(agent: &Agent, github: &GitHub, token: &str) -> Result<GitHubUser, GitHubError> {
    let request = agent
        .get(&format!("{}/user", github.api))
        .header("accept", "application/vnd.github+json")
        .header("authorization", &format!("Bearer {token}"));
    read(request.call(), || GitHubError::NoUser)
}

/// An answer's body; `refused` if there is a plain no.
fn read<T: DeserializeOwned>(
    answer: Result<Response<ureq::Body>, ureq::Error>,
    refused: impl Fn() -> GitHubError,
) -> Result<T, GitHubError> {
    let unreachable = |error: ureq::Error| GitHubError::Unreachable(error.to_string());
    let mut answer = answer.map_err(unreachable)?;
    let status = answer.status();
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(GitHubError::Unreachable(status.to_string()));
    }
    if !status.is_success() {
        return Err(refused());
    }
    let text = answer.body_mut().with_config().limit(ANSWER).read_to_string().map_err(unreachable)?;
    serde_json::from_str(&text).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn who_hangs_up_frees_no_place_before_its_thread_is_done() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = format!("http://{}", silent.local_addr().unwrap());
        let github = GitHub { site, ..GitHub::new("id".to_owned(), "secret".to_owned()) };
        let way = Arc::new(Way::default());
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            let (way, github) = (way.clone(), github.clone());
            let asking = tokio::spawn(async move { way.user(&github, "code".to_owned(), None).await });
            held.push(silent.accept().await.unwrap());
            asking.abort();
            assert!(asking.await.unwrap_err().is_cancelled());
        }
        let one_more = way.user(&github, "code".to_owned(), None).await;
        assert!(matches!(one_more, Err(GitHubError::Busy)));
    }
}
