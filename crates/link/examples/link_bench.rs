//! How fast a WebRTC link is beside TCP + TLS 1.3 in the same run: two processes on loopback, 64 KiB messages.
//!
//! `cargo run --release -p sleap-rtc-link --example link_bench -- [MIB] [ROUNDS]` (256 MiB, 3 rounds by default).
//! Prints MiB/s of the payload, CPU seconds for each GiB (user and system, sender + receiver, Linux only), the time to
//! set up, the granted socket buffer, and the ratio of the medians. The other side of each round is this program
//! again, as a child that receives.

use std::error::Error;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use sleap_rtc_link::webrtc::{Config, WebRtcConnector};
use sleap_rtc_link::{Connector as _, Link, LinkEvent};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const MESSAGE: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("receive-tcp") => receive_tcp().await,
        Some("receive-webrtc") => receive_webrtc().await,
        mib => {
            let mib = mib.map_or(Ok(256), str::parse)?;
            let rounds = args.get(1).map_or(Ok(3), |text| text.parse())?;
            compare(mib, rounds).await
        }
    }
}

/// One transfer.
struct Round {
    mib_per_s: f64,
    cpu_per_gib: [f64; 2],
    setup: Duration,
}

async fn compare(mib: usize, rounds: usize) -> Outcome<()> {
    let (mut tcp, mut webrtc) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        tcp.push(print("tcp + tls 1.3", &send_tcp(mib).await?));
        webrtc.push(print("webrtc link", &send_webrtc(mib).await?));
    }
    let (tcp, webrtc) = (median(tcp), median(webrtc));
    println!("median: tcp + tls {tcp:.0} MiB/s, webrtc {webrtc:.0} MiB/s, ratio {:.2} (goal 0.15)", webrtc / tcp);
    Ok(())
}

fn print(name: &str, round: &Round) -> f64 {
    let [send, receive] = round.cpu_per_gib;
    println!(
        "{name:14} {:7.0} MiB/s   cpu {:.2} s/GiB (send {send:.2} + receive {receive:.2})   set up in {:.0} ms",
        round.mib_per_s,
        send + receive,
        round.setup.as_secs_f64() * 1e3,
    );
    round.mib_per_s
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// CPU seconds of this process so far. The clock tick is 1/100 s on every Linux that is in use.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The receiving child: it is told things by line and says things by line.
struct Receiver {
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl Receiver {
    fn start(kind: &str) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let to = child.stdin.take().ok_or("no stdin")?;
        let from = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        Ok(Self { child, to, from })
    }

    async fn tell(&mut self, line: &str) -> Outcome<()> {
        Ok(self.to.write_all(format!("{line}\n").as_bytes()).await?)
    }

    async fn hear(&mut self) -> Outcome<String> {
        self.from.next_line().await?.ok_or_else(|| "the receiver ended early".into())
    }

    /// The round, once the receiver has said what it spent.
    async fn round(mut self, mib: usize, begun: Instant, connected: Instant, cpu_before: f64) -> Outcome<Round> {
        let spent: f64 = self.hear().await?.parse()?;
        let seconds = connected.elapsed().as_secs_f64();
        let gib = mib as f64 / 1024.0;
        self.child.wait().await?;
        Ok(Round {
            mib_per_s: mib as f64 / seconds,
            cpu_per_gib: [(cpu() - cpu_before) / gib, spent / gib],
            setup: connected - begun,
        })
    }
}

/// Says one line to the parent.
fn say(line: &str) -> Outcome<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// A line of the parent. Blocking: nothing else runs yet.
fn ask() -> Outcome<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn fold(sdp: &str) -> String {
    sdp.replace("\r\n", "|")
}

fn unfold(line: &str) -> String {
    line.replace('|', "\r\n")
}

async fn send_webrtc(mib: usize) -> Outcome<Round> {
    let mut receiver = Receiver::start("receive-webrtc")?;
    receiver.tell(&mib.to_string()).await?;
    let begun = Instant::now();
    let offered = WebRtcConnector::new(Config::default()).offer(&[]).await?;
    receiver.tell(&fold(offered.sdp())).await?;
    let answer = unfold(&receiver.hear().await?);
    let link = offered.connect(&answer, PATIENCE).await?;
    let (connected, before) = (Instant::now(), cpu());
    let path = link.path();
    let data = vec![0x5a; MESSAGE];
    for _ in 0..mib * 16 {
        link.send_bulk(Bytes::from(data.clone())).await?;
    }
    let round = receiver.round(mib, begun, connected, before).await?;
    link.close().await;
    println!(
        "SO_RCVBUF granted: {} KiB, path {:?} → {:?}",
        path.receive_buffer.unwrap_or(0) / 1024,
        path.local,
        path.remote
    );
    Ok(round)
}

async fn receive_webrtc() -> Outcome<()> {
    let mib: usize = ask()?.parse()?;
    let answered = WebRtcConnector::new(Config::default()).answer(&unfold(&ask()?), &[]).await?;
    say(&fold(answered.sdp()))?;
    let link = answered.connected(PATIENCE).await?;
    let before = cpu();
    let mut missing = mib << 20;
    while missing > 0 {
        missing -= next_bulk(&*link).await?.len();
    }
    say(&(cpu() - before).to_string())?;
    link.close().await;
    Ok(())
}

async fn next_bulk(link: &dyn Link) -> Outcome<Bytes> {
    match link.next().await {
        LinkEvent::Bulk(data) => Ok(data),
        other => Err(format!("not bulk: {other:?}").into()),
    }
}

async fn send_tcp(mib: usize) -> Outcome<Round> {
    let mut receiver = Receiver::start("receive-tcp")?;
    receiver.tell(&mib.to_string()).await?;
    let (port, certificate) = (receiver.hear().await?.parse::<u16>()?, receiver.hear().await?);
    let begun = Instant::now();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(unhex(&certificate)?.into())?;
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(ServerName::try_from("localhost")?, stream).await?;
    let (connected, before) = (Instant::now(), cpu());
    let data = vec![0x5a; MESSAGE];
    for _ in 0..mib * 16 {
        stream.write_all(&(MESSAGE as u32).to_be_bytes()).await?;
        stream.write_all(&data).await?;
    }
    stream.flush().await?;
    receiver.round(mib, begun, connected, before).await
}

async fn receive_tcp() -> Outcome<()> {
    let mib: usize = ask()?.parse()?;
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    say(&listener.local_addr()?.port().to_string())?;
    say(&hex(own.cert.der()))?;
    let (stream, _) = listener.accept().await?;
    let mut stream = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
    let before = cpu();
    let mut data = vec![0; MESSAGE];
    for _ in 0..mib * 16 {
        let len = stream.read_u32().await? as usize;
        stream.read_exact(data.get_mut(..len).ok_or("a message too long")?).await?;
    }
    say(&(cpu() - before).to_string())
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

fn unhex(text: &str) -> Outcome<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}
