//! How long a link takes with these ICE servers: `ice_wait stun:127.0.0.1:3478 …`. Three links in turn between the same two
//! connectors, so that it shows as well what a silent server costs the first and the next ones.

use std::error::Error;
use std::time::{Duration, Instant};

use sleap_rtc_link::webrtc::{Config, WebRtcConnector};
use sleap_rtc_link::{Connector, IceServer};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let urls: Vec<String> = std::env::args().skip(1).collect();
    let server = |url: String| IceServer { urls: vec![url], username: String::new(), credential: String::new() };
    let servers: Vec<IceServer> = urls.into_iter().map(server).collect();
    let (a, b) = (WebRtcConnector::new(Config::default()), WebRtcConnector::new(Config::default()));
    println!("offer ms   answer ms   link ms   reflexive");
    for _ in 0..3 {
        let begin = Instant::now();
        let offered = a.offer(&servers).await?;
        let offer = begin.elapsed();
        let answered = b.answer(offered.sdp(), &servers).await?;
        let answer = begin.elapsed().saturating_sub(offer);
        let sdp = answered.sdp().to_owned();
        let reflexive = offered.sdp().matches(" typ srflx").count();
        let (a, b) = tokio::join!(offered.connect(&sdp, PATIENCE), answered.connected(PATIENCE));
        let (_a, _b) = (a?, b?);
        let all = begin.elapsed();
        println!("{:8}   {:9}   {:7}   {reflexive:9}", offer.as_millis(), answer.as_millis(), all.as_millis());
    }
    Ok(())
}
