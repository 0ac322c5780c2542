//! A way to the server that can be cut and mended.

use std::net::SocketAddr;

use sleap_rtc_peer::api::Api;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) struct Wire {
    address: SocketAddr,
    whole: watch::Sender<bool>,
    // Ends the task with its owner.
    _task: JoinSet<()>,
}

impl Wire {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let whole = watch::Sender::new(true);
        let mut task = JoinSet::new();
        task.spawn(pass_on(listener, server, whole.subscribe()));
        Self { address, whole, _task: task }
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(format!("http://{}", self.address).parse().unwrap())
    }

    /// Nothing that is open stays open, nothing new gets through.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn pass_on(listener: TcpListener, server: SocketAddr, whole: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        let mut whole = whole.clone();
        if !*whole.borrow_and_update() {
            continue;
        }
        connections.spawn(async move {
            let Ok(mut far) = TcpStream::connect(server).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                _ = whole.changed() => {}
            }
        });
    }
}
