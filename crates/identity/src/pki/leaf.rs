//! Encoding and signing of leaf certificates (RFC 5280). The certificate library keeps one value
//! per attribute type of a name, and a user has several groups, so the encoding is done here.

use super::PkiError;
use super::certificate::instant;
use super::serving::ServingNames;
use base64::Engine;
use rcgen::{Issuer, KeyPair, PublicKeyData, SigningKey};
use std::net::IpAddr;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};
use yasna::models::{GeneralizedTime, ObjectIdentifier, UTCTime};
use yasna::{DERWriter, DERWriterSeq, Tag};

/// What the certificate is for.
pub(super) enum Purpose<'a> {
    /// TLS clients.
    Client,
    /// TLS servers under these names.
    Server(&'a ServingNames),
}

/// A leaf certificate's content.
pub(super) struct Leaf<'a> {
    pub(super) common_name: &'a str,
    pub(super) organizations: &'a [String],
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) purpose: Purpose<'a>,
}

const ORGANIZATION: &[u64] = &[2, 5, 4, 10];
const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const AUTHORITY_KEY: &[u64] = &[2, 5, 29, 35];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const SERVER_AUTH: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 2];

/// The certificate for `key`, signed by the CA, in DER.
pub(super) fn sign(
    issuer: &Issuer<'_, KeyPair>,
    ca: &[u8],
    key: &KeyPair,
    leaf: &Leaf<'_>,
) -> Result<Vec<u8>, PkiError> {
    let (_, ca) = X509Certificate::from_der(ca).map_err(PkiError::crypto)?;
    let algorithm = signature_algorithm(issuer.key())?;
    let serial = uuid::Uuid::new_v4();
    let not_before = encode_time(leaf.not_before)?;
    let not_after = encode_time(leaf.not_after)?;
    let tbs = yasna::construct_der(|writer| {
        writer.write_sequence(|w| {
            w.next().write_tagged(Tag::context(0), |w| w.write_u8(2));
            // 122 random bits; the writer trims leading zeros and keeps the number positive.
            w.next().write_bigint_bytes(serial.as_bytes(), true);
            write_algorithm(w.next(), &algorithm);
            w.next().write_der(ca.subject().as_raw());
            w.next().write_sequence(|w| {
                w.next().write_der(&not_before);
                w.next().write_der(&not_after);
            });
            write_name(w.next(), leaf);
            w.next().write_der(&key.subject_public_key_info());
            w.next().write_tagged(Tag::context(3), |w| {
                w.write_sequence(|w| write_extensions(w, &ca, leaf));
            });
        });
    });
    let signature = issuer.key().sign(&tbs).map_err(PkiError::crypto)?;
    Ok(yasna::construct_der(|writer| {
        writer.write_sequence(|w| {
            w.next().write_der(&tbs);
            write_algorithm(w.next(), &algorithm);
            w.next()
                .write_bitvec_bytes(&signature, signature.len().saturating_mul(8));
        });
    }))
}

/// One certificate in PEM.
pub(super) fn pem(der: &[u8]) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for (index, character) in body.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}

fn oid(arcs: &[u64]) -> ObjectIdentifier {
    ObjectIdentifier::from_slice(arcs)
}

struct Algorithm {
    oid: ObjectIdentifier,
    null_parameters: bool,
}

fn signature_algorithm(key: &KeyPair) -> Result<Algorithm, PkiError> {
    let algorithm = PublicKeyData::algorithm(key);
    let (arcs, null_parameters): (&[u64], bool) = if *algorithm == rcgen::PKCS_ECDSA_P256_SHA256 {
        (&[1, 2, 840, 10045, 4, 3, 2], false)
    } else if *algorithm == rcgen::PKCS_ECDSA_P384_SHA384 {
        (&[1, 2, 840, 10045, 4, 3, 3], false)
    } else if *algorithm == rcgen::PKCS_ED25519 {
        (&[1, 3, 101, 112], false)
    } else if *algorithm == rcgen::PKCS_RSA_SHA256 {
        (&[1, 2, 840, 113_549, 1, 1, 11], true)
    } else {
        return Err(PkiError::Crypto(
            "the CA key is of a kind that cannot sign certificates here".to_owned(),
        ));
    };
    Ok(Algorithm {
        oid: oid(arcs),
        null_parameters,
    })
}

