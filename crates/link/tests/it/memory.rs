//! The suite over memory, and the network's switch.

use sleap_rtc_link::memory::Network;
use sleap_rtc_link::{CloseReason, Connector, LinkError, LinkEvent, PathKind};

use crate::rig::{PATIENCE, Rig};

crate::conformance::suite!(Rig::memory());

#[tokio::test]
async fn a_killed_network_makes_no_links_until_it_is_revived() {
    let network = Network::new();
    let rig = Rig::Memory(network.clone());
    let (a, _b) = rig.pair().await;
    network.kill();
    assert_eq!(a.next().await, LinkEvent::Closed(CloseReason::Lost));
    let offered = network.connector().offer(&[]).await.unwrap();
    let refused = network.connector().answer(offered.sdp(), &[]).await.err().unwrap();
    assert!(matches!(refused, LinkError::Connect(_)), "{refused}");
    network.revive();
    let (c, d) = rig.pair().await;
    c.send_control("back".into()).await.unwrap();
    assert_eq!(d.next().await, LinkEvent::Control("back".into()));
    assert_eq!(c.path().kind, PathKind::Memory);
}

#[tokio::test]
async fn an_offer_is_answered_once_and_an_answer_belongs_to_its_offer() {
    let network = Network::new();
    let (first, second) =
        (network.connector().offer(&[]).await.unwrap(), network.connector().offer(&[]).await.unwrap());
    let answered = network.connector().answer(first.sdp(), &[]).await.unwrap();
    assert!(matches!(network.connector().answer(first.sdp(), &[]).await.err(), Some(LinkError::Sdp(_))));
    assert!(matches!(second.connect(answered.sdp(), PATIENCE).await.err(), Some(LinkError::Sdp(_))));
    drop(answered);
    assert!(first.connect("memory answer 3", PATIENCE).await.is_err());
}
