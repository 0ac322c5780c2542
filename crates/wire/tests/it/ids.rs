use std::collections::BTreeSet;

use proptest::prelude::*;
use sleap_rtc_wire::{ClaimId, Fence, JobId, MemberId, PeerId, PublicKey, RoomId, Signature, Time};

use crate::any;

proptest! {
    #[test]
    fn what_is_taken_is_kept_and_what_is_refused_breaks_the_rule(text in any::text()) {
        let visible = !text.is_empty() && text.len() <= 128 && !text.chars().any(char::is_control);
        prop_assert_eq!(PeerId::new(&text).is_ok(), visible);
        if let Ok(peer) = PeerId::new(&text) {
            prop_assert_eq!(peer.as_str(), &text);
            let json = serde_json::to_string(&peer).unwrap();
            prop_assert_eq!(serde_json::from_str::<PeerId>(&json).unwrap(), peer);
        }
        let is_word = |max| {
            !text.is_empty() && text.len() <= max
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        prop_assert_eq!(RoomId::new(&text).is_ok(), is_word(64));
        prop_assert_eq!(JobId::new(&text).is_ok(), is_word(64));
        prop_assert_eq!(ClaimId::new(&text).is_ok(), is_word(64));
        prop_assert_eq!(MemberId::new(&text).is_ok(), is_word(128));
    }

    #[test]
    fn words_are_ids(word in any::word()) {
        prop_assert_eq!(RoomId::new(&word).unwrap().to_string(), word);
    }

    #[test]
    fn fences_compare_by_epoch_then_counter_and_travel_as_a_pair(a: (u64, u64), b: (u64, u64)) {
        let (x, y) = (Fence::from(a), Fence::from(b));
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        let json = serde_json::to_string(&x).unwrap();
        prop_assert_eq!(&json, &format!("[{},{}]", a.0, a.1));
        prop_assert_eq!(serde_json::from_str::<Fence>(&json).unwrap(), x);
    }

    #[test]
    fn keys_and_signatures_are_read_back(key: [u8; 32], half: [u8; 32]) {
        let key = PublicKey(key);
        prop_assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&key.0);
        bytes[32..].copy_from_slice(&half);
        let signature = Signature(bytes);
        prop_assert_eq!(signature.to_string().parse::<Signature>().unwrap(), signature);
        prop_assert!(signature.to_string().parse::<PublicKey>().is_err());
    }

    #[test]
    fn no_text_is_a_panic(text in any::text()) {
        let _ = text.parse::<PublicKey>();
        let _ = text.parse::<Signature>();
    }

    #[test]
    fn times_saturate(a: u64, b: u64) {
        prop_assert!(Time(a).plus_ms(b) >= Time(a));
        prop_assert_eq!(Time(a).since(Time(b)), a.saturating_sub(b));
        prop_assert!(Time::from_unix_seconds(Time(a).unix_seconds()) <= Time(a));
    }
}

#[test]
fn a_member_is_the_hash_of_its_key() {
    // b3sum of 32 zero bytes.
    let member = PublicKey([0; 32]).member();
    assert_eq!(member.as_str(), "2ada83c1819a5372dae1238fc1ded123c8104fdaa15862aaee69428a1820fcda");
    let members: BTreeSet<MemberId> = (0..=255).map(|n| PublicKey([n; 32]).member()).collect();
    assert_eq!(members.len(), 256);
}
