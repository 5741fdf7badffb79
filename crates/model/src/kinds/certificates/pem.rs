//! The outer form of certificates and of requests for them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Checks a request as it stands in the object: base64 around one PEM block around a DER
/// sequence. The error says what is wrong with it.
pub(super) fn certificate_request(encoded: &str) -> Result<(), String> {
    let wrong_type = "PEM block type must be CERTIFICATE REQUEST";
    let blocks = blocks(encoded).unwrap_or_default();
    match blocks.first() {
        Some(block) if block.label == "CERTIFICATE REQUEST" => sequence(&block.content),
        _ => Err(wrong_type.to_owned()),
    }
}

/// Checks issued certificates: base64 around PEM blocks; nothing at all is fine.
pub(super) fn certificates(encoded: &str) -> Result<(), String> {
    if encoded.is_empty() {
        return Ok(());
    }
    let blocks = blocks(encoded).unwrap_or_default();
    if blocks.is_empty() {
        return Err("must contain at least one CERTIFICATE PEM block".to_owned());
    }
    for block in &blocks {
        if block.label != "CERTIFICATE" {
            return Err(format!(
                "only CERTIFICATE PEM blocks are allowed, found {:?}",
                block.label
            ));
        }
        if block.headers {
            return Err("no PEM block headers are permitted".to_owned());
        }
        sequence(&block.content)?;
    }
    Ok(())
}

struct Block {
    label: String,
    headers: bool,
    content: Vec<u8>,
}

/// The PEM blocks in a base64 text; blocks that are not whole are passed over, as Go does.
fn blocks(encoded: &str) -> Option<Vec<Block>> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let label = line
            .trim_end()
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"));
        let Some(label) = label else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let mut body = String::new();
        let mut headers = false;
        for line in lines.by_ref() {
            if line.trim_end() == end {
                if let Ok(content) = STANDARD.decode(&body) {
                    blocks.push(Block {
                        label: label.to_owned(),
                        headers,
                        content,
                    });
                }
                break;
            }
            if line.contains(": ") {
                headers = true;
            } else {
                body.push_str(line.trim());
            }
        }
    }
    Some(blocks)
}

/// Checks that DER bytes are one sequence, with nothing behind it.
fn sequence(der: &[u8]) -> Result<(), String> {
    let malformed = || Err("asn1: structure error: not a sequence".to_owned());
    let (Some(0x30), Some(first)) = (der.first(), der.get(1)) else {
        return malformed();
    };
    let (length, header) = if *first < 0x80 {
        (usize::from(*first), 2)
    } else {
        let count = usize::from(first & 0x7f);
        let Some(bytes) = der.get(2..2 + count).filter(|b| (1..=4).contains(&b.len())) else {
            return malformed();
        };
        let length = bytes.iter().fold(0, |sum, b| sum << 8 | usize::from(*b));
        (length, 2 + count)
    };
    match der.len().cmp(&length.saturating_add(header)) {
        std::cmp::Ordering::Less => Err("asn1: syntax error: data truncated".to_owned()),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err("asn1: syntax error: trailing data".to_owned()),
    }
}
