//! Who may do what: who comes into a room, who may make, extend or delete it, how long it may live, and when an anonymous
//! identity is forgotten.
//!
//! Pure: records and credentials come in, a decision goes out. Who somebody *is* the `identity` crate has checked before; the
//! `server` carries out what is decided here.

mod accounts;
mod admission;
mod credentials;
mod days;
mod deeds;
mod identities;
mod invites;
mod person;
mod room_deeds;
mod secret;
mod terms;
mod tokens;

pub use accounts::{NameError, label, username};
pub use admission::{Admitted, Bearer, Named, Refusal, admit, may_take_name, room_of};
pub use credentials::{Credential, KeyFault, check_key};
pub use days::{Days, DaysError, ROOM_DAYS, TOKEN_DAYS};
pub use deeds::{
    Caller, Denied, Power, Reach, may_clean_up, may_create_room, may_delete_peer, may_delete_room, may_extend,
    may_see_room, may_see_token,
};
pub use identities::IdentityLifetimes;
pub use invites::{INVITE_MS, InviteDenied, invite_code, may_come_by, may_invite, may_take_in, typed_code};
pub use person::Person;
pub use room_deeds::{Removal, RoomDeed, RoomDenied, may_do, may_own, may_remove, role_in};
pub use terms::{MAX_TTL_MS, MIN_TTL_MS, Terms, TermsError, chosen_token, terms};
pub use tokens::{TokenDenied, may_delete_token, may_make_token, may_manage_token, worker_token};
