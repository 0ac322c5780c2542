//! The suite: what every link does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sleap_rtc_link::{CloseReason, Link, LinkError, LinkEvent, MAX_BULK_MESSAGE, MAX_CONTROL_MESSAGE};

use crate::rig::{Rig, bounded, bulk, control, noise};

/// Runs every case of the suite over the rig that `$rig` makes.
macro_rules! suite {
    ($rig:expr) => {
        $crate::conformance::suite! { @cases $rig;
            both_flows_keep_their_order,
            messages_of_every_allowed_length_arrive_whole,
            a_message_of_a_wrong_length_is_refused_and_the_link_goes_on,
            what_was_sent_before_a_close_arrives,
            the_answerer_closes,
            both_close_at_once,
            a_close_interrupts_senders_on_both_sides,
            a_close_returns_though_the_peer_does_not_read,
            a_dropped_link_is_lost_to_the_peer,
            a_cut_network_is_noticed_on_both_sides,
            both_sides_name_the_same_two_ends,
            every_link_has_ends_of_its_own,
            nothing_of_64_mib_is_lost,
            both_directions_at_once,
            a_reader_that_stops_stops_the_sender,
            a_full_bulk_flow_holds_up_no_control,
            next_can_be_cancelled_at_any_time,
            without_an_answer_the_answerer_gives_up,
        }
    };
    (@cases $rig:expr; $($case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::rig::bounded($crate::conformance::$case($rig)).await;
            }
        )*
    };
}
pub(crate) use suite;

async fn closed(link: &dyn Link) -> CloseReason {
    loop {
        if let LinkEvent::Closed(reason) = bounded(link.next()).await {
            return reason;
        }
    }
}

pub(crate) async fn both_flows_keep_their_order(rig: Rig) {
    let (a, b) = rig.pair().await;
    let (from, to) = (a.clone(), b.clone());
    let sending = tokio::spawn(async move {
        for n in 0..300_u64 {
            from.send_control(format!("{{\"n\":{n}}}")).await.unwrap();
            from.send_bulk(noise(n, 1000)).await.unwrap();
        }
    });
    let (mut controls, mut bulks) = (0, 0);
    while controls < 300 || bulks < 300 {
        match to.next().await {
            LinkEvent::Control(text) => {
                assert_eq!(text, format!("{{\"n\":{controls}}}"));
                controls += 1;
            }
            LinkEvent::Bulk(data) => {
                assert_eq!(data, noise(bulks, 1000));
                bulks += 1;
            }
            LinkEvent::Closed(reason) => panic!("{reason}"),
        }
    }
    sending.await.unwrap();
}

pub(crate) async fn messages_of_every_allowed_length_arrive_whole(rig: Rig) {
    let (a, b) = rig.pair().await;
    for (from, to) in [(&a, &b), (&b, &a)] {
        for len in [1, 2, 1190, 1191, 1192, 16_384, 65_535, 65_536] {
            let data = noise(len as u64, len);
            from.send_bulk(data.clone()).await.unwrap();
            assert_eq!(bulk(&**to).await, data);
            let text = "ü".repeat(len / 2) + &"x".repeat(len % 2);
            from.send_control(text.clone()).await.unwrap();
            assert_eq!(control(&**to).await, text);
        }
    }
}

pub(crate) async fn a_message_of_a_wrong_length_is_refused_and_the_link_goes_on(rig: Rig) {
    let (a, b) = rig.pair().await;
    for len in [0, MAX_BULK_MESSAGE + 1] {
        let refused = LinkError::Size { len, limit: MAX_BULK_MESSAGE };
        assert_eq!(a.send_bulk(Bytes::from(vec![7; len])).await, Err(refused));
    }
    for len in [0, MAX_CONTROL_MESSAGE + 1] {
        let refused = LinkError::Size { len, limit: MAX_CONTROL_MESSAGE };
        assert_eq!(a.send_control("x".repeat(len)).await, Err(refused));
    }
    a.send_control("still here".into()).await.unwrap();
    assert_eq!(control(&*b).await, "still here");
}

/// `from` sends and closes; `to` reads everything and then the end, again and again.
async fn sends_and_closes(from: Arc<dyn Link>, to: Arc<dyn Link>) {
    let sender = from.clone();
    let sending = tokio::spawn(async move {
        for n in 0..100 {
            sender.send_bulk(noise(n, 65_536)).await.unwrap();
        }
        sender.send_control("the last word".into()).await.unwrap();
        sender.close().await;
    });
    let (mut bulks, mut words) = (0, 0);
    let reason = loop {
        match to.next().await {
            LinkEvent::Bulk(data) => {
                assert_eq!(data, noise(bulks, 65_536));
                bulks += 1;
            }
            LinkEvent::Control(_) => words += 1,
            LinkEvent::Closed(reason) => break reason,
        }
    };
    assert_eq!((bulks, words, reason), (100, 1, CloseReason::ByPeer));
    sending.await.unwrap();
    for _ in 0..3 {
        assert_eq!(to.next().await, LinkEvent::Closed(CloseReason::ByPeer));
        assert_eq!(from.next().await, LinkEvent::Closed(CloseReason::ByUs));
    }
    assert_eq!(to.send_control("x".into()).await, Err(LinkError::Closed(CloseReason::ByPeer)));
    assert_eq!(from.send_bulk(noise(0, 1)).await, Err(LinkError::Closed(CloseReason::ByUs)));
    from.close().await;
    to.close().await;
    assert_eq!(to.next().await, LinkEvent::Closed(CloseReason::ByPeer));
}

