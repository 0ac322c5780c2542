//! Frames to Python peers: they refuse what is above 1 MiB, and drop their link.

use super::finding::workers;
use super::{Lab, step};

const MIB: u64 = 1 << 20;

#[test]
fn hazard_11_in_a_room_of_600_workers_no_frame_to_a_python_peer_is_above_a_mebibyte() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let mut crowd = ada.home.start("crowd.py", &[&ada.room, &ada.key, "600", "2000"]);
    let seen = step("discovery among 600 workers", || crowd.event("crowd"));
    println!("{seen}");
    for name in ["registered_auth", "peer_list"] {
        assert!(seen["frames"][name].as_u64().is_some_and(|bytes| bytes < MIB), "{seen}");
    }
    let found = step("list_workers among 600 workers", || workers(&ada.home, &ada.room)).len();
    println!("a Python client sees {found} of 600 workers");
    assert!(found > 400);
    let worker = lab.worker(&ada);
    assert!(worker.screen.is_running());
    crowd.close_input();
    crowd.end().good();
}
