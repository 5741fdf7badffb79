//! Base64 as Go decodes it: padded standard alphabet, line breaks ignored, and the position of
//! the first byte that is wrong.

const fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Checks `text`. `Ok(true)` says that encoding what it decodes to gives the same text again;
/// `Err` is the offset that Go reports.
pub(super) fn check(text: &str) -> Result<bool, usize> {
    let breaks = text.bytes().filter(|b| matches!(b, b'\n' | b'\r')).count();
    let mut bytes = text
        .bytes()
        .enumerate()
        .filter(|(_, b)| !matches!(b, b'\n' | b'\r'));
    let mut held = 0; // symbols of the current group of four
    let mut last = 0;
    while let Some((at, byte)) = bytes.next() {
        if let Some(v) = value(byte) {
            last = v;
            held = (held + 1) % 4;
            continue;
        }
        if byte != b'=' || held < 2 {
            return Err(at);
        }
        // Bits that the padding leaves over are ignored by the decoder but not kept.
        let clean = if held == 2 {
            match bytes.next() {
                Some((_, b'=')) => {}
                Some((other, _)) => return Err(other - 1),
                None => return Err(text.len()),
            }
            last & 0b1111 == 0
        } else {
            last & 0b11 == 0
        };
        return match bytes.next() {
            Some((rest, _)) => Err(rest),
            None => Ok(clean && breaks == 0),
        };
    }
    if held != 0 {
        return Err(text.len() - held);
    }
    Ok(breaks == 0)
}

/// Decodes and encodes again, for texts that [`check`] found not to be in the canonical form.
pub(super) fn normalize(text: &str) -> String {
    use base64::Engine;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let lenient = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
    );
    let plain: Vec<u8> = text
        .bytes()
        .filter(|b| !matches!(b, b'\n' | b'\r'))
        .collect();
    match lenient.decode(plain) {
        Ok(bytes) => base64::engine::general_purpose::STANDARD.encode(bytes),
        Err(_) => text.to_owned(),
    }
}
