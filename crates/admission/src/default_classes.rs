//! `DefaultIngressClass` and `DefaultStorageClass`: new ingresses and claims that name no class get
//! the one that is marked as the default.

use crate::{Lookup, Operation, Plugin, Request};
use model::status::Status;
use model::{Value, meta};
use std::cmp::Reverse;
use std::sync::Arc;

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct DefaultIngressClass;

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct DefaultStorageClass;

/// How objects of one kind name their class.
struct Naming {
    /// The group and the plural name of the kind.
    of: (&'static str, &'static str),
    field: &'static str,
    /// The annotation of old; whatever it says, the object has a class then.
    old: &'static str,
    /// The group and the plural name of the classes.
    classes: (&'static str, &'static str),
    /// The annotations that mark the default.
    marks: &'static [&'static str],
}

const INGRESSES: Naming = Naming {
    of: ("networking.k8s.io", "ingresses"),
    field: "ingressClassName",
    old: "kubernetes.io/ingress.class",
    classes: ("networking.k8s.io", "ingressclasses"),
    marks: &["ingressclass.kubernetes.io/is-default-class"],
};

const CLAIMS: Naming = Naming {
    of: ("", "persistentvolumeclaims"),
    field: "storageClassName",
    old: "volume.beta.kubernetes.io/storage-class",
    classes: ("storage.k8s.io", "storageclasses"),
    marks: &[
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ],
};

impl Naming {
    fn fill(&self, request: &mut Request<'_>, cluster: &dyn Lookup) {
        let resource = request.resource;
        let is_it = self.of == (resource.group.as_ref(), resource.plural.as_ref());
        let is_new = request.operation == Operation::Create && request.subresource.is_empty();
        let has_class = |object: &Value| {
            let named = meta::at(object, &["spec", self.field]).is_some_and(|name| !name.is_null());
            named || meta::at(object, &["metadata", "annotations", self.old]).is_some()
        };
        if !is_it || !is_new || has_class(&request.object) {
            return;
        }
        if let Some(class) = self.default(cluster) {
            let name = meta::name(&class);
            meta::set(&mut request.object, &["spec", self.field], name);
        }
    }

    /// Of several defaults the newest, then the first by name.
    fn default(&self, cluster: &dyn Lookup) -> Option<Arc<Value>> {
        let mut classes = cluster.list(self.classes.0, self.classes.1, "");
        classes.retain(|class| {
            let annotations = meta::annotations(class);
            let mut marks = self.marks.iter();
            marks.any(|mark| annotations.get(mark) == Some(&"true"))
        });
        classes.into_iter().min_by(|a, b| {
            let key = |class| {
                // Times of the API order as texts.
                let made = meta::text(class, &["metadata", "creationTimestamp"]);
                (Reverse(made), meta::name(class))
            };
            key(a).cmp(&key(b))
        })
    }
}

impl Plugin for DefaultIngressClass {
    fn name(&self) -> &'static str {
        "DefaultIngressClass"
    }

    fn mutate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        INGRESSES.fill(request, cluster);
        Ok(())
    }
}

impl Plugin for DefaultStorageClass {
    fn name(&self) -> &'static str {
        "DefaultStorageClass"
    }

    fn mutate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        CLAIMS.fill(request, cluster);
        Ok(())
    }
}
