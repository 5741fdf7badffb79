//! `serviceaccounts/token`: tokens for service accounts (TokenRequest).

use crate::clock;
use crate::plugin::{Call, Services, Virtual};
use futures::future::{BoxFuture, ready};
use identity::{Binding, Reference, TokenIssuer, TokenSpec};
use model::field::{ErrorList, FieldError, Path};
use model::meta::{at, list, text, uid};
use model::status::Status;
use model::{Map, Value};
use serde_json::json;

const GROUP: &str = "authentication.k8s.io";
/// The annotation by which the audit log tells later uses of a token from those of others.
const ISSUED: &str = "authentication.kubernetes.io/issued-credential-id";
const KIND: &str = "TokenRequest";

/// What a request that does not say gets, in seconds.
const DEFAULT_SECONDS: i64 = 3600;
const MIN_SECONDS: i64 = 600;
const MAX_SECONDS: i64 = 1 << 32;

/// Issues tokens for service accounts.
pub struct TokenRequests {
    issuer: TokenIssuer,
}

impl TokenRequests {
    /// Issues tokens in the name of `issuer`.
    pub fn new(issuer: TokenIssuer) -> Self {
        Self { issuer }
    }

    fn answer(&self, call: Call<'_>, now: i64) -> Result<Value, Status> {
        let (account, namespace) = (&call.info.name, &call.info.namespace);
        check_metadata(&call.object, account, namespace)?;
        let found = lookup(call.services, "serviceaccounts", namespace, account)?;
        let mut request = call.object;
        complete(&mut request, account, namespace, &self.issuer, now);
        check_spec(&request)?;
        let spec = request.get("spec").unwrap_or(&Value::Null);
        let audiences: Vec<String> = list(spec, &["audiences"])
            .iter()
            .filter_map(|a| a.as_str().map(str::to_owned))
            .collect();
        let seconds = at(spec, &["expirationSeconds"])
            .and_then(Value::as_i64)
            .unwrap_or(DEFAULT_SECONDS);
        let issued = self
            .issuer
            .issue(
                &TokenSpec {
                    namespace,
                    service_account: Reference::new(account.as_str(), uid(&found)),
                    audiences: &audiences,
                    expiration_seconds: seconds,
                    binding: binding(spec, account, namespace, call.services)?,
                },
                now,
            )
            .map_err(|e| Status::internal(format!("failed to generate token: {e}")))?;
        call.notes
            .push((ISSUED.to_owned(), format!("JTI={}", issued.id)));
        if let Some(map) = request.as_object_mut() {
            let status = json!({
                "token": issued.token.expose(),
                "expirationTimestamp": clock::timestamp(issued.expires),
            });
            map.insert("status".to_owned(), status);
        }
        Ok(request)
    }
}

impl Virtual for TokenRequests {
    fn resource(&self) -> (&'static str, &'static str) {
        ("", "serviceaccounts/token")
    }

    fn create<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Status>> {
        Box::pin(ready(self.answer(call, clock::now())))
    }
}

fn invalid(errors: &ErrorList, name: &str) -> Result<(), Status> {
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Status::invalid(GROUP, KIND, name, errors))
    }
}

fn check_metadata(request: &Value, account: &str, namespace: &str) -> Result<(), Status> {
    for (field, expected, what) in [
        ("name", account, "name"),
        ("namespace", namespace, "namespace"),
    ] {
        let given = text(request, &["metadata", field]);
        if !given.is_empty() && given != expected {
            let error = FieldError::invalid(
                &Path::new("metadata").child(field),
                given,
                format!("must match the service account {what} if specified"),
            );
            return invalid(&vec![error], account);
        }
    }
    Ok(())
}

