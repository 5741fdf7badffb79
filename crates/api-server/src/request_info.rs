//! What a request is about, read from its method, path and query as upstream's
//! `RequestInfoFactory` does. Everything after this step works on the answer, not on the path.

use crate::query::{Query, decode};
use http::Method;
use model::selector::FieldSelector;

/// What a request is about.
#[derive(Debug, Clone, Default)]
pub struct RequestInfo {
    /// Whether it is about API objects; if not, only `verb` and `path` mean anything.
    pub is_resource: bool,
    /// The path of the URL.
    pub path: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection` or
    /// `proxy`; for other paths the method in lower case.
    pub verb: &'static str,
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The namespace; empty for cluster-scoped resources and for all namespaces.
    pub namespace: String,
    /// The resource's plural name.
    pub resource: String,
    /// The subresource; empty for the object itself.
    pub subresource: String,
    /// The object's name; empty for collections.
    pub name: String,
    /// What follows the subresource in the path, for proxies.
    pub rest: String,
    /// The field selector of a list, watch or deletecollection, if there is one that can be read.
    pub field_selector: Option<FieldSelector>,
}

fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "get",
        "HEAD" => "head",
        "POST" => "post",
        "PUT" => "put",
        "PATCH" => "patch",
        "DELETE" => "delete",
        "OPTIONS" => "options",
        "CONNECT" => "connect",
        "TRACE" => "trace",
        _ => "",
    }
}

impl RequestInfo {
    /// Reads a request.
    pub fn new(method: &Method, path: &str, query: &Query) -> Self {
        let mut info = Self {
            path: path.to_owned(),
            verb: method_name(method),
            ..Self::default()
        };
        // Decoded one by one: a `%2F` is part of a name, not a separator.
        let parts: Vec<String> = path
            .trim_matches('/')
            .split('/')
            .map(|part| decode(part, false))
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => {
                info.set_resource(method, version, rest, query);
            }
            ["apis", group, version, rest @ ..] if !rest.is_empty() => {
                (*group).clone_into(&mut info.group);
                info.set_resource(method, version, rest, query);
            }
            _ => {}
        }
        info
    }

    fn set_resource(&mut self, method: &Method, version: &str, parts: &[&str], query: &Query) {
        self.is_resource = true;
        version.clone_into(&mut self.version);
        self.verb = match method.as_str() {
            "POST" => "create",
            "GET" | "HEAD" => "get",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" => "delete",
            _ => "",
        };
        let mut parts = parts;
        // The deprecated prefixes of the path.
        match parts {
            ["watch", rest @ ..] if !rest.is_empty() => {
                self.verb = "watch";
                parts = rest;
            }
            ["proxy", rest @ ..] if !rest.is_empty() => {
                self.verb = "proxy";
                parts = rest;
            }
            _ => {}
        }
        if let ["namespaces", namespace, rest @ ..] = parts {
            (*namespace).clone_into(&mut self.namespace);
            match rest {
                // A namespace itself, or a subresource of it.
                [] | ["status" | "finalize", ..] => {}
                _ => parts = rest,
            }
        }
        let part = |i: usize| parts.get(i).copied().unwrap_or_default().to_owned();
        self.resource = part(0);
        self.name = part(1);
        if self.verb != "proxy" {
            self.subresource = part(2);
            self.rest = parts.get(3..).unwrap_or_default().join("/");
        }
        if !self.name.is_empty() {
            return;
        }
        match self.verb {
            "get" => {
                self.verb = if query.flag("watch") { "watch" } else { "list" };
                self.read_selector(query);
            }
            "watch" => self.read_selector(query),
            "delete" => {
                self.verb = "deletecollection";
                self.read_selector(query);
            }
            _ => {}
        }
    }

    /// A list or watch of one object by its name counts as a request for that object, so that
    /// it can be allowed by name.
    fn read_selector(&mut self, query: &Query) {
        let text = query.get("fieldSelector");
        if text.is_empty() {
            return;
        }
        self.field_selector = FieldSelector::parse(text).ok();
        let terms = self.field_selector.iter().flat_map(|s| &s.terms);
        let name = terms
            .filter(|(field, _, equal)| *equal && field == "metadata.name")
            .map(|(_, value, _)| value.as_str())
            .next();
        if let Some(name) = name
            && self.verb != "deletecollection"
            && !matches!(name, "." | "..")
            && !name.contains(['/', '%'])
        {
            self.name = name.to_owned();
        }
    }

    /// Whether the request only reads, as the in-flight limits see it.
    pub fn read_only(&self) -> bool {
        matches!(
            self.verb,
            "get" | "list" | "watch" | "head" | "options" | "proxy"
        )
    }

    /// Whether the request stays open for as long as the client likes.
    pub fn long_running(&self) -> bool {
        self.verb == "watch"
            || self.verb == "proxy"
            || matches!(
                self.subresource.as_str(),
                "attach" | "exec" | "proxy" | "log" | "portforward"
            )
    }

    /// `resource` or `resource/subresource`, as messages and rules name it.
    pub fn full_resource(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(method: &str, url: &str) -> String {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let i = RequestInfo::new(&method, path, &Query::parse(query));
        if !i.is_resource {
            return format!("{} {}", i.verb, i.path);
        }
        format!(
            "{} {}|{} ns={} {}/{}/{} {}",
            i.verb, i.group, i.version, i.namespace, i.resource, i.name, i.subresource, i.rest
        )
    }

    #[test]
    fn requests_are_read_as_upstream_reads_them() {
        for (method, url, want) in [
            ("GET", "/api/v1/namespaces", "list |v1 ns= namespaces// "),
            ("GET", "/api/v1/namespaces/a", "get |v1 ns=a namespaces/a/ "),
            (
                "PUT",
                "/api/v1/namespaces/a/finalize",
                "update |v1 ns=a namespaces/a/finalize ",
            ),
            (
                "PATCH",
                "/api/v1/namespaces/a/status",
                "patch |v1 ns=a namespaces/a/status ",
            ),
            ("GET", "/api/v1/namespaces/a/pods", "list |v1 ns=a pods// "),
            ("GET", "/api/v1/pods?watch=true", "watch |v1 ns= pods// "),
            ("GET", "/api/v1/pods?watch=0", "list |v1 ns= pods// "),
            (
                "GET",
                "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Db",
                "list |v1 ns=a pods/b/ ",
            ),
            (
                "HEAD",
                "/api/v1/namespaces/a/pods/b",
                "get |v1 ns=a pods/b/ ",
            ),
            (
                "POST",
                "/api/v1/namespaces/a/pods/b/exec?command=ls",
                "create |v1 ns=a pods/b/exec ",
            ),
            (
                "GET",
                "/api/v1/namespaces/a/pods/b/proxy/x/y",
                "get |v1 ns=a pods/b/proxy x/y",
            ),
            (
                "DELETE",
                "/apis/apps/v1/namespaces/a/deployments",
                "deletecollection apps|v1 ns=a deployments// ",
            ),
            (
                "GET",
                "/api/v1/watch/namespaces/a/pods/b",
                "watch |v1 ns=a pods/b/ ",
            ),
            ("GET", "/api/v1/watch/pods", "watch |v1 ns= pods// "),
            (
                "GET",
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
                "get rbac.authorization.k8s.io|v1 ns= clusterroles/system:node/ ",
            ),
            ("GET", "/api/v1", "get /api/v1"),
            ("GET", "/apis/apps/v1", "get /apis/apps/v1"),
            ("GET", "/apis", "get /apis"),
            ("POST", "/healthz", "post /healthz"),
            ("GET", "/", "get /"),
        ] {
            assert_eq!(info(method, url), want, "{method} {url}");
        }
    }
}
