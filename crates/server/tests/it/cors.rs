//! Browsers of any origin may call.

use crate::rig::{Request, TestServer};

const ORIGIN: &str = "https://dashboard.lab.edu";

#[tokio::test]
async fn a_preflight_is_allowed() {
    let server = TestServer::start().await;
    let reply = Request::new(server.http, "OPTIONS", "/create-room")
        .header("Origin", ORIGIN)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type")
        .send()
        .await;
    assert_eq!(reply.status, 200);
    assert!(reply.has_header(&format!("access-control-allow-origin: {ORIGIN}")));
    assert!(reply.has_header("access-control-allow-headers: authorization,content-type"));
    assert!(reply.head.contains("access-control-allow-methods: get, post"));
}

#[tokio::test]
async fn answers_and_errors_may_be_read_by_any_origin() {
    let server = TestServer::start().await;
    for path in ["/health", "/nowhere", "/create-room"] {
        let reply = server.get(path).header("Origin", ORIGIN).send().await;
        assert!(reply.has_header(&format!("access-control-allow-origin: {ORIGIN}")), "{path}: {reply:?}");
        assert!(reply.has_header("access-control-allow-credentials: true"), "{path}");
    }
}
