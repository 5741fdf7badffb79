//! A request's body on the wire: read up to a limit, and never left lying there.
//!
//! A client that is still sending may not look at the answer before it is done, and closing the
//! connection on unread bytes makes its system throw the answer away. So whatever a request's
//! handler did not read, because it refused before or the body is too large, is read and thrown
//! away behind the answer, within bounds.

use bytes::{Bytes, BytesMut};
use http::header::EXPECT;
use http::{HeaderMap, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use model::status::Status;
use std::time::Duration;

/// How much is thrown away behind an answer before the client is cut off.
const DISCARDED_MAX: usize = 64 << 20;
/// How long that may take.
const DISCARDING_MAX: Duration = Duration::from_secs(10);

/// A body that is still on the wire. What was not read of it when it is dropped is thrown away by
/// a task of its own.
pub struct RequestBody {
    incoming: Option<Incoming>,
    /// Whether the client waits for a word before it sends: then reading asks for the body.
    awaited: bool,
}

impl RequestBody {
    /// The body of a request with that version and those headers.
    pub fn new(incoming: Incoming, version: Version, headers: &HeaderMap) -> Self {
        let expects = headers
            .get(EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Self {
            incoming: (!incoming.is_end_stream()).then_some(incoming),
            awaited: expects && version <= Version::HTTP_11,
        }
    }

    /// The whole body; more than `limit` bytes are a 413, and never more than that are held.
    pub async fn read(mut self, limit: usize) -> Result<Bytes, Status> {
        let too_large = || Status::too_large(format!("Request entity too large: limit is {limit}"));
        let Some(incoming) = &mut self.incoming else {
            return Ok(Bytes::new());
        };
        if incoming.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        self.awaited = false;
        let mut first = Bytes::new();
        let mut all: Option<BytesMut> = None;
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|e| {
                Status::bad_request(format!("the request's body could not be read: {e}"))
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let have = all.as_ref().map_or(first.len(), BytesMut::len);
            if have + data.len() > limit {
                return Err(too_large());
            }
            match &mut all {
                Some(all) => all.extend_from_slice(&data),
                None if first.is_empty() => first = data,
                None => {
                    let mut joined = BytesMut::with_capacity((first.len() + data.len()) * 2);
                    joined.extend_from_slice(&first);
                    joined.extend_from_slice(&data);
                    all = Some(joined);
                }
            }
        }
        self.incoming = None;
        Ok(all.map_or(first, BytesMut::freeze))
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        // Reading what the client has not begun to send would only make it send.
        if self.awaited {
            return;
        }
        if let Some(incoming) = self.incoming.take()
            && !incoming.is_end_stream()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(DISCARDING_MAX, discard(incoming)));
        }
    }
}

async fn discard(mut body: Incoming) {
    let mut left = DISCARDED_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
