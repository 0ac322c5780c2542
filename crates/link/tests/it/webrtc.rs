//! The suite over WebRTC, and what only WebRTC has: certificates, foreign peers, paths.

use std::time::Duration;

use sleap_rtc_link::webrtc::{Bind, Config, WebRtcConnector};
use sleap_rtc_link::{Connector, LinkError, PathKind};

use crate::rig::{PATIENCE, Rig, control, loopback};

crate::conformance::suite!(Rig::webrtc());

fn connector() -> WebRtcConnector {
    WebRtcConnector::new(loopback(Duration::from_secs(6)))
}

/// Setting up takes a small part of this.
const LONG: Duration = Duration::from_secs(4);

/// Whether making a link failed for want of a handshake. How the stack shows that differs: it may go on waiting, or
/// its driver stops.
fn refused<T>(made: &Result<T, LinkError>) -> bool {
    matches!(made, Err(LinkError::Connect(_) | LinkError::Timeout(_)))
}

/// The description with another certificate's fingerprint, as somebody in the middle would write it.
fn swapped(sdp: &str) -> String {
    let at = sdp.find("a=fingerprint:sha-256 ").expect("a fingerprint") + "a=fingerprint:sha-256 ".len();
    let first = if &sdp[at..at + 2] == "00" { "11" } else { "00" };
    let original = &sdp[at..at + 32 * 3 - 1];
    sdp.replace(original, &format!("{first}{}", &original[2..]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swapped_fingerprint_in_the_answer_makes_no_link() {
    let offered = connector().offer(&[]).await.unwrap();
    let answered = connector().answer(offered.sdp(), &[]).await.unwrap();
    let answer = swapped(answered.sdp());
    let (a, b) = tokio::join!(offered.connect(&answer, LONG), answered.connected(LONG));
    assert!(refused(&a), "the offerer refuses");
    assert!(refused(&b), "the answerer has no link either");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swapped_fingerprint_in_the_offer_makes_no_link() {
    let offered = connector().offer(&[]).await.unwrap();
    let answered = connector().answer(&swapped(offered.sdp()), &[]).await.unwrap();
    let answer = answered.sdp().to_owned();
    let (a, b) = tokio::join!(offered.connect(&answer, LONG), answered.connected(LONG));
    assert!(refused(&b), "the answerer refuses");
    assert!(refused(&a), "the offerer has no link either");
}

#[tokio::test]
async fn an_unacceptable_description_is_refused_before_anything_is_opened() {
    for bad in ["", "v=0\r\n", &"x".repeat(100_000)] {
        assert!(matches!(connector().answer(bad, &[]).await.err(), Some(LinkError::Sdp(_))));
        let offered = connector().offer(&[]).await.unwrap();
        assert!(matches!(offered.connect(bad, PATIENCE).await.err(), Some(LinkError::Sdp(_))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_path_names_both_ends_and_the_granted_buffer() {
    let (a, b) = Rig::webrtc().pair().await;
    let (a, b) = (a.path(), b.path());
    assert_eq!(a.kind, PathKind::WebRtc);
    assert!(a.bulk && b.bulk && !a.relayed);
    assert!(a.local.is_some() && a.local == b.remote && a.remote == b.local, "{a:?} {b:?}");
    assert!(a.receive_buffer.is_some_and(|bytes| bytes > 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_cannot_be_bound_is_skipped() {
    // The second is reserved for documentation: no machine has it.
    let bind = Bind::Addresses(vec!["127.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]);
    let connector = WebRtcConnector::new(Config { bind, ..Config::default() });
    let offered = connector.offer(&[]).await.unwrap();
    let answered = connector.answer(offered.sdp(), &[]).await.unwrap();
    let answer = answered.sdp().to_owned();
    let (a, b) = tokio::join!(offered.connect(&answer, PATIENCE), answered.connected(PATIENCE));
    let (a, b) = (a.unwrap(), b.unwrap());
    a.send_control("here".into()).await.unwrap();
    assert_eq!(control(&*b).await, "here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_configuration_connects_over_this_machines_interfaces() {
    for include_loopback in [true, false] {
        let connector = WebRtcConnector::new(Config { include_loopback, ..Config::default() });
        let offered = match connector.offer(&[]).await {
            Ok(offered) => offered,
            // A container without any interface but loopback has nothing to offer without it.
            Err(LinkError::Stack(_)) if !include_loopback => continue,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(offered.sdp().contains(" 127.0.0.1 "), include_loopback);
        let answered = connector.answer(offered.sdp(), &[]).await.unwrap();
        let answer = answered.sdp().to_owned();
        let (a, b) = tokio::join!(offered.connect(&answer, PATIENCE), answered.connected(PATIENCE));
        let (a, b) = (a.unwrap(), b.unwrap());
        a.send_control("here".into()).await.unwrap();
        assert_eq!(control(&*b).await, "here");
    }
}