/// Fills in what the request leaves open.
fn complete(request: &mut Value, account: &str, namespace: &str, issuer: &TokenIssuer, now: i64) {
    let Some(map) = request.as_object_mut() else {
        return;
    };
    let mut part = |key: &str, fill: &dyn Fn(&mut Map)| {
        let part = map.entry(key).or_insert(Value::Null);
        if part.is_null() {
            *part = Value::Object(Map::new());
        }
        if let Some(part) = part.as_object_mut() {
            fill(part);
        }
    };
    part("metadata", &|metadata| {
        metadata.insert("name".to_owned(), account.into());
        metadata.insert("namespace".to_owned(), namespace.into());
        metadata.insert("creationTimestamp".to_owned(), clock::timestamp(now).into());
    });
    part("spec", &|spec| {
        let empty = |value: Option<&Value>| {
            value
                .and_then(Value::as_array)
                .is_none_or(std::vec::Vec::is_empty)
        };
        if empty(spec.get("audiences")) {
            spec.insert("audiences".to_owned(), issuer.api_audiences().into());
        }
        if spec.get("expirationSeconds").is_none_or(Value::is_null) {
            spec.insert("expirationSeconds".to_owned(), DEFAULT_SECONDS.into());
        }
    });
}

fn check_spec(request: &Value) -> Result<(), Status> {
    let path = Path::new("spec").child("expirationSeconds");
    let seconds = at(request, &["spec", "expirationSeconds"]).cloned();
    let seconds = seconds.unwrap_or_default();
    let mut errors = ErrorList::new();
    let number = seconds.as_i64().unwrap_or(0);
    if number < MIN_SECONDS {
        errors.push(FieldError::invalid(
            &path,
            seconds.clone(),
            "may not specify a duration less than 10 minutes",
        ));
    }
    if number > MAX_SECONDS {
        errors.push(FieldError::invalid(
            &path,
            seconds,
            "may not specify a duration larger than 2^32 seconds",
        ));
    }
    invalid(&errors, "")
}

fn lookup(
    services: &Services,
    resource: &str,
    namespace: &str,
    name: &str,
) -> Result<std::sync::Arc<Value>, Status> {
    services
        .lookup
        .get("", resource, namespace, name)
        .ok_or_else(|| Status::not_found("", resource, name))
}

/// The object that the token is to be bound to.
fn binding(
    spec: &Value,
    account: &str,
    namespace: &str,
    services: &Services,
) -> Result<Binding, Status> {
    let Some(reference) = at(spec, &["boundObjectRef"]) else {
        return Ok(Binding::None);
    };
    let name = text(reference, &["name"]);
    let (version, kind) = (text(reference, &["apiVersion"]), text(reference, &["kind"]));
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let of = |found: &Value| Reference::new(name, uid(found));
    let (binding, found) = match (group, kind) {
        ("", "Pod") => {
            let pod = lookup(services, "pods", namespace, name)?;
            if text(&pod, &["spec", "serviceAccountName"]) != account {
                return Err(Status::bad_request(format!(
                    "cannot bind token for serviceaccount \"{account}\" to pod running with \
                     different serviceaccount name."
                )));
            }
            let node = match text(&pod, &["spec", "nodeName"]) {
                "" => None,
                // A node that is gone is still named: the pod says so.
                node => Some(Reference::new(
                    node,
                    lookup(services, "nodes", "", node)
                        .map(|n| uid(&n).to_owned())
                        .unwrap_or_default(),
                )),
            };
            (Binding::Pod(of(&pod), node), pod)
        }
        ("", "Secret") => {
            let secret = lookup(services, "secrets", namespace, name)?;
            (Binding::Secret(of(&secret)), secret)
        }
        ("", "Node") => {
            let node = lookup(services, "nodes", "", name)?;
            (Binding::Node(of(&node)), node)
        }
        _ => {
            return Err(Status::bad_request(format!(
                "cannot bind token to object of type {group}/{version}, Kind={kind}"
            )));
        }
    };
    let wanted = text(reference, &["uid"]);
    if !wanted.is_empty() && wanted != uid(&found) {
        return Err(Status::conflict(
            group,
            kind,
            name,
            format!(
                "the UID in the bound object reference ({wanted}) does not match the UID in \
                 record. The object might have been deleted and then recreated"
            ),
        ));
    }
    Ok(binding)
}

#[cfg(test)]
mod tests;
