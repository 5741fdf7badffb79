//! `PodSecurityPolicy`: whose policies count, which of them is taken, and when.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod common;

use admission::PodSecurityPolicy;
use common::{Ask, Cluster, resource};
use model::Value;
use model::resource::Resource;
use proptest::prelude::*;
use rbac::{Attributes, Authorizer, Decision};
use serde_json::json;
use std::sync::Arc;

/// Whoever is named may use the policy beside it, through the group of the API beside that.
struct Grants(Vec<(&'static str, &'static str, &'static str)>);

impl Authorizer for Grants {
    fn authorize(&self, asked: &Attributes<'_>) -> Decision {
        assert_eq!(
            (asked.verb, asked.resource, asked.namespace),
            ("use", "podsecuritypolicies", "n")
        );
        let who = |name: &str| asked.user.name == name || asked.user.in_group(name);
        let granted = self.0.iter().any(|(name, policy, group)| {
            who(name) && *policy == asked.name && *group == asked.group
        });
        if granted {
            Decision::allow("")
        } else {
            Decision::no_opinion("")
        }
    }
}

fn plugin(grants: &[(&'static str, &'static str, &'static str)]) -> PodSecurityPolicy {
    PodSecurityPolicy::new(Arc::new(Grants(grants.to_vec())))
}

fn pods() -> &'static Resource {
    resource("", "v1", "pods")
}

fn pod(privileged: bool) -> Value {
    let mut container = json!({ "name": "c", "image": "i" });
    if privileged {
        container["securityContext"] = json!({ "privileged": true });
    }
    json!({
        "metadata": { "name": "p", "namespace": "n" },
        "spec": { "serviceAccountName": "sa", "containers": [container] },
    })
}

fn policy(name: &str, more: Value) -> Value {
    let any = json!({ "rule": "RunAsAny" });
    let mut policy = json!({
        "metadata": { "name": name },
        "spec": {
            "volumes": ["*"],
            "runAsUser": any, "seLinux": any, "supplementalGroups": any, "fsGroup": any,
            "allowPrivilegeEscalation": true,
        },
    });
    let more = more.as_object().expect("fields").clone();
    policy["spec"].as_object_mut().expect("a spec").extend(more);
    policy
}

/// `a-changes` fills in a user, `b-plain` nothing, `c-wild` lets privileged pods in.
fn cluster() -> Cluster {
    let user = json!({
        "runAsUser": { "rule": "MustRunAs", "ranges": [{ "min": 7, "max": 9 }] },
    });
    let kind = "podsecuritypolicies";
    Cluster::default()
        .and(kind, policy("a-changes", user))
        .and(kind, policy("b-plain", json!({})))
        .and(kind, policy("c-wild", json!({ "privileged": true })))
}

const SA: &str = "system:serviceaccount:n:sa";
const POLICY: &str = "policy";

#[test]
fn a_policy_counts_if_the_user_or_the_account_may_use_it() {
    for (who, group, admitted) in [
        ("jane", POLICY, true),
        ("dev", POLICY, true),
        ("jane", "extensions", true),
        ("jane", "apps", false),
        (SA, POLICY, true),
        ("system:serviceaccounts", POLICY, true),
        ("system:serviceaccounts:n", POLICY, true),
        ("system:serviceaccounts:m", POLICY, false),
        ("system:authenticated", POLICY, false),
        ("joe", POLICY, false),
    ] {
        let done =
            Ask::create(pods(), pod(false)).of(&plugin(&[(who, "b-plain", group)]), &cluster());
        assert_eq!(done.verdict.is_ok(), admitted, "{who} {group}");
        if admitted {
            assert_eq!(
                done.object["metadata"]["annotations"]["kubernetes.io/psp"],
                "b-plain"
            );
            for key in ["admit-policy", "validate-policy"] {
                let key = format!("podsecuritypolicy.policy.k8s.io/{key}");
                assert_eq!(done.note(&key), Some("b-plain"));
            }
        } else {
            assert_eq!(
                done.message(),
                "pods \"p\" is forbidden: PodSecurityPolicy: unable to admit pod: []"
            );
        }
    }
}

#[test]
fn policies_that_change_nothing_come_first_then_names() {
    let all = [
        (SA, "a-changes", POLICY),
        (SA, "b-plain", POLICY),
        (SA, "c-wild", POLICY),
    ];
    for (grants, privileged, taken) in [
        (&all[..], false, "b-plain"),
        (&all[1..], false, "b-plain"),
        (&all[..1], false, "a-changes"),
        (&all[..], true, "c-wild"),
    ] {
        let done = Ask::create(pods(), pod(privileged)).of(&plugin(grants), &cluster());
        assert!(done.verdict.is_ok(), "{}", done.message());
        assert_eq!(
            done.object["metadata"]["annotations"]["kubernetes.io/psp"],
            taken
        );
    }
    let done = Ask::create(pods(), pod(false)).of(&plugin(&all[..1]), &cluster());
    assert_eq!(
        done.object["spec"]["containers"][0]["securityContext"]["runAsUser"],
        7
    );
}

#[test]
fn refusals_are_those_of_the_policies_that_may_be_used() {
    let grants = [(SA, "a-changes", POLICY), ("jane", "b-plain", POLICY)];
    let done = Ask::create(pods(), pod(true)).of(&plugin(&grants), &cluster());
    let one = "spec.containers[0].securityContext.privileged: Invalid value: true: Privileged \
               containers are not allowed";
    assert_eq!(
        done.message(),
        format!("pods \"p\" is forbidden: PodSecurityPolicy: unable to admit pod: [{one} {one}]")
    );
    let done = Ask::create(pods(), pod(true)).of(&plugin(&grants), &Cluster::default());
    assert_eq!(
        done.message(),
        "pods \"p\" is forbidden: PodSecurityPolicy: no providers available to validate pod request"
    );
    let mut replica = pod(true);
    replica["metadata"] = json!({ "generateName": "web-" });
    let done = Ask::create(pods(), replica).of(&plugin(&grants), &Cluster::default());
    assert!(
        done.message().starts_with("pods \"web-\" is forbidden: "),
        "{}",
        done.message()
    );
}

#[test]
fn updates() {
    let old = pod(true);
    let mut image = old.clone();
    image["spec"]["containers"][0]["image"] = "j".into();
    let mut owner = old.clone();
    owner["metadata"]["ownerReferences"] = json!([{ "uid": "u" }]);
    owner["metadata"]["finalizers"] = json!(["f"]);
    for (what, new, subresource, grants, admitted) in [
        ("an image", &image, "", &[][..], false),
        ("an image", &image, "", &[(SA, "c-wild", POLICY)][..], true),
        ("owners and finalizers", &owner, "", &[], true),
        ("a status", &image, "status", &[], true),
        (
            "ephemeral containers",
            &image,
            "ephemeralcontainers",
            &[],
            false,
        ),
    ] {
        let ask = Ask {
            subresource,
            ..Ask::update(pods(), old.clone(), new.clone())
        };
        let done = ask.of(&plugin(grants), &cluster());
        assert_eq!(done.verdict.is_ok(), admitted, "{what}: {}", done.message());
        assert_eq!(&done.object, new, "updates are not changed");
        if !admitted {
            assert!(
                done.message().contains("unable to validate pod: []"),
                "{}",
                done.message()
            );
        }
    }
    // A policy that would have to change the pod does not admit a change of it.
    let grants = [(SA, "a-changes", POLICY)];
    let done = Ask::update(pods(), pod(true), pod(false)).of(&plugin(&grants), &cluster());
    assert!(done.verdict.is_err());
}

#[test]
fn policies_are_followed_as_they_change() {
    let plugin = plugin(&[(SA, "b-plain", POLICY), (SA, "c-wild", POLICY)]);
    let run = |cluster: &Cluster| Ask::create(pods(), pod(true)).of(&plugin, cluster);
    assert!(run(&cluster()).verdict.is_ok());
    let kind = "podsecuritypolicies";
    let without = Cluster::default().and(kind, policy("b-plain", json!({})));
    assert!(run(&without).verdict.is_err());
    assert!(run(&cluster()).verdict.is_ok());
}

proptest! {
    #[test]
    fn what_a_policy_has_changed_it_leaves_as_it_is(
        user in 0_usize..3,
        groups in any::<bool>(),
        drop in any::<bool>(),
        read_only in any::<bool>(),
        escalation in any::<bool>(),
    ) {
        let range = json!([{ "min": 5, "max": 9 }]);
        let rule = match user {
            0 => json!({ "rule": "RunAsAny" }),
            1 => json!({ "rule": "MustRunAsNonRoot" }),
            _ => json!({ "rule": "MustRunAs", "ranges": range }),
        };
        let mut rules = json!({
            "runAsUser": rule,
            "allowPrivilegeEscalation": escalation,
            "readOnlyRootFilesystem": read_only,
        });
        if groups {
            for key in ["fsGroup", "supplementalGroups", "runAsGroup"] {
                rules[key] = json!({ "rule": "MustRunAs", "ranges": range });
            }
        }
        if drop {
            rules["requiredDropCapabilities"] = json!(["ALL"]);
            rules["defaultAddCapabilities"] = json!(["CHOWN"]);
        }
        let cluster = Cluster::default().and("podsecuritypolicies", policy("it", rules));
        let plugin = plugin(&[(SA, "it", POLICY)]);
        let first = Ask::create(pods(), pod(false)).of(&plugin, &cluster);
        prop_assert!(first.verdict.is_ok(), "{}", first.message());
        let second = Ask::create(pods(), first.object.clone()).of(&plugin, &cluster);
        prop_assert!(second.verdict.is_ok());
        prop_assert_eq!(second.object, first.object);
    }
}
