//! A signaling socket, tuned as our own peers' is.

use std::net::SocketAddr;

use sleap_rtc_wire::limits;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::Error;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) async fn connect(address: SocketAddr, path: &str) -> Result<Socket, Error> {
    let config = WebSocketConfig::default()
        .read_buffer_size(16 << 10)
        .write_buffer_size(16 << 10)
        .max_write_buffer_size(4 * limits::FRAME);
    Ok(connect_async_with_config(format!("ws://{address}{path}"), Some(config), true).await?.0)
}
