//! The controllers' decisions.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use model::{Value, meta};
use reconcile::garbage::{Dependent, FOREGROUND, ORPHAN, OwnerState, collect, orphan};
use reconcile::namespace::{Remains, reconcile};
use reconcile::token_secret::{self, NAME_ANNOTATION, Need, TYPE, UID_ANNOTATION};
use reconcile::{Action, Propagation, Target, root_ca, service_account};
use serde_json::json;

#[test]
fn a_namespace_goes_once_it_is_empty() {
    let namespace = json!({
        "metadata": { "name": "n", "deletionTimestamp": "2024-01-01T00:00:00Z" },
        "spec": { "finalizers": ["kubernetes", "example.com/other"] },
        "status": { "phase": "Terminating" },
    });
    let actions = reconcile(&namespace, &Remains::default(), "2024-01-01T00:00:01Z");
    let [Action::Update(target, object)] = actions.as_slice() else {
        panic!("{actions:?}")
    };
    assert_eq!(target.resource, "namespaces/finalize");
    assert_eq!(object["spec"]["finalizers"], json!(["example.com/other"]));

    let remains = Remains {
        objects: [("pods".to_owned(), 2)].into(),
        finalizers: [("example.com/f".to_owned(), 1)].into(),
        ..Remains::default()
    };
    let actions = reconcile(&namespace, &remains, "2024-01-01T00:00:01Z");
    let [Action::Update(target, told)] = actions.as_slice() else {
        panic!("{actions:?}")
    };
    assert_eq!(target.resource, "namespaces/status");
    let message = |kind: &str| {
        let conditions = meta::list(told, &["status", "conditions"]);
        let condition = conditions.iter().find(|c| c["type"] == kind).expect(kind);
        (condition["status"].clone(), condition["message"].clone())
    };
    assert_eq!(
        message("NamespaceContentRemaining"),
        (
            json!("True"),
            json!("Some resources are remaining: pods has 2 resource instances")
        )
    );
    assert_eq!(
        message("NamespaceFinalizersRemaining").1,
        "Some content in the namespace has finalizers remaining: example.com/f in 1 resource \
         instances"
    );
    assert_eq!(message("NamespaceDeletionContentFailure").0, "False");
    assert!(
        reconcile(told, &remains, "2024-01-01T09:00:00Z").is_empty(),
        "told already"
    );

    let alive = json!({ "metadata": { "name": "n" }, "spec": { "finalizers": ["kubernetes"] } });
    assert!(reconcile(&alive, &Remains::default(), "").is_empty());
}

#[test]
fn what_every_namespace_has() {
    assert_eq!(service_account::reconcile("n", true, false).len(), 1);
    assert!(service_account::reconcile("n", true, true).is_empty());
    assert!(service_account::reconcile("n", false, false).is_empty());
    assert!(root_ca::reconcile("n", false, None, "PEM").is_empty());
    let [Action::Create(_, made)] = &root_ca::reconcile("n", true, None, "PEM")[..] else {
        panic!("not made")
    };
    assert!(root_ca::reconcile("n", true, Some(made), "PEM").is_empty());
    let mut changed = made.clone();
    meta::set(&mut changed, &["data", "ca.crt"], "other");
    let [Action::Update(_, repaired)] = &root_ca::reconcile("n", true, Some(&changed), "PEM")[..]
    else {
        panic!("not repaired")
    };
    assert_eq!(repaired["data"], json!({ "ca.crt": "PEM" }));
}

