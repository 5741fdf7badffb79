//! What it costs to know who asks, once a certificate or token has been seen.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use identity::{
    Binding, ClientCertificates, Clock, ObjectState, Objects, Pki, PodState, Reference,
    SecretState, ServiceAccountKeys, ServiceAccountTokens, TokenIssuer, TokenSpec,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const NOW: i64 = 1_800_000_000;

struct Everything;

impl Objects for Everything {
    fn service_account(&self, _: &str, _: &str) -> Option<ObjectState> {
        Some(ObjectState {
            uid: "u".to_owned(),
            deletion_timestamp: None,
        })
    }
    fn pod(&self, _: &str, _: &str) -> Option<PodState> {
        None
    }
    fn secret(&self, _: &str, _: &str) -> Option<SecretState> {
        None
    }
    fn node(&self, _: &str) -> Option<ObjectState> {
        None
    }
}

fn authenticate(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let clock: Clock = Arc::new(|| NOW);
    let pki = Pki::open(dir.path(), NOW).unwrap();
    let groups = ["dev".to_owned(), "ops".to_owned()];
    let credential = pki
        .issue_client("jane", &groups, Duration::from_secs(3600), NOW)
        .unwrap();
    let chain = [CertificateDer::from_pem_slice(credential.certificate_pem.as_bytes()).unwrap()];
    let certificates = ClientCertificates::new(&[pki.ca().clone()], clock.clone()).unwrap();
    c.bench_function("certificate, seen before", |b| {
        b.iter(|| certificates.identify(black_box(&chain)).unwrap());
    });
    c.bench_function("certificate, new", |b| {
        b.iter_batched(
            || ClientCertificates::new(&[pki.ca().clone()], clock.clone()).unwrap(),
            |certificates| certificates.identify(black_box(&chain)).unwrap(),
            criterion::BatchSize::SmallInput,
        );
    });

    let keys = Arc::new(ServiceAccountKeys::open(dir.path()).unwrap());
    let issuer = TokenIssuer::new("https://issuer", vec![], keys);
    let spec = TokenSpec {
        namespace: "ns",
        service_account: Reference::new("robot", "u"),
        audiences: &[],
        expiration_seconds: 3600,
        binding: Binding::None,
    };
    let token = issuer.issue(&spec, NOW).unwrap().token;
    let tokens = ServiceAccountTokens::new(issuer.clone(), Arc::new(Everything), clock.clone());
    c.bench_function("token, seen before", |b| {
        b.iter(|| tokens.identify(black_box(token.expose()), &[]).unwrap());
    });
    c.bench_function("token, new", |b| {
        b.iter_batched(
            || ServiceAccountTokens::new(issuer.clone(), Arc::new(Everything), clock.clone()),
            |tokens| tokens.identify(black_box(token.expose()), &[]).unwrap(),
            criterion::BatchSize::SmallInput,
        );
    });
    c.bench_function("token, issued", |b| {
        b.iter(|| issuer.issue(black_box(&spec), NOW).unwrap());
    });
}

criterion_group!(benches, authenticate);
criterion_main!(benches);
