//! Rules of a pod spec, as it stands in pods and in pod templates (upstream's `ValidatePodSpec`).

use super::container::{self, PodView};
use super::{affinity, placement, pod_amounts, pod_hosts, pod_os, resources, security, volume};
use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::read::{flag, get, int, is_true, list, text};
use crate::validation::{names, object_meta};
use std::collections::BTreeSet;

/// What the rules of a pod spec need to know of its surroundings.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The pod's name; empty in templates.
    pub pod_name: &'a str,
    /// Whether this is a pod and no template.
    pub is_pod: bool,
}

impl<'a> Context<'a> {
    /// The spec of a pod of that name.
    pub fn pod(pod_name: &'a str) -> Self {
        Self {
            pod_name,
            is_pod: true,
        }
    }

    /// The spec in a template.
    pub fn template() -> Self {
        Self {
            pod_name: "",
            is_pod: false,
        }
    }
}

/// Reports everything that is wrong with a pod spec.
pub fn validate(spec: &Value, context: &Context<'_>, at: &At<'_>, errors: &mut ErrorList) {
    let volumes = volume::validate_all(spec, context.pod_name, &at.child("volumes"), errors);
    placement::resource_claims(spec, &at.child("resourceClaims"), errors);
    let claims: BTreeSet<&str> = list(spec, "resourceClaims")
        .iter()
        .map(|claim| text(claim, "name"))
        .collect();
    let view = PodView {
        volumes,
        claims,
        grace: int(spec, "terminationGracePeriodSeconds"),
        restart_policy: text(spec, "restartPolicy"),
        host_users: flag(spec, "hostUsers") != Some(false),
    };
    container::validate_all(spec, &view, at, errors);
    pod_amounts::validate(spec, &at.child("resources"), errors);
    pod_hosts::host_network_ports(spec, context.is_pod, at, errors);
    let policies = &["Always", "OnFailure", "Never"];
    container::one_of(spec, "restartPolicy", policies, at, errors);
    pod_hosts::validate_dns_policy(spec, at, errors);
    object_meta::labels(spec, "nodeSelector", at, errors);
    security::validate_pod(spec, at, errors);
    if let Some(value) = get(spec, "affinity") {
        affinity::validate(value, &at.child("affinity"), errors);
    }
    pod_hosts::validate_dns_config(spec, &at.child("dnsConfig"), errors);
    placement::readiness_gates(spec, &at.child("readinessGates"), errors);
    placement::scheduling_gates(spec, &at.child("schedulingGates"), errors);
    let spread_at = at.child("topologySpreadConstraints");
    placement::topology_spread(spec, &spread_at, errors);
    pod_os::host_process(spec, at, errors);
    pod_hosts::host_users(spec, at, errors);
    names_and_numbers(spec, at, errors);
    let tolerations = list(spec, "tolerations");
    placement::validate_tolerations(tolerations, &at.child("tolerations"), errors);
    pod_hosts::host_aliases(spec, &at.child("hostAliases"), errors);
    if let Some(policy) = get(spec, "preemptionPolicy").and_then(Value::as_str) {
        let at = at.child("preemptionPolicy");
        match policy {
            "Never" | "PreemptLowerPriority" => {}
            "" => errors.required(&at, ""),
            other => errors.not_supported_in_order(&at, other, &["PreemptLowerPriority", "Never"]),
        }
    }
    if let Some(overhead) = get(spec, "overhead") {
        let limits = serde_json::json!({ "limits": overhead });
        let at = at.child("overhead");
        let names = resources::validate_container_name;
        resources::validate_requirements(&limits, names, &BTreeSet::new(), &at, errors);
    }
    pod_os::validate(spec, at, errors);
}

fn names_and_numbers(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    type Rule = fn(&str) -> Vec<String>;
    let rules: [(&str, Rule); 6] = [
        ("serviceAccountName", names::dns1123_subdomain),
        ("nodeName", names::dns1123_subdomain),
        ("hostname", names::dns1123_label),
        ("subdomain", names::dns1123_label),
        ("priorityClassName", names::dns1123_subdomain),
        ("runtimeClassName", names::dns1123_subdomain),
    ];
    for (key, rule) in rules {
        let name = text(spec, key);
        if !name.is_empty() {
            errors.invalid_each(&at.child(key), name, rule(name));
        }
    }
    let max = i64::from(i32::MAX);
    if let Some(seconds) = int(spec, "activeDeadlineSeconds")
        && !(1..=max).contains(&seconds)
    {
        errors.invalid(
            &at.child("activeDeadlineSeconds"),
            seconds,
            names::range(1, max),
        );
    }
}

/// Reports what is wrong with a spec in a pod but allowed in templates.
pub(crate) fn validate_only_pods(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if text(spec, "serviceAccountName").is_empty() {
        let volumes_at = at.child("volumes");
        for (i, volume) in list(spec, "volumes").iter().enumerate() {
            let volume_at = volumes_at.index(i);
            let projected_at = volume_at.child("projected");
            let sources_at = projected_at.child("sources");
            let projected = volume.get("projected").unwrap_or(&Value::Null);
            for (j, source) in list(projected, "sources").iter().enumerate() {
                if get(source, "serviceAccountToken").is_some() {
                    errors.forbidden(
                        &sources_at.index(j).child("serviceAccountToken"),
                        "must not be specified when serviceAccountName is not set",
                    );
                }
            }
        }
    }
    for key in ["containers", "initContainers"] {
        let list_at = at.child(key);
        for (i, container) in list(spec, key).iter().enumerate() {
            container::only_for_pods(container, &list_at.index(i), errors);
        }
    }
}

/// Whether the pod uses the host's network.
pub(crate) fn uses_host_network(spec: &Value) -> bool {
    is_true(spec, "hostNetwork")
}