pub(crate) async fn what_was_sent_before_a_close_arrives(rig: Rig) {
    let (a, b) = rig.pair().await;
    sends_and_closes(a, b).await;
}

pub(crate) async fn the_answerer_closes(rig: Rig) {
    let (a, b) = rig.pair().await;
    sends_and_closes(b, a).await;
}

pub(crate) async fn both_close_at_once(rig: Rig) {
    let (a, b) = rig.pair().await;
    tokio::join!(a.close(), b.close(), a.close());
    for link in [a, b] {
        let reason = closed(&*link).await;
        assert!(matches!(reason, CloseReason::ByUs | CloseReason::ByPeer), "{reason}");
    }
}

pub(crate) async fn a_close_interrupts_senders_on_both_sides(rig: Rig) {
    let (a, b) = rig.pair().await;
    let flood = |link: Arc<dyn Link>| {
        tokio::spawn(async move {
            loop {
                if let Err(error) = link.send_bulk(noise(1, 65_536)).await {
                    return error;
                }
            }
        })
    };
    let (from_a, from_b) = (flood(a.clone()), flood(b.clone()));
    bulk(&*b).await;
    let reading = tokio::spawn(async move { closed(&*b).await });
    a.close().await;
    assert_eq!(reading.await.unwrap(), CloseReason::ByPeer);
    assert!(matches!(from_a.await.unwrap(), LinkError::Closed(CloseReason::ByUs)));
    assert!(matches!(from_b.await.unwrap(), LinkError::Closed(_)));
}

pub(crate) async fn a_close_returns_though_the_peer_does_not_read(rig: Rig) {
    let (a, b) = rig.pair().await;
    let sender = a.clone();
    let flood = tokio::spawn(async move { while sender.send_bulk(noise(1, 65_536)).await.is_ok() {} });
    bulk(&*b).await;
    a.close().await;
    flood.await.unwrap();
    let reason = closed(&*b).await;
    assert!(matches!(reason, CloseReason::ByPeer | CloseReason::Lost), "{reason}");
}

pub(crate) async fn a_dropped_link_is_lost_to_the_peer(rig: Rig) {
    let (a, b) = rig.pair().await;
    drop(a);
    assert_eq!(closed(&*b).await, CloseReason::Lost);
    assert_eq!(b.send_bulk(noise(1, 1)).await, Err(LinkError::Closed(CloseReason::Lost)));
}

pub(crate) async fn a_cut_network_is_noticed_on_both_sides(rig: Rig) {
    let rig = rig.cuttable().await;
    let (a, b) = rig.pair().await;
    a.send_control("before".into()).await.unwrap();
    assert_eq!(control(&*b).await, "before");
    let sender = a.clone();
    let flood = tokio::spawn(async move {
        loop {
            if let Err(error) = sender.send_bulk(noise(1, 65_536)).await {
                return error;
            }
        }
    });
    bulk(&*b).await;
    rig.cut().await;
    assert_eq!(closed(&*a).await, CloseReason::Lost);
    assert_eq!(closed(&*b).await, CloseReason::Lost);
    assert_eq!(flood.await.unwrap(), LinkError::Closed(CloseReason::Lost));
    a.close().await;
    assert_eq!(a.next().await, LinkEvent::Closed(CloseReason::Lost));
}

pub(crate) async fn both_sides_name_the_same_two_ends(rig: Rig) {
    let (a, b) = rig.pair().await;
    assert_eq!(a.binding().local, b.binding().remote);
    assert_eq!(a.binding().remote, b.binding().local);
    assert_ne!(a.binding().local, a.binding().remote);
}

pub(crate) async fn every_link_has_ends_of_its_own(rig: Rig) {
    let (first, _other) = rig.pair().await;
    let (second, _another) = rig.pair().await;
    let ends = [first.binding(), second.binding()];
    assert_ne!(ends[0].local, ends[1].local);
    assert_ne!(ends[0].remote, ends[1].remote);
}

/// Sends `mib` MiB from one end; answers the hash of what was sent.
fn send_all(link: Arc<dyn Link>, mib: u64) -> tokio::task::JoinHandle<blake3::Hash> {
    tokio::spawn(async move {
        let mut hash = blake3::Hasher::new();
        for n in 0..mib * 16 {
            let data = noise(n, 65_536);
            hash.update(&data);
            link.send_bulk(data).await.unwrap();
        }
        link.send_control("sent".into()).await.unwrap();
        hash.finalize()
    })
}

