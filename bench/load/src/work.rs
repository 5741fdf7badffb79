//! The kinds of work. Each returns whether the server answered as it should.

use crate::client::Connection;
use anyhow::{Result, bail};
use std::sync::OnceLock;

/// One request: the connection, the worker's number, and the request's number on it.
pub(crate) type Request = fn(&mut Connection, usize, usize) -> Result<bool>;

const NAMESPACE: &str = "/api/v1/namespaces/load-500/configmaps";
/// Objects in the namespace that is read.
const OBJECTS: usize = 500;

fn configmap(name: &str) -> String {
    static DATA: OnceLock<String> = OnceLock::new();
    let data = DATA.get_or_init(|| "x".repeat(512));
    format!(
        "{{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{{\"name\":\"{name}\"}},\
         \"data\":{{\"value\":\"{data}\"}}}}"
    )
}

/// A name that no earlier run used.
fn run_id() -> u128 {
    static ID: OnceLock<u128> = OnceLock::new();
    *ID.get_or_init(|| {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_millis())
    })
}

/// Makes the namespaces, and the objects that are read.
pub(crate) fn prepare(connection: &mut Connection) -> Result<()> {
    for name in ["load-500", "load-create"] {
        let body = format!(
            "{{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{{\"name\":\"{name}\"}}}}"
        );
        expect(connection, "/api/v1/namespaces", &body)?;
    }
    for n in 0..OBJECTS {
        expect(connection, NAMESPACE, &configmap(&format!("object-{n}")))?;
    }
    Ok(())
}

/// Posts an object that may exist already.
fn expect(connection: &mut Connection, path: &str, body: &str) -> Result<()> {
    let code = connection.send("POST", path, body)?;
    if code != 201 && code != 409 {
        bail!(
            "POST {path}: {code}: {}",
            String::from_utf8_lossy(connection.body())
        );
    }
    Ok(())
}

pub(crate) fn create(connection: &mut Connection, worker: usize, n: usize) -> Result<bool> {
    let body = configmap(&format!("object-{}-{worker}-{n}", run_id()));
    Ok(connection.send("POST", "/api/v1/namespaces/load-create/configmaps", &body)? == 201)
}

pub(crate) fn get(connection: &mut Connection, worker: usize, n: usize) -> Result<bool> {
    let object = (worker * 31 + n) % OBJECTS;
    Ok(connection.send("GET", &format!("{NAMESPACE}/object-{object}"), "")? == 200)
}

pub(crate) fn list(connection: &mut Connection, _worker: usize, _n: usize) -> Result<bool> {
    Ok(connection.send("GET", NAMESPACE, "")? == 200 && connection.body().len() > OBJECTS * 512)
}

pub(crate) fn review(connection: &mut Connection, worker: usize, n: usize) -> Result<bool> {
    let body = format!(
        "{{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\",\"spec\":\
         {{\"user\":\"user-{}\",\"groups\":[\"system:authenticated\"],\"resourceAttributes\":\
         {{\"namespace\":\"default\",\"verb\":\"get\",\"resource\":\"pods\"}}}}}}",
        (worker * 7919 + n) % 1000
    );
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    Ok(connection.send("POST", path, &body)? == 201)
}

/// Makes one of many bindings, each for a user of its own.
pub(crate) fn bind(connection: &mut Connection, n: usize) -> Result<()> {
    let body = format!(
        "{{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRoleBinding\",\
         \"metadata\":{{\"name\":\"load-{n}\"}},\"roleRef\":{{\"apiGroup\":\
         \"rbac.authorization.k8s.io\",\"kind\":\"ClusterRole\",\"name\":\"view\"}},\"subjects\":\
         [{{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"User\",\"name\":\"bound-{n}\"}}]}}"
    );
    expect(
        connection,
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        &body,
    )
}
