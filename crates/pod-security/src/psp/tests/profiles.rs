//! Profiles of seccomp and AppArmor.

use super::*;

const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/pod";
const ALLOWED: &str = "seccomp.security.alpha.kubernetes.io/allowedProfileNames";
const DEFAULT: &str = "seccomp.security.alpha.kubernetes.io/defaultProfileName";

#[test]
fn seccomp() {
    let field = |kind: &str| {
        let profile = json!({"type": kind, "localhostProfile": "x"});
        pod(context(json!({"seccompProfile": profile})), json!({}))
    };
    let annotation = |text: &str| {
        let mut pod = pod(json!({}), json!({}));
        meta::set(&mut pod, &["metadata", "annotations", SECCOMP], text);
        pod
    };
    let own = "container.seccomp.security.alpha.kubernetes.io/a";
    let control = format!("metadata.annotations[{ALLOWED}]");
    let errors = |detail: &str, place: &str| {
        [SECCOMP, own]
            .map(|key| {
                let error = format!("pod.metadata.annotations[{key}]: Forbidden: {detail}");
                (error, place.to_owned(), control.clone())
            })
            .to_vec()
    };
    let whole = "spec.securityContext.seccompProfile";
    // No profile is allowed: none may be set.
    let closed = annotated(json!({ALLOWED: null}), json!({}));
    allow(&closed, &pod(json!({}), json!({})));
    let refusal = errors("seccomp may not be set", whole);
    // The first is of the annotation that follows from the field.
    let found = refused(&closed, &field("Unconfined"));
    assert_eq!(found.len(), 2);
    assert_eq!(found[1], refusal[1]);
    let some = annotated(json!({ALLOWED: "docker/default,localhost/x"}), json!({}));
    for allowed in ["RuntimeDefault", "Localhost"] {
        allow(&some, &field(allowed));
    }
    for allowed in ["runtime/default", "docker/default", "localhost/x"] {
        allow(&some, &annotation(allowed));
    }
    let detail = "unconfined is not an allowed seccomp profile. Valid values are \
        docker/default,localhost/x";
    assert_eq!(
        refused(&some, &annotation("unconfined")),
        errors(detail, &format!("metadata.annotations[{SECCOMP}]"))
    );
    let detail = " is not an allowed seccomp profile. Valid values are docker/default,localhost/x";
    let found = refused(&some, &pod(json!({}), json!({})));
    let want = errors(detail, whole);
    assert_eq!(found[0], want[0]);
    assert_eq!(found[1].0, want[1].0);
    assert_eq!(found[1].1, format!("{OWN}.seccompProfile"));
    // A container's own counts before the pod's.
    let mut mixed = field("RuntimeDefault");
    mixed["spec"]["containers"][0] =
        json!({"name": "a", "securityContext": {"seccompProfile": {"type": "Unconfined"}}});
    let found = refused(&some, &mixed);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1, format!("{OWN}.seccompProfile"));
}

#[test]
fn default_seccomp_profiles() {
    let policy = annotated(json!({DEFAULT: "localhost/x"}), json!({}));
    let annotation = format!("metadata.annotations[{SECCOMP}]");
    assert_eq!(
        filled(&policy, &pod(json!({}), json!({}))),
        [format!("{annotation}=\"localhost/x\"")]
    );
    let runtime = json!({"seccompProfile": {"type": "RuntimeDefault"}});
    let set = pod(context(runtime), json!({}));
    assert_eq!(
        filled(&policy, &set),
        [format!("{annotation}=\"runtime/default\"")]
    );
    assert_eq!(policy.review(Pass::Validating, &set).changes, []);
}

#[test]
fn seccomp_annotations_and_fields_are_kept_in_step() {
    let all = Policies::new([&open("p")]);
    let own = "container.seccomp.security.alpha.kubernetes.io/";
    let mut pod = pod(json!({}), json!({}));
    pod["spec"]["initContainers"] = json!([{"name": "i", "securityContext": {
        "seccompProfile": {"type": "Unconfined"},
    }}]);
    pod["metadata"]["annotations"] = json!({
        SECCOMP: "docker/default",
        format!("{own}a"): "localhost/y",
    });
    let Decision::Admitted {
        pod: Some(pod),
        changes,
        ..
    } = all.admit(Pass::Mutating, &pod, |_| true)
    else {
        panic!("admitted");
    };
    assert_eq!(changes, []);
    let kind = |holder: &Value| holder["securityContext"]["seccompProfile"].clone();
    let local = json!({"type": "Localhost", "localhostProfile": "y"});
    assert_eq!(kind(&pod["spec"]), json!({"type": "RuntimeDefault"}));
    assert_eq!(kind(&pod["spec"]["containers"][0]), local);
    let annotations = &pod["metadata"]["annotations"];
    assert_eq!(annotations[format!("{own}i")], "unconfined");
    let again = all.admit(Pass::Mutating, &pod, |_| true);
    assert!(matches!(again, Decision::Admitted { pod: Some(same), .. } if same == pod));
}

#[test]
fn app_armor() {
    const KEY: &str = "container.apparmor.security.beta.kubernetes.io/a";
    const ALLOWED: &str = "apparmor.security.beta.kubernetes.io/allowedProfileNames";
    const DEFAULT: &str = "apparmor.security.beta.kubernetes.io/defaultProfileName";
    let annotation = |text: &str| {
        let mut pod = pod(json!({}), json!({}));
        meta::set(&mut pod, &["metadata", "annotations", KEY], text);
        pod
    };
    let field = |kind: &str| {
        pod(
            json!({}),
            context(json!({"appArmorProfile": {"type": kind}})),
        )
    };
    let plain = pod(json!({}), json!({}));
    let some = annotated(json!({ALLOWED: "runtime/default,localhost/x"}), json!({}));
    let control = format!("metadata.annotations[{ALLOWED}]");
    let at = format!("pod.metadata.annotations[{KEY}]: Forbidden: ");
    for allowed in ["runtime/default", "localhost/x"] {
        allow(&some, &annotation(allowed));
    }
    allow(&some, &field("RuntimeDefault"));
    let own = format!("{OWN}.appArmorProfile");
    expect(
        &some,
        &plain,
        &format!("{at}AppArmor profile must be set"),
        &own,
        &control,
    );
    let bad = format!(
        "{at}unconfined is not an allowed profile. Allowed values: \"runtime/default,localhost/x\""
    );
    let place = format!("metadata.annotations[{KEY}]");
    expect(&some, &annotation("unconfined"), &bad, &place, &control);
    expect(&some, &field("Unconfined"), &bad, &own, &control);
    let default = annotated(
        json!({DEFAULT: "runtime/default", ALLOWED: "runtime/default"}),
        json!({}),
    );
    let filled_in = [format!("{place}=\"runtime/default\"")];
    assert_eq!(filled(&default, &plain), filled_in);
    assert_eq!(filled(&default, &annotation("")), filled_in);
    allow(&default, &plain);
    assert_eq!(filled(&default, &field("Unconfined")), [""; 0]);
    assert_eq!(refused(&default, &field("Unconfined")).len(), 1);
    // The node reads the field.
    let mut object = open("p");
    object["metadata"]["annotations"][DEFAULT] = json!("localhost/x");
    let decision = Policies::new([&object]).admit(Pass::Mutating, &plain, |_| true);
    let Decision::Admitted { pod: Some(pod), .. } = decision else {
        panic!("admitted");
    };
    assert_eq!(
        pod["spec"]["containers"][0]["securityContext"]["appArmorProfile"],
        json!({"type": "Localhost", "localhostProfile": "x"})
    );
}
