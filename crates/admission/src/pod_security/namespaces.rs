//! Labels of namespaces: they must make sense, and whoever makes them stricter is told which pods
//! would not be admitted any more.

use super::PodSecurity;
use crate::{Lookup, Operation, Request};
use model::status::Status;
use model::{Value, meta};
use pod_security::labels;
use pod_security::standards::reasons;
use pod_security::{Level, LevelVersion, NamespacePolicy, evaluate};
use std::collections::{BTreeMap, HashSet};

/// How many pods of a namespace are looked at.
const PODS_MAX: usize = 3000;
/// Among how many those are chosen. Upstream chooses among all, which it holds decoded.
const PODS_SEEN: usize = 10_000;

impl PodSecurity {
    pub(super) fn namespace(
        &self,
        request: &mut Request<'_>,
        cluster: &dyn Lookup,
    ) -> Result<(), Status> {
        if !request.subresource.is_empty() {
            return Ok(());
        }
        let (new, errors) = self.policy_of(&request.object);
        let invalid = || {
            let resource = request.resource;
            Status::invalid(&resource.group, &resource.kind, request.name, &errors)
        };
        let name = meta::name(&request.object).to_owned();
        let is_exempt = self.config.exemptions.has_namespace(&name);
        if request.operation == Operation::Create {
            if !errors.is_empty() {
                return Err(invalid());
            }
            if is_exempt {
                self.warn_exempt(request, &name, &new);
            }
            return Ok(());
        }
        let Some(old) = request.old_object else {
            return Ok(());
        };
        let (old, old_errors) = self.policy_of(old);
        // Errors that were there before do not keep other changes from being made.
        if !errors.is_empty() && errors != old_errors {
            return Err(invalid());
        }
        let (new_mode, old_mode) = (new.enforce, old.enforce);
        let is_looser = new_mode.version == old_mode.version && new_mode.level <= old_mode.level;
        if new_mode == old_mode || new_mode.level == Level::Privileged || is_looser {
            return Ok(());
        }
        if is_exempt {
            self.warn_exempt(request, &name, &new);
            return Ok(());
        }
        let is_over = self.patience.begin();
        let (pods, total) = cluster.first("", "pods", &name, PODS_SEEN);
        let pods: Vec<&Value> = pods.iter().map(AsRef::as_ref).collect();
        let warnings = self.existing_pods(&name, new_mode, &pods, total, &*is_over);
        request.warnings.extend(warnings);
        Ok(())
    }

    /// Labels of exempt namespaces do nothing, which is worth a word.
    fn warn_exempt(&self, request: &mut Request<'_>, name: &str, policy: &NamespacePolicy) {
        if policy.is_privileged() || policy.is_equivalent(&self.config.defaults) {
            return;
        }
        let set = meta::labels(&request.object);
        let shown: Vec<String> = [
            (
                "enforce",
                policy.enforce,
                labels::ENFORCE,
                labels::ENFORCE_VERSION,
            ),
            ("audit", policy.audit, labels::AUDIT, labels::AUDIT_VERSION),
            ("warn", policy.warn, labels::WARN, labels::WARN_VERSION),
        ]
        .into_iter()
        .filter(|(_, mode, level, version)| {
            mode.level != Level::Privileged
                && (set.contains_key(level) || set.contains_key(version))
        })
        .map(|(key, mode, _, _)| format!("{key}={mode}"))
        .collect();
        let text = format!(
            "namespace {name:?} is exempt from Pod Security, and the policy ({}) will be ignored",
            shown.join(", ")
        );
        request.warnings.push(text);
    }

    /// What is said of the pods of a namespace whose enforced level becomes `enforce`: pods with the
    /// same violations in one line.
    fn existing_pods(
        &self,
        namespace: &str,
        enforce: LevelVersion,
        pods: &[&Value],
        total: usize,
        is_over: &dyn Fn() -> bool,
    ) -> Vec<String> {
        let none = Value::Null;
        let is_exempt = |pod: &Value| {
            let class = meta::text(pod, &["spec", "runtimeClassName"]);
            self.config.exemptions.has_runtime_class(class)
        };
        let held: Vec<&Value> = pods.iter().copied().filter(|pod| !is_exempt(pod)).collect();
        let total = total.saturating_sub(pods.len().saturating_sub(held.len()));
        // By what is wrong: the first name, and how many.
        let mut found: BTreeMap<String, (&str, usize)> = BTreeMap::new();
        let mut checked: usize = 0;
        for pod in in_order(&held).into_iter().take(PODS_MAX) {
            let spec = pod.get("spec").unwrap_or(&none);
            let violations = evaluate(enforce, pod.get("metadata").unwrap_or(&none), spec);
            if !violations.is_empty() {
                let name = meta::name(pod);
                found
                    .entry(reasons(&violations))
                    .and_modify(|(first, count)| {
                        *first = name.min(first);
                        *count = count.saturating_add(1);
                    })
                    .or_insert((name, 1));
            }
            checked = checked.saturating_add(1);
            if is_over() {
                break;
            }
        }
        let mut warnings = Vec::new();
        if checked < total {
            warnings.push(format!(
                "new PodSecurity enforce level only checked against the first {checked} of {total} \
                 existing pods"
            ));
        }
        if found.is_empty() {
            return warnings;
        }
        warnings.push(format!(
            "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level \
             \"{enforce}\""
        ));
        let mut lines: Vec<String> = found
            .into_iter()
            .map(|(why, (first, count))| match count {
                1 => format!("{first}: {why}"),
                2 => format!("{first} (and 1 other pod): {why}"),
                count => format!(
                    "{first} (and {} other pods): {why}",
                    count.saturating_sub(1)
                ),
            })
            .collect();
        lines.sort_unstable();
        warnings.extend(lines);
        warnings
    }
}

/// Pods of the same controller are much alike: one of each comes first, so that many replicas of
/// one do not hide all others.
fn in_order<'a>(pods: &[&'a Value]) -> Vec<&'a Value> {
    let mut seen = HashSet::new();
    let (mut first, rest): (Vec<&Value>, Vec<&Value>) = pods.iter().copied().partition(|pod| {
        let mut owners = meta::list(pod, &["metadata", "ownerReferences"]).iter();
        let controller = owners.find(|o| o.get("controller") == Some(&Value::Bool(true)));
        controller.is_none_or(|owner| seen.insert(meta::text(owner, &["uid"])))
    });
    first.extend(rest);
    first
}
