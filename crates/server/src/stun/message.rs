//! What is answered to what (RFC 8489): a Binding request, and nothing else.

use std::net::SocketAddr;

use rtc_stun::attributes::ATTR_FINGERPRINT;
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, MESSAGE_HEADER_SIZE, Message, Setter};
use rtc_stun::xoraddr::XorMappedAddress;

/// The answer to a datagram: where it came from, in XOR-MAPPED-ADDRESS. `None` for anything but a Binding request that asks for
/// no more than this.
///
/// Older clients' MAPPED-ADDRESS is left out: all that know the magic cookie, without which a request is none, know the other.
/// A request with something that must be understood and is not (RFC 5780's CHANGE-REQUEST, a login) is not answered either,
/// where the RFC has an error for it: whoever needs that cannot use this server, and nobody gets larger answers out of it.
pub(super) fn answer(datagram: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let request = request(datagram)?;
    let mut answer = Message::new();
    answer.transaction_id = request.transaction_id;
    answer.typ = BINDING_SUCCESS;
    answer.write_header();
    let mapped = XorMappedAddress { ip: from.ip().to_canonical(), port: from.port() };
    mapped.add_to(&mut answer).ok()?;
    if request.contains(ATTR_FINGERPRINT) {
        FINGERPRINT.add_to(&mut answer).ok()?;
    }
    Some(answer.raw)
}

fn request(datagram: &[u8]) -> Option<Message> {
    // The first two bits tell STUN from what else may come by UDP.
    if datagram.len() < MESSAGE_HEADER_SIZE || datagram.first()? & 0xC0 != 0 {
        return None;
    }
    let mut message = Message { raw: datagram.to_vec(), ..Message::default() };
    message.decode().ok()?;
    let whole = MESSAGE_HEADER_SIZE + message.length as usize == datagram.len();
    let known = message.attributes.0.iter().all(|attribute| !attribute.typ.required());
    let intact = !message.contains(ATTR_FINGERPRINT) || FINGERPRINT.check(&message).is_ok();
    (message.typ == BINDING_REQUEST && whole && known && intact).then_some(message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtc_stun::attributes::{ATTR_CHANGE_REQUEST, ATTR_SOFTWARE, ATTR_USERNAME, AttrType};
    use rtc_stun::message::{
        BINDING_ERROR, CLASS_INDICATION, CLASS_REQUEST, Getter, METHOD_ALLOCATE, METHOD_BINDING, MessageType,
        TransactionId,
    };

    use super::*;

    fn message(typ: MessageType, attributes: &[(AttrType, &[u8])]) -> Message {
        let mut message = Message::new();
        message.transaction_id = TransactionId([7; 12]);
        message.typ = typ;
        message.write_header();
        for (typ, value) in attributes {
            message.add(*typ, value);
        }
        message
    }

    fn from(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// What the RFC's own bytes say: 192.0.2.1:32853 and 2001:db8:1234:5678:11:2233:4455:6677 (RFC 5769, 2.2 and 2.3).
    #[test]
    fn the_answer_is_the_one_of_the_rfcs_test_vectors() {
        let id = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let mut request = message(BINDING_REQUEST, &[]);
        request.transaction_id = TransactionId(id);
        request.write_header();
        let v4 = answer(&request.raw, from("192.0.2.1:32853")).unwrap();
        assert_eq!(v4[..8], [0x01, 0x01, 0, 12, 0x21, 0x12, 0xa4, 0x42]);
        assert_eq!(v4[8..20], id);
        assert_eq!(v4[20..], [0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        let v6 = answer(&request.raw, from("[2001:db8:1234:5678:11:2233:4455:6677]:32853")).unwrap();
        assert_eq!(
            v6[20..],
            [
                0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc,
                0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9
            ]
        );
        let mapped = answer(&request.raw, from("[::ffff:192.0.2.1]:32853")).unwrap();
        assert_eq!(mapped, v4, "IPv4 in IPv6 is IPv4");
    }

    #[test]
    fn only_a_plain_request_is_answered() {
        let here = from("10.0.0.1:5000");
        let good = message(BINDING_REQUEST, &[(ATTR_SOFTWARE, b"old")]).raw;
        assert!(answer(&good, here).is_some());
        let others = [
            message(BINDING_SUCCESS, &[]),
            message(BINDING_ERROR, &[]),
            message(MessageType::new(METHOD_BINDING, CLASS_INDICATION), &[]),
            message(MessageType::new(METHOD_ALLOCATE, CLASS_REQUEST), &[]),
            message(BINDING_REQUEST, &[(ATTR_CHANGE_REQUEST, &[0, 0, 0, 6])]),
            message(BINDING_REQUEST, &[(ATTR_USERNAME, b"ada")]),
            message(BINDING_REQUEST, &[(ATTR_FINGERPRINT, &[1, 2, 3, 4])]),
        ];
        for other in others {
            assert_eq!(answer(&other.raw, here), None, "{other}");
        }
        for cut in 0..good.len() {
            assert_eq!(answer(&good[..cut], here), None);
        }
        assert_eq!(answer(&[&good[..], &[0; 4]].concat(), here), None, "something behind it");
        let mut classic = good;
        classic[4] = 0;
        assert_eq!(answer(&classic, here), None, "without the magic cookie");
    }

    #[test]
    fn a_fingerprint_is_checked_and_answered_with_one() {
        let mut request = message(BINDING_REQUEST, &[]);
        FINGERPRINT.add_to(&mut request).unwrap();
        let mut reply = Message::new();
        reply.unmarshal_binary(&answer(&request.raw, from("10.0.0.1:5000")).unwrap()).unwrap();
        FINGERPRINT.check(&reply).unwrap();
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_panics_and_no_answer_is_large(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
            port in any::<u16>(),
            v6 in any::<bool>(),
            framed in any::<bool>(),
        ) {
            let mut bytes = bytes;
            if framed && bytes.len() >= MESSAGE_HEADER_SIZE {
                bytes.truncate(bytes.len() / 4 * 4);
                let length = (bytes.len() - MESSAGE_HEADER_SIZE) as u16;
                bytes[..2].copy_from_slice(&[0, 1]);
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
            }
            let from = SocketAddr::new(if v6 { [9; 16].into() } else { [9; 4].into() }, port);
            if let Some(answer) = answer(&bytes, from) {
                prop_assert!(answer.len() <= bytes.len() + 24);
                let mut reply = Message::new();
                reply.unmarshal_binary(&answer).unwrap();
                let mut mapped = XorMappedAddress::default();
                mapped.get_from(&reply).unwrap();
                prop_assert_eq!((mapped.ip, mapped.port), (from.ip(), port));
            }
        }
    }
}
