//! `ServiceAccount`: every pod runs as a service account that exists, and gets a token of it
//! mounted unless the pod or the account says no.

mod mountable;

use crate::{Lookup, Operation, Plugin, Request, forbidden};
use model::status::Status;
use model::{Value, meta};
use rbac::node::Referent;
use serde_json::json;

/// Where a token is mounted.
pub const TOKEN_MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How the name of the volume starts that holds the token.
pub const VOLUME_PREFIX: &str = "kube-api-access-";
/// The lifetime asked for; upstream's 3607 marks tokens that may be honoured longer.
const TOKEN_SECONDS: i64 = 3607;
const MIRROR: &str = "kubernetes.io/config.mirror";
/// What names are generated from: no vowels, so that no words come about.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct ServiceAccount;

impl Plugin for ServiceAccount {
    fn name(&self) -> &'static str {
        "ServiceAccount"
    }

    /// The account `default` of a namespace that was just made is on its way, as upstream's plugin
    /// waits for it.
    fn waits(&self, request: &Request<'_>, cluster: &dyn Lookup) -> bool {
        let name = meta::text(&request.object, &["spec", "serviceAccountName"]);
        concerns(request)
            && (name.is_empty() || name == "default")
            && cluster
                .get("", "serviceaccounts", request.namespace, "default")
                .is_none()
            && cluster
                .get("", "namespaces", "", request.namespace)
                .is_some_and(|namespace| {
                    meta::at(&namespace, &["metadata", "deletionTimestamp"]).is_none()
                })
    }

    fn mutate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        if !concerns(request) {
            return Ok(());
        }
        if meta::annotations(&request.object).contains_key(MIRROR) {
            return mirror(request);
        }
        if meta::text(&request.object, &["spec", "serviceAccountName"]).is_empty() {
            meta::set(
                &mut request.object,
                &["spec", "serviceAccountName"],
                "default",
            );
        }
        let account = account(request, cluster)?;
        // The deprecated alias always says the same.
        let name = meta::text(&request.object, &["spec", "serviceAccountName"]).to_owned();
        meta::set(&mut request.object, &["spec", "serviceAccount"], name);
        if automounts(&account, &request.object) {
            mount_token(request);
        }
        let pulls = meta::list(&request.object, &["spec", "imagePullSecrets"]).is_empty();
        if let (true, Some(Value::Array(secrets))) = (pulls, account.get("imagePullSecrets")) {
            meta::set(
                &mut request.object,
                &["spec", "imagePullSecrets"],
                secrets.clone(),
            );
        }
        // Upstream refuses before anything is validated.
        check_secrets(request, &account)
    }

    fn validate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        let added = request.operation == Operation::Update
            && is_pod(request)
            && request.subresource == "ephemeralcontainers";
        if !(concerns(request) || added) {
            return Ok(());
        }
        if !added && meta::annotations(&request.object).contains_key(MIRROR) {
            return mirror(request);
        }
        if meta::text(&request.object, &["spec", "serviceAccountName"]).is_empty() {
            let why = format!(
                "no service account specified for pod {}/{}",
                request.namespace,
                meta::name(&request.object)
            );
            return Err(forbidden(request, &why));
        }
        let account = account(request, cluster)?;
        if !added {
            return check_secrets(request, &account);
        }
        match mountable::refused_by_added(&account, &request.object) {
            // Upstream answers this one as an error of its own.
            Some(why) if mountable::enforces(&account) => Err(Status::new(500, "", why)),
            _ => Ok(()),
        }
    }
}

fn is_pod(request: &Request<'_>) -> bool {
    request.resource.group.is_empty() && request.resource.plural == "pods"
}

fn concerns(request: &Request<'_>) -> bool {
    is_pod(request) && request.operation == Operation::Create && request.subresource.is_empty()
}

/// Pods that only mirror a node's static pod have no part in the API's credentials.
fn mirror(request: &Request<'_>) -> Result<(), Status> {
    if !meta::text(&request.object, &["spec", "serviceAccountName"]).is_empty() {
        return Err(forbidden(
            request,
            "a mirror pod may not reference service accounts",
        ));
    }
    let names_secret = rbac::node::references::named_by(&request.object)
        .iter()
        .any(|(kind, _)| *kind == Referent::Secret);
    if names_secret {
        return Err(forbidden(request, "a mirror pod may not reference secrets"));
    }
    let projects_token = |volume: &Value| {
        meta::list(volume, &["projected", "sources"])
            .iter()
            .any(|source| meta::at(source, &["serviceAccountToken"]).is_some())
    };
    if meta::list(&request.object, &["spec", "volumes"])
        .iter()
        .any(projects_token)
    {
        return Err(forbidden(
            request,
            "a mirror pod may not use ServiceAccountToken volume projections",
        ));
    }
    Ok(())
}

