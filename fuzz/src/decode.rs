//! Frames between peers and server, and between peers.

use bytes::Bytes;
use serde_json::Value;
use sleap_rtc_wire::peer::{Bulk, PeerFrame};
use sleap_rtc_wire::{Filters, FromPeer, Metadata, Text, ToPeer, limits};

/// Reads the bytes as everything that they might be.
pub fn run(data: &[u8]) {
    let _ = Bulk::decode(&Bytes::copy_from_slice(data));
    let Ok(text) = std::str::from_utf8(data) else { return };
    from_peer(&Text::from(text));
    if let Ok(frame) = ToPeer::decode(text) {
        let again = frame.encode();
        assert!(ToPeer::decode(&again).is_ok() || again.is_empty(), "{again}");
    }
    let _ = PeerFrame::decode(text);
    filters(text);
}

fn from_peer(text: &Text) {
    match FromPeer::decode(text) {
        // Metadata that is none is read as empty, and empty metadata counts as missing: as the deployed server has it.
        Ok(FromPeer::UpdateMetadata(update)) if update.metadata.text() == "{}" => {}
        Ok(frame) => {
            let again = frame.encode();
            let read = FromPeer::decode(&again);
            assert!(read.is_ok(), "{text} was read, and {again} is not: {read:?}");
        }
        Err(error) => {
            if let Some(frame) = error.frame() {
                let answer = ToPeer::Error(frame).encode();
                assert!(answer.len() < 16 << 10, "{} bytes of error", answer.len());
            }
        }
    }
}

fn filters(text: &str) {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    let Ok(filters) = serde_json::from_value::<Filters>(value["filters"].clone()) else { return };
    let Ok(mut metadata) = serde_json::from_value::<Metadata>(value["metadata"].clone()) else { return };
    let before = filters.matches("worker", &metadata);
    assert_eq!(before, filters.matches("worker", &metadata));
    let _ = (filters.limit(), filters.role(), filters.sort());
    let written = serde_json::to_string(&filters).expect("filters can be written");
    let again: Filters = serde_json::from_str(&written).expect("what is written can be read");
    assert_eq!(before, again.matches("worker", &metadata), "{written}");
    if metadata.exceeds().is_none() {
        metadata.merge(metadata.clone());
        assert!(metadata.text().len() <= limits::METADATA + 64);
    }
}
