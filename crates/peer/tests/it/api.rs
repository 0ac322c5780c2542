//! HTTP calls.

use serde_json::json;
use sleap_rtc_peer::api::accounts::LoginState;
use sleap_rtc_peer::api::{Api, ApiError};
use sleap_rtc_wire::http::{CleanUp, CreateRoom, Deleted};
use sleap_rtc_wire::{Code, RoomId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::rig::{Installation, TestServer};

#[tokio::test]
async fn the_key_signs_in_and_owns_what_it_makes() {
    let server = TestServer::start().await;
    let api = server.api();
    assert_eq!(api.health().await.unwrap().status, "healthy");
    let ada = Installation::new();
    let who = ada.sign_in(&api).await;
    assert_eq!(who.member, ada.key.public().member());
    assert!(who.is_valid());
    let room = api.create_room(&who.id_token, &CreateRoom { name: Some("pool".to_owned()), ttl: None }).await.unwrap();
    assert_eq!(room.name.as_deref(), Some("pool"));
    let listed = api.rooms(&who.id_token).await.unwrap();
    assert_eq!(listed.iter().map(|room| &room.room_id).collect::<Vec<_>>(), [&room.room_id]);
    assert_eq!(api.room(&who.id_token, &room.room_id).await.unwrap().token, Some(room.token));
    assert_eq!(api.extend_room(&who.id_token, &room.room_id).await.unwrap().room_id, room.room_id);
    api.delete_room(&who.id_token, &room.room_id, None).await.unwrap();
    let error = api.post::<Deleted>("/create-room", Some("not a token"), &CreateRoom::default()).await.unwrap_err();
    assert!(matches!(error, ApiError::Refused { status: 401, code: Code::AuthFailed, .. }), "{error:?}");
    let error = api.extend_room(&who.id_token, &RoomId::new("nowhere").unwrap()).await.unwrap_err();
    assert!(matches!(error, ApiError::Refused { status: 404, code: Code::RoomNotFound, .. }), "{error:?}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn an_anonymous_user_is_cleaned_up_unless_it_owns_a_room() {
    let server = TestServer::start().await;
    let api = server.api();
    let (user, owner) = (api.sign_in_anonymously().await.unwrap(), api.sign_in_anonymously().await.unwrap());
    let room = api.create_room(&owner.id_token, &CreateRoom::default()).await.unwrap();
    let who = Installation::new().sign_in(&api).await;
    let wanted = CleanUp { older_than: 0, dry_run: false };
    let cleaned = api.clean_up(&who.id_token, &wanted).await.unwrap();
    assert_eq!((cleaned.users, cleaned.deleted, cleaned.kept_owners), (vec![user.username], 1, 1));
    api.delete_room(&owner.id_token, &room.room_id, None).await.unwrap();
    let error = api.create_room(&owner.id_token, &CreateRoom::default()).await.unwrap_err();
    assert!(matches!(error, ApiError::Refused { status: 401, .. }), "the user went with its room: {error:?}");
}

#[tokio::test]
async fn a_room_is_deleted_by_its_token_when_the_sign_in_has_ended() {
    // Where no address counts.
    let server = TestServer::with(|config| config.public_url = Some("https://rtc.lab.edu".to_owned())).await;
    let (api, room) = (server.api(), server.room().await);
    let error = api.delete_room("ended", &room.id, None).await.unwrap_err();
    assert!(matches!(error, ApiError::Refused { status: 401, .. }), "{error:?}");
    let deleted = api.delete_room("ended", &room.id, Some(&room.token)).await.unwrap();
    assert_eq!(deleted.status, "peer deleted successfully");
}

#[tokio::test]
async fn a_list_of_rooms_is_read_page_by_page() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Api::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
    let room = |id: &str| {
        json!({"room_id": id, "kind": "named", "created_at": 1, "expires_at": null, "ttl": null, "peers": {}, "taken": 0,
            "waiting": 0})
    };
    let pages = [json!({"rooms": [room("a"), room("b")], "next": "b"}), json!({"rooms": [room("c")]})];
    let served = tokio::spawn(async move {
        let mut asked = Vec::new();
        for page in pages {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let n = stream.read(&mut request).await.unwrap();
            asked.push(String::from_utf8_lossy(&request[..n]).lines().next().unwrap().to_owned());
            let (head, body) = ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:", page.to_string());
            stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
        }
        asked
    });
    let rooms = api.rooms("token").await.unwrap();
    assert_eq!(rooms.iter().map(|room| room.room_id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(served.await.unwrap(), ["GET /rooms HTTP/1.1", "GET /rooms?after=b HTTP/1.1"]);
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let mut server = TestServer::start().await;
    server.stop().await;
    let error = server.api().health().await.unwrap_err();
    assert_eq!(error.to_string(), format!("{}/health cannot be reached: the connection was refused", server.url()));
    assert!(error.is_transient());
    let nowhere = Api::new("http://no-such-host.invalid:8001".parse().unwrap());
    let error = nowhere.health().await.unwrap_err().to_string();
    assert!(error.contains("no-such-host.invalid:8001/health cannot be reached"), "{error}");
}

#[tokio::test]
async fn the_secret_of_a_login_is_in_no_error() {
    let state = LoginState::draw().unwrap();
    let nobody = Api::new("http://127.0.0.1:1".parse().unwrap());
    let error = nobody.poll_login(&state).await.err().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Api::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
    tokio::spawn(async move {
        for answer in ["HTTP/1.1 200 OK", "HTTP/1.1 502 Bad Gateway"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
            let rest = "\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
            stream.write_all(format!("{answer}{rest}").as_bytes()).await.unwrap();
        }
    });
    let strange = api.poll_login(&state).await.err().unwrap();
    let broken = api.poll_login(&state).await.err().unwrap();
    for error in [error, strange, broken] {
        let text = format!("{error} {error:?}");
        assert!(text.contains("/api/auth/cli/poll") && !text.contains(state.reveal()), "{text}");
    }
}

#[tokio::test]
async fn another_program_at_the_address_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let api = Api::new(format!("http://{address}").parse().unwrap());
    let error = api.health().await.unwrap_err();
    assert_eq!(error.to_string(), format!("http://{address}/health answers (200), but is no sleap-rtc server"));
}
