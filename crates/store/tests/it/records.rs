//! Records to write.

use serde_json::{Value, json};
use sleap_rtc_wire::record::{
    IdentityKind, IdentityRecord, MemberRole, MembershipRecord, RoomKind, RoomRecord, Switches, WorkerRecord,
};
use sleap_rtc_wire::{MemberId, Metadata, PeerId, PublicKey, RoomId, Time};

pub(crate) fn room_id(id: &str) -> RoomId {
    RoomId::new(id).unwrap()
}

pub(crate) fn member(id: &str) -> MemberId {
    MemberId::new(id).unwrap()
}

pub(crate) fn room(id: &str) -> RoomRecord {
    RoomRecord {
        room_id: room_id(id),
        token: format!("token of {id}"),
        created_by: member("alice"),
        created_at: Time(1_764_000_000_123),
        name: Some("talmolab 'gpu' pool \u{1f41d}".to_owned()),
        kind: RoomKind::Named,
        ttl_ms: Some(30 * 86_400_000),
        expires_at: Some(Time(1_766_592_000_123)),
        epoch: 1,
        switches: Switches::default(),
    }
}

pub(crate) fn membership(room: &str, who: &str, role: MemberRole) -> MembershipRecord {
    MembershipRecord { room_id: room_id(room), member: member(who), role, joined_at: Time(7) }
}

pub(crate) fn identity(who: &str, kind: IdentityKind, created_at: u64) -> IdentityRecord {
    let key = (kind == IdentityKind::Key).then_some(PublicKey([200; 32]));
    IdentityRecord { member: member(who), kind, username: format!("{who} by name"), key, created_at: Time(created_at) }
}

pub(crate) fn metadata(of: Value) -> Metadata {
    Metadata::from(of)
}

pub(crate) fn worker(room: &str, peer: &str) -> WorkerRecord {
    WorkerRecord {
        room_id: room_id(room),
        peer_id: PeerId::new(peer).unwrap(),
        member: member("alice"),
        metadata: metadata(
            json!({"tags": ["sleap-rtc"], "properties": {"status": "available", "gpu_memory_mb": 24576}}),
        ),
        silent_since: None,
        taken: None,
    }
}
