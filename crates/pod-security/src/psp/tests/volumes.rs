//! What is refused of volumes.

use super::*;

#[test]
fn volume_types() {
    let has = |volume: Value| pod(json!({"volumes": [volume]}), json!({}));
    let some = policy(json!({"volumes": ["secret", "cephFS"]}));
    allow(&some, &has(json!({"name": "v", "secret": {}})));
    allow(&some, &has(json!({"name": "v", "cephfs": {}})));
    for (field, kind) in [
        ("hostPath", "hostPath"),
        ("emptyDir", "emptyDir"),
        ("nfs", "nfs"),
        ("image", "image"),
        ("storageos", "storageos"),
    ] {
        expect(
            &some,
            &has(json!({"name": "v", field: {}})),
            &format!(
                "spec.volumes[0]: Invalid value: \"{kind}\": {kind} volumes are not allowed to be \
                 used"
            ),
            &format!("spec.volumes[0].{field}"),
            "spec.volumes",
        );
    }
    // Even `*` is for volumes that are known.
    expect(
        &policy(json!({})),
        &has(json!({"name": "v", "x": {}})),
        "spec.volumes[0]: Invalid value: \"\": unknown volume type for volume: v",
        "spec.volumes[0]",
        "spec.volumes",
    );
}

#[test]
fn tokens_of_service_accounts_are_secrets() {
    let volume = |token: Value, map: &str, path: &str| {
        let item = json!({"path": path, "fieldRef": {
            "apiVersion": "v1", "fieldPath": "metadata.namespace",
        }});
        let sources = json!([
            {"serviceAccountToken": token},
            {"configMap": {"name": map}},
            {"downwardAPI": {"items": [item]}},
        ]);
        let volume = json!({"name": "v", "projected": {"sources": sources}});
        pod(json!({"volumes": [volume]}), json!({}))
    };
    let token = || json!({"path": "token", "expirationSeconds": 3607});
    let injected = volume(token(), "kube-root-ca.crt", "namespace");
    let secrets = policy(json!({"volumes": ["secret"]}));
    allow(&secrets, &injected);
    allow(&policy(json!({"volumes": ["projected"]})), &injected);
    assert_eq!(
        refused(&policy(json!({"volumes": ["configMap"]})), &injected).len(),
        1
    );
    for other in [
        volume(json!({"path": "x"}), "kube-root-ca.crt", "namespace"),
        volume(
            json!({"path": "token", "audience": "x"}),
            "kube-root-ca.crt",
            "namespace",
        ),
        volume(token(), "other", "namespace"),
        volume(token(), "kube-root-ca.crt", "other"),
    ] {
        assert_eq!(refused(&secrets, &other).len(), 1, "{other}");
    }
    let mut secret = injected;
    secret["spec"]["volumes"][0]["projected"]["sources"][1] = json!({"secret": {"name": "x"}});
    assert_eq!(refused(&secrets, &secret).len(), 1);
}

#[test]
fn host_paths() {
    let allowed = policy(json!({"allowedHostPaths": [
        {"pathPrefix": "/foo/"},
        {"pathPrefix": "/logs", "readOnly": true},
        {"pathPrefix": "/logs/rw"},
    ]}));
    let mounts = |path: &str, read_only: Value| {
        pod(
            json!({"volumes": [{"name": "v", "hostPath": {"path": path}}]}),
            json!({"volumeMounts": [{"name": "x"}, {"name": "v", "readOnly": read_only}]}),
        )
    };
    let unset = || json!(null);
    for path in ["/foo", "/foo/", "/foo/bar", "/logs/rw/x"] {
        allow(&allowed, &mounts(path, unset()));
    }
    for path in ["/", "/food", "/fo", "", "/etc", "foo"] {
        expect(
            &allowed,
            &mounts(path, json!(true)),
            &format!(
                "spec.volumes[0].hostPath.pathPrefix: Invalid value: {path:?}: is not allowed to be \
                 used"
            ),
            "spec.volumes[0].hostPath.path",
            "spec.allowedHostPaths",
        );
    }
    allow(&allowed, &mounts("/logs/x", json!(true)));
    for bad in [unset(), json!(false)] {
        let field = "spec.containers[0].volumeMounts[1].readOnly";
        expect(
            &allowed,
            &mounts("/logs/x", bad),
            &format!("{field}: Invalid value: false: must be read-only"),
            field,
            "spec.allowedHostPaths",
        );
    }
    let root = policy(json!({"allowedHostPaths": [{"pathPrefix": "/"}]}));
    for path in ["/", "/etc", "/etc/"] {
        allow(&root, &mounts(path, unset()));
    }
}

#[test]
fn drivers() {
    let has = |volume: Value| pod(json!({"volumes": [volume]}), json!({}));
    let flex = |driver: &str| has(json!({"name": "v", "flexVolume": {"driver": driver}}));
    let csi = |driver: &str| has(json!({"name": "v", "csi": {"driver": driver}}));
    let open = policy(json!({}));
    allow(&open, &flex("x"));
    allow(&open, &csi("x"));
    let some = policy(json!({
        "allowedFlexVolumes": [{"driver": "a/b"}],
        "allowedCSIDrivers": [{"name": "c.d"}],
    }));
    allow(&some, &flex("a/b"));
    allow(&some, &csi("c.d"));
    expect(
        &some,
        &flex("x"),
        "spec.volumes[0].driver: Invalid value: \"x\": Flexvolume driver is not allowed to be used",
        "spec.volumes[0].flexVolume.driver",
        "spec.allowedFlexVolumes",
    );
    expect(
        &some,
        &csi("x"),
        "spec.volumes[0].csi.driver: Invalid value: \"x\": Inline CSI driver is not allowed to be \
         used",
        "spec.volumes[0].csi.driver",
        "spec.allowedCSIDrivers",
    );
}
