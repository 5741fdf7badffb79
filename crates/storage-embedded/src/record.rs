//! How one change is laid out in the log table, whose key is the revision of the change.
//!
//! `kind (1) · checksum (4) · create revision (8) · key length (4) · [expiry (8) · ttl (8)] · key ·
//! value`, integers little-endian. The checksum is the CRC-32 of the revision and everything behind
//! the checksum, so that a record read back under another revision is as damaged as a changed one.

use storage_api::Revision;

const PUT: u8 = 0;
const DELETE: u8 = 1;
const PUT_WITH_TTL: u8 = 2;
const FIXED: usize = 17;
const LEASE: usize = 16;

/// When an entry expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Wall clock at expiry, in milliseconds since 1970.
    pub(crate) expires_at: u64,
    /// The time to live that was asked for, in milliseconds; bounds what is left if the wall clock
    /// was set back meanwhile.
    pub(crate) ttl: u64,
}

/// A change as it is stored, borrowing from the bytes read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) key: &'a str,
    /// `None` for a deletion.
    pub(crate) value: Option<&'a [u8]>,
    /// The revision at which the key came to be; 0 for a deletion.
    pub(crate) create: Revision,
    pub(crate) lease: Option<Lease>,
}

impl<'a> Record<'a> {
    /// Appends the record for `revision` to `out`, which is cleared first.
    pub(crate) fn encode(&self, revision: Revision, out: &mut Vec<u8>) {
        out.clear();
        let kind = match (self.value, self.lease) {
            (None, _) => DELETE,
            (Some(_), None) => PUT,
            (Some(_), Some(_)) => PUT_WITH_TTL,
        };
        out.push(kind);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.create.to_le_bytes());
        // Keys are bounded by the store far below 4 GiB.
        out.extend_from_slice(
            &u32::try_from(self.key.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        if let (PUT_WITH_TTL, Some(lease)) = (kind, self.lease) {
            out.extend_from_slice(&lease.expires_at.to_le_bytes());
            out.extend_from_slice(&lease.ttl.to_le_bytes());
        }
        out.extend_from_slice(self.key.as_bytes());
        out.extend_from_slice(self.value.unwrap_or_default());
        let sum = checksum(revision, kind, out.get(5..).unwrap_or_default());
        if let Some(place) = out.get_mut(1..5) {
            place.copy_from_slice(&sum.to_le_bytes());
        }
    }

    /// Reads the record that was stored for `revision`; the error says what is wrong with it.
    pub(crate) fn decode(revision: Revision, bytes: &'a [u8]) -> Result<Self, &'static str> {
        let record = Self::decode_unchecked(bytes)?;
        let (head, body) = bytes.split_at_checked(5).ok_or("it is cut short")?;
        let (kind, stored) = head.split_first().ok_or("it is cut short")?;
        if stored == checksum(revision, *kind, body).to_le_bytes() {
            Ok(record)
        } else {
            Err("its checksum does not match")
        }
    }

    fn decode_unchecked(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let (fixed, rest) = bytes.split_at_checked(FIXED).ok_or("it is cut short")?;
        let kind = *fixed.first().ok_or("it is cut short")?;
        let create = integer(fixed, 5).ok_or("it is cut short")?;
        let key_length = fixed
            .get(13..17)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_le_bytes)
            .and_then(|length| usize::try_from(length).ok())
            .ok_or("it is cut short")?;
        let (lease, rest) = match kind {
            PUT | DELETE => (None, rest),
            PUT_WITH_TTL => {
                let (lease, rest) = rest.split_at_checked(LEASE).ok_or("it is cut short")?;
                let expires_at = integer(lease, 0).ok_or("it is cut short")?;
                let ttl = integer(lease, 8).ok_or("it is cut short")?;
                (Some(Lease { expires_at, ttl }), rest)
            }
            _ => return Err("it is of an unknown kind"),
        };
        let (key, value) = rest.split_at_checked(key_length).ok_or("it is cut short")?;
        let key = std::str::from_utf8(key).map_err(|_| "its key is not UTF-8")?;
        Ok(Self {
            key,
            value: (kind != DELETE).then_some(value),
            create,
            lease,
        })
    }
}

fn integer(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..at + 8)?
        .try_into()
        .ok()
        .map(u64::from_le_bytes)
}

fn checksum(revision: Revision, kind: u8, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&revision.to_le_bytes());
    hasher.update(&[kind]);
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> impl Strategy<Value = (String, Option<Vec<u8>>, u64, Option<Lease>)> {
        let lease =
            (any::<u64>(), any::<u64>()).prop_map(|(expires_at, ttl)| Lease { expires_at, ttl });
        (
            "[ -~]{0,40}",
            any::<Option<Vec<u8>>>(),
            any::<u64>(),
            proptest::option::of(lease),
        )
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded((key, value, create, lease) in record(), revision: u64) {
            let lease = value.as_ref().and(lease);
            let record = Record { key: &key, value: value.as_deref(), create, lease };
            let mut bytes = Vec::new();
            record.encode(revision, &mut bytes);
            prop_assert_eq!(Record::decode(revision, &bytes), Ok(record));
            prop_assert!(Record::decode(revision ^ 1, &bytes).is_err());
        }

        #[test]
        fn any_flipped_bit_is_noticed(
            (key, value, create, lease) in record(), revision: u64, place: prop::sample::Index,
        ) {
            let record = Record { key: &key, value: value.as_deref(), create, lease };
            let mut bytes = Vec::new();
            record.encode(revision, &mut bytes);
            let bit = place.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Record::decode(revision, &bytes).is_err());
        }

        #[test]
        fn foreign_bytes_are_refused(bytes: Vec<u8>, revision: u64) {
            prop_assert!(Record::decode(revision, &bytes).is_err());
        }
    }
}
