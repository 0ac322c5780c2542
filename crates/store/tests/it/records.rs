//! Records to write.

use serde_json::{Value, json};
use sleap_rtc_wire::record::{
    AccountRecord, ApiKeyKind, ApiKeyRecord, DeviceKeyRecord, IdentityKind, IdentityRecord, InviteRecord, MemberRole,
    MembershipRecord, RoomKind, RoomRecord, Switches, WorkerRecord,
};
use sleap_rtc_wire::{ApiKey, KeyId, MemberId, Metadata, PeerId, PublicKey, RoomId, Time};

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

pub(crate) fn account(who: &str, username: &str) -> AccountRecord {
    let avatar_url = Some("https://avatars.example/7".to_owned());
    AccountRecord { member: member(who), username: username.to_owned(), avatar_url, created_at: Time(3) }
}

/// The key that these bytes make.
pub(crate) fn secret(n: u8) -> ApiKey {
    ApiKey::of_account([n; 24])
}

pub(crate) fn api_key(n: u8, owner: &str, created_at: u64) -> ApiKeyRecord {
    ApiKeyRecord {
        hash: secret(n).hash(),
        kind: ApiKeyKind::Account,
        owner: member(owner),
        name: format!("key {n}"),
        created_at: Time(created_at),
        expires_at: None,
        revoked_at: None,
    }
}

pub(crate) fn worker_key(n: u8, owner: &str, room: &str) -> ApiKeyRecord {
    let kind = ApiKeyKind::Worker(room_id(room));
    ApiKeyRecord { kind, expires_at: Some(Time(9)), revoked_at: Some(Time(8)), ..api_key(n, owner, u64::from(n)) }
}

pub(crate) fn device(n: u8, account: &str, proven: bool) -> DeviceKeyRecord {
    DeviceKeyRecord {
        key_id: KeyId::new(&format!("device-{n}-of-{account}")).unwrap(),
        account: member(account),
        public_key: PublicKey([n; 32]),
        device_name: format!("laptop {n}"),
        registered_at: Time(u64::from(n)),
        proven,
    }
}

pub(crate) fn invite(code: &str, room: &str, expires_at: u64) -> InviteRecord {
    InviteRecord {
        code: code.to_owned(),
        room_id: room_id(room),
        made_by: member("alice"),
        expires_at: Time(expires_at),
    }
}
