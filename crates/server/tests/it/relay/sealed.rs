//! What a browser and a worker encrypt for each other: the server hands it on and cannot read it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};

use super::Lab;
use crate::rig::text;

/// For what the key is derived, as in the deployed programs.
const INFO: &[u8] = b"sleap-rtc-relay-e2e-v1";

#[tokio::test]
async fn encrypted_frames_go_end_to_end() {
    let lab = Lab::new().await;
    let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
    let mut of_worker = browser.watch("worker:gpu1").await;

    let (here, there) = (Half::new(), Half::new());
    let exchange = json!({"type": "key_exchange", "session_id": "s-1", "public_key": here.public()});
    browser.ok("/api/worker/key", json!({"peer_id": "gpu1", "message": exchange})).await;
    let asked = worker.socket.frame().await;
    assert_eq!(asked, exchange, "unchanged");
    let answer = json!({"type": "key_exchange_response", "session_id": "s-1", "public_key": there.public()});
    worker.socket.send(answer).await;
    let answer = of_worker.event().await;
    assert_eq!(answer["session_id"], "s-1");
    let (mine, theirs) = (here.agree(&text(&answer["public_key"])), there.agree(&text(&asked["public_key"])));

    let question = json!({"type": "fs_list_req", "req_id": "r1", "path": "/secret"});
    browser.ok("/api/worker/fs", sealed_for("gpu1", &mine, &question)).await;
    let frame = worker.socket.expect("encrypted_relay").await;
    assert_eq!(frame["session_id"], "s-1");
    assert_eq!(theirs.open(&frame), question);
    let reply = json!({"type": "fs_list_res", "req_id": "r1", "entries": []});
    worker.socket.send(sealed(&theirs, &reply, json!({"req_id": "r1"}))).await;
    let event = of_worker.event().await;
    assert_eq!((&event["type"], &event["req_id"]), (&json!("encrypted_relay"), &json!("r1")));
    assert_eq!(mine.open(&event), reply);

    // What is about a job goes to those who watch the job.
    let job = json!({"type": "job_assigned", "config": {"type": "train"}});
    browser.ok("/api/worker/job", sealed_for("gpu1", &mine, &job)).await;
    assert_eq!(theirs.open(&worker.socket.expect("encrypted_relay").await), job);
    let mut of_job = browser.watch("job_0a1b2c3d").await;
    let status = json!({"type": "job_status", "status": "accepted"});
    worker.socket.send(sealed(&theirs, &status, json!({"job_id": "job_0a1b2c3d"}))).await;
    assert_eq!(mine.open(&of_job.event().await), status);
}

/// The body of a call with something sealed.
fn sealed_for(peer: &str, key: &Key, plain: &Value) -> Value {
    let (nonce, ciphertext) = key.seal(plain);
    json!({"peer_id": peer, "session_id": "s-1", "nonce": nonce, "ciphertext": ciphertext})
}

/// A frame of a worker with something sealed, and more in the clear.
fn sealed(key: &Key, plain: &Value, more: Value) -> Value {
    let (nonce, ciphertext) = key.seal(plain);
    let mut frame = json!({"type": "encrypted_relay", "session_id": "s-1", "nonce": nonce, "ciphertext": ciphertext});
    if let (Value::Object(frame), Value::Object(more)) = (&mut frame, more) {
        frame.extend(more);
    }
    frame
}

/// One end before the exchange.
struct Half(EphemeralPrivateKey);

impl Half {
    fn new() -> Self {
        Self(EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap())
    }

    fn public(&self) -> String {
        let point = self.0.compute_public_key().unwrap();
        assert_eq!(point.as_ref().len(), 65, "an uncompressed point");
        URL_SAFE_NO_PAD.encode(point)
    }

    fn agree(self, other: &str) -> Key {
        let other = UnparsedPublicKey::new(&ECDH_P256, URL_SAFE_NO_PAD.decode(other).unwrap());
        let key = agree_ephemeral(self.0, &other, |secret| {
            let derived = Salt::new(HKDF_SHA256, &[]).extract(secret);
            UnboundKey::from(derived.expand(&[INFO], &AES_256_GCM).unwrap())
        });
        Key(LessSafeKey::new(key.unwrap()))
    }
}

/// What both ends have after it.
struct Key(LessSafeKey);

impl Key {
    fn seal(&self, plain: &Value) -> (String, String) {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).unwrap();
        let mut bytes = plain.to_string().into_bytes();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(unique, Aad::empty(), &mut bytes).unwrap();
        (STANDARD.encode(nonce), STANDARD.encode(bytes))
    }

    fn open(&self, frame: &Value) -> Value {
        let bytes = |field: &str| STANDARD.decode(text(&frame[field])).unwrap();
        let nonce = Nonce::try_assume_unique_for_key(&bytes("nonce")).unwrap();
        let mut sealed = bytes("ciphertext");
        let plain = self.0.open_in_place(nonce, Aad::empty(), &mut sealed).unwrap();
        serde_json::from_slice(plain).unwrap()
    }
}
