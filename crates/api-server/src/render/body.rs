//! Response bodies: made as they are sent, from bytes that exist already.

use crate::cache::CachedObject;
use crate::render::watch::WatchBody;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Frame, SizeHint};
use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Bytes that are put together before they are handed to the connection.
const CHUNK: usize = 256 << 10;

/// The body of a response.
pub enum Body {
    /// A document.
    Full(Bytes),
    /// A list of cached objects.
    List(ListBody),
    /// Something compressed on its way.
    Gzip(Box<GzipBody>),
    /// A watch.
    Watch(Box<WatchBody>),
}

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Self::Full(Bytes::new())
    }

    /// The bytes in it, if that is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Full(bytes) => Some(bytes.len() as u64),
            Self::List(list) => Some(list.left),
            Self::Gzip(_) | Self::Watch(_) => None,
        }
    }

    /// The same body compressed.
    #[must_use]
    pub fn gzipped(self) -> Self {
        match self {
            inner @ (Self::Full(_) | Self::List(_)) => Self::Gzip(Box::new(GzipBody {
                inner,
                encoder: Some(GzEncoder::new(Vec::new(), Compression::fast())),
            })),
            other => other,
        }
    }

    /// The next piece of a body that does not wait for anything.
    fn piece(&mut self) -> Option<Bytes> {
        match self {
            Self::Full(bytes) => (!bytes.is_empty()).then(|| std::mem::take(bytes)),
            Self::List(list) => list.piece(),
            Self::Gzip(gzip) => gzip.piece(),
            Self::Watch(_) => None,
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Watch(watch) => match watch.poll_line(cx) {
                Poll::Ready(line) => line,
                Poll::Pending => return Poll::Pending,
            },
            other => other.piece(),
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.length() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.length()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A list: what stands before its objects, the objects, and what stands behind.
pub struct ListBody {
    head: Bytes,
    objects: std::vec::IntoIter<Arc<CachedObject>>,
    first: bool,
    tail: &'static [u8],
    left: u64,
}

impl ListBody {
    /// A list with the given beginning, up to and with the bracket that opens its items.
    pub fn new(head: Bytes, objects: Vec<Arc<CachedObject>>) -> Self {
        let tail = b"]}\n";
        let bytes: usize = objects.iter().map(|o| o.bytes().len()).sum();
        let commas = objects.len().saturating_sub(1);
        Self {
            left: (head.len() + bytes + commas + tail.len()) as u64,
            head,
            objects: objects.into_iter(),
            first: true,
            tail,
        }
    }

    fn piece(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let room = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        let mut out = Vec::with_capacity(room);
        out.extend_from_slice(&std::mem::take(&mut self.head));
        while let Some(object) = self.objects.as_slice().first() {
            let bytes = object.bytes();
            if !out.is_empty() && out.len() + bytes.len() + 1 > CHUNK {
                break;
            }
            if !std::mem::take(&mut self.first) {
                out.push(b',');
            }
            out.extend_from_slice(bytes);
            self.objects.next();
        }
        if self.objects.len() == 0 {
            out.extend_from_slice(std::mem::take(&mut self.tail));
        }
        self.left = self.left.saturating_sub(out.len() as u64);
        Some(out.into())
    }
}

/// A body that is compressed piece by piece.
pub struct GzipBody {
    inner: Body,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl GzipBody {
    fn piece(&mut self) -> Option<Bytes> {
        loop {
            let encoder = self.encoder.as_mut()?;
            match self.inner.piece() {
                Some(piece) => {
                    // Writing to memory cannot fail.
                    let _ = encoder.write_all(&piece);
                    let ready = std::mem::take(encoder.get_mut());
                    if !ready.is_empty() {
                        return Some(ready.into());
                    }
                }
                None => {
                    let rest = self.encoder.take()?.finish().unwrap_or_default();
                    return Some(rest.into());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn all(mut body: Body) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(piece) = body.piece() {
            out.extend_from_slice(&piece);
        }
        out
    }

    #[test]
    fn compressed_bodies_are_the_same_when_read() {
        let text = "abc".repeat(300_000);
        let gzip = all(Body::Full(text.clone().into()).gzipped());
        let mut back = String::new();
        flate2::read::GzDecoder::new(&gzip[..])
            .read_to_string(&mut back)
            .unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn an_empty_list_is_whole() {
        let list = ListBody::new(Bytes::from_static(b"{\"items\":["), Vec::new());
        assert_eq!(list.left, 13);
        assert_eq!(all(Body::List(list)), b"{\"items\":[]}\n");
    }
}