/// Reads `mib` MiB and the word that follows, in any order; answers the hash of what came.
fn receive_all(link: Arc<dyn Link>, mib: u64) -> tokio::task::JoinHandle<blake3::Hash> {
    tokio::spawn(async move {
        let (mut hash, mut missing, mut word) = (blake3::Hasher::new(), mib << 20, false);
        while missing > 0 || !word {
            match link.next().await {
                LinkEvent::Bulk(data) => {
                    hash.update(&data);
                    missing -= data.len() as u64;
                }
                LinkEvent::Control(text) => word = text == "sent",
                LinkEvent::Closed(reason) => panic!("{reason}, {missing} bytes missing"),
            }
        }
        hash.finalize()
    })
}

pub(crate) async fn nothing_of_64_mib_is_lost(rig: Rig) {
    let (a, b) = rig.pair().await;
    let (sent, received) = (send_all(a.clone(), 64), receive_all(b, 64));
    assert_eq!(sent.await.unwrap(), received.await.unwrap());
}

pub(crate) async fn both_directions_at_once(rig: Rig) {
    let (a, b) = rig.pair().await;
    let (there, back) = (send_all(a.clone(), 8), send_all(b.clone(), 8));
    let (at_b, at_a) = (receive_all(b.clone(), 8), receive_all(a.clone(), 8));
    assert_eq!(there.await.unwrap(), at_b.await.unwrap());
    assert_eq!(back.await.unwrap(), at_a.await.unwrap());
}

/// Answers when `count` has not moved for a second.
async fn settled(count: &AtomicUsize) -> usize {
    let mut last = count.load(Ordering::SeqCst);
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = count.load(Ordering::SeqCst);
        if now == last && now > 0 {
            return now;
        }
        last = now;
    }
}

pub(crate) async fn a_reader_that_stops_stops_the_sender(rig: Rig) {
    const TOTAL: usize = 1600;
    /// 512 messages of the stack, the peer's window, the sender's buffer (1.25 MiB): 36 MiB, and some slack.
    const BOUND: usize = 600;
    let (a, b) = rig.pair().await;
    let accepted = Arc::new(AtomicUsize::new(0));
    let (sender, count) = (a.clone(), accepted.clone());
    let sending = tokio::spawn(async move {
        for n in 0..TOTAL {
            sender.send_bulk(noise(n as u64, 65_536)).await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let stuck = settled(&accepted).await;
    assert!(stuck < BOUND, "{stuck} messages of 64 KiB were accepted though nobody reads");
    for n in 0..TOTAL {
        assert_eq!(bulk(&*b).await, noise(n as u64, 65_536));
    }
    sending.await.unwrap();
}

pub(crate) async fn a_full_bulk_flow_holds_up_no_control(rig: Rig) {
    let (a, b) = rig.pair().await;
    let accepted = Arc::new(AtomicUsize::new(0));
    let (sender, count) = (a.clone(), accepted.clone());
    let flood = tokio::spawn(async move {
        while sender.send_bulk(noise(1, 65_536)).await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    // The bulk flow is full, and control is still accepted at once.
    let full = settled(&accepted).await;
    a.send_control("urgent".into()).await.unwrap();
    let mut received = 0;
    loop {
        match b.next().await {
            LinkEvent::Bulk(_) => received += 1,
            LinkEvent::Control(text) => break assert_eq!(text, "urgent"),
            LinkEvent::Closed(reason) => panic!("{reason}"),
        }
    }
    // It overtakes everything that bulk was accepted for after it.
    assert!(received <= full + 1, "{received} bulk messages came first, {full} were sent before");
    let reading = tokio::spawn(async move { closed(&*b).await });
    a.close().await;
    flood.await.unwrap();
    assert_eq!(reading.await.unwrap(), CloseReason::ByPeer);
}

pub(crate) async fn next_can_be_cancelled_at_any_time(rig: Rig) {
    let (a, b) = rig.pair().await;
    let sending = tokio::spawn(async move {
        for n in 0..500 {
            a.send_bulk(noise(n, 3000)).await.unwrap();
        }
        a
    });
    let mut received = 0;
    while received < 500 {
        let event = tokio::select! {
            biased;
            () = tokio::task::yield_now() => continue,
            event = b.next() => event,
        };
        assert_eq!(event, LinkEvent::Bulk(noise(received, 3000)));
        received += 1;
    }
    sending.await.unwrap();
}

pub(crate) async fn without_an_answer_the_answerer_gives_up(rig: Rig) {
    let offered = rig.connector().offer(&[]).await.unwrap();
    let answered = rig.connector().answer(offered.sdp(), &[]).await.unwrap();
    let short = Duration::from_millis(300);
    assert_eq!(answered.connected(short).await.err(), Some(LinkError::Timeout(short)));
}
