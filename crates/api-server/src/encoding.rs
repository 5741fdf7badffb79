//! How an object is stored and how it is sent. A stored value is a small header and the object as
//! JSON in its storage version, without `metadata.resourceVersion`, which is the revision the
//! store gives it. The header holds the place where that field goes, so that the bytes to send
//! are made by copying, not by parsing.

use bytes::{BufMut, Bytes, BytesMut};
use model::{Map, Value};

/// The first byte of a stored value: the layout described here.
const LAYOUT: u8 = 1;
const HEADER: usize = 5;
const FIELD: &str = "resourceVersion";

/// A stored value that is not of the layout that this server writes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("a stored object cannot be read: {0}")]
pub struct Unreadable(&'static str);

/// Encodes an object for the store. Its `metadata.resourceVersion` is left out.
pub fn to_stored(object: &Value) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    out.put_u8(LAYOUT);
    out.put_u32(0);
    let mut at = 0;
    out.put_u8(b'{');
    let empty = Map::new();
    let fields = object.as_object().unwrap_or(&empty);
    let mut first = true;
    for (name, value) in fields {
        comma(&mut out, &mut first);
        put_name(&mut out, name);
        match value {
            Value::Object(metadata) if name == "metadata" => {
                at = put_metadata(&mut out, metadata);
            }
            other => put_value(&mut out, other),
        }
    }
    out.put_u8(b'}');
    if let Some(header) = out.get_mut(1..HEADER) {
        let at = u32::try_from(at).unwrap_or(0);
        header.copy_from_slice(&at.to_be_bytes());
    }
    out.freeze()
}

fn comma(out: &mut BytesMut, first: &mut bool) {
    if !std::mem::take(first) {
        out.put_u8(b',');
    }
}

fn put_name(out: &mut BytesMut, name: &str) {
    put_value(out, &name);
    out.put_u8(b':');
}

fn put_value(out: &mut BytesMut, value: &impl serde::Serialize) {
    // Writing a parsed JSON value to memory cannot fail: its keys are texts, its numbers finite.
    let _ = serde_json::to_writer(out.writer(), value);
}

/// Writes metadata and returns the place of the resource version: before the first field whose
/// name sorts after it, so that sent objects have their fields in order.
fn put_metadata(out: &mut BytesMut, metadata: &Map) -> usize {
    out.put_u8(b'{');
    let mut at = None;
    let mut first = true;
    for (name, value) in metadata {
        if name == FIELD {
            continue;
        }
        comma(out, &mut first);
        if at.is_none() && name.as_str() > FIELD {
            at = Some(out.len() - HEADER);
        }
        put_name(out, name);
        put_value(out, value);
    }
    // No field sorts after it (every stored object has a `uid`, so only foreign ones end here).
    let place = at.unwrap_or(0);
    out.put_u8(b'}');
    place
}

/// An object as it is sent, and where in it the digits of the resource version stand.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The object as JSON.
    pub bytes: Bytes,
    digits_at: u32,
    digits: u32,
}

impl Encoded {
    /// The object of a stored value with `revision` as its resource version.
    pub fn from_stored(stored: &[u8], revision: u64) -> Result<Self, Unreadable> {
        let (header, json) = stored
            .split_at_checked(HEADER)
            .ok_or(Unreadable("it is too short"))?;
        let [LAYOUT, a, b, c, d] = header else {
            return Err(Unreadable("it has a layout of another version"));
        };
        let at = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if at == 0 {
            return Self::from_foreign(json, revision);
        }
        let (before, after) = json
            .split_at_checked(at)
            .ok_or(Unreadable("its header points outside of it"))?;
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(revision);
        let mut out = Vec::with_capacity(json.len() + FIELD.len() + digits.len() + 6);
        out.extend_from_slice(before);
        out.extend_from_slice(b"\"resourceVersion\":\"");
        let digits_at = out.len();
        out.extend_from_slice(digits.as_bytes());
        out.extend_from_slice(b"\",");
        out.extend_from_slice(after);
        Ok(Self {
            bytes: out.into(),
            digits_at: u32::try_from(digits_at).map_err(|_| Unreadable("it is too large"))?,
            digits: u32::try_from(digits.len()).unwrap_or(0),
        })
    }

    /// An object without a place for the resource version: parsed and written again.
    fn from_foreign(json: &[u8], revision: u64) -> Result<Self, Unreadable> {
        let mut value: Value =
            serde_json::from_slice(json).map_err(|_| Unreadable("it is no JSON"))?;
        model::meta::map_mut(&mut value, &["metadata"])
            .entry("uid")
            .or_insert_with(|| Value::String(String::new()));
        Self::from_stored(&to_stored(&value), revision)
    }

    /// The same object with another resource version, as deletion events carry.
    #[must_use]
    pub fn at_revision(&self, revision: u64) -> Self {
        let start = self.digits_at as usize;
        let end = start + self.digits as usize;
        let (Some(before), Some(after)) = (self.bytes.get(..start), self.bytes.get(end..)) else {
            return self.clone();
        };
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(revision);
        let mut out = Vec::with_capacity(self.bytes.len() + digits.len());
        out.extend_from_slice(before);
        out.extend_from_slice(digits.as_bytes());
        out.extend_from_slice(after);
        Self {
            bytes: out.into(),
            digits_at: self.digits_at,
            digits: u32::try_from(digits.len()).unwrap_or(0),
        }
    }

    /// Parses the object.
    pub fn parse(&self) -> Result<Value, Unreadable> {
        serde_json::from_slice(&self.bytes).map_err(|_| Unreadable("it is no JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_resource_version_is_spliced_in_order() {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "\"b\""},
            "metadata": {"name": "x", "resourceVersion": "7", "uid": "u"}
        });
        let stored = to_stored(&object);
        assert!(!String::from_utf8_lossy(&stored).contains(FIELD));
        let sent = Encoded::from_stored(&stored, 42).unwrap();
        let mut want = object;
        want["metadata"]["resourceVersion"] = "42".into();
        assert_eq!(&sent.bytes[..], want.to_string().as_bytes());
        let later = sent.at_revision(1042);
        want["metadata"]["resourceVersion"] = "1042".into();
        assert_eq!(&later.bytes[..], want.to_string().as_bytes());
        assert_eq!(later.at_revision(42).bytes, sent.bytes);
    }

    #[test]
    fn objects_without_later_metadata_still_get_one() {
        for object in [
            json!({"metadata": {"name": "x"}}),
            json!({"metadata": {}}),
            json!({"kind": "x"}),
        ] {
            let sent = Encoded::from_stored(&to_stored(&object), 9).unwrap();
            assert_eq!(sent.parse().unwrap()["metadata"][FIELD], "9");
        }
    }

    #[test]
    fn damaged_values_are_refused() {
        for stored in [
            &b""[..],
            b"\x01\0\0",
            b"\x02\0\0\0\x01{}",
            b"\x01\0\0\xff\0{}",
        ] {
            assert!(Encoded::from_stored(stored, 1).is_err());
        }
    }
}
