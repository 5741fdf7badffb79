//! Writing protobuf messages: field numbers, strings, booleans, messages.

/// A message under construction.
#[derive(Debug, Default)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

/// Wire type of a number.
const VARINT: u64 = 0;
/// Wire type of bytes with their length before them.
const DELIMITED: u64 = 2;

impl Message {
    /// The encoded message.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn delimited(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | DELIMITED);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// A string; an empty one is the same as none.
    pub(super) fn string(&mut self, field: u64, text: &str) {
        if !text.is_empty() {
            self.delimited(field, text.as_bytes());
        }
    }

    /// A string in a list, where empty ones count.
    pub(super) fn repeated_string(&mut self, field: u64, text: &str) {
        self.delimited(field, text.as_bytes());
    }

    /// A boolean; false is the same as none.
    pub(super) fn boolean(&mut self, field: u64, on: bool) {
        if on {
            self.varint(field << 3 | VARINT);
            self.varint(1);
        }
    }

    /// A message within this one.
    pub(super) fn message(&mut self, field: u64, message: &Self) {
        self.delimited(field, &message.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_by_the_wire_format() {
        let mut inner = Message::default();
        inner.string(1, "testing");
        let mut outer = Message::default();
        outer.message(3, &inner);
        outer.boolean(16, true);
        outer.string(2, "");
        outer.repeated_string(2, "");
        assert_eq!(
            outer.into_bytes(),
            b"\x1a\x09\x0a\x07testing\x80\x01\x01\x12\x00"
        );
        let mut long = Message::default();
        long.string(1, &"x".repeat(300));
        assert_eq!(long.into_bytes().get(..3), Some(&b"\x0a\xac\x02"[..]));
    }
}
