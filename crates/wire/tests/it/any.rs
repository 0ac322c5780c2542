//! Any value of each kind, for the property tests.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};
use sleap_rtc_wire::claim::{
    Claim, ClaimEnded, ClaimGranted, ClaimRefused, ClaimWaiting, Claimed, EndReason, HeldClaim, HeldState, Reason,
    Seat, Workers,
};
use sleap_rtc_wire::signal::{
    AbsentPeer, Description, Discover, IceServer, PeerEntry, Register, RegisteredAuth, RelayKind, UpdateMetadata,
};
use sleap_rtc_wire::{
    ClaimId, Code, ErrorFrame, Fence, Filters, FromPeer, JobId, Metadata, PeerId, PublicKey, RoomId, Time, ToPeer,
};

/// Any text, the nasty ones often.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => any::<String>(),
        1 => "\\PC{0,12}",
        1 => Just("\"\\\u{0}\u{1f}\u{2028}\u{2029}é\u{1F98B}".to_owned()),
        1 => Just("null".to_owned()),
    ]
}

pub(crate) fn peer() -> impl Strategy<Value = PeerId> {
    let names = prop_oneof![any::<String>(), "[ -~]{1,20}", "\\PC{1,16}"];
    names.prop_filter_map("not a peer id", |name| PeerId::new(&name).ok())
}

pub(crate) fn word() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,64}"
}

pub(crate) fn job() -> impl Strategy<Value = JobId> {
    word().prop_map(|word| JobId::new(&word).unwrap())
}

pub(crate) fn claim_id() -> impl Strategy<Value = ClaimId> {
    word().prop_map(|word| ClaimId::new(&word).unwrap())
}

pub(crate) fn room() -> impl Strategy<Value = RoomId> {
    word().prop_map(|word| RoomId::new(&word).unwrap())
}

pub(crate) fn fence() -> impl Strategy<Value = Fence> {
    (any::<u64>(), any::<u64>()).prop_map(Fence::from)
}

pub(crate) fn time() -> impl Strategy<Value = Time> {
    any::<u64>().prop_map(Time)
}

pub(crate) fn key() -> impl Strategy<Value = PublicKey> {
    any::<[u8; 32]>().prop_map(PublicKey)
}

/// Any JSON, small.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-8_i32..8).prop_map(|n| Value::from(f64::from(n) / 2.0)),
        prop::num::f64::NORMAL.prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

pub(crate) fn metadata() -> impl Strategy<Value = Metadata> {
    (vec(text(), 0..4), vec((text(), value()), 0..4), vec((text(), value()), 0..2)).prop_map(
        |(tags, properties, more)| {
            let mut map: serde_json::Map<String, Value> = more.into_iter().collect();
            map.insert("tags".to_owned(), json!(tags));
            map.insert("properties".to_owned(), Value::Object(properties.into_iter().collect()));
            Metadata::from(Value::Object(map))
        },
    )
}

/// Filters as a client would write them.
pub(crate) fn filters() -> impl Strategy<Value = Filters> {
    let operator = prop_oneof![Just("$gte"), Just("$lte"), Just("$eq"), Just("$ne"), Just("$exists"), Just("$weird")];
    let condition = prop_oneof![
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
        (operator, -5_i64..5).prop_map(|(operator, operand)| json!({operator: operand})),
    ];
    (of(text()), of(vec(text(), 0..3)), vec((text(), condition), 0..3), of(0..100_u32)).prop_map(
        |(role, tags, properties, limit)| {
            let properties: serde_json::Map<String, Value> = properties.into_iter().collect();
            let source = json!({"role": role, "tags": tags, "properties": properties, "limit": limit});
            let given = source.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
            Filters::parse(Value::Object(given.map(|(key, value)| (key.clone(), value.clone())).collect())).unwrap()
        },
    )
}

pub(crate) fn grant() -> impl Strategy<Value = ClaimGranted> {
    (claim_id(), fence(), peer(), of(key()), job(), any::<u32>(), time()).prop_map(
        |(claim_id, fence, client, client_key, job_id, attempt, lease_until)| ClaimGranted {
            claim_id,
            fence,
            client,
            client_key,
            job_id,
            attempt,
            lease_until,
        },
    )
}

