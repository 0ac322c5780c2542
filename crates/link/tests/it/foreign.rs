//! Peers that are not ours, made of the bare stack: an older program with one channel, and ones that break the rules.

use std::sync::Arc;

use ::rtc::ice::mdns::MulticastDnsMode;
use ::rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use ::webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};
use ::webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState, RTCSessionDescription,
    SettingEngineBuilder,
};
use async_trait::async_trait;
use bytes::BytesMut;
use sleap_rtc_link::webrtc::{BULK_LABEL, CONTROL_LABEL, WebRtcConnector};
use sleap_rtc_link::{CloseReason, Connector, Link, LinkError, LinkEvent};
use tokio::sync::watch;

use crate::rig::{PATIENCE, bounded, bulk, control, loopback, noise};

struct Gathered(watch::Sender<bool>);

#[async_trait]
impl PeerConnectionEventHandler for Gathered {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.0.send_replace(state == RTCIceGatheringState::Complete);
    }
}

/// A peer made of the bare stack, which opens `channels`, and our link to it.
struct Foreign {
    pc: Arc<dyn PeerConnection>,
    channels: Vec<Arc<dyn DataChannel>>,
    link: Result<Arc<dyn Link>, LinkError>,
}

impl Foreign {
    async fn with(channels: &[(&str, Option<RTCDataChannelInit>)]) -> Self {
        let (gathered, mut complete) = watch::channel(false);
        let settings = SettingEngineBuilder::new()
            .with_include_loopback_candidate(true)
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(262_144));
        let builder = PeerConnectionBuilder::new()
            .with_setting_engine(settings.build())
            .with_handler(Arc::new(Gathered(gathered)))
            .with_udp_addrs(vec!["127.0.0.1:0"]);
        let pc: Arc<dyn PeerConnection> = Arc::new(Box::pin(builder.build()).await.unwrap());
        let mut opened = Vec::new();
        for (label, init) in channels {
            opened.push(pc.create_data_channel(label, init.clone()).await.unwrap());
        }
        let offer = pc.create_offer(None).await.unwrap();
        pc.set_local_description(offer).await.unwrap();
        complete.wait_for(|complete| *complete).await.unwrap();
        let offer = pc.local_description().await.unwrap().sdp;
        let answered = WebRtcConnector::new(loopback(PATIENCE)).answer(&offer, &[]).await.unwrap();
        let answer = RTCSessionDescription::answer(answered.sdp().to_owned()).unwrap();
        pc.set_remote_description(answer).await.unwrap();
        let link = bounded(answered.connected(PATIENCE)).await;
        Self { pc, channels: opened, link }
    }

    fn link(&self) -> Arc<dyn Link> {
        self.link.clone().unwrap()
    }

    /// What channel `n` receives next.
    async fn hears(&self, n: usize) -> BytesMut {
        loop {
            match bounded(self.channels[n].poll()).await.expect("an open channel") {
                DataChannelEvent::OnMessage(message) => return message.data,
                DataChannelEvent::OnClose => panic!("closed"),
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_program_talks_over_its_one_channel() {
    let peer = Foreign::with(&[("my-data-channel", None)]).await;
    let link = peer.link();
    assert!(!link.path().bulk);
    assert_eq!(link.send_bulk(noise(1, 1)).await, Err(LinkError::NoBulkChannel));
    link.send_control("AUTH_CHALLENGE::abc".into()).await.unwrap();
    assert_eq!(&peer.hears(0).await[..], b"AUTH_CHALLENGE::abc");
    peer.channels[0].send_text("END_OF_FILE").await.unwrap();
    assert_eq!(control(&*link).await, "END_OF_FILE");
    peer.channels[0].send(BytesMut::from(&noise(2, 262_144)[..])).await.unwrap();
    assert_eq!(bulk(&*link).await, noise(2, 262_144));
    // An empty message means nothing to it, and must mean nothing to us.
    peer.channels[0].send_text("").await.unwrap();
    peer.channels[0].send_text("still here").await.unwrap();
    assert_eq!(control(&*link).await, "still here");
    peer.pc.close().await.unwrap();
    assert_eq!(bounded(link.next()).await, LinkEvent::Closed(CloseReason::ByPeer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_older_program_was_sent_before_a_close_arrives() {
    let peer = Foreign::with(&[("my-data-channel", None)]).await;
    let link = peer.link();
    for n in 0..50_u32 {
        link.send_control(format!("{n:02000}")).await.unwrap();
    }
    let closing = tokio::spawn(async move { link.close().await });
    for n in 0..50_u32 {
        assert_eq!(&peer.hears(0).await[..], format!("{n:02000}").as_bytes());
    }
    closing.await.unwrap();
    peer.pc.close().await.unwrap();
}

const OURS: [(&str, Option<RTCDataChannelInit>); 2] = [(CONTROL_LABEL, None), (BULK_LABEL, None)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_breaks_the_rules_of_a_channel_loses_its_link() {
    for broken in ["bytes on control", "text on bulk"] {
        let peer = Foreign::with(&OURS).await;
        match broken {
            "bytes on control" => peer.channels[0].send(BytesMut::from(&b"{}"[..])).await.unwrap(),
            _ => peer.channels[1].send_text("{}").await.unwrap(),
        }
        let event = bounded(peer.link().next()).await;
        assert!(matches!(event, LinkEvent::Closed(CloseReason::Misuse(_))), "{broken}: {event:?}");
        peer.pc.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_opens_more_channels_loses_its_link() {
    let peer = Foreign::with(&OURS).await;
    let more = peer.pc.create_data_channel("more", None).await.unwrap();
    let event = bounded(peer.link().next()).await;
    assert!(matches!(event, LinkEvent::Closed(CloseReason::Misuse(_))), "{event:?}");
    drop(more);
    peer.pc.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_that_do_not_belong_together_make_no_link() {
    let unordered = RTCDataChannelInit { ordered: false, ..RTCDataChannelInit::default() };
    let cases =
        [[(CONTROL_LABEL, None), (CONTROL_LABEL, None)], [(CONTROL_LABEL, None), (BULK_LABEL, Some(unordered))]];
    for (case, channels) in cases.into_iter().enumerate() {
        let peer = Foreign::with(&channels).await;
        let refused = peer.link.as_ref().err();
        assert!(matches!(refused, Some(LinkError::Connect(_))), "{case}: {refused:?}");
        peer.pc.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_our_channels_and_another_make_no_link_that_lasts() {
    let peer = Foreign::with(&[(CONTROL_LABEL, None), ("other", None)]).await;
    // Which one is announced first is up to the stack.
    match &peer.link {
        Err(refused) => assert!(matches!(refused, LinkError::Connect(_)), "{refused}"),
        Ok(link) => {
            let event = bounded(link.next()).await;
            assert!(matches!(event, LinkEvent::Closed(CloseReason::Misuse(_))), "{event:?}");
        }
    }
    peer.pc.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abrupt_end_without_a_goodbye_is_a_loss() {
    let peer = Foreign::with(&OURS).await;
    let link = peer.link();
    peer.pc.close().await.unwrap();
    assert_eq!(bounded(link.next()).await, LinkEvent::Closed(CloseReason::Lost));
}
