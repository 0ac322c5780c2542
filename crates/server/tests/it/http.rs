//! What every call has in common, and those without a subject of their own.

use serde_json::json;

use crate::rig::{Request, TestServer};

#[tokio::test]
async fn health_tells_status_time_and_version_on_both_ports() {
    let server = TestServer::start().await;
    for port in [server.http, server.ws] {
        let reply = Request::new(port, "GET", "/health").send().await;
        assert_eq!(reply.status, 200);
        let body = reply.json();
        assert_eq!((body["status"].as_str(), body["version"].as_str()), (Some("healthy"), Some("2.0.0")));
        let time = body["timestamp"].as_str().unwrap();
        assert!(time.len() == "2026-02-03T10:20:30.123456Z".len() && time.ends_with('Z'), "{time}");
    }
}

#[tokio::test]
async fn ready_asks_the_store() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/ready").send().await.json(), json!({"status": "ready"}));
}

#[tokio::test]
async fn metrics_are_those_of_the_deployed_server() {
    let server = TestServer::start().await;
    let body = server.get("/metrics").send().await.json();
    for (name, value) in [
        ("active_rooms", json!(0)),
        ("active_connections", json!(0)),
        ("peers_by_role", json!({})),
        ("total_connections", json!(0)),
        ("total_messages", json!(0)),
        ("rooms_created", json!(0)),
    ] {
        assert_eq!(body[name], value, "{name}");
    }
    assert!(body["timestamp"].is_string());
}

#[tokio::test]
async fn prometheus_metrics_name_each_value_with_its_kind() {
    let server = TestServer::start().await;
    server.room().await;
    let reply = server.get("/metrics/prometheus").send().await;
    assert!(reply.has_header("content-type: text/plain; version=0.0.4"));
    assert!(reply.body.contains("# TYPE sleap_rtc_rooms_created_total counter\nsleap_rtc_rooms_created_total 1\n"));
    assert!(reply.body.contains("# TYPE sleap_rtc_connected_peers gauge\nsleap_rtc_connected_peers 0\n"));
}

#[tokio::test]
async fn an_unknown_path_and_a_wrong_verb_are_told_apart() {
    let server = TestServer::start().await;
    let unknown = server.get("/nowhere").send().await;
    assert_eq!((unknown.status, &unknown.json()["detail"]), (404, &json!("Not Found")));
    unknown.error();
    let wrong = server.get("/create-room").send().await;
    assert_eq!((wrong.status, &wrong.json()["detail"]), (405, &json!("Method Not Allowed")));
    wrong.error();
}

#[tokio::test]
async fn a_body_that_is_no_json_or_lacks_a_field_is_422_and_says_where() {
    let server = TestServer::start().await;
    let broken = server.post("/delete-peer").body("{").send().await;
    assert_eq!(broken.error(), (422, "INVALID_MESSAGE".to_owned()));
    assert_eq!(broken.json()["detail"][0]["type"], "json_invalid");
    let missing = server.post("/extend-room").json(&json!({})).send().await;
    assert_eq!(missing.error(), (422, "INVALID_MESSAGE".to_owned()));
    assert_eq!(missing.json()["detail"][0]["loc"], json!(["body", "room_id"]));
    let wrong = server.post("/extend-room").json(&json!({"room_id": "no room id"})).send().await;
    assert_eq!(wrong.error(), (422, "INVALID_MESSAGE".to_owned()));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413_and_names_the_limit() {
    let server = TestServer::start().await;
    let reply = server.post("/delete-peer").body(vec![b' '; (64 << 10) + 1]).send().await;
    assert_eq!(reply.error(), (413, "TOO_LARGE".to_owned()));
    assert!(reply.body.contains("65536"));
}
