//! Names of images, as Docker reads them.

use node_api::{Error, Result};
use oci_client::Reference;

/// A name in full: `busybox` is `docker.io/library/busybox:latest`.
pub(crate) fn parse(name: &str) -> Result<Reference> {
    let wrong = |why: String| Error::Invalid(format!("couldn't parse image name {name:?}: {why}"));
    let reference: Reference = name
        .parse()
        .map_err(|error: oci_client::ParseError| wrong(error.to_string()))?;
    match reference.repository().contains(char::is_uppercase) {
        true => Err(wrong(
            "invalid reference format: repository name must be lowercase".into(),
        )),
        false => Ok(reference),
    }
}

/// A name in full with a digest in place of its tag.
pub(crate) fn with_digest(reference: &Reference, digest: &str) -> String {
    format!(
        "{}/{}@{digest}",
        reference.registry(),
        reference.repository()
    )
}

/// Whether the text is an image's id rather than a name.
pub(crate) fn is_id(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(is_hex)
}

fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The hexadecimal part of a SHA-256 digest; nothing else is ever used as a file's name.
pub(crate) fn hex(digest: &str) -> Result<&str> {
    digest
        .strip_prefix("sha256:")
        .filter(|text| is_hex(text))
        .ok_or_else(|| Error::Invalid(format!("{digest:?} is not a SHA-256 digest")))
}