fn held() -> impl Strategy<Value = HeldClaim> {
    let state = prop_oneof![Just(HeldState::Leased), Just(HeldState::Used)];
    (grant(), state, of(time())).prop_map(|(grant, state, used_at)| HeldClaim { grant, state, used_at })
}

fn register() -> impl Strategy<Value = Register> {
    let who = (of(peer()), text(), metadata(), any::<bool>());
    let credentials = (of(room()), of(text()), of(text()), of(text()), of(text()));
    (who, credentials, vec(text(), 0..3), vec(held(), 0..3)).prop_map(
        |((peer_id, role, metadata, is_admin), (room_id, token, api_key, jwt, id_token), features, claims)| Register {
            peer_id,
            role,
            metadata,
            is_admin,
            room_id,
            token,
            api_key,
            jwt,
            id_token,
            features,
            claims,
        },
    )
}

fn claim() -> impl Strategy<Value = Claim> {
    (text(), filters(), any::<u64>(), any::<u64>(), job(), any::<u32>(), any::<u32>(), of(seat())).prop_map(
        |(request_id, filters, wait_ms, lease_ms, job_id, attempt, count, seat)| Claim {
            request_id,
            filters,
            wait_ms,
            lease_ms,
            job_id,
            attempt,
            count,
            seat,
        },
    )
}

/// A message to another peer, whose payload is not one of those that Python takes for missing.
pub(crate) fn relayed() -> impl Strategy<Value = FromPeer> {
    let kind = prop_oneof![Just(RelayKind::Offer), Just(RelayKind::Answer)];
    let more = vec(("[a-z]{1,4}_x", value()), 0..3);
    prop_oneof![
        (peer(), peer(), value()).prop_map(|(from, to, payload)| FromPeer::peer_message(
            &from,
            &to,
            &json!({"payload": payload})
        )),
        (kind, peer(), peer(), text(), more).prop_map(|(kind, from, to, sdp, more)| FromPeer::description(
            kind,
            &from,
            &to,
            &sdp,
            more.into_iter().collect()
        )),
    ]
}

/// Any frame of a peer. Its metadata is never empty, which an update must not be.
pub(crate) fn from_peer() -> impl Strategy<Value = FromPeer> {
    use sleap_rtc_wire::claim::{ClaimReleased, ClaimUsed, Release, Withdraw};
    let update =
        (peer(), metadata(), of(filters()), of(text())).prop_map(|(peer_id, metadata, condition, request_id)| {
            UpdateMetadata { peer_id, metadata, condition, request_id }
        });
    prop_oneof![
        register().prop_map(|register| FromPeer::Register(Box::new(register))),
        (peer(), filters(), any::<bool>()).prop_map(|(from_peer_id, filters, absent)| FromPeer::DiscoverPeers(
            Discover { from_peer_id, filters, absent }
        )),
        text().prop_map(|request_id| FromPeer::Withdraw(Withdraw { request_id })),
        Just(FromPeer::Leave),
        update.prop_map(FromPeer::UpdateMetadata),
        claim().prop_map(FromPeer::Claim),
        claim_id().prop_map(|claim_id| FromPeer::Release(Release { claim_id })),
        claim_id().prop_map(|claim_id| FromPeer::ClaimUsed(ClaimUsed { claim_id })),
        claim_id().prop_map(|claim_id| FromPeer::ClaimReleased(ClaimReleased { claim_id })),
        Just(FromPeer::Ping),
        Just(FromPeer::Pong),
        relayed(),
    ]
}

fn ice() -> impl Strategy<Value = Vec<IceServer>> {
    let one = (vec(text(), 0..3), of(text()), of(text())).prop_map(|(urls, username, credential)| IceServer {
        urls,
        username,
        credential,
    });
    vec(one, 0..3)
}

fn registered_auth() -> impl Strategy<Value = RegisteredAuth> {
    let who = (room(), of(text()), peer(), of(peer()), vec(peer(), 0..3), value());
    (who, ice(), ice(), of(text()), vec(text(), 0..2), of(any::<u64>())).prop_map(
        |(
            (room_id, token, peer_id, admin_peer_id, peer_list, peer_metadata),
            ice_servers,
            mesh_ice_servers,
            server_version,
            features,
            expires_at,
        )| RegisteredAuth {
            room_id,
            token,
            peer_id,
            admin_peer_id,
            peer_list,
            peer_metadata,
            ice_servers,
            mesh_ice_servers,
            server_version,
            features,
            expires_at,
        },
    )
}

