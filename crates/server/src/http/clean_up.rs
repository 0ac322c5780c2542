//! Forgetting anonymous identities that nobody uses any more.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use sleap_rtc_access::{Reach, may_clean_up};
use sleap_rtc_wire::Time;
use sleap_rtc_wire::http::{CleanUp, CleanedUp};

use super::address::Address;
use super::auth::Shown;
use super::body::Body;
use super::fault::Fault;
use super::sign_in;
use crate::app::App;
use crate::forgetting::{CleanUp as Work, Outcome};

/// Names in one answer.
const NAMES: usize = 1000;

/// `POST /identities/cleanup`.
pub(crate) async fn identities(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CleanedUp>, Fault> {
    let CleanUp { older_than, dry_run } = body.json()?;
    let shown = Shown::by(&app, &headers).await?;
    let reach = may_clean_up(shown.power(), address.own().is_some())?;
    sign_in::counted(&app, address)?;
    // Over the same identities one after the other, so that each is counted once.
    let _alone = app.cleaning.lock().await;
    let before = Time(app.context.now().0.saturating_sub(older_than.saturating_mul(1000)));
    let mut answer = CleanedUp { users: Vec::new(), deleted: 0, kept_connected: 0, kept_owners: 0 };
    let mut work = match (reach, address.own()) {
        (Reach::SameAddress, Some(from)) => Work::from_address(&app, from, before),
        _ => Work::of_all(&app, before),
    };
    while let Some(batch) = work.next(dry_run).await? {
        for (username, outcome) in batch {
            match outcome {
                Outcome::Forgotten if answer.users.len() < NAMES => {
                    answer.deleted += 1;
                    answer.users.push(username);
                }
                Outcome::Forgotten => answer.deleted += 1,
                Outcome::Connected => answer.kept_connected += 1,
                Outcome::Owner => answer.kept_owners += 1,
                Outcome::Gone => {}
            }
        }
    }
    tracing::info!(deleted = answer.deleted, dry_run, ?reach, "identities cleaned up");
    Ok(Json(answer))
}