#[test]
fn token_secrets_follow_their_account() {
    let secret = |uid: &str, data: Value| {
        json!({
            "metadata": { "name": "s", "namespace": "n", "uid": "u-secret", "annotations": {
                NAME_ANNOTATION: "robot", UID_ANNOTATION: uid,
            } },
            "type": TYPE,
            "data": data,
        })
    };
    let full = json!({ "token": "dA==", "namespace": "bg==", "ca.crt": "Y2E=" });
    let need =
        |secret: &Value, account: Option<&str>| token_secret::reconcile(secret, account, "Y2E=");
    assert_eq!(need(&secret("", json!({})), Some("u")), Need::Token);
    assert_eq!(need(&secret("u", full.clone()), Some("u")), Need::Nothing);
    assert_eq!(
        need(&secret("u", json!({ "token": "dA==" })), Some("u")),
        Need::Token
    );
    // The account may come after the secret, but not another one in its place.
    assert_eq!(need(&secret("", json!({})), None), Need::Nothing);
    assert!(matches!(
        need(&secret("u", full.clone()), None),
        Need::Remove(_)
    ));
    assert!(matches!(
        need(&secret("u", full.clone()), Some("v")),
        Need::Remove(_)
    ));
    let mut opaque = secret("u", full);
    meta::set(&mut opaque, &["type"], "Opaque");
    assert_eq!(need(&opaque, None), Need::Nothing);
}

fn owner(uid: &str) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": uid, "uid": uid })
}

fn decide(
    owners: &[(Value, OwnerState)],
    finalizers: &[&str],
    deleting: bool,
    blocked: bool,
) -> Option<Action> {
    let finalizers: Vec<String> = finalizers.iter().map(|f| (*f).to_owned()).collect();
    collect(&Dependent {
        target: Target::core("pods", "n", "p"),
        uid: "u",
        resource_version: "7",
        deleting,
        finalizers: &finalizers,
        owners,
        blocked,
    })
}

#[test]
fn dependents_go_with_their_last_owner() {
    use OwnerState::{Absent, Solid, Unknown, Waiting};
    let (a, b) = (owner("a"), owner("b"));
    let deletion = |action: Option<Action>| match action {
        Some(Action::Delete(_, _, propagation)) => propagation,
        other => panic!("{other:?}"),
    };
    let one = |state| vec![(a.clone(), state)];
    assert_eq!(decide(&one(Solid), &[], false, false), None);
    assert_eq!(decide(&one(Unknown), &[], false, false), None);
    assert_eq!(
        decide(&one(Absent), &[], true, false),
        None,
        "it is going already"
    );
    assert_eq!(
        deletion(decide(&one(Absent), &[], false, false)),
        Some(Propagation::Background)
    );
    assert_eq!(
        deletion(decide(&one(Absent), &[ORPHAN], false, false)),
        Some(Propagation::Orphan)
    );
    assert_eq!(
        deletion(decide(&one(Absent), &[FOREGROUND], false, false)),
        Some(Propagation::Foreground)
    );
    assert_eq!(
        deletion(decide(&one(Waiting), &[], false, true)),
        Some(Propagation::Foreground)
    );
    assert_eq!(
        deletion(decide(&one(Waiting), &[], false, false)),
        Some(Propagation::Background)
    );
    // One of two owners is left: only the reference goes.
    let two = [(a.clone(), Absent), (b.clone(), Solid)];
    let Some(Action::Patch(_, patch)) = decide(&two, &[], false, false) else {
        panic!("no patch")
    };
    assert_eq!(
        patch["metadata"],
        json!({ "uid": "u", "resourceVersion": "7", "ownerReferences": [b] })
    );
    // As long as one cannot be found out, nothing is decided.
    assert_eq!(
        decide(&[(a, Absent), (owner("c"), Unknown)], &[], false, false),
        None
    );
}

#[test]
fn an_orphan_loses_the_reference() {
    let owners = [(owner("a"), OwnerState::Solid)];
    let dependent = Dependent {
        target: Target::core("pods", "n", "p"),
        uid: "u",
        resource_version: "7",
        deleting: false,
        finalizers: &[],
        owners: &owners,
        blocked: false,
    };
    let Some(Action::Patch(_, patch)) = orphan(&dependent, "a") else {
        panic!("no patch")
    };
    assert_eq!(patch["metadata"]["ownerReferences"], Value::Null);
    assert_eq!(orphan(&dependent, "b"), None);
}
