//! Authorizers that know the stored objects: they follow the cache, so that a role, binding or
//! pod counts from the moment its write is acknowledged.
//!
//! Readers share a lock that a change holds for about a microsecond, however many roles and
//! bindings there are.

use crate::authorization::{Authorizer, RuleList};
use crate::cache::{CacheObserver, CachedObject};
use admission::{Lookup, Operation, Plugin, Request};
use model::Value;
use model::resource::Resource;
use model::status::Status;
use model::user::UserInfo;
use parking_lot::RwLock;
use rbac::escalation::{Write, check_binding, check_role_escalation};
use rbac::node::{NodeAuthorizer, node_name};
use rbac::object::GROUP;
use rbac::resolve::{RuleResolver, Rules};
use rbac::{Attributes, Binding, Decision, Index, MalformedObject, Role, Rule};
use std::sync::Arc;

/// RBAC on the stored roles and bindings.
#[derive(Debug, Default)]
pub struct StoredRoles {
    index: RwLock<Index>,
}

impl StoredRoles {
    /// Reads the index, for who-can and the like. Changes wait while it is read.
    pub fn with<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.index.read())
    }

    fn replace(&self, resource: &Resource, value: &Value) -> Result<(), MalformedObject> {
        match resource.plural.as_ref() {
            "roles" | "clusterroles" => {
                let role = Role::from_value(value)?;
                self.index.write().upsert_role(&role);
            }
            _ => {
                let binding = Binding::from_value(value)?;
                self.index.write().upsert_binding(&binding);
            }
        }
        Ok(())
    }

    fn forget(&self, resource: &Resource, namespace: &str, name: &str) {
        let mut index = self.index.write();
        match resource.plural.as_ref() {
            "roles" | "clusterroles" => index.remove_role(namespace, name),
            _ => index.remove_binding(namespace, name),
        }
    }
}

/// Each call takes the lock for itself, so that none is held while the chain is asked.
impl RuleResolver for StoredRoles {
    fn rules_for(&self, user: &UserInfo, namespace: &str) -> Rules {
        self.index.read().rules_for(user, namespace)
    }

    fn role_rules(&self, namespace: &str, name: &str) -> Option<Vec<Rule>> {
        self.index.read().role_rules(namespace, name)
    }
}

impl rbac::Authorizer for StoredRoles {
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        self.index.read().authorize(attributes)
    }
}

impl Authorizer for StoredRoles {
    fn rules(&self, user: &UserInfo, namespace: &str) -> RuleList {
        let rules = self.index.read().rules_for(user, namespace);
        RuleList {
            resource: rules.resource_rules(),
            non_resource: rules.non_resource_rules(),
            incomplete: false,
            error: rules.error(),
        }
    }
}

impl CacheObserver for StoredRoles {
    fn put(&self, resource: &Resource, object: &CachedObject) {
        if resource.group != GROUP {
            return;
        }
        let read = object.encoded.parse().map_err(|e| e.to_string());
        let done = read.and_then(|value| self.replace(resource, &value).map_err(|e| e.to_string()));
        if let Err(error) = done {
            // What cannot be read grants nothing, rather than what it granted before.
            tracing::error!(key = %object.key, %error, "a stored role or binding is malformed");
            self.forget(resource, object.namespace(), object.name());
        }
    }

    fn deleted(&self, resource: &Resource, object: &CachedObject) {
        if resource.group == GROUP {
            self.forget(resource, object.namespace(), object.name());
        }
    }

    fn reset(&self) {
        *self.index.write() = Index::new();
    }
}

/// The Node authorizer on the stored pods, volumes and attachments.
#[derive(Debug, Default)]
pub struct StoredPods {
    nodes: RwLock<NodeAuthorizer>,
}

impl StoredPods {
    fn concerns(resource: &Resource) -> bool {
        matches!(
            (resource.group.as_ref(), resource.plural.as_ref()),
            ("", "pods" | "persistentvolumes") | ("storage.k8s.io", "volumeattachments")
        )
    }

    fn forget(&self, resource: &Resource, namespace: &str, name: &str) {
        let graph = &mut self.nodes.write().graph;
        match resource.plural.as_ref() {
            "pods" => graph.remove_pod(namespace, name),
            "persistentvolumes" => graph.remove_volume(name),
            _ => graph.remove_attachment(name),
        }
    }
}

impl rbac::Authorizer for StoredPods {
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        // Most users are no nodes and need not wait for the lock.
        if node_name(attributes.user).is_none() {
            return Decision::no_opinion("");
        }
        self.nodes.read().authorize(attributes)
    }
}

impl Authorizer for StoredPods {
    fn rules(&self, user: &UserInfo, _namespace: &str) -> RuleList {
        if node_name(user).is_none() {
            return RuleList::default();
        }
        RuleList {
            incomplete: true,
            error: "node authorizer does not support user rule resolution".to_owned(),
            ..RuleList::default()
        }
    }
}

impl CacheObserver for StoredPods {
    fn put(&self, resource: &Resource, object: &CachedObject) {
        if !Self::concerns(resource) {
            return;
        }
        match object.encoded.parse() {
            Ok(value) => {
                let graph = &mut self.nodes.write().graph;
                match resource.plural.as_ref() {
                    "pods" => graph.upsert_pod(&value),
                    "persistentvolumes" => graph.upsert_volume(&value),
                    _ => graph.upsert_attachment(&value),
                }
            }
            Err(error) => {
                tracing::error!(key = %object.key, %error, "a stored object cannot be read");
                self.forget(resource, object.namespace(), object.name());
            }
        }
    }

    fn deleted(&self, resource: &Resource, object: &CachedObject) {
        if Self::concerns(resource) {
            self.forget(resource, object.namespace(), object.name());
        }
    }

