//! A server that answers as a test wants, or not at all.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::sandbox::Sandbox;

/// How long a test waits for a call.
const LONG: Duration = Duration::from_secs(30);

/// It ends with the test's process.
pub(crate) struct StandIn {
    url: String,
    asked: Receiver<String>,
}

impl StandIn {
    /// `answer`: status and body for a path, `None` for silence.
    pub(crate) fn start(mut answer: impl FnMut(&str) -> Option<(u16, Value)> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (tell, asked) = channel();
        thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                silent.extend(serve(stream, &tell, &mut answer));
            }
        });
        Self { url, asked }
    }

    /// A computer that knows this server.
    pub(crate) fn sandbox(&self) -> Sandbox {
        let mut sandbox = Sandbox::new();
        sandbox.set("SLEAP_RTC_SERVER", &self.url);
        sandbox
    }

    /// Until somebody has asked for this path.
    pub(crate) fn wait_for(&self, path: &str) {
        while self.asked.recv_timeout(LONG).expect("it is asked for") != path {}
    }
}

/// Answers the calls of one connection; one that is to hear nothing is handed back open.
fn serve(
    stream: TcpStream,
    tell: &Sender<String>,
    answer: &mut impl FnMut(&str) -> Option<(u16, Value)>,
) -> Option<TcpStream> {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let path = read(&mut reader)?;
    // Nobody may listen any more.
    let _ = tell.send(path.clone());
    let Some((status, body)) = answer(&path) else { return Some(stream) };
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} So\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    (&stream).write_all(format!("{head}{body}").as_bytes()).expect("it is read");
    None
}

/// Reads one call, and says for which path.
fn read(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split([' ', '?']).nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some(path)
}
