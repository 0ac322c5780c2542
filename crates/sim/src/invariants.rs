//! What is looked at whole, every hundred events: what must have gone by now, and what must still be there.

use sleap_rtc_wire::record::IdentityKind;

use crate::model::{Rule, Violation};
use crate::server::SWEEP_MS;
use crate::sweeper::OLD_MS;
use crate::world::World;

/// How much later than its time something may be seen to go, ms: clocks drift, writes take their time and are tried again after a
/// minute.
const SLACK_MS: u64 = 150_000;

impl World {
    pub(crate) fn check_everything(&mut self) {
        let checked = self
            .rooms_own_rules()
            .and_then(|()| self.rooms_go())
            .and_then(|()| self.identities_go())
            .and_then(|()| self.identities_stay());
        if let Err(violation) = checked {
            self.violate(violation);
        }
    }

    fn rooms_own_rules(&self) -> Result<(), Violation> {
        for hall in self.halls.iter().flatten() {
            let now = self.servers[hall.server].clock.at(self.now);
            // What is due in this very moment is seen to with the next input, which is due as well.
            if hall.room.next_timeout().is_some_and(|at| at <= now) {
                continue;
            }
            if let Some(broken) = hall.room.violations(now).first() {
                return Err(Violation::new(Rule::RoomsOwnRules, format!("{}: {broken}", hall.id)));
            }
        }
        Ok(())
    }

    /// Since when the one server that is up has been so, with a store that takes its writes.
    fn steady_since(&self) -> Option<u64> {
        let server = &self.servers[self.server()?];
        Some(server.started.max(self.store.down_until).max(self.store.slow_until))
    }

    fn rooms_go(&self) -> Result<(), Violation> {
        let (Some(since), Some(server)) = (self.steady_since(), self.server()) else { return Ok(()) };
        let now = self.servers[server].clock.at(self.now);
        if since + SWEEP_MS + SLACK_MS > self.now {
            return Ok(());
        }
        for room in self.store.rooms.values() {
            let hall = self.servers[server].rooms.get(&room.room_id).and_then(|hall| self.model.hall(*hall));
            if hall.is_some_and(|hall| !hall.peers.is_empty()) {
                continue;
            }
            if room.expires_at.is_some_and(|at| at.plus_ms(SWEEP_MS + SLACK_MS) < now) {
                let text = format!("{} ended at {:?} and is there at {now:?}", room.room_id, room.expires_at);
                return Err(Violation::new(Rule::RoomsGo, text));
            }
        }
        Ok(())
    }

    fn identities_go(&self) -> Result<(), Violation> {
        let (Some(since), Some(server)) = (self.steady_since(), self.server()) else { return Ok(()) };
        let now = self.servers[server].clock.at(self.now);
        let grace = self.plan.knobs.identity_ms;
        for one in self.store.identities.values().filter(|one| one.kind == IdentityKind::Anonymous) {
            let visit = self.model.visits.get(&one.member).copied().unwrap_or_default();
            if visit.open > 0 {
                continue;
            }
            let lately = visit.gone_at.unwrap_or(0).max(since) + grace + SWEEP_MS + SLACK_MS >= self.now;
            // What the server that is up has not seen go is found by its age.
            let young = one.created_at.plus_ms(OLD_MS + grace + SWEEP_MS + SLACK_MS) >= now;
            let seen_going = visit.gone_at.is_some_and(|at| at > since) && visit.server == server;
            if !lately && (seen_going || !young) {
                let text =
                    format!("{} has been gone since {:?} and is known at {}", one.member, visit.gone_at, self.now);
                return Err(Violation::new(Rule::IdentitiesGo, text));
            }
        }
        Ok(())
    }

    fn identities_stay(&self) -> Result<(), Violation> {
        if self.model.two_servers {
            return Ok(());
        }
        let gone = self
            .model
            .visits
            .iter()
            .find(|(member, visit)| visit.open > 0 && !self.store.identities.contains_key(*member));
        match gone {
            Some((member, _)) => {
                Err(Violation::new(Rule::IdentitiesStay, format!("{member} is connected and not known any more")))
            }
            None => Ok(()),
        }
    }
}
