use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use sleap_rtc_wire::{Code, DecodeError, FromPeer, Text, ToPeer};

use crate::any;

proptest! {
    #[test]
    fn no_text_is_a_panic(text in any::text()) {
        let _ = ToPeer::decode(&text);
        let _ = FromPeer::decode(&Text::from(text));
    }

    #[test]
    fn no_json_is_a_panic(value in any::value()) {
        let text = value.to_string();
        let _ = ToPeer::decode(&text);
        let _ = FromPeer::decode(&Text::from(text));
    }

    /// A good frame in which one value is another, a key is gone, or the end is missing.
    #[test]
    fn no_damaged_frame_is_a_panic(
        frame in any::from_peer(),
        at in any::<prop::sample::Index>(),
        other in any::value(),
        gone: bool,
    ) {
        let text = frame.encode();
        let cut = text.floor_char_boundary(at.index(text.len()));
        let _ = FromPeer::decode(&Text::from(text[..cut].to_owned()));

        let mut value: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
        let key = value.keys().nth(at.index(value.len())).unwrap().clone();
        if gone {
            value.remove(&key);
        } else {
            value.insert(key, other);
        }
        if let Err(error) = FromPeer::decode(&Text::from(serde_json::Value::Object(value).to_string())) {
            let answer = error.frame();
            prop_assert!(answer.is_some() || error == DecodeError::Ignored);
        }
    }
}

/// The list and the type are made of the same lines, so none is left out; here each is another one, and means itself.
#[test]
fn every_code_is_in_the_list_and_read_back() {
    let texts: BTreeSet<&str> = Code::ALL.into_iter().map(Code::as_str).collect();
    assert_eq!(texts.len(), Code::ALL.len(), "none twice");
    for code in Code::ALL {
        assert_eq!(serde_json::from_value::<Code>(json!(code.as_str())).unwrap(), code);
    }
}

#[test]
fn errors_have_the_words_of_the_deployed_server() {
    let told = |text: &str| {
        let error = FromPeer::decode(&Text::from(text.to_owned())).unwrap_err();
        error.frame().map(|frame| (frame.code, frame.message))
    };
    let invalid_json = Some((Code::InvalidJson, "Invalid JSON format".to_owned()));
    assert_eq!(told("{"), invalid_json);
    for no_object in ["", "1", "null", "\"ping\"", "[1]", "[\"ping\"]", " [\"register\"]"] {
        assert_eq!(told(no_object), invalid_json, "{no_object}");
    }
    let unknown = Some((Code::UnknownMessageType, "Unknown message type: dance".to_owned()));
    assert_eq!(told(r#"{"type":"dance"}"#), unknown);
    let missing = |fields: &str| Some((Code::InvalidMessage, format!("Missing required fields: {fields}")));
    assert_eq!(told(r#"{"type":"peer_message","to_peer_id":"w1","payload":{}}"#), missing("from_peer_id, payload"));
    assert_eq!(told(r#"{"type":"update_metadata","peer_id":"w1","metadata":{}}"#), missing("metadata"));
    assert_eq!(told(r#"{"type":"discover_peers"}"#), missing("from_peer_id"));
    assert_eq!(told(r#"{"type":"update_metadata"}"#), missing("peer_id, metadata"));
    for empty in ["{ }", "[\n]", "\"\"", "0", "null", "false"] {
        let text = format!(r#"{{"type":"update_metadata","peer_id":"w1","metadata":{empty}}}"#);
        assert_eq!(told(&text), missing("metadata"), "{empty}");
        let text = format!(r#"{{"type":"peer_message","from_peer_id":"a","to_peer_id":"b","payload":{empty}}}"#);
        assert_eq!(told(&text), missing("payload"), "{empty}");
    }
}

/// serde would read a list as the fields of a frame in their order, and old peers would choke on what we hand on.
#[test]
fn a_list_is_no_frame() {
    let list = r#"["offer",null,null,null,"c1","w1"]"#;
    assert_eq!(FromPeer::decode(&Text::from(list.to_owned())), Err(DecodeError::InvalidJson));
    assert!(FromPeer::decode(&Text::from(" \t\r\n{\"type\":\"ping\"}".to_owned())).is_ok());
}

#[test]
fn where_old_programs_expect_silence_there_is_none_to_answer() {
    for text in [
        r#"{"type":"offer","target":"w1"}"#,
        r#"{"type":"answer","sender":"w1"}"#,
        r#"{"type":"candidate","sender":1,"target":"w1"}"#,
        r#"{"type":"error","reason":"x"}"#,
        // Nobody has an error for itself: this one is made to look as if its target had sent it.
        r#"{"type":"error","sender":"c1","target":"c1","reason":"x"}"#,
    ] {
        assert_eq!(FromPeer::decode(&Text::from(text.to_owned())), Err(DecodeError::Ignored), "{text}");
    }
}

#[test]
fn deep_nesting_is_refused_without_a_stack_overflow() {
    let deep = |inside: &str| format!("{}{inside}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = format!(r#"{{"type":"discover_peers","from_peer_id":"c","filters":{}}}"#, deep("1"));
    assert!(FromPeer::decode(&Text::from(text)).is_err());
    let text = format!(r#"{{"type":"peer_message","from_peer_id":"a","to_peer_id":"b","payload":{}}}"#, deep("1"));
    let _ = FromPeer::decode(&Text::from(text.clone()));
    assert!(ToPeer::decode(&text).is_err());
}
