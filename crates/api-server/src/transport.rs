//! Connections: TLS, HTTP/1.1 or HTTP/2 as the client negotiates, and limits for clients that are
//! slow, silent or gone.

use crate::pipeline;
use crate::render::Body;
use crate::server::Server;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use model::user::UserInfo;
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Time to wait before accepting again after the system refused (mostly: no file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a closed connection is still read from, so that a client that is sending gets to the
/// answer: with unread bytes left, the system would tell it to forget what it got.
const LINGER: Duration = Duration::from_secs(2);
/// How long a connection without requests under way may take to end when the server stops.
const FAREWELL: Duration = Duration::from_millis(500);
const STREAMS: u32 = 250;
const PING: Duration = Duration::from_secs(30);
/// What every HTTP/2 client begins with: the preface and the head of its settings. HTTP/1.1 has a
/// timer for each request's head; here nothing else would end the wait for the first bytes.
const HTTP2_GREETING: usize = 24 + 9;

/// What all requests of a connection have in common.
pub struct Connection {
    /// The client's address.
    pub peer: String,
    /// The client's certificates, leaf first.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Whom the certificates stand for, and when that was checked.
    pub identity: Mutex<Option<(Instant, UserInfo)>>,
}

/// Serves connections until the server is to stop, then lets those that are open end.
pub async fn serve(server: Arc<Server>, listener: TcpListener, acceptor: TlsAcceptor) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(server.limits.connections));
    loop {
        let accepted = tokio::select! {
            biased;
            () = server.stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Beyond the limit a connection is closed at once.
        let Ok(place) = places.clone().try_acquire_owned() else {
            continue;
        };
        let server = server.clone();
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            server.telemetry.connection(true);
            if let Err(error) = connection(&server, acceptor, stream, peer).await {
                tracing::debug!(%peer, %error, "a connection ended");
            }
            server.telemetry.connection(false);
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(server.limits.drain, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!("connections were still open when the server stopped");
    }
}

async fn connection(
    server: &Arc<Server>,
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let tls = tokio::select! {
        accepted = tokio::time::timeout(server.limits.handshake, acceptor.accept(stream)) => accepted??,
        () = server.stop.cancelled() => return Ok(()),
    };
    let (_, session) = tls.get_ref();
    let http2 = session.alpn_protocol() == Some(b"h2");
    let certificates = session.peer_certificates().unwrap_or_default().to_vec();
    let connection = Arc::new(Connection {
        peer: peer.ip().to_string(),
        certificates,
        identity: Mutex::new(None),
    });
    let mut guarded = Guarded::new(tls, server.limits.stalled, server.stop.clone());
    if http2 {
        guarded.awaited = HTTP2_GREETING;
        guarded.patience = Some(Box::pin(tokio::time::sleep(server.limits.head)));
    }
    let io = TokioIo::new(guarded);
    let handler = server.clone();
    let under_way = Arc::new(());
    let asked = under_way.clone();
    let service = service_fn(move |request| {
        let server = handler.clone();
        let connection = connection.clone();
        let asked = asked.clone();
        async move {
            let response = pipeline::handle(&server, &connection, request).await;
            let tracked = response.map(|body| Tracked {
                body,
                _asked: asked,
            });
            Ok::<_, Infallible>(tracked)
        }
    });
    // The service holds one, this function another; every request that is not answered one more.
    let idle = || Arc::strong_count(&under_way) <= 2;
    if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(server.limits.head_bytes).unwrap_or(u32::MAX));
        let mut open = pin!(builder.serve_connection(io, service));
        tokio::select! {
            result = open.as_mut() => return Ok(result?),
            () = server.stop.cancelled() => {}
        }
        open.as_mut().graceful_shutdown();
        Ok(last_words(idle(), open).await?)
    } else {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(server.limits.head)
            .max_buf_size(server.limits.head_bytes.max(8192));
        let mut open = pin!(builder.serve_connection(io, service));
        tokio::select! {
            result = open.as_mut() => return Ok(result?),
            () = server.stop.cancelled() => {}
        }
        open.as_mut().graceful_shutdown();
        Ok(last_words(idle(), open).await?)
    }
}

/// Lets a connection end when the server stops: for as long as requests are under way, else only
/// for as long as it takes to send what was said already. A client that has begun a request's head
/// may never end it.
async fn last_words<E>(idle: bool, open: impl Future<Output = Result<(), E>>) -> Result<(), E> {
    if !idle {
        return open.await;
    }
    tokio::time::timeout(FAREWELL, open).await.unwrap_or(Ok(()))
}

/// A body that counts as under way until all of it was handed to the connection.
struct Tracked {
    body: Body,
    _asked: Arc<()>,
}

impl hyper::body::Body for Tracked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that fails when what was written does not get through for too long, because the client
/// is gone or does not read, and that is closed in a way that lets the client read to the end.
struct Guarded {
    stream: TlsStream<TcpStream>,
    limit: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    /// While the server stops nobody is waited for.
    stop: CancellationToken,
    lingering: Option<Pin<Box<Sleep>>>,
    /// How many bytes the client has to send before `patience` ends.
    awaited: usize,
    patience: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    fn new(stream: TlsStream<TcpStream>, limit: Duration, stop: CancellationToken) -> Self {
        Self {
            stream,
            limit,
            stalled: None,
            stop,
            lingering: None,
            awaited: 0,
            patience: None,
        }
    }

    /// Throws away what the client still sends, until it closes too or time is up.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stop.is_cancelled() {
            return Poll::Ready(Ok(()));
        }
        let timer = self
            .lingering
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let (tcp, _) = self.stream.get_mut();
        let mut scratch = [0; 4096];
        loop {
            let mut scratch = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *tcp).poll_read(cx, &mut scratch) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !scratch.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Watches over the outcome of a write.
    fn watched<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let limit = self.limit;
        let timer = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(patience) = &mut self.patience {
            if outcome.is_pending() && patience.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            let read = buf.filled().len() - before;
            self.awaited = self.awaited.saturating_sub(read);
            if self.awaited == 0 {
                self.patience = None;
            }
        }
        outcome
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watched(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watched(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.watched(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
            match self.watched(cx, outcome) {
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
        }
        self.linger(cx)
    }
}
