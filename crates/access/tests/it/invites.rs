use proptest::prelude::*;
use sleap_rtc_access::{InviteDenied, invite_code, may_come_by, may_invite, may_take_in, typed_code};
use sleap_rtc_wire::record::{Change, InviteRecord};
use sleap_rtc_wire::{RoomId, Time, limits};

use crate::member;

fn invite(n: usize, ends: u64) -> InviteRecord {
    let room_id = RoomId::new("a7f3d2e1").unwrap();
    InviteRecord { code: format!("CODE{n:04}"), room_id, made_by: member("ana"), expires_at: Time(ends) }
}

proptest! {
    #[test]
    fn every_code_is_eight_letters_that_nobody_confuses_and_is_read_as_it_is_typed(random: [u8; 8], upper: bool) {
        let code = invite_code(random);
        prop_assert_eq!(code.len(), 8);
        prop_assert!(!code.contains(['0', '1', 'I', 'O']) && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
        let (first, last) = code.split_at(4);
        let typed = format!(" {first}-{last}\n");
        let typed = if upper { typed } else { typed.to_lowercase() };
        prop_assert_eq!(typed_code(&typed), Some(code));
    }

    #[test]
    fn what_we_would_not_make_is_no_code(text in ".{0,40}") {
        if let Some(code) = typed_code(&text) {
            prop_assert_eq!(code.len(), 8);
            prop_assert!(!code.contains(['0', '1', 'I', 'O']));
        }
    }
}

#[test]
fn every_letter_is_drawn() {
    let drawn: std::collections::BTreeSet<char> =
        (0..=u8::MAX).flat_map(|n| invite_code([n; 8]).chars().collect::<Vec<_>>()).collect();
    assert_eq!(drawn.len(), 32);
}

#[test]
fn a_code_lets_in_until_its_end() {
    let invite = invite(1, 100);
    assert_eq!(may_come_by(Some(&invite), Time(99)), Ok(&invite));
    assert_eq!(may_come_by(Some(&invite), Time(100)), Err(InviteDenied::Expired));
    assert_eq!(may_come_by(None, Time(99)), Err(InviteDenied::Unknown));
}

#[test]
fn a_room_has_so_many_good_codes_and_those_that_ended_make_place() {
    let mut invites: Vec<_> = (1..limits::INVITES).map(|n| invite(n, 100)).collect();
    invites.push(invite(0, 50));
    assert_eq!(may_invite(&invites, Time(50)), Ok(vec![Change::DeleteInvite("CODE0000".to_owned())]));
    assert_eq!(may_invite(&invites, Time(49)), Err(InviteDenied::TooMany));
    assert_eq!(may_invite(&[], Time(49)), Ok(vec![]));
    assert_eq!(may_take_in(limits::MEMBERS - 1), Ok(()));
    assert_eq!(may_take_in(limits::MEMBERS), Err(InviteDenied::Full));
}
