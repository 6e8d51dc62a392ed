//! A connection's byte stream. It holds its permit while it lasts, and ends so that the peer can read the last
//! response.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

/// Maximum time for which a peer may go on sending after the last response. A connection that is closed with something
/// unread is reset, and the reset can overtake the response.
const LINGER_MAX: Duration = Duration::from_secs(2);

/// Maximum number of bytes of a peer that are thrown away in one read.
const DISCARD_BYTES: usize = 4096;

/// Byte stream of a connection. It holds a permit while it lasts.
pub struct LingeringStream {
    stream: TcpStream,
    peer_sent_last: Arc<AtomicBool>,
    stop: CancellationToken,
    linger: Option<Pin<Box<Sleep>>>,
    /// Maximum time for which the peer may take nothing of a response.
    write_timeout: Duration,
    /// Time at which the peer must have taken something of the response, while it takes nothing.
    write_deadline: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl LingeringStream {
    /// Returns a stream that releases `permit` when it ends, and does not linger once `stop` is cancelled. It fails when
    /// the peer takes nothing of a response for `write_timeout`.
    pub fn new(
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
        stop: CancellationToken,
        write_timeout: Duration,
    ) -> LingeringStream {
        LingeringStream {
            stream,
            peer_sent_last: Arc::default(),
            stop,
            linger: None,
            write_timeout,
            write_deadline: None,
            _permit: permit,
        }
    }

    /// Returns a flag that is set while the last transfer on the connection came from the peer.
    pub fn peer_sent_last(&self) -> Arc<AtomicBool> {
        self.peer_sent_last.clone()
    }

    /// Returns the result of a write, or an error if the peer has taken nothing of the response for too long.
    fn limit_write(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write_deadline = None;
            return written;
        }
        let limit = self.write_timeout;
        let deadline = self
            .write_deadline
            .get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Discards what the peer still sends, until it hangs up or its time is over.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self
            .linger
            .get_or_insert_with(|| Box::pin(sleep(LINGER_MAX)));
        while linger.as_mut().poll(cx).is_pending() {
            let mut discarded = [0; DISCARD_BYTES];
            let mut buffer = ReadBuf::new(&mut discarded);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for LingeringStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.peer_sent_last.store(true, Relaxed);
        }
        read
    }
}

impl AsyncWrite for LingeringStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.peer_sent_last.store(false, Relaxed);
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.limit_write(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.peer_sent_last.store(false, Relaxed);
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.limit_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        if !self.stop.is_cancelled() {
            ready!(self.poll_discard(cx));
        }
        Poll::Ready(Ok(()))
    }
}
