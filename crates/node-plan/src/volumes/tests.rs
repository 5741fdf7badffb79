use super::*;
use serde_json::json;

fn made(spec: Value, volume_of: &Value) -> Result<Volume, VolumeError> {
    let mut pod = json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u",
        "labels": {"app": "x"}}});
    pod["spec"] = spec;
    let by_name = |objects: &[(&str, Value)]| -> BTreeMap<String, Value> {
        objects
            .iter()
            .map(|(name, object)| ((*name).to_owned(), object.clone()))
            .collect()
    };
    let secrets = by_name(&[("s", json!({"data": {"user": "YQ==", "pass": "Yg=="}}))]);
    let config_maps = by_name(&[(
        "m",
        json!({"data": {"conf": "c"}, "binaryData": {"bin": "/w=="}}),
    )]);
    let claims = by_name(&[
        (
            "bound",
            json!({"metadata": {"uid": "1"}, "status": {"phase": "Bound"},
            "spec": {"volumeName": "pv"}}),
        ),
        (
            "p-scratch",
            json!({"metadata": {"uid": "2"}, "status": {"phase": "Bound"},
            "spec": {"volumeName": "local"}}),
        ),
        (
            "stolen",
            json!({"metadata": {"uid": "3"}, "status": {"phase": "Bound"},
            "spec": {"volumeName": "pv"}}),
        ),
        (
            "waiting",
            json!({"metadata": {"uid": "4"}, "status": {"phase": "Pending"}}),
        ),
        (
            "gone",
            json!({"metadata": {"uid": "5", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"phase": "Bound"}}),
        ),
    ]);
    let persistent_volumes = by_name(&[
        (
            "pv",
            json!({"spec": {"claimRef": {"uid": "1"}, "hostPath": {"path": "/pv"}}}),
        ),
        (
            "local",
            json!({"spec": {"claimRef": {"uid": "2"}, "local": {"path": "/disk"}}}),
        ),
    ]);
    let tokens = BTreeMap::from([(
        TokenRequest {
            audience: None,
            seconds: 3600,
        },
        "token".to_owned(),
    )]);
    let allocatable: Resources = [("memory".to_owned(), Quantity::parse("8Gi").unwrap())].into();
    let inputs = Inputs {
        pod: &pod,
        config_maps: &config_maps,
        secrets: &secrets,
        tokens: &tokens,
        claims: &claims,
        persistent_volumes: &persistent_volumes,
        allocatable: Some(&allocatable),
    };
    volume(&inputs, volume_of)
}

/// Each file as `path=data mode user`.
fn files(spec: Value, volume: &Value) -> String {
    let Ok(Volume::Files(payload)) = made(spec, volume) else {
        panic!("no files: {volume}");
    };
    let lines: Vec<String> = payload
        .iter()
        .map(|(path, file)| {
            let user = file.user.map_or(String::new(), |user| format!(" {user}"));
            format!(
                "{path}={} {:o}{user}",
                String::from_utf8_lossy(&file.data),
                file.mode
            )
        })
        .collect();
    lines.join(", ")
}

#[test]
fn files_made_from_objects() {
    for (volume, want) in [
        (
            json!({"secret": {"secretName": "s"}}),
            "pass=b 644, user=a 644",
        ),
        (
            json!({"secret": {"secretName": "s", "defaultMode": 256}}),
            "pass=b 400, user=a 400",
        ),
        (
            json!({"secret": {"secretName": "s", "items": [{"key": "user", "path": "d/u"}]}}),
            "d/u=a 644",
        ),
        (
            json!({"secret": {"secretName": "s", "defaultMode": 256,
            "items": [{"key": "user", "path": "u", "mode": 511}]}}),
            "u=a 777",
        ),
        (json!({"secret": {"secretName": "x", "optional": true}}), ""),
        (
            json!({"secret": {"secretName": "s", "optional": true,
            "items": [{"key": "x", "path": "u"}]}}),
            "",
        ),
        (
            json!({"configMap": {"name": "m"}}),
            "bin=\u{fffd} 644, conf=c 644",
        ),
        (json!({"configMap": {"name": "x", "optional": true}}), ""),
        (
            json!({"downwardAPI": {"items": [
            {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
            {"path": "name", "mode": 256, "fieldRef": {"fieldPath": "metadata.name"}}]}}),
            "labels=app=\"x\" 644, name=p 400",
        ),
        (
            json!({"projected": {"defaultMode": 292, "sources": [
            {"secret": {"name": "s", "items": [{"key": "user", "path": "conf"}]}},
            {"configMap": {"name": "m", "items": [{"key": "conf", "path": "conf"}]}},
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}]}}),
            "conf=c 444, token=token 444",
        ),
    ] {
        assert_eq!(files(json!({}), &volume), want, "{volume}");
    }
}

#[test]
fn tokens_are_for_their_reader_only() {
    let volume = json!({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}});
    for (spec, want) in [
        (json!({"containers": [{}]}), "t=token 644"),
        (
            json!({"containers": [{}], "securityContext": {"fsGroup": 5}}),
            "t=token 600",
        ),
        (
            json!({"containers": [{"securityContext": {"runAsUser": 7}}]}),
            "t=token 600 7",
        ),
    ] {
        assert_eq!(files(spec, &volume), want);
    }
}

