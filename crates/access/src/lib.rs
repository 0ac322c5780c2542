//! Who may do what: who comes into a room, who may make, extend or delete it, how long it may live, and when an anonymous
//! identity is forgotten.
//!
//! Pure: records and credentials come in, a decision goes out. Who somebody *is* the `identity` crate has checked before; the
//! `server` carries out what is decided here.

mod admission;
mod credentials;
mod deeds;
mod identities;
mod person;
mod secret;
mod terms;

pub use admission::{Admitted, Bearer, Named, Refusal, admit, may_take_name, room_of};
pub use credentials::{Credential, KeyFault, check_key};
pub use deeds::{
    Caller, Denied, Power, Reach, may_clean_up, may_create_room, may_delete_peer, may_delete_room, may_extend,
    may_see_room, may_see_token,
};
pub use identities::IdentityLifetimes;
pub use person::Person;
pub use terms::{MAX_TTL_MS, MIN_TTL_MS, Terms, TermsError, chosen_token, terms};
