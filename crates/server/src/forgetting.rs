//! Forgetting anonymous identities: never one that is connected, on its way in, within its grace, or owner of a living room.

use std::net::IpAddr;

use futures_util::future::{join_all, try_join_all};
use sleap_rtc_access::Person;
use sleap_rtc_identity::IdentityError;
use sleap_rtc_store::StoreError;
use sleap_rtc_wire::record::{IdentityKind, IdentityRecord, MemberRole};
use sleap_rtc_wire::{MemberId, Time};

use crate::app::App;

/// Identities of one batch: read at once, looked at at once, written at once.
const BATCH: usize = 256;

/// What became of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is gone, or would be.
    Forgotten,
    /// It is connected, or was a moment ago.
    Connected,
    /// It owns a room that lives.
    Owner,
    /// There is no such anonymous identity (any more).
    Gone,
}

/// Somebody who comes into a room, or makes one: an anonymous identity is not forgotten meanwhile.
pub(crate) struct Staying<'a> {
    app: &'a App,
    /// Whom it concerns; a key is never forgotten.
    anonymous: Option<&'a MemberId>,
}

impl<'a> Staying<'a> {
    /// `None`: it was forgotten since its token was looked at. One that is being looked at may be kept: that is waited for.
    pub(crate) async fn of(app: &'a App, person: &'a Person) -> Result<Option<Self>, StoreError> {
        if person.kind() != IdentityKind::Anonymous {
            return Ok(Some(Self { app, anonymous: None }));
        }
        let member = person.member();
        loop {
            let decided = app.context.decided.notified();
            if app.context.lifetimes().arrives(member) {
                break;
            }
            decided.await;
        }
        let staying = Self { app, anonymous: Some(member) };
        Ok(app.context.store.identity(member).await?.map(|_| staying))
    }
}

impl Drop for Staying<'_> {
    fn drop(&mut self) {
        if let Some(member) = self.anonymous {
            self.app.context.lifetimes().arrived(member);
        }
    }
}

/// Keeps an identity out for as long as it is being forgotten.
struct Leaving<'a> {
    app: &'a App,
    member: &'a MemberId,
}

impl<'a> Leaving<'a> {
    /// `None`: it is in use, or somebody else is at it.
    fn of(app: &'a App, member: &'a MemberId) -> Option<Self> {
        app.context.lifetimes().leaves(member).then(|| Self { app, member })
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.app.context.lifetimes().left(self.member);
        self.app.context.decided.notify_waiters();
    }
}

/// Forgets it, if nothing speaks against it. `dry_run`: says only what would happen.
pub(crate) async fn forget(app: &App, member: &MemberId, dry_run: bool) -> Result<Outcome, IdentityError> {
    let store = &app.context.store;
    let Some(leaving) = Leaving::of(app, member) else { return Ok(Outcome::Connected) };
    if store.identity(member).await?.is_none_or(|one| one.kind != IdentityKind::Anonymous) {
        return Ok(Outcome::Gone);
    }
    if owns_a_living_room(app, member).await? {
        return Ok(Outcome::Owner);
    }
    if !dry_run {
        app.context.identity.forget(member).await?;
        app.context.metrics.identities_forgotten.add();
        app.signers.forget(member);
    }
    drop(leaving);
    Ok(Outcome::Forgotten)
}

async fn owns_a_living_room(app: &App, member: &MemberId) -> Result<bool, IdentityError> {
    for membership in app.context.store.memberships(member).await? {
        // One that is over and not swept yet counts as well: it takes its owner with it in a minute.
        if membership.role == MemberRole::Owner && app.context.store.room(&membership.room_id).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgets those whose grace is over, or whose room is gone. One that the store does not let go now is found by its age later.
pub(crate) async fn forget_due(app: &App) {
    let due = app.context.lifetimes().due(app.context.now());
    for batch in due.chunks(BATCH) {
        for result in join_all(batch.iter().map(|member| forget(app, member, false))).await {
            if let Err(error) = result {
                tracing::error!(%error, "an identity was not forgotten");
            }
        }
    }
}

/// A clean-up by age, one batch after the other.
pub(crate) struct CleanUp<'a> {
    app: &'a App,
    before: Time,
    next: Next,
}

enum Next {
    /// The page behind this one, in the store's order.
    Behind(Option<(Time, MemberId)>),
    /// These.
    Members(Vec<MemberId>),
    Nothing,
}

impl<'a> CleanUp<'a> {
    /// Of all that signed in before `before`.
    pub(crate) fn of_all(app: &'a App, before: Time) -> Self {
        Self { app, before, next: Next::Behind(None) }
    }

    /// Of those that signed in before `before`, and are known to have done so from this address.
    pub(crate) fn from_address(app: &'a App, address: IpAddr, before: Time) -> Self {
        Self { app, before, next: Next::Members(app.signers.of(address)) }
    }

    /// Name and outcome of each of the next batch; `None`: that was all.
    pub(crate) async fn next(&mut self, dry_run: bool) -> Result<Option<Vec<(String, Outcome)>>, IdentityError> {
        let app = self.app;
        let Some(batch) = self.batch().await? else { return Ok(None) };
        let forgotten = batch.iter().map(async |one| {
            let outcome = forget(app, &one.member, dry_run).await?;
            Ok::<_, IdentityError>((one.username.clone(), outcome))
        });
        try_join_all(forgotten).await.map(Some)
    }

    async fn batch(&mut self) -> Result<Option<Vec<IdentityRecord>>, IdentityError> {
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Nothing => Ok(None),
            Next::Behind(after) => {
                let page = self.app.context.identity.anonymous_before(self.before, after.as_ref(), BATCH).await?;
                if page.len() == BATCH {
                    self.next = Next::Behind(page.last().map(|one| (one.created_at, one.member.clone())));
                }
                Ok(Some(page))
            }
            Next::Members(mut members) => {
                let rest = members.split_off(members.len().min(BATCH));
                if !rest.is_empty() {
                    self.next = Next::Members(rest);
                }
                let store = &self.app.context.store;
                let found = try_join_all(members.iter().map(|member| store.identity(member))).await?;
                let old = found.into_iter().flatten().filter(|one| one.created_at < self.before);
                Ok(Some(old.collect()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use sleap_rtc_identity::{Local, Subject};
    use sleap_rtc_store::{Memory, Store};

    use super::*;
    use crate::app::Context;
    use crate::config::Config;

    #[tokio::test]
    async fn who_comes_while_it_is_looked_at_waits_for_what_is_decided() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let identity = Local::open(&folder.path().join("server.key"), store.clone()).unwrap();
        let context = Context::new(Config::new(folder.path().to_owned()), store, Arc::new(identity));
        let app = App::new(Arc::new(context), "secret".to_owned(), 1);
        for is_kept in [true, false] {
            let subject = app.context.identity.sign_in_anonymous(app.context.now()).await.unwrap().subject;
            let leaving = Leaving::of(&app, &subject.member).unwrap();
            let Subject { member, kind, username, .. } = subject.clone();
            let person = Person::alone(member, kind, None, username);
            let mut comes = pin!(Staying::of(&app, &person));
            assert!(comes.as_mut().now_or_never().is_none(), "nobody is refused who may be kept");
            if !is_kept {
                app.context.identity.forget(&subject.member).await.unwrap();
            }
            drop(leaving);
            let stays = comes.await.unwrap();
            assert_eq!(stays.is_some(), is_kept);
            assert!(!is_kept || Leaving::of(&app, &subject.member).is_none(), "nor is it forgotten meanwhile");
            drop(stays);
            assert!(Leaving::of(&app, &subject.member).is_some());
        }
    }
}