    fn reset(&self) {
        *self.nodes.write() = NodeAuthorizer::default();
    }
}

/// Nobody grants what they do not hold: refuses writes of roles and bindings that would.
/// Upstream checks this where roles are stored; here it is the last validating plugin.
pub struct EscalationCheck {
    /// The stored roles, by which grants are compared.
    pub roles: Arc<StoredRoles>,
    /// The whole chain, which decides on `bind` and `escalate`.
    pub authorizer: Arc<dyn Authorizer>,
}

impl Plugin for EscalationCheck {
    fn name(&self) -> &'static str {
        "RBACEscalationCheck"
    }

    fn validate(&self, request: &mut Request<'_>, _cluster: &dyn Lookup) -> Result<(), Status> {
        let writes = matches!(request.operation, Operation::Create | Operation::Update);
        if request.resource.group != GROUP || !writes || !request.subresource.is_empty() {
            return Ok(());
        }
        let is_create = request.operation == Operation::Create;
        let write = Write {
            user: request.user,
            namespace: request.namespace,
            name: if is_create { "" } else { request.name },
            object: &request.object,
            old: request.old_object,
        };
        let chain: &dyn rbac::Authorizer = self.authorizer.as_ref();
        match request.resource.plural.as_ref() {
            "roles" | "clusterroles" => check_role_escalation(&write, &*self.roles, chain),
            _ => check_binding(&write, &*self.roles, chain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::to_stored;
    use crate::key;
    use model::registry::Registry;
    use rbac::Authorizer as _;
    use serde_json::json;

    fn cached(object: &Value) -> (Arc<Resource>, CachedObject) {
        let registry = Registry::builtin();
        let kind = model::meta::text(object, &["kind"]);
        let group = if kind == "Pod" { "" } else { GROUP };
        let resource = Arc::clone(registry.by_kind(group, "v1", kind).unwrap());
        let prefix = key::of_resource(&resource);
        let (namespace, name) = (model::meta::namespace(object), model::meta::name(object));
        let key = key::of_object(&prefix, namespace, name);
        let object =
            CachedObject::new(&resource, &prefix, key.into(), &to_stored(object), 1).unwrap();
        (resource, object)
    }

    fn put(observer: &dyn CacheObserver, object: &Value) {
        let (resource, object) = cached(object);
        observer.put(&resource, &object);
    }

    fn role() -> Value {
        json!({
            "kind": "Role",
            "metadata": {"name": "r", "namespace": "n"},
            "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
        })
    }

    fn roles() -> Arc<StoredRoles> {
        let roles = Arc::new(StoredRoles::default());
        put(&*roles, &role());
        put(
            &*roles,
            &json!({
                "kind": "RoleBinding",
                "metadata": {"name": "b", "namespace": "n"},
                "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": "r"},
                "subjects": [{"apiGroup": GROUP, "kind": "User", "name": "u"}],
            }),
        );
        roles
    }

    fn may_get(roles: &StoredRoles) -> bool {
        let user = UserInfo::new("u", ["g"]);
        let a = Attributes::resource(&user, "get", "", "pods").in_namespace("n");
        roles.authorize(&a).allowed()
    }

    #[test]
    fn roles_follow_the_cache() {
        let roles = roles();
        assert!(may_get(&roles));
        assert_eq!(
            roles.rules(&UserInfo::new("u", ["g"]), "n").resource.len(),
            1
        );
        let (resource, object) = cached(&role());
        roles.deleted(&resource, &object);
        assert!(!may_get(&roles));
        put(&*roles, &role());
        assert!(may_get(&roles));
        let mut broken = role();
        broken["rules"] = json!("nonsense");
        put(&*roles, &broken);
        assert!(!may_get(&roles));
        roles.reset();
        assert!(roles.with(Index::is_empty));
    }

    #[test]
    fn pods_follow_the_cache() {
        let pods = StoredPods::default();
        let user = UserInfo::new("system:node:a", ["system:nodes"]);
        let pod = json!({
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": "n"},
            "spec": {"nodeName": "a", "imagePullSecrets": [{"name": "s"}]},
        });
        let may = |pods: &StoredPods| {
            let a = Attributes::resource(&user, "get", "", "secrets")
                .in_namespace("n")
                .named("s");
            pods.authorize(&a).allowed()
        };
        assert!(!may(&pods));
        put(&pods, &pod);
        assert!(may(&pods));
        let (resource, object) = cached(&pod);
        pods.deleted(&resource, &object);
        assert!(!may(&pods));
    }

    struct NoObjects;

    impl Lookup for NoObjects {
        fn get(&self, _: &str, _: &str, _: &str, _: &str) -> Option<Arc<Value>> {
            None
        }
        fn list(&self, _: &str, _: &str, _: &str) -> Vec<Arc<Value>> {
            Vec::new()
        }
    }

    #[test]
    fn grants_are_checked_on_create() {
        let roles = roles();
        let check = EscalationCheck {
            authorizer: roles.clone(),
            roles,
        };
        let user = UserInfo::new("u", ["g"]);
        for (verb, want) in [("get", None), ("list", Some(403))] {
            let mut object = role();
            object["rules"][0]["verbs"] = json!([verb]);
            let (resource, _) = cached(&object);
            let mut request = Request {
                operation: Operation::Create,
                resource: &resource,
                subresource: "",
                namespace: "n",
                name: "r",
                object,
                old_object: None,
                user: &user,
                dry_run: false,
                warnings: Vec::new(),
                audit_annotations: Vec::new(),
            };
            let answer = check.validate(&mut request, &NoObjects);
            assert_eq!(answer.err().map(|status| status.code), want);
        }
    }
}
