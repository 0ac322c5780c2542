//! Signing in by GitHub, against a stand-in that speaks its end points: `/login/oauth/access_token` and `/user`. (`/authorize` is a
//! page: what a browser brings back from it is played by the tests.)

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sleap_rtc_server::GitHub;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::login::{STATE, begin, form, poll};
use crate::rig::{Reply, TestServer, text};

const ID: &str = "Iv1.client";
const SECRET: &str = "the application's secret";

/// Whom GitHub knows: a code is good once.
struct StandIn {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Codes, with whom they stand for.
    codes: Vec<(String, Value)>,
    /// It answers 502 to everything.
    is_down: bool,
    asked: Vec<String>,
}

impl StandIn {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(State::default())));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { address, state }
    }

    async fn server(&self) -> TestServer {
        TestServer::with(|config| {
            let (site, api) = (format!("http://{}", self.address), format!("http://{}/api", self.address));
            config.github = Some(GitHub { site, api, ..GitHub::new(ID.to_owned(), SECRET.to_owned()) });
        })
        .await
    }

    /// Somebody has let the application see who they are.
    fn knows(&self, code: &str, id: u64, login: &str) {
        let user = json!({"id": id, "login": login, "avatar_url": "https://avatars.example/1", "type": "User"});
        self.state.lock().unwrap().codes.push((code.to_owned(), user));
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let request = loop {
        let n = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..n]);
        let request = String::from_utf8(bytes.clone()).unwrap();
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        if body.len() >= length {
            break request;
        }
    };
    let (status, body) = answer(&request, &mut state.lock().unwrap());
    let text = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    stream.write_all((head + &text).as_bytes()).await.unwrap();
}

fn answer(request: &str, state: &mut State) -> (u16, Value) {
    state.asked.push(request.to_owned());
    if state.is_down {
        return (502, json!({}));
    }
    let field = |name: &str| {
        let body = request.split_once("\r\n\r\n").unwrap().1;
        let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.replace('+', " ").replace("%27", "'")).next()
    };
    assert!(
        request.to_ascii_lowercase().contains("user-agent: sleap-rtc/"),
        "GitHub refuses who does not say who it is"
    );
    if request.starts_with("POST /login/oauth/access_token ") {
        if field("client_id").as_deref() != Some(ID) || field("client_secret").as_deref() != Some(SECRET) {
            return (
                200,
                json!({"error": "incorrect_client_credentials", "error_description": "The client_id and/or client_secret passed are incorrect."}),
            );
        }
        let known = state.codes.iter().any(|(code, _)| Some(code) == field("code").as_ref());
        return if known {
            (
                200,
                json!({"access_token": format!("gho_{}", field("code").unwrap()), "token_type": "bearer", "scope": ""}),
            )
        } else {
            (
                200,
                json!({"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."}),
            )
        };
    }
    assert!(request.starts_with("GET /api/user "), "{request}");
    let lower =
        request.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization: bearer gho_")).unwrap();
    let code = lower.split("gho_").nth(1).unwrap();
    let at = state.codes.iter().position(|(known, _)| known == code).unwrap();
    (200, state.codes.remove(at).1)
}

async fn call_back(server: &TestServer, body: Value) -> Reply {
    server.post("/api/auth/github/callback").json(&body).send().await
}

#[tokio::test]
async fn a_dashboards_code_becomes_an_account_and_its_first_key() {
    let github = StandIn::start().await;
    let server = github.server().await;
    github.knows("c1", 4711, "Octo-Cat");
    let first = call_back(&server, json!({"code": "c1", "redirect_uri": "https://dash.example/x"})).await.json();
    assert_eq!((&first["user"]["user_id"], &first["user"]["username"]), (&json!("4711"), &json!("Octo-Cat")));
    assert_eq!(first["user"]["avatar_url"], "https://avatars.example/1");
    for credential in [&first["token"], &first["account_key"]] {
        assert_eq!(server.get("/api/auth/account").bearer(&text(credential)).send().await.status, 200);
    }
    assert!(github.state.lock().unwrap().asked[0].contains("redirect_uri=https%3A%2F%2Fdash.example%2Fx"));
    // The next time it is the same person, and there is no new key.
    github.knows("c2", 4711, "Octo-Cat");
    let second = call_back(&server, json!({"code": "c2"})).await.json();
    assert_eq!((&second["user"], second.get("account_key")), (&first["user"], None));
}