#[test]
fn what_cannot_be_made_is_said_as_kubelet_says_it() {
    let projected = |sources: Value| json!({"projected": {"sources": sources}});
    for (volume, want) in [
        (
            json!({"secret": {"secretName": "x"}}),
            "secret \"x\" not found",
        ),
        (
            json!({"configMap": {"name": "x"}}),
            "configmap \"x\" not found",
        ),
        (
            json!({"secret": {"secretName": "s", "items": [{"key": "k", "path": "p"}]}}),
            "references non-existent secret key: k",
        ),
        (
            json!({"configMap": {"name": "m", "items": [{"key": "k", "path": "p"}]}}),
            "configmap references non-existent config key: k",
        ),
        (
            projected(
                json!([{"secret": {"name": "x"}}, {"configMap": {"name": "x"}},
            {"secret": {"name": "x"}}]),
            ),
            "[secret \"x\" not found, configmap \"x\" not found]",
        ),
        (
            projected(json!([{"secret": {"name": "x"}}])),
            "secret \"x\" not found",
        ),
        (
            projected(json!([{"serviceAccountToken": {"audience": "vault"}}])),
            "failed to fetch token: it has not been issued",
        ),
        (
            json!({"secret": {"secretName": "s", "items": [{"key": "user", "path": "../u"}]}}),
            "invalid path: must not contain '..': ../u",
        ),
        (
            json!({"hostPath": {"path": "/a/../b"}}),
            "invalid HostPath `/a/../b`: must not contain '..'",
        ),
        (
            json!({"emptyDir": {"medium": "Tape"}}),
            "unknown storage medium \"Tape\"",
        ),
        (
            json!({"emptyDir": {"medium": "HugePages"}}),
            "medium HugePages: hugePages storage \
            requested, but there is no resource request for huge pages",
        ),
        (
            json!({"name": "v", "csi": {"driver": "d"}}),
            "this node has no volumes of type csi",
        ),
        (
            json!({"persistentVolumeClaim": {"claimName": "x"}}),
            "failed to fetch PVC from API server: persistentvolumeclaims \"x\" not found",
        ),
        (
            json!({"persistentVolumeClaim": {"claimName": "waiting"}}),
            "PVC is not bound",
        ),
        (
            json!({"persistentVolumeClaim": {"claimName": "gone"}}),
            "PVC is being deleted",
        ),
        (
            json!({"persistentVolumeClaim": {"claimName": "stolen"}}),
            "the persistent volume is bound to another claim",
        ),
    ] {
        let error = made(json!({}), &volume).unwrap_err();
        assert_eq!(error.to_string(), want, "{volume}");
    }
    let error = made(json!({}), &json!({"secret": {"secretName": "x"}})).unwrap_err();
    assert_eq!(
        error.event("v"),
        "MountVolume.SetUp failed for volume \"v\" : secret \"x\" not found"
    );
}

#[test]
fn directories() {
    let host = |path: &str, expected, owned| Volume::Host {
        path: path.to_owned(),
        expected,
        read_only: false,
        owned,
    };
    let empty = |medium, limit| Volume::Empty { medium, limit };
    let limited = json!({"containers": [{"resources": {"limits": {"memory": "1Gi"}}}]});
    let huge = json!({"containers": [{"resources": {"requests": {"hugepages-2Mi": "4Mi"}}}]});
    let none = json!({});
    let gib = 1 << 30;
    for (spec, volume, want) in [
        (&none, json!({"name": "v"}), empty(Medium::Disk, None)),
        (
            &none,
            json!({"emptyDir": {"sizeLimit": "1Gi"}}),
            empty(Medium::Disk, Some(gib)),
        ),
        (
            &limited,
            json!({"emptyDir": {"medium": "Memory"}}),
            empty(Medium::Memory(Some(gib)), None),
        ),
        (
            &limited,
            json!({"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}),
            empty(Medium::Memory(Some(1 << 20)), Some(1 << 20)),
        ),
        (
            &limited,
            json!({"emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}),
            empty(Medium::Memory(Some(gib)), Some(2 * gib)),
        ),
        (
            &json!({"containers": [{}]}),
            json!({"emptyDir": {"medium": "Memory"}}),
            empty(Medium::Memory(Some(8 * gib)), None),
        ),
        (
            &huge,
            json!({"emptyDir": {"medium": "HugePages"}}),
            empty(Medium::HugePages(2 << 20), None),
        ),
        (
            &huge,
            json!({"emptyDir": {"medium": "HugePages-2Mi"}}),
            empty(Medium::HugePages(2 << 20), None),
        ),
        (
            &none,
            json!({"hostPath": {"path": "/x", "type": "Socket"}}),
            host("/x", Expected::Socket, false),
        ),
        (
            &none,
            json!({"persistentVolumeClaim": {"claimName": "bound"}}),
            host("/pv", Expected::Anything, false),
        ),
        (
            &none,
            json!({"name": "scratch", "ephemeral": {}}),
            host("/disk", Expected::Directory, true),
        ),
    ] {
        assert_eq!(made(spec.clone(), &volume), Ok(want), "{volume}");
    }
}

#[test]
fn volumes_are_where_kubelet_has_them() {
    let pod = json!({"metadata": {"uid": "u"}});
    for (volume, want) in [
        (json!({"name": "v", "secret": {}}), "secret/v"),
        (json!({"name": "v", "configMap": {}}), "configmap/v"),
        (json!({"name": "v", "downwardAPI": {}}), "downward-api/v"),
        (json!({"name": "v", "projected": {}}), "projected/v"),
        (json!({"name": "v", "emptyDir": {}}), "empty-dir/v"),
        (json!({"name": "v"}), "empty-dir/v"),
    ] {
        let want = format!("pods/u/volumes/kubernetes.io~{want}");
        assert_eq!(directory(&pod, &volume), want);
    }
}
