//! What is said of accounts, their computers and their keys.

use serde_json::{Value, json};
use sleap_rtc_peer::api::accounts::AccountKey;
use sleap_rtc_peer::api::members::{Member, RoomChanged, WorkerToken};
use sleap_rtc_wire::PublicKey;
use sleap_rtc_wire::http::{Account, Device, User};
use sleap_rtc_wire::record::{MemberRole, Mesh};

use crate::roster::columns;
use crate::text::clean;

/// One account in full. `own` is the key of this computer.
pub fn lines(account: &Account, own: &PublicKey) -> Vec<String> {
    let mut lines = vec![
        format!("Name: {}", clean(&account.user.username)),
        format!("Account: {}", account.user.id),
        String::new(),
    ];
    let mut rows = vec![["COMPUTER", "SINCE", "GOOD FOR", "ID"].map(str::to_owned)];
    rows.extend(account.devices.iter().map(|device| row(device, own)));
    lines.extend(columns(&rows));
    lines
}

fn row(device: &Device, own: &PublicKey) -> [String; 4] {
    // A key that the Python package only says to have is told to workers, and opens nothing here.
    let good = match (device.proven, device.public_key == *own) {
        (true, true) => "your rooms and keys (this computer)",
        (true, false) => "your rooms and keys",
        (false, _) => "links of the Python package",
    };
    [clean(&device.device_name).into_owned(), day(&device.registered_at), good.to_owned(), device.key_id.to_string()]
}

/// The same for a program.
pub fn to_json(account: &Account, own: &PublicKey) -> Value {
    let devices = account.devices.iter().map(|device| {
        json!({
            "key_id": device.key_id,
            "device_name": clean(&device.device_name),
            "registered_at": device.registered_at,
            "proven": device.proven,
            "this": device.public_key == *own,
        })
    });
    json!({"event": "account", "user": user_json(&account.user), "devices": devices.collect::<Vec<_>>()})
}

/// Somebody for a program.
pub fn user_json(user: &User) -> Value {
    json!({"id": user.id, "username": clean(&user.username)})
}

/// Keys of an account as a table.
pub fn key_table(keys: &[AccountKey]) -> Vec<String> {
    let mut rows = vec![["KEY", "NAME", "MADE", "STATE"].map(str::to_owned)];
    rows.extend(keys.iter().map(|key| {
        let state = state(key.expires_at.as_deref(), key.revoked_at.as_deref(), key.revoked_at.is_none());
        [clean(&key.key_id).into_owned(), clean(&key.name).into_owned(), day(&key.created_at), state]
    }));
    columns(&rows)
}

/// A key for a program.
pub fn key_json(key: &AccountKey) -> Value {
    json!({
        "event": "account_key",
        "id": clean(&key.key_id),
        "name": clean(&key.name),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    })
}

/// Tokens of workers as a table.
pub fn token_table(tokens: &[WorkerToken]) -> Vec<String> {
    let mut rows = vec![["TOKEN", "WORKER", "ROOM", "MADE", "STATE"].map(str::to_owned)];
    rows.extend(tokens.iter().map(|token| {
        let room = token.room_name.as_deref().map_or_else(String::new, |name| format!(" ({})", clean(name)));
        [
            clean(&token.token_id).into_owned(),
            clean(&token.worker_name).into_owned(),
            format!("{}{room}", token.room_id),
            day(&token.created_at),
            state(token.expires_at.as_deref(), token.revoked_at.as_deref(), token.is_active),
        ]
    }));
    columns(&rows)
}

/// A token for a program.
pub fn token_json(token: &WorkerToken) -> Value {
    json!({
        "event": "worker_token",
        "id": clean(&token.token_id),
        "worker_name": clean(&token.worker_name),
        "room_id": token.room_id,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "is_active": token.is_active,
    })
}

/// Members of a room as a table.
pub fn member_table(members: &[Member]) -> Vec<String> {
    let mut rows = vec![["NAME", "ROLE", "SINCE", "ID"].map(str::to_owned)];
    rows.extend(members.iter().map(|member| {
        [
            clean(member_name(member)).into_owned(),
            role(member.role).to_owned(),
            day(&member.joined_at),
            member.user_id.to_string(),
        ]
    }));
    columns(&rows)
}

/// `ada (owner), bob, a computer without an account (6a7f…)`.
pub fn member_names(members: &[Member]) -> String {
    let owner = |member: &Member| if member.role == MemberRole::Owner { " (owner)" } else { "" };
    let names: Vec<String> =
        members.iter().map(|member| format!("{}{}", clean(member_name(member)), owner(member))).collect();
    names.join(", ")
}

/// A member for a program.
pub fn member_json(member: &Member) -> Value {
    json!({
        "event": "member",
        "user_id": member.user_id,
        "username": clean(&member.username),
        "role": member.role,
        "joined_at": member.joined_at,
    })
}

/// A room's switches in words.
pub fn switches(room: &RoomChanged) -> String {
    let mesh = if room.mesh == Mesh::Off { "off" } else { "reference" };
    let strict = if room.strict_offers { "on" } else { "off" };
    format!("mesh {mesh}, strict offers {strict}")
}

/// A key without an account has no name of its own: it is shown as the beginning of its id.
fn member_name(member: &Member) -> &str {
    let id = member.user_id.as_str();
    if member.username == id || member.username.is_empty() { &id[..id.len().min(12)] } else { &member.username }
}

const fn role(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Owner => "owner",
        MemberRole::Member => "member",
    }
}

fn state(expires: Option<&str>, revoked: Option<&str>, active: bool) -> String {
    match (revoked, expires) {
        (Some(at), _) => format!("revoked {}", day(at)),
        (None, Some(at)) if active => format!("until {}", day(at)),
        (None, Some(at)) => format!("ended {}", day(at)),
        (None, None) => "good".to_owned(),
    }
}

/// The day of an ISO 8601 time.
fn day(time: &str) -> String {
    clean(time.split('T').next().unwrap_or(time)).into_owned()
}
