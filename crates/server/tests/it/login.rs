//! A program's login: it asks, somebody allows it, it is told once.

use serde_json::{Value, json};

use crate::rig::{Account, ELSEWHERE, Installation, Request, TestServer, text};

pub(crate) const STATE: &str = "dYn0cXxvQm0TtVwRk8bq_1-AaZzYyXxWwVvUuTtSs2";

pub(crate) async fn poll(server: &TestServer) -> (u16, Value) {
    let request = server.get(&format!("/api/auth/cli/poll?state={STATE}")).header("User-Agent", "python-requests/2.32");
    let reply = request.send().await;
    assert!(reply.has_header("cache-control: no-store"), "{reply:?}");
    (reply.status, reply.json())
}

/// Begins a login; its code.
pub(crate) async fn begin(server: &TestServer) -> String {
    let (status, pending) = poll(server).await;
    assert_eq!((status, &pending["status"]), (202, &json!("pending")));
    text(&pending["code"])
}

/// A form, as a browser sends it from our own page.
pub(crate) fn form(server: &TestServer, path: &str, body: &str) -> Request {
    let request = server.post(path).header("Content-Type", "application/x-www-form-urlencoded");
    request.header("Origin", &format!("http://{}", server.http)).body(body)
}

#[tokio::test]
async fn the_page_names_the_computer_that_asks() {
    let server = TestServer::start().await;
    let page = server.get(&format!("/login?cli=true&cli_state={STATE}")).send().await;
    assert_eq!((page.status, page.body.contains("refresh")), (404, true), "the program asks a moment later");
    let code = begin(&server).await;
    let page = server.get(&format!("/login?cli=true&cli_state={STATE}")).send().await;
    assert_eq!(page.status, 200);
    for shown in [code.as_str(), "127.0.0.1", "python-requests/2.32", "--allow"] {
        assert!(page.body.contains(shown), "{shown} in {}", page.body);
    }
    assert!(!page.body.contains("GitHub"), "it is not set up");
    for line in [
        "x-frame-options: DENY",
        "cache-control: no-store",
        "referrer-policy: same-origin",
        "x-content-type-options: nosniff",
    ] {
        assert!(page.has_header(line), "{line} in {}", page.head);
    }
    let policy = "content-security-policy: default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    assert!(page.has_header(policy), "{}", page.head);
    assert_eq!(server.get("/login").send().await.status, 200);
    assert_eq!(server.get("/login?cli_state=short").send().await.status, 400);
    assert!(server.get("/login/style.css").send().await.has_header("content-type: text/css; charset=utf-8"));
}

#[tokio::test]
async fn a_key_typed_into_the_page_lets_it_in_once() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let key = ana.key(&server).await;
    begin(&server).await;
    let done = form(&server, "/login", &format!("cli_state={STATE}&account_key={key}")).send().await;
    assert_eq!((done.status, done.body.contains("<b>ana</b>")), (200, true), "{done:?}");
    let (status, told) = poll(&server).await;
    assert_eq!((status, &told["user"]["username"], &told["user"]["id"]), (200, &json!("ana"), &json!(ana.id)));
    assert!(told.get("account_key").is_none());
    let account = server.get("/api/auth/account").bearer(&text(&told["jwt"])).send().await;
    assert_eq!(account.status, 200, "{account:?}");
    assert_eq!(poll(&server).await.0, 202, "told once");
}

