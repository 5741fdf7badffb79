//! Where objects live in the store: `/registry/GROUP/PLURAL/[NAMESPACE/]NAME`, with `core` for the
//! group without a name.

use model::resource::Resource;

/// Everything the API server keeps is below this prefix.
pub const ROOT: &str = "/registry/";

/// The prefix of all objects of a resource.
pub fn of_resource(resource: &Resource) -> String {
    let (group, plural) = &resource.storage;
    let group = if group.is_empty() { "core" } else { group };
    format!("{ROOT}{group}/{plural}/")
}

/// The key of one object below its resource's prefix. `namespace` is empty for cluster-scoped
/// objects.
pub fn of_object(prefix: &str, namespace: &str, name: &str) -> String {
    let mut key = of_namespace(prefix, namespace);
    key.push_str(name);
    key
}

/// The prefix of the objects in one namespace, or (if it is empty) of all.
pub fn of_namespace(prefix: &str, namespace: &str) -> String {
    let mut key = String::with_capacity(prefix.len() + namespace.len() + 64);
    key.push_str(prefix);
    if !namespace.is_empty() {
        key.push_str(namespace);
        key.push('/');
    }
    key
}

/// The resource's prefix at the start of a key: its first four slashes and what is between them.
pub fn resource_prefix(key: &str) -> Option<&str> {
    let rest = key.strip_prefix(ROOT)?;
    let group = rest.find('/')?;
    let plural = rest.get(group + 1..)?.find('/')?;
    key.get(..ROOT.len() + group + 1 + plural + 1)
}

/// The `(namespace, name)` in a key of the resource with that prefix.
pub fn names<'a>(prefix: &str, key: &'a str) -> (&'a str, &'a str) {
    let rest = key.get(prefix.len()..).unwrap_or_default();
    rest.split_once('/').unwrap_or(("", rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_back_what_it_was_made_of() {
        for (prefix, namespace, name) in [
            ("/registry/core/pods/", "default", "web-0"),
            ("/registry/apps/deployments/", "kube-system", "dns"),
            ("/registry/core/namespaces/", "", "default"),
        ] {
            let key = of_object(prefix, namespace, name);
            assert_eq!(resource_prefix(&key), Some(prefix));
            assert_eq!(names(prefix, &key), (namespace, name));
        }
        assert_eq!(resource_prefix("/elsewhere/core/pods/a"), None);
        assert_eq!(resource_prefix("/registry/core"), None);
    }
}
