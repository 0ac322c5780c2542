use sleap_rtc_access::{Person, Removal, RoomDeed, RoomDenied, may_do, may_own, may_remove, role_in};
use sleap_rtc_wire::record::MemberRole::{Member, Owner};
use sleap_rtc_wire::record::{AccountRecord, DeviceKeyRecord, IdentityKind, MemberRole, MembershipRecord};
use sleap_rtc_wire::{KeyId, MemberId, PublicKey, RoomId, Time};

use crate::{member, person, room};

const DEEDS: [RoomDeed; 6] =
    [RoomDeed::See, RoomDeed::SeeWorkers, RoomDeed::MakeToken, RoomDeed::Change, RoomDeed::Invite, RoomDeed::Delete];

fn membership(room: &str, who: &MemberId, role: MemberRole) -> MembershipRecord {
    MembershipRecord { room_id: RoomId::new(room).unwrap(), member: who.clone(), role, joined_at: Time(1) }
}

/// An account with one computer, and that computer's own name.
fn ana() -> (Person, MemberId) {
    let public_key = PublicKey([7; 32]);
    let account =
        AccountRecord { member: member("u_ana"), username: "ana".to_owned(), avatar_url: None, created_at: Time(0) };
    let device = DeviceKeyRecord {
        key_id: KeyId::new("laptop").unwrap(),
        account: account.member.clone(),
        public_key,
        device_name: "laptop".to_owned(),
        registered_at: Time(0),
        proven: true,
    };
    (Person::of_account(account, &[device]), public_key.member())
}

#[test]
fn a_person_is_in_a_room_what_any_of_its_names_is() {
    let (ana, laptop) = ana();
    let room = room();
    let of_laptop = membership("a7f3d2e1", &laptop, Owner);
    let of_account = membership("a7f3d2e1", &member("u_ana"), Member);
    assert_eq!(role_in(&room, [&of_account], &ana), Some(Member));
    assert_eq!(role_in(&room, [&of_account, &of_laptop], &ana), Some(Owner));
    assert_eq!(role_in(&room, [&membership("b", &laptop, Owner)], &ana), None, "of another room");
    assert_eq!(role_in(&room, [&membership("a7f3d2e1", &member("u_bob"), Owner)], &ana), None, "somebody else's");
    let made = sleap_rtc_wire::record::RoomRecord { created_by: laptop, ..room };
    assert_eq!(role_in(&made, [], &ana), Some(Owner), "who made it owns it");
}

#[test]
fn an_owner_does_everything_a_member_sees_and_a_stranger_does_not_know_it() {
    for deed in DEEDS {
        assert_eq!(may_do(deed, Some(Owner)), Ok(()), "{deed:?}");
        let is_for_members = matches!(deed, RoomDeed::See | RoomDeed::SeeWorkers | RoomDeed::MakeToken);
        assert_eq!(may_do(deed, Some(Member)).is_ok(), is_for_members, "{deed:?}");
        assert!(may_do(deed, None).is_err(), "{deed:?}");
    }
}

#[test]
fn refusals_are_in_the_deployed_servers_words() {
    let said = |deed, role| may_do(deed, role).unwrap_err().to_string();
    assert_eq!(said(RoomDeed::Change, Some(Member)), "Only the room owner can update room settings");
    assert_eq!(said(RoomDeed::Delete, Some(Member)), "Only the room owner can delete a room");
    assert_eq!(said(RoomDeed::Invite, Some(Member)), "Only room owners can create invites");
    assert_eq!(said(RoomDeed::MakeToken, None), "You don't have access to this room");
    assert_eq!(said(RoomDeed::SeeWorkers, None), "No access to this room");
    for deed in [RoomDeed::See, RoomDeed::Change, RoomDeed::Delete, RoomDeed::Invite] {
        assert_eq!(said(deed, None), "Room not found or you don't have access");
        assert_eq!(may_do(deed, None).unwrap_err().status(), 404, "as if there were none");
    }
}

#[test]
fn members_leave_owners_remove_and_stay() {
    assert_eq!(may_remove(Some(Member), Some(Member), true), Ok(Removal::Leaves));
    assert_eq!(may_remove(Some(Owner), Some(Member), false), Ok(Removal::IsRemoved));
    assert_eq!(may_remove(Some(Owner), Some(Owner), true), Err(RoomDenied::OwnerStays));
    assert_eq!(may_remove(Some(Owner), None, false), Err(RoomDenied::NotAMember));
    assert_eq!(may_remove(Some(Member), Some(Member), false), Err(RoomDenied::RemoveIsOwners));
    assert_eq!(may_remove(Some(Member), Some(Owner), false), Err(RoomDenied::RemoveIsOwners));
    assert_eq!(may_remove(Some(Member), None, false), Err(RoomDenied::RemoveIsOwners), "nothing is told");
    assert_eq!(may_remove(None, Some(Member), false), Err(RoomDenied::NoRoom));
}

#[test]
fn who_goes_with_its_connection_owns_nothing_that_stays() {
    let passer_by = Person::alone(member("4f1c"), IdentityKind::Anonymous, None, "4f1c".to_owned());
    assert_eq!(may_own(&passer_by), Err(RoomDenied::Anonymous));
    assert_eq!(may_own(&person("bob")), Ok(()));
    assert_eq!(may_own(&ana().0), Ok(()));
}