fn account(request: &Request<'_>, cluster: &dyn Lookup) -> Result<std::sync::Arc<Value>, Status> {
    let name = meta::text(&request.object, &["spec", "serviceAccountName"]);
    cluster.get("", "serviceaccounts", request.namespace, name).ok_or_else(|| {
        forbidden(
            request,
            &format!(
                "error looking up service account {}/{name}: serviceaccount \"{name}\" not found",
                request.namespace
            ),
        )
    })
}

/// The pod's word counts before the account's; without either a token is mounted.
fn automounts(account: &Value, pod: &Value) -> bool {
    let said = |value: &Value, path: &[&str]| meta::at(value, path).and_then(Value::as_bool);
    said(pod, &["spec", "automountServiceAccountToken"])
        .or_else(|| said(account, &["automountServiceAccountToken"]))
        .unwrap_or(true)
}

fn check_secrets(request: &Request<'_>, account: &Value) -> Result<(), Status> {
    match mountable::refused(account, &request.object) {
        Some(why) if mountable::enforces(account) => Err(forbidden(request, &why)),
        _ => Ok(()),
    }
}

fn mounts_token_path(container: &Value) -> bool {
    meta::list(container, &["volumeMounts"])
        .iter()
        .any(|mount| meta::text(mount, &["mountPath"]) == TOKEN_MOUNT)
}

fn mount_token(request: &mut Request<'_>) {
    // A volume of such a name is taken for one that holds a token.
    let existing = meta::list(&request.object, &["spec", "volumes"])
        .iter()
        .map(|volume| meta::text(volume, &["name"]))
        .find(|name| name.starts_with(VOLUME_PREFIX));
    let is_new = existing.is_none();
    let volume = existing.map_or_else(|| volume_name(request), str::to_owned);
    let mount = json!({ "name": volume, "readOnly": true, "mountPath": TOKEN_MOUNT });
    let mut needed = false;
    for field in ["initContainers", "containers"] {
        let containers = request
            .object
            .get_mut("spec")
            .and_then(|s| s.get_mut(field));
        for container in containers
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if mounts_token_path(container) {
                continue;
            }
            needed = true;
            push(meta::map_mut(container, &[]), "volumeMounts", mount.clone());
        }
    }
    if needed && is_new {
        push(
            meta::map_mut(&mut request.object, &["spec"]),
            "volumes",
            token_volume(&volume),
        );
    }
}

fn volume_name(request: &Request<'_>) -> String {
    let uid = meta::uid(&request.object);
    let generated = meta::text(&request.object, &["metadata", "generateName"]);
    let seed = format!("{}/{}{generated}/{uid}", request.namespace, request.name);
    format!("{VOLUME_PREFIX}{}", suffix(&seed))
}

fn push(map: &mut model::Map, field: &str, item: Value) {
    match map.get_mut(field).and_then(Value::as_array_mut) {
        Some(list) => list.push(item),
        None => {
            map.insert(field.to_owned(), Value::Array(vec![item]));
        }
    }
}

/// A token of the pod's account, the cluster's CA and the pod's namespace in one directory.
fn token_volume(name: &str) -> Value {
    json!({
        "name": name,
        "projected": {
            "defaultMode": 420,
            "sources": [
                { "serviceAccountToken": { "expirationSeconds": TOKEN_SECONDS, "path": "token" } },
                { "configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{ "key": "ca.crt", "path": "ca.crt" }],
                } },
                { "downwardAPI": { "items": [{
                    "path": "namespace",
                    "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" },
                }] } },
            ],
        },
    })
}

/// Five letters derived from the pod's identity. Upstream draws them at random; a pure function
/// derives them, which is repeatable in tests.
fn suffix(seed: &str) -> String {
    // FNV-1a.
    let mut hash = seed.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
    });
    hash ^= hash >> 29;
    (0..5)
        .filter_map(|_| {
            let letter = ALPHABET
                .get((hash % ALPHABET.len() as u64) as usize)
                .copied();
            hash /= ALPHABET.len() as u64;
            letter.map(char::from)
        })
        .collect()
}
