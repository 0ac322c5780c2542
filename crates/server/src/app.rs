//! What all parts of the server share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sleap_rtc_access::IdentityLifetimes;
use sleap_rtc_identity::Identity;
use sleap_rtc_room::CallId;
use sleap_rtc_store::{Store, StoreError};
use sleap_rtc_wire::{ConnId, MemberId, NodeId, RoomId, Time};
use tokio::runtime::Handle;
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, watch};

use crate::channels::{Bounds, Channels};
use crate::clock::Clock;
use crate::config::Config;
use crate::github::Way;
use crate::guesses::Guesses;
use crate::in_use::InUse;
use crate::logins::Logins;
use crate::metrics::Metrics;
use crate::origins::Origins;
use crate::rates::Rate;
use crate::registry::Registry;
use crate::whereabouts::Whereabouts;

/// What rooms need of the server.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) identity: Arc<dyn Identity>,
    pub(crate) metrics: Metrics,
    pub(crate) runtime: Handle,
    /// Writes under way: the server does not end before them.
    pub(crate) writes: Busy,
    /// Where the peers are.
    pub(crate) whereabouts: Whereabouts,
    /// An identity may have to be forgotten sooner than was known.
    pub(crate) lonely: Notify,
    /// Whether an identity is forgotten was decided.
    pub(crate) decided: Notify,
    /// Those who watch workers and jobs.
    pub(crate) channels: Arc<Channels>,
    lifetimes: Mutex<IdentityLifetimes>,
    last_call: AtomicU64,
}

impl Context {
    pub(crate) fn new(config: Config, store: Arc<dyn Store>, identity: Arc<dyn Identity>) -> Self {
        Self {
            lifetimes: Mutex::new(IdentityLifetimes::new(config.identity_grace_ms)),
            config,
            clock: Clock::start(),
            store,
            identity,
            metrics: Metrics::default(),
            runtime: Handle::current(),
            writes: Busy::default(),
            whereabouts: Whereabouts::default(),
            lonely: Notify::new(),
            decided: Notify::new(),
            channels: Arc::new(Channels::new(Bounds::default())),
            last_call: AtomicU64::new(0),
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(crate) fn lifetimes(&self) -> MutexGuard<'_, IdentityLifetimes> {
        self.lifetimes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn next_call(&self) -> CallId {
        CallId(self.last_call.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Counts and logs what the store could not do; the caller tells whom it concerns.
    pub(crate) fn store_failed(&self, doing: &str, error: &StoreError) {
        self.metrics.store_failures.add();
        tracing::error!(%error, doing, "the store failed");
    }
}

/// The whole server, as its sockets see it.
pub(crate) struct App {
    pub(crate) context: Arc<Context>,
    pub(crate) registry: Registry,
    /// From where rooms were made.
    pub(crate) makers: Origins<RoomId>,
    /// From where anonymous identities signed in.
    pub(crate) signers: Origins<MemberId>,
    /// One clean-up of identities at a time.
    pub(crate) cleaning: AsyncMutex<()>,
    pub(crate) sign_ins: Rate,
    pub(crate) rooms: Rate,
    pub(crate) registrations: Rate,
    /// Wrong credentials.
    pub(crate) guesses: Guesses,
    /// New accounts.
    pub(crate) new_accounts: Rate,
    /// One change at a time to what an account has, where it is bounded.
    pub(crate) accounts: AsyncMutex<()>,
    pub(crate) logins: Logins,
    /// To GitHub.
    pub(crate) github: Way,
    /// Which keys have opened which connections.
    pub(crate) in_use: Arc<InUse>,
    pub(crate) admin_secret: String,
    pub(crate) started: Time,
    /// One permit a socket.
    pub(crate) connections: Arc<Semaphore>,
    /// One permit a signaling socket that has not registered.
    pub(crate) unregistered: Arc<Semaphore>,
    /// Turns `true` when the server ends.
    pub(crate) closing: watch::Sender<bool>,
    incarnation: u64,
    last_conn: AtomicU64,
}

impl App {
    /// `incarnation` is a number that no earlier run of the server had.
    pub(crate) fn new(context: Arc<Context>, admin_secret: String, incarnation: u64) -> Self {
        let config = &context.config;
        Self {
            sign_ins: Rate::new(config.rates.sign_ins),
            rooms: Rate::new(config.rates.rooms),
            registrations: Rate::new(config.limits.registrations),
            guesses: Guesses::new(config.limits.guesses, config.limits.guesses_of_all),
            in_use: Arc::default(),
            new_accounts: Rate::new(config.rates.accounts),
            accounts: AsyncMutex::default(),
            logins: Logins::default(),
            github: Way::default(),
            connections: Arc::new(Semaphore::new(config.connections)),
            unregistered: Arc::new(Semaphore::new(config.unregistered)),
            started: context.now(),
            registry: Registry::new(context.clone()),
            makers: Origins::default(),
            signers: Origins::default(),
            cleaning: AsyncMutex::default(),
            closing: watch::Sender::new(false),
            last_conn: AtomicU64::new(0),
            admin_secret,
            incarnation,
            context,
        }
    }

    /// Whether the server ends.
    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Returns when the server ends.
    pub(crate) async fn closed(&self) {
        // The sender is ours: it does not go before we do.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// A name that no other connection has or had.
    pub(crate) fn next_conn(&self) -> ConnId {
        let n = self.last_conn.fetch_add(1, Ordering::Relaxed) + 1;
        ConnId { node: NodeId::default(), incarnation: self.incarnation, n }
    }
}

/// How many of something are under way, and when none is.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    count: AtomicUsize,
    changed: Notify,
}

impl Busy {
    pub(crate) fn begin(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn end(&self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    pub(crate) async fn idle(&self) {
        loop {
            let changed = self.changed.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            changed.await;
        }
    }
}