fn write_algorithm(writer: DERWriter<'_>, algorithm: &Algorithm) {
    writer.write_sequence(|w| {
        w.next().write_oid(&algorithm.oid);
        if algorithm.null_parameters {
            w.next().write_null();
        }
    });
}

/// RFC 5280 4.1.2.5: two-digit years up to 2049, four-digit ones from 2050 on.
fn encode_time(seconds: i64) -> Result<Vec<u8>, PkiError> {
    let at = instant(seconds)?;
    if !(1950..=9999).contains(&at.year()) {
        return Err(PkiError::Request(format!(
            "{seconds} is no time that a certificate can hold"
        )));
    }
    let date = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second) = at.to_hms();
    Ok(yasna::construct_der(|w| {
        if date.0 < 2050 {
            let year = date.0.rem_euclid(100);
            let text = format!(
                "{year:02}{:02}{:02}{hour:02}{minute:02}{second:02}Z",
                date.1, date.2
            );
            if let Some(time) = UTCTime::parse(text.as_bytes()) {
                w.write_utctime(&time);
            }
        } else {
            let text = format!(
                "{:04}{:02}{:02}{hour:02}{minute:02}{second:02}Z",
                date.0, date.1, date.2
            );
            if let Some(time) = GeneralizedTime::parse(text.as_bytes()) {
                w.write_generalized_time(&time);
            }
        }
    }))
}

fn write_name(writer: DERWriter<'_>, leaf: &Leaf<'_>) {
    let attribute = |w: &mut DERWriterSeq<'_>, arcs: &[u64], value: &str| {
        w.next().write_set(|w| {
            w.next().write_sequence(|w| {
                w.next().write_oid(&oid(arcs));
                w.next().write_utf8_string(value);
            });
        });
    };
    writer.write_sequence(|w| {
        for organization in leaf.organizations {
            attribute(w, ORGANIZATION, organization);
        }
        attribute(w, COMMON_NAME, leaf.common_name);
    });
}

fn write_extensions(w: &mut DERWriterSeq<'_>, ca: &X509Certificate<'_>, leaf: &Leaf<'_>) {
    let mut extension = |arcs: &[u64], critical: bool, content: Vec<u8>| {
        w.next().write_sequence(|w| {
            w.next().write_oid(&oid(arcs));
            if critical {
                w.next().write_bool(true);
            }
            w.next().write_bytes(&content);
        });
    };
    // One bit, digitalSignature: a BIT STRING with seven unused bits.
    extension(KEY_USAGE, true, vec![0x03, 0x02, 0x07, 0x80]);
    let purpose = match leaf.purpose {
        Purpose::Client => CLIENT_AUTH,
        Purpose::Server(_) => SERVER_AUTH,
    };
    extension(
        EXTENDED_KEY_USAGE,
        false,
        yasna::construct_der(|w| w.write_sequence(|w| w.next().write_oid(&oid(purpose)))),
    );
    extension(
        BASIC_CONSTRAINTS,
        true,
        yasna::construct_der(|w| w.write_sequence(|_| {})),
    );
    let subject_key = ca
        .extensions()
        .iter()
        .find_map(|e| match e.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
            _ => None,
        });
    if let Some(id) = subject_key {
        extension(
            AUTHORITY_KEY,
            false,
            yasna::construct_der(|w| {
                w.write_sequence(|w| {
                    w.next()
                        .write_tagged_implicit(Tag::context(0), |w| w.write_bytes(id));
                });
            }),
        );
    }
    if let Purpose::Server(names) = leaf.purpose {
        extension(SUBJECT_ALT_NAME, false, encode_names(names));
    }
}

fn encode_names(names: &ServingNames) -> Vec<u8> {
    yasna::construct_der(|w| {
        w.write_sequence(|w| {
            for name in names.dns() {
                w.next().write_tagged_implicit(Tag::context(2), |w| {
                    w.write_bytes(name.as_bytes());
                });
            }
            for address in names.addresses() {
                w.next()
                    .write_tagged_implicit(Tag::context(7), |w| match address {
                        IpAddr::V4(a) => w.write_bytes(&a.octets()),
                        IpAddr::V6(a) => w.write_bytes(&a.octets()),
                    });
            }
        });
    })
}
