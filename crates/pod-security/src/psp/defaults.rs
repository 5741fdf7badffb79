//! What policies fill in.

use crate::containers::{Container, LISTS, Pod};
use crate::psp::policy::{GroupRule, Policy, UserRule};
use crate::psp::{Pass, profiles};
use model::{Value, meta};
use std::collections::BTreeSet;

/// What a policy fills in, in one place of a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What the field is set to.
    pub value: Value,
    place: Place,
}

/// Where a pod is changed.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    Annotation(String),
    /// A field of the spec.
    Spec(&'static str),
    /// A field of the pod's security context.
    Pod(&'static str),
    /// A field of the security context of a container: its list, its place there.
    Container(&'static str, usize, &'static str),
}

impl Change {
    fn new(place: Place, value: impl Into<Value>) -> Self {
        Self {
            value: value.into(),
            place,
        }
    }

    /// The path of the field: `spec.containers[0].securityContext.runAsUser`.
    pub fn field(&self) -> String {
        match &self.place {
            Place::Annotation(key) => Pod::annotation_path(key),
            Place::Spec(key) => format!("spec.{key}"),
            Place::Pod(key) => Pod::path(key),
            Place::Container(list, index, key) => {
                format!("spec.{list}[{index}].securityContext.{key}")
            }
        }
    }

    /// Makes the change.
    pub fn apply(&self, pod: &mut Value) {
        let value = self.value.clone();
        match &self.place {
            Place::Annotation(key) => meta::set(pod, &["metadata", "annotations", key], value),
            Place::Spec(key) => meta::set(pod, &["spec", key], value),
            Place::Pod(key) => meta::set(pod, &["spec", "securityContext", key], value),
            Place::Container(list, index, key) => {
                let container = pod
                    .get_mut("spec")
                    .and_then(|spec| spec.get_mut(list))
                    .and_then(|list| list.get_mut(index));
                if let Some(container) = container {
                    meta::set(container, &["securityContext", key], value);
                }
            }
        }
    }
}

/// What the policy fills into a pod, in upstream's order. All of it counts as a change of the pod.
/// If all that matters is whether it is anything, `some` of it is enough.
pub(super) fn of(policy: &Policy, pass: Pass, pod: &Pod<'_>, some: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    if let GroupRule::Must(ranges) = &policy.supplemental_groups
        && pod.setting("supplementalGroups").is_none()
    {
        let groups = vec![ranges.default];
        changes.push(Change::new(Place::Pod("supplementalGroups"), groups));
    }
    if let GroupRule::Must(ranges) = &policy.fs_group
        && pod.setting("fsGroup").is_none()
    {
        changes.push(Change::new(Place::Pod("fsGroup"), ranges.default));
    }
    if let Some(options) = &policy.selinux
        && pod.setting("seLinuxOptions").is_none()
    {
        let options = options.clone();
        changes.push(Change::new(Place::Pod("seLinuxOptions"), options));
    }
    seccomp(policy, pass, pod, &mut changes);
    let class = policy.runtime_class.as_ref();
    if let Some(default) = class.and_then(|class| class.default.as_ref())
        && meta::at(pod.spec, &["runtimeClassName"]).is_none()
    {
        let default = default.as_str();
        changes.push(Change::new(Place::Spec("runtimeClassName"), default));
    }
    for container in &pod.containers {
        if some && !changes.is_empty() {
            break;
        }
        of_container(policy, pod, container, &mut changes);
    }
    changes
}

fn seccomp(policy: &Policy, pass: Pass, pod: &Pod<'_>, changes: &mut Vec<Change>) {
    let key = profiles::SECCOMP_POD;
    if pod.annotation(key).is_some_and(|text| !text.is_empty()) {
        return;
    }
    if let Some(field) = pod.setting("seccompProfile") {
        // An API server of 1.24 had done this for every stored pod, so that it is no change there.
        let text = profiles::annotation_of(field);
        if pass == Pass::Mutating && !text.is_empty() {
            changes.push(Change::new(Place::Annotation(key.to_owned()), text));
        }
        return;
    }
    let default = policy.seccomp.default.as_str();
    if !default.is_empty() {
        changes.push(Change::new(Place::Annotation(key.to_owned()), default));
    }
}

fn of_container(
    policy: &Policy,
    pod: &Pod<'_>,
    container: &Container<'_>,
    changes: &mut Vec<Change>,
) {
    let Some(list) = LISTS.into_iter().find(|list| *list == container.list) else {
        return;
    };
    let mut set = |key, value: Value| {
        changes.push(Change::new(
            Place::Container(list, container.index, key),
            value,
        ));
    };
    let effective = |key| container.setting(key).or_else(|| pod.setting(key));
    let mut has_user = effective("runAsUser").is_some();
    if let UserRule::Within(ranges) = &policy.user
        && !has_user
    {
        has_user = true;
        set("runAsUser", ranges.default.into());
    }
    if let GroupRule::Must(ranges) = &policy.group
        && effective("runAsGroup").is_none()
    {
        set("runAsGroup", ranges.default.into());
    }
    if matches!(policy.user, UserRule::NonRoot) && !has_user && effective("runAsNonRoot").is_none()
    {
        set("runAsNonRoot", true.into());
    }
    if let Some(capabilities) = capabilities(policy, container) {
        set("capabilities", capabilities);
    }
    if policy.read_only_root && container.setting("readOnlyRootFilesystem").is_none() {
        set("readOnlyRootFilesystem", true.into());
    }
    if container.setting("allowPrivilegeEscalation").is_none() {
        let denied = (!policy.escalation).then_some(false);
        if let Some(default) = policy.default_escalation.or(denied) {
            set("allowPrivilegeEscalation", default.into());
        }
    }
    let default = policy.app_armor.default.as_str();
    if !default.is_empty() && profiles::app_armor(pod, container).0.is_empty() {
        let key = profiles::app_armor_key(container);
        changes.push(Change::new(Place::Annotation(key), default));
    }
}

/// The capabilities of a container with what the policy adds and drops; `None` if that changes
/// nothing.
fn capabilities(policy: &Policy, container: &Container<'_>) -> Option<Value> {
    let own = |key| -> BTreeSet<&str> {
        let context = container.context;
        let all = context.map_or(&[][..], |c| meta::list(c, &["capabilities", key]));
        all.iter().filter_map(Value::as_str).collect()
    };
    let (add, drop) = (own("add"), own("drop"));
    let mut all_add = add.clone();
    let default = policy.default_add.iter().map(String::as_str);
    all_add.extend(default.filter(|name| !drop.contains(name)));
    let mut all_drop = drop.clone();
    all_drop.extend(policy.required_drop.iter().map(String::as_str));
    if all_add.len() == add.len() && all_drop.len() == drop.len() {
        return None;
    }
    let mut capabilities = model::Map::new();
    for (key, names) in [("add", all_add), ("drop", all_drop)] {
        if !names.is_empty() {
            let names: Vec<&str> = names.into_iter().collect();
            capabilities.insert(key.to_owned(), names.into());
        }
    }
    Some(capabilities.into())
}
