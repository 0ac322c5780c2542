//! What the user wants of a training that runs: stop, cancel, leave.

use sleap_rtc_wire::peer::Wish;
use tokio::sync::watch;

/// The user's hand on a training. Clones are the same hand; each wish may be said again without harm.
#[derive(Clone, Debug)]
pub struct Controls(watch::Sender<Wanted>);

/// What has been wanted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    stop: bool,
    cancel: bool,
    leave: bool,
}

impl Default for Controls {
    fn default() -> Self {
        Self(watch::Sender::new(Wanted::default()))
    }
}

impl Controls {
    /// A hand that has wanted nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// End early and keep the model. Before the worker has the job: as [`Controls::cancel`].
    pub fn stop(&self) {
        self.0.send_modify(|wanted| wanted.stop = true);
    }

    /// End now, without a model.
    pub fn cancel(&self) {
        self.0.send_modify(|wanted| wanted.cancel = true);
    }

    /// Leave; the job goes on without us. While its files still go out it cannot: then as [`Controls::cancel`]. After a
    /// cancel: do not wait for the worker's word.
    pub fn leave(&self) {
        self.0.send_modify(|wanted| wanted.leave = true);
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Wanted> {
        let mut wanted = self.0.subscribe();
        // What was wanted before counts too.
        wanted.mark_changed();
        wanted
    }
}

impl Wanted {
    /// Whether anything is wanted.
    pub(crate) const fn any(self) -> bool {
        self.stop || self.cancel || self.leave
    }

    /// Whether the user wants to leave.
    pub(crate) const fn leave(self) -> bool {
        self.leave
    }

    /// The strongest wish about the job.
    pub(crate) const fn wish(self) -> Option<Wish> {
        if self.cancel {
            Some(Wish::Cancel)
        } else if self.stop {
            Some(Wish::Stop)
        } else {
            None
        }
    }
}
