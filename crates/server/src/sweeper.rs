//! What nobody else cleans up: rooms whose time is over, identities that were left behind, rooms that nobody uses.

use std::sync::Arc;
use std::time::Duration;

use sleap_rtc_identity::IdentityError;
use sleap_rtc_store::StoreError;
use sleap_rtc_wire::record::{IdentityKind, MemberRole};
use sleap_rtc_wire::{MemberId, Time};
use tokio::time::MissedTickBehavior;

use crate::app::App;

/// How often identities that are due are forgotten.
const SHORT: Duration = Duration::from_secs(2);
/// How often everything else is swept.
const LONG: Duration = Duration::from_mins(1);
/// Rows of one read.
const PAGE: usize = 256;
/// How long a named room stays in memory unused, ms.
const UNUSED_MS: u64 = 5 * 60_000;
/// An anonymous identity that is this old, and nowhere, has no token that is still good, ms.
const OLD_MS: u64 = 3_600_000;

/// Sweeps until the server ends.
pub(crate) async fn run(app: Arc<App>) {
    let (mut short, mut long) = (tokio::time::interval(SHORT), tokio::time::interval(LONG));
    short.set_missed_tick_behavior(MissedTickBehavior::Delay);
    long.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.closed() => return,
            _ = long.tick() => sweep(&app).await,
            _ = short.tick() => forget_due(&app).await,
        }
    }
}

async fn sweep(app: &App) {
    let now = app.context.now();
    if let Err(error) = remove_expired_rooms(app, now).await {
        app.context.store_failed("sweep rooms", &error);
    }
    if let Err(error) = forget_old_identities(app, now).await {
        tracing::error!(%error, "sweeping identities failed");
    }
    app.registry.unload(Time(now.0.saturating_sub(UNUSED_MS))).await;
}

async fn remove_expired_rooms(app: &App, now: Time) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = app.context.store.expired_rooms(now, after.as_ref(), PAGE).await?;
        for room in &page {
            app.registry.remove_expired(&room.room_id, now).await?;
        }
        if page.len() < PAGE {
            return Ok(());
        }
        after = page.last().and_then(|room| Some((room.expires_at?, room.room_id.clone())));
    }
}

/// Forgets those whose grace is over. One that the store does not let go now is found by its age later.
async fn forget_due(app: &App) {
    let due = app.context.lifetimes().due(app.context.now());
    for member in due {
        let forgotten = async {
            if is_left_behind(app, &member).await? {
                forget(app, &member).await?;
            }
            Ok::<_, IdentityError>(())
        };
        if let Err(error) = forgotten.await {
            tracing::error!(%error, "an identity was not forgotten");
        }
    }
}

async fn forget_old_identities(app: &App, now: Time) -> Result<(), IdentityError> {
    let before = Time(now.0.saturating_sub(OLD_MS + app.context.config.identity_grace_ms));
    let mut after = None;
    loop {
        let page = app.context.identity.anonymous_before(before, after.as_ref(), PAGE).await?;
        for one in &page {
            if is_left_behind(app, &one.member).await? {
                forget(app, &one.member).await?;
            }
        }
        if page.len() < PAGE {
            return Ok(());
        }
        after = page.last().map(|one| (one.created_at, one.member.clone()));
    }
}

async fn forget(app: &App, member: &MemberId) -> Result<(), IdentityError> {
    app.context.identity.forget(member).await?;
    app.context.metrics.identities_forgotten.add();
    Ok(())
}

/// Whether this is an anonymous identity that is connected nowhere and owns no room any more. A key stays.
async fn is_left_behind(app: &App, member: &MemberId) -> Result<bool, IdentityError> {
    let store = &app.context.store;
    if store.identity(member).await?.is_none_or(|one| one.kind != IdentityKind::Anonymous) {
        return Ok(false);
    }
    if app.registry.all().iter().any(|cell| cell.look(|room| room.has_member(member)) == Some(true)) {
        return Ok(false);
    }
    for membership in store.memberships(member).await? {
        if membership.role == MemberRole::Owner && store.room(&membership.room_id).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}
