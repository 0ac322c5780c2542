//! What must hold after every input.

use sleap_rtc_wire::Time;

use crate::Room;

impl Room {
    /// Cheap enough for every input of a debug build; the whole is checked by the tests and the simulator.
    pub(crate) fn check_invariants(&self, now: Time) {
        if self.lifetime.is_over() {
            return;
        }
        self.presence.check();
        self.claims.check(now);
    }
}
