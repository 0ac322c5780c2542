//! How much is read from a connection before it is known whose it is.
//!
//! A WebSocket's reader buffers a message until it is whole, and its limit cannot be changed once the peer has registered. So the bytes
//! are counted underneath: a stranger's connection that sends more than one small frame's worth without ending it is not read on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// No bound.
const OPEN: usize = usize::MAX;

/// How many bytes may still be read.
#[derive(Debug)]
pub(crate) struct Meter {
    left: AtomicUsize,
    is_spent: AtomicBool,
}

impl Default for Meter {
    fn default() -> Self {
        Self { left: AtomicUsize::new(OPEN), is_spent: AtomicBool::new(false) }
    }
}

impl Meter {
    /// From here on, so many bytes.
    pub(crate) fn allow(&self, bytes: usize) {
        self.left.store(bytes, Ordering::Relaxed);
    }

    /// From here on, any number of bytes.
    pub(crate) fn open(&self) {
        self.allow(OPEN);
    }

    /// Whether more came than was allowed.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_spent.load(Ordering::Relaxed)
    }

    /// One task reads a connection, so that nobody comes between the two steps.
    fn take(&self, bytes: usize) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        if left == OPEN {
            return true;
        }
        self.left.store(left.saturating_sub(bytes), Ordering::Relaxed);
        if bytes > left {
            self.is_spent.store(true, Ordering::Relaxed);
        }
        bytes <= left
    }
}

/// A connection whose reading is counted.
pub(crate) struct Metered<S> {
    inner: S,
    meter: Arc<Meter>,
}

impl<S> Metered<S> {
    pub(crate) fn new(inner: S, meter: Arc<Meter>) -> Self {
        Self { inner, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if self.meter.take(buf.filled().len() - before) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, "more than may be read")))
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn reading_ends_where_the_allowance_does() {
        let meter = Arc::new(Meter::default());
        let mut stream = Metered::new(&[7_u8; 100][..], meter.clone());
        let mut ten = [0; 10];
        stream.read_exact(&mut ten).await.unwrap();
        meter.allow(15);
        stream.read_exact(&mut ten).await.unwrap();
        assert!(!meter.is_spent());
        assert!(stream.read_exact(&mut ten).await.is_err());
        assert!(meter.is_spent());
    }

    #[tokio::test]
    async fn an_open_meter_counts_nothing() {
        let meter = Arc::new(Meter::default());
        meter.allow(1);
        meter.open();
        let mut all = Vec::new();
        Metered::new(&[7_u8; 1000][..], meter).read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), 1000);
    }
}