#[tokio::test]
async fn a_name_that_is_taken_here_gets_a_number() {
    let github = StandIn::start().await;
    let server = github.server().await;
    for (id, name) in [(1, "ana"), (2, "ana-2")] {
        github.knows("c", id, if id == 1 { "ana" } else { "ANA" });
        let made = call_back(&server, json!({"code": "c"})).await.json();
        assert!(text(&made["user"]["username"]).eq_ignore_ascii_case(name), "{made}");
    }
}

#[tokio::test]
async fn what_github_refuses_is_told_in_the_deployed_servers_words_and_never_as_401() {
    let github = StandIn::start().await;
    let server = github.server().await;
    let bad = call_back(&server, json!({"code": "never given"})).await;
    let text = "GitHub OAuth error: The code passed is incorrect or expired.";
    assert_eq!((bad.status, &bad.json()["detail"]), (400, &json!(text)));
    github.state.lock().unwrap().is_down = true;
    let down = call_back(&server, json!({"code": "c"})).await;
    assert_eq!(down.error().0, 502);
    let without = TestServer::start().await;
    let unset = call_back(&without, json!({"code": "c"})).await;
    assert_eq!((unset.status, &unset.json()["detail"]), (500, &json!("GitHub OAuth not configured")));
}

/// Presses the page's button: where the browser is sent, and the cookie that it gets.
async fn to_github(server: &TestServer) -> (String, String) {
    let sent = form(server, "/login/github", &format!("cli_state={STATE}")).send().await;
    assert_eq!(sent.status, 303, "{sent:?}");
    let line = |name: &str| sent.head.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    (line("location: "), line("set-cookie: "))
}

#[tokio::test]
async fn the_pages_own_way_through_github_lets_the_computer_in() {
    let github = StandIn::start().await;
    let server = github.server().await;
    begin(&server).await;
    let page = server.get(&format!("/login?cli_state={STATE}")).send().await;
    assert!(
        page.body.contains("with GitHub")
            && page.head.contains(&format!("form-action 'self' http://{};", github.address))
    );
    let (to, cookie) = to_github(&server).await;
    let begins =
        format!("http://{}/login/oauth/authorize?client_id={}&state=", github.address, ID.to_ascii_lowercase());
    let nonce = to.strip_prefix(&begins).unwrap();
    for part in ["path=/login", "httponly", "samesite=lax", "max-age=600"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    github.knows("c1", 4711, "octocat");
    // As the test's HTTP reader lowers heads, the state in the cookie is written anew.
    let cookie = format!("sleap_login={nonce}.{STATE}; other=1");
    let back = format!("/login/github/callback?code=c1&state={nonce}");
    let done = server.get(&back).header("Cookie", &cookie).send().await;
    assert_eq!((done.status, done.body.contains("<b>octocat</b>")), (200, true), "{done:?}");
    assert!(done.head.contains("sleap_login=; path=/login") && done.head.contains("max-age=0"));
    let (status, told) = poll(&server).await;
    assert_eq!((status, &told["user"]["id"]), (200, &json!("4711")));
    assert!(text(&told["account_key"]).starts_with("slp_acct_"), "at the first login");
}

#[tokio::test]
async fn what_another_browser_brings_back_lets_nobody_in() {
    let github = StandIn::start().await;
    let server = github.server().await;
    begin(&server).await;
    let (to, _) = to_github(&server).await;
    let nonce = to.rsplit_once("state=").unwrap().1.to_owned();
    github.knows("c1", 4711, "octocat");
    let other = "0".repeat(32);
    for (state, cookie) in [
        (nonce.clone(), String::new()),
        (nonce.clone(), format!("sleap_login={other}.{STATE}")),
        (other, format!("sleap_login={nonce}.{STATE}")),
        (String::new(), format!("sleap_login=.{STATE}")),
    ] {
        let back = format!("/login/github/callback?code=c1&state={state}");
        let refused = server.get(&back).header("Cookie", &cookie).send().await;
        assert_eq!(refused.status, 403, "{cookie} {refused:?}");
    }
    assert!(github.state.lock().unwrap().asked.is_empty(), "GitHub was not even asked");
    assert_eq!(poll(&server).await.0, 202);
}