fn entry() -> impl Strategy<Value = PeerEntry> {
    (peer(), text(), metadata(), 0.0..1e11, of(any::<u64>())).prop_map(
        |(peer_id, role, metadata, connected_at, was_silent_ms)| PeerEntry {
            peer_id,
            role,
            metadata,
            connected_at,
            was_silent_ms,
        },
    )
}

fn absent() -> impl Strategy<Value = AbsentPeer> {
    (peer(), metadata(), 0.0..1e11, of(job())).prop_map(|(peer_id, metadata, seen_at, job_id)| AbsentPeer {
        peer_id,
        metadata,
        seen_at,
        job_id,
    })
}

fn seat() -> impl Strategy<Value = Seat> {
    (time(), time(), text()).prop_map(|(asked_at, until, proof)| Seat { asked_at, until, proof })
}

fn workers() -> impl Strategy<Value = Workers> {
    any::<[u32; 5]>().prop_map(|[matching, busy, draining, held, silent]| Workers {
        matching,
        busy,
        draining,
        held,
        silent,
    })
}

fn code() -> impl Strategy<Value = Code> {
    prop::sample::select(&Code::ALL[..])
}

fn claims_to_peer() -> impl Strategy<Value = ToPeer> {
    let reason = || prop_oneof![Just(Reason::AllMatchingBusy), Just(Reason::TooManyClaims), Just(Reason::Unknown)];
    let end = prop_oneof![Just(EndReason::LeaseExpired), Just(EndReason::RoomRemoved), Just(EndReason::Unknown)];
    let claimed = (text(), claim_id(), fence(), peer(), of(key()), time()).prop_map(
        |(request_id, claim_id, fence, worker, worker_key, lease_until)| Claimed {
            request_id,
            claim_id,
            fence,
            worker,
            worker_key,
            lease_until,
        },
    );
    let refused =
        (text(), code(), reason(), text(), workers()).prop_map(|(request_id, code, reason, message, workers)| {
            ClaimRefused { request_id, code, reason, message, workers }
        });
    let waiting = (text(), any::<u32>(), reason(), workers(), of(any::<u64>()), of(seat())).prop_map(
        |(request_id, place, reason, workers, estimate_ms, seat)| ClaimWaiting {
            request_id,
            place,
            reason,
            workers,
            estimate_ms,
            seat,
        },
    );
    prop_oneof![
        claimed.prop_map(ToPeer::Claimed),
        waiting.prop_map(ToPeer::ClaimWaiting),
        refused.prop_map(ToPeer::ClaimRefused),
        grant().prop_map(ToPeer::ClaimGranted),
        (claim_id(), end).prop_map(|(claim_id, reason)| ToPeer::ClaimEnded(ClaimEnded { claim_id, reason })),
    ]
}

/// Any frame that the server itself writes.
pub(crate) fn to_peer() -> impl Strategy<Value = ToPeer> {
    let error = (code(), text(), of(text()), of(text())).prop_map(|(code, text, error, request_id)| {
        ToPeer::Error(ErrorFrame { error, request_id, ..ErrorFrame::new(code, text) })
    });
    let updated = (peer(), metadata(), of(text()))
        .prop_map(|(peer_id, metadata, request_id)| ToPeer::MetadataUpdated { peer_id, metadata, request_id });
    prop_oneof![
        registered_auth().prop_map(|auth| ToPeer::RegisteredAuth(Box::new(auth))),
        (peer(), vec(entry(), 0..4), of(any::<usize>()), vec(absent(), 0..2)).prop_map(
            |(to_peer_id, peers, total, absent)| {
                let count = peers.len();
                ToPeer::PeerList { to_peer_id, peers, count, total, absent }
            }
        ),
        updated,
        error,
        Just(ToPeer::Ping),
        claims_to_peer(),
    ]
}

/// What a description turns into at its target.
pub(crate) fn description(sender: PeerId, target: PeerId, sdp: String) -> Description {
    Description { sender, target, sdp, job_id: None, claim_id: None }
}
