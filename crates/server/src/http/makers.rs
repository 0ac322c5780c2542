//! From which address a room was made: the only credential of the deployed programs' clean-up calls.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use sleap_rtc_wire::RoomId;

use super::auth::Address;

/// Rooms that are remembered, the latest ones: about 10 MB. Nothing is remembered over a restart.
const REMEMBERED: usize = 65_536;

/// The makers of the latest rooms.
#[derive(Debug, Default)]
pub(crate) struct Makers(Mutex<Latest>);

#[derive(Debug, Default)]
struct Latest {
    addresses: HashMap<RoomId, IpAddr>,
    order: VecDeque<RoomId>,
}

impl Makers {
    pub(crate) fn remember(&self, room: &RoomId, address: IpAddr) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.order.len() >= REMEMBERED
            && let Some(oldest) = latest.order.pop_front()
        {
            latest.addresses.remove(&oldest);
        }
        latest.addresses.insert(room.clone(), address);
        latest.order.push_back(room.clone());
    }

    pub(crate) fn is(&self, room: &RoomId, caller: Address) -> bool {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.addresses.get(room).is_some_and(|maker| caller.is_same(*maker))
    }
}
