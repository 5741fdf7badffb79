//! Every route that is served, asked for by somebody without credentials and by somebody without
//! rights, under the roles that every cluster starts with: all must be refused but those on the
//! lists below. Whoever adds to a list has it reviewed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use api_server::authorization::{Authorizer, Masters, OpenPaths, Union};
use api_server::live_authorizers::{StoredPods, StoredRoles};
use bytes::Bytes;
use cluster_api::ResourceRef;
use common::Cluster;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use model::registry::Registry;
use model::resource::Resource;
use model::user::{MASTERS, UserInfo};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What anybody may have.
const OPEN: &[&str] = &[
    "GET /.well-known/openid-configuration",
    "GET /healthz",
    "GET /livez",
    "GET /openid/v1/jwks",
    "GET /readyz",
    "GET /version",
    "GET /version/",
];

/// What everybody who is somebody may have besides: questions about oneself, and what clients
/// need to find their way.
const AUTHENTICATED: &[&str] = &[
    "POST /apis/authentication.k8s.io/v1/selfsubjectreviews",
    "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
];

/// Discovery: with any group and version below.
const DISCOVERY: &[&str] = &["GET /api", "GET /apis", "GET /openapi/"];

fn routes(registry: &Registry) -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    let mut add = |method: &str, path: &str| {
        routes.insert(format!("{method} {path}"));
    };
    for path in [
        "/",
        "/api",
        "/apis",
        "/healthz",
        "/livez",
        "/readyz",
        "/metrics",
        "/version",
        "/version/",
        "/openapi/v2",
        "/openapi/v3",
        "/openapi/v3/api/v1",
        "/.well-known/openid-configuration",
        "/openid/v1/jwks",
        "/debug/pprof",
        "/logs",
    ] {
        for method in ["GET", "POST"] {
            add(method, path);
        }
    }
    for resource in registry.all() {
        for version in &resource.versions {
            let root = if resource.group.is_empty() {
                format!("/api/{}", version.name)
            } else {
                add("GET", &format!("/apis/{}", resource.group));
                format!("/apis/{}/{}", resource.group, version.name)
            };
            add("GET", &root);
            of_resource(resource, &root, &mut add);
        }
    }
    routes
}

fn of_resource(resource: &Resource, root: &str, add: &mut impl FnMut(&str, &str)) {
    let plural = &resource.plural;
    let all = format!("{root}/{plural}");
    let collection = if resource.namespaced() {
        format!("{root}/namespaces/kube-system/{plural}")
    } else {
        all.clone()
    };
    for verb in &resource.verbs {
        match verb.as_ref() {
            "list" => {
                add("GET", &all);
                add("GET", &collection);
                add(
                    "GET",
                    &format!("{collection}?fieldSelector=metadata.name%3Dx"),
                );
            }
            "watch" => {
                add("GET", &format!("{all}?watch=true"));
                add("GET", &format!("{collection}?watch=true"));
                add("GET", &format!("{root}/watch/{plural}"));
            }
            "create" => add("POST", &collection),
            "deletecollection" => add("DELETE", &collection),
            "get" => add("GET", &format!("{collection}/x")),
            "update" => add("PUT", &format!("{collection}/x")),
            "patch" => add("PATCH", &format!("{collection}/x")),
            "delete" => add("DELETE", &format!("{collection}/x")),
            other => panic!("{plural} has the verb {other}, of which this test does not know"),
        }
    }
    for sub in &resource.subresources {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            add(method, &format!("{collection}/x/{}", sub.name));
        }
    }
}

fn is_discovery(route: &str) -> bool {
    // Objects are below a group and a version, discovery is not.
    let parts = route.split('/').count() - 1;
    let deep = if route.starts_with("GET /apis") { 4 } else { 3 };
    DISCOVERY.iter().any(|prefix| route.starts_with(prefix))
        && (parts < deep || route.starts_with("GET /openapi/"))
}

/// The routes that a token (none if empty) is not refused.
async fn granted(cluster: &Cluster, token: &str, routes: &BTreeSet<String>) -> BTreeSet<String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(cluster.connect().await))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut granted = BTreeSet::new();
    for route in routes {
        let (method, path) = route.split_once(' ').unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::new())).unwrap();
        sender.ready().await.unwrap();
        let response = sender.send_request(request).await.unwrap();
        if response.status() != 403 {
            granted.insert(route.clone());
        }
        response.into_body().collect().await.unwrap();
    }
    granted
}

#[tokio::test]
async fn whoever_has_no_rights_is_refused_everywhere() {
    let (roles, pods) = (
        Arc::new(StoredRoles::default()),
        Arc::new(StoredPods::default()),
    );
    let authorizers: Vec<Arc<dyn Authorizer>> = vec![
        Arc::new(Masters),
        Arc::new(OpenPaths),
        pods.clone(),
        roles.clone(),
    ];
    let cluster = Cluster::with(|config| {
        config.authorizer = Arc::new(Union(authorizers));
        config.observers = vec![roles, pods];
        config.virtuals = api_server::reviews::all();
    })
    .await;
    let root = cluster
        .handle
        .cluster(UserInfo::new("root", [MASTERS]), "test");
    for object in rbac::bootstrap::objects() {
        let plural = format!(
            "{}s",
            model::meta::text(&object, &["kind"]).to_ascii_lowercase()
        );
        let resource = ResourceRef::new("rbac.authorization.k8s.io", "v1", &plural);
        let namespace = model::meta::namespace(&object).to_owned();
        let namespace = (!namespace.is_empty()).then_some(namespace);
        root.create(&resource, namespace.as_deref(), None, object)
            .await
            .unwrap();
    }
    let routes = routes(&Registry::builtin());
    assert!(routes.len() > 800, "{}", routes.len());

    let open: BTreeSet<String> = OPEN.iter().map(|r| (*r).to_owned()).collect();
    let anonymous = granted(&cluster, "", &routes).await;
    assert_eq!(anonymous, open);

    let mut known = open;
    known.extend(AUTHENTICATED.iter().map(|r| (*r).to_owned()));
    known.extend(routes.iter().filter(|r| is_discovery(r)).cloned());
    let nobody = granted(&cluster, "nobody", &routes).await;
    assert_eq!(nobody, known);
}
