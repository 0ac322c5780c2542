//! What nobody else cleans up: rooms whose time is over, identities that were left behind, rooms that nobody uses.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use sleap_rtc_identity::IdentityError;
use sleap_rtc_store::StoreError;
use sleap_rtc_wire::Time;
use tokio::time::MissedTickBehavior;

use crate::app::App;
use crate::forgetting::{CleanUp, Outcome, forget_due};

/// How often everything is swept, beginning at the start.
const EVERY: Duration = Duration::from_mins(1);
/// Rows of one read.
const PAGE: usize = 256;
/// How long a named room stays in memory unused, ms.
const UNUSED_MS: u64 = 5 * 60_000;

/// Sweeps, and forgets whose time has come, until the server ends.
pub(crate) async fn run(app: Arc<App>) {
    let mut sweeps = tokio::time::interval(EVERY);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.closed() => return,
            _ = sweeps.tick() => sweep(&app).await,
            () = somebody_is_due(&app) => forget_due(&app).await,
        }
    }
}

/// Returns when an identity is to be forgotten.
async fn somebody_is_due(app: &App) {
    loop {
        let sooner = app.context.lonely.notified();
        let next = app.context.lifetimes().next_timeout();
        let due = async {
            match next {
                Some(at) => tokio::time::sleep(app.context.clock.until(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sooner => {}
            () = due => return,
        }
    }
}

async fn sweep(app: &App) {
    let now = app.context.now();
    let metrics = &app.context.metrics;
    let (rooms_before, identities_before) = (metrics.swept_rooms.get(), metrics.swept_identities.get());
    if let Err(error) = remove_expired_rooms(app, now).await {
        app.context.store_failed("sweep rooms", &error);
    }
    forget_due(app).await;
    app.in_use.time_passes(now);
    if let Err(error) = forget_old_identities(app, now).await {
        tracing::error!(%error, "sweeping identities failed");
    }
    app.context.channels.forget_idle(now);
    app.registry.unload(Time(now.0.saturating_sub(UNUSED_MS))).await;
    metrics.sweeps.add();
    let rooms = metrics.swept_rooms.get() - rooms_before;
    let identities = metrics.swept_identities.get() - identities_before;
    if rooms + identities > 0 {
        tracing::info!(rooms, identities, "swept");
    }
}

async fn remove_expired_rooms(app: &App, now: Time) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = app.context.store.expired_rooms(now, after.as_ref(), PAGE).await?;
        let removed = try_join_all(page.iter().map(|room| app.registry.remove_expired(&room.room_id, now))).await?;
        for _ in removed.into_iter().filter(|removed| *removed) {
            app.context.metrics.swept_rooms.add();
        }
        if page.len() < PAGE {
            return Ok(());
        }
        after = page.last().and_then(|room| Some((room.expires_at?, room.room_id.clone())));
    }
}

/// Those that have signed in long ago and are in use nowhere: that never came into a room, or that a crash left behind.
async fn forget_old_identities(app: &App, now: Time) -> Result<(), IdentityError> {
    let config = &app.context.config;
    let before = Time(now.0.saturating_sub(config.identity_age_ms + config.identity_grace_ms));
    let mut work = CleanUp::of_all(app, before);
    while let Some(batch) = work.next(false).await? {
        for _ in batch.iter().filter(|(_, outcome)| *outcome == Outcome::Forgotten) {
            app.context.metrics.swept_identities.add();
        }
    }
    Ok(())
}