#[tokio::test]
async fn another_page_cannot_press_the_button() {
    let server = TestServer::start().await;
    let key = Account::new(&server, "ana").await.key(&server).await;
    begin(&server).await;
    let body = format!("cli_state={STATE}&account_key={key}");
    let own = format!("http://{}", server.http);
    let senders: [&[(&str, &str)]; 6] = [
        &[],
        &[("Origin", "http://evil.example")],
        &[("Origin", "null")],
        // The same machine under another port is another page.
        &[("Origin", "http://127.0.0.1:1")],
        &[("Origin", &own), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", &own), ("Sec-Fetch-Site", "same-site")],
    ];
    for headers in senders {
        for path in ["/login", "/login/github"] {
            let mut request =
                server.post(path).header("Content-Type", "application/x-www-form-urlencoded").body(body.clone());
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let refused = request.send().await;
            assert_eq!(refused.status, 403, "{headers:?} {refused:?}");
        }
    }
    assert_eq!(poll(&server).await.0, 202);
    let ours = form(&server, "/login", &body).header("Sec-Fetch-Site", "same-origin").send().await;
    assert_eq!(ours.status, 200, "{ours:?}");
    // Nor may another page read what this one shows.
    let read = server.get(&format!("/login?cli_state={STATE}")).header("Origin", "http://evil.example").send().await;
    assert!(!read.head.contains("access-control-allow-origin"), "{}", read.head);
}

#[tokio::test]
async fn a_wrong_key_is_a_page_and_a_guess() {
    let server = TestServer::with(|config| config.limits.guesses = 2).await;
    let ana = Account::new(&server, "ana").await;
    let key = ana.key(&server).await;
    begin(&server).await;
    for wrong in ["", "hello"] {
        let reply = form(&server, "/login", &format!("cli_state={STATE}&account_key={wrong}")).send().await;
        assert_eq!(
            (reply.status, reply.has_header("content-type: text/html; charset=utf-8")),
            (403, true),
            "{reply:?}"
        );
    }
    let right = form(&server, "/login", &format!("cli_state={STATE}&account_key={key}")).send().await;
    assert_eq!(right.status, 429, "{right:?}");
    let elsewhere =
        form(&server, "/login", &format!("cli_state={STATE}&account_key={key}")).from(ELSEWHERE).send().await;
    assert_eq!(elsewhere.status, 200, "{elsewhere:?}");
}

#[tokio::test]
async fn a_computer_that_is_logged_in_allows_it_by_its_code() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let code = begin(&server).await;
    let asking =
        ana.get(&server, &format!("/api/auth/cli/asking?code={}", code.to_lowercase().replace('-', ""))).await.json();
    assert_eq!((&asking["address"], &asking["program"]), (&json!("127.0.0.1"), &json!("python-requests/2.32")));
    let wrong = ana.post(&server, "/api/auth/cli/allow", &json!({"code": "AAAA-AAAA"})).await;
    assert_eq!(wrong.error(), (404, "NOT_FOUND".to_owned()));
    let stranger = Installation::new().sign_in(&server).await;
    for (path, body) in [("/api/auth/cli/allow", json!({"code": code}))] {
        assert_eq!(server.post(path).bearer(&stranger).json(&body).send().await.status, 403);
        assert_eq!(server.post(path).json(&body).send().await.status, 422);
    }
    // By the key of a computer of the account as well as by its token.
    let id_token = ana.computer.sign_in(&server).await;
    let allowed = server.post("/api/auth/cli/allow").bearer(&id_token).json(&json!({"code": code})).send().await;
    assert_eq!((allowed.status, allowed.json()), (200, json!({"status": "ok"})));
    let twice = ana.post(&server, "/api/auth/cli/allow", &json!({"code": code})).await;
    assert_eq!(twice.error(), (409, "CONFLICT".to_owned()));
    assert_eq!(poll(&server).await.1["user"]["username"], "ana");
}

#[tokio::test]
async fn a_deposit_is_taken_for_a_login_that_was_asked_for_and_names_whom_its_token_names() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let deposit = async |body: Value| server.post("/api/auth/cli/deposit").json(&body).send().await;
    let body = json!({"state": STATE, "jwt": ana.token, "user": {"id": bob.id, "username": "bob"}});
    assert_eq!(deposit(body.clone()).await.error(), (404, "NOT_FOUND".to_owned()), "nobody asked");
    begin(&server).await;
    let short = deposit(json!({"state": "short", "jwt": ana.token, "user": {}})).await;
    assert_eq!((short.status, &short.json()["detail"]), (400, &json!("Invalid state format")));
    assert_eq!(deposit(json!({"state": STATE, "jwt": "forged", "user": {}})).await.status, 401);
    for no_account in [ana.key(&server).await, ana.computer.sign_in(&server).await, server.anonymous().await.id_token] {
        assert_eq!(deposit(json!({"state": STATE, "jwt": no_account, "user": {}})).await.status, 403);
    }
    let others_key = json!({"state": STATE, "jwt": ana.token, "user": {}, "account_key": bob.key(&server).await});
    assert_eq!(deposit(others_key).await.status, 400);
    assert_eq!(deposit(body.clone()).await.json(), json!({"status": "ok"}));
    assert_eq!(deposit(body).await.status, 409, "the first word counts");
    let (_, told) = poll(&server).await;
    assert_eq!((&told["jwt"], &told["user"]["username"]), (&json!(ana.token), &json!("ana")));
}

#[tokio::test]
async fn only_the_address_that_asked_first_is_told() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let code = begin(&server).await;
    let elsewhere = async || server.get(&format!("/api/auth/cli/poll?state={STATE}")).from(ELSEWHERE).send().await;
    let told = elsewhere().await;
    assert_eq!((told.status, told.json()), (202, json!({"status": "pending", "code": null})));
    ana.post(&server, "/api/auth/cli/allow", &json!({"code": code})).await;
    assert_eq!(elsewhere().await.status, 202);
    assert_eq!(poll(&server).await.0, 200);
}

#[tokio::test]
async fn a_poll_says_what_is_wrong_with_it() {
    let server = TestServer::start().await;
    let missing = server.get("/api/auth/cli/poll").send().await;
    assert_eq!((missing.status, &missing.json()["detail"][0]["loc"]), (422, &json!(["query", "state"])));
    for (state, text) in [("", "Missing state parameter"), ("short", "Invalid state format")] {
        let reply = server.get(&format!("/api/auth/cli/poll?state={state}")).send().await;
        assert_eq!((reply.status, &reply.json()["detail"]), (400, &json!(text)));
    }
}
