//! Pods that are secured in all kinds of ways, and in none.

use super::dice::Dice;
use serde_json::{Map, Value, json};

fn put(map: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value);
    }
}

fn container(dice: &mut Dice, name: &str, port: Option<Value>) -> Value {
    let mut security = Map::new();
    let privileged = dice.percent(15);
    put(
        &mut security,
        "privileged",
        privileged.then_some(json!(true)),
    );
    let escalation = dice.maybe(40, &[json!(true), json!(false), json!(false)]);
    put(
        &mut security,
        "allowPrivilegeEscalation",
        escalation.filter(|_| !privileged),
    );
    let capabilities = [
        json!({"drop": ["ALL"]}),
        json!({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
        json!({"add": ["NET_ADMIN", "CHOWN"]}),
        json!({"add": ["SYS_PTRACE"]}),
    ];
    put(&mut security, "capabilities", dice.maybe(60, &capabilities));
    put(
        &mut security,
        "runAsNonRoot",
        dice.maybe(30, &[json!(true), json!(false)]),
    );
    put(
        &mut security,
        "runAsUser",
        dice.maybe(30, &[json!(0), json!(7), json!(1000)]),
    );
    put(
        &mut security,
        "runAsGroup",
        dice.maybe(20, &[json!(0), json!(7), json!(1000)]),
    );
    put(
        &mut security,
        "readOnlyRootFilesystem",
        dice.maybe(20, &[json!(true), json!(false)]),
    );
    let seccomp = [
        json!({"type": "RuntimeDefault"}),
        json!({"type": "Unconfined"}),
        json!({"type": "Localhost", "localhostProfile": "p.json"}),
    ];
    put(&mut security, "seccompProfile", dice.maybe(30, &seccomp));
    let se_linux = [
        json!({"type": "container_t"}),
        json!({"type": "spc_t"}),
        json!({"user": "u", "role": "r"}),
        json!({"level": "s0:c1"}),
    ];
    put(&mut security, "seLinuxOptions", dice.maybe(15, &se_linux));
    let app_armor = [
        json!({"type": "Unconfined"}),
        json!({"type": "RuntimeDefault"}),
    ];
    put(&mut security, "appArmorProfile", dice.maybe(10, &app_armor));
    let mut container = json!({"name": name, "image": "i"});
    if dice.percent(85) {
        container["securityContext"] = security.into();
    }
    if let Some(port) = port {
        container["ports"] = port;
    }
    container
}

/// A pod of that name that every API server takes, were it not for policies.
pub(crate) fn secured(dice: &mut Dice, name: &str) -> Value {
    let mut spec = Map::new();
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        put(&mut spec, field, dice.percent(8).then_some(json!(true)));
    }
    let has_host_network = spec.contains_key("hostNetwork");
    let has_host_ipc = spec.contains_key("hostIPC");
    let containers: Vec<Value> = (0..1 + dice.below(3))
        .map(|number| {
            // Two containers cannot have one port of the host; with the host's network every port
            // is one.
            let port = 8000 + dice.below(3);
            let port = match has_host_network {
                true => json!([{"containerPort": port}]),
                false => json!([{"containerPort": 80, "hostPort": port}]),
            };
            let port = dice.percent(20).then_some(port).filter(|_| number == 0);
            container(dice, &format!("c{number}"), port)
        })
        .collect();
    spec.insert("containers".into(), containers.into());
    if dice.percent(20) {
        let first = container(dice, "first", None);
        spec.insert("initContainers".into(), json!([first]));
    }
    let mut security = Map::new();
    put(
        &mut security,
        "runAsNonRoot",
        dice.maybe(30, &[json!(true), json!(false)]),
    );
    put(
        &mut security,
        "runAsUser",
        dice.maybe(20, &[json!(0), json!(7), json!(1000)]),
    );
    put(
        &mut security,
        "runAsGroup",
        dice.maybe(20, &[json!(0), json!(7)]),
    );
    put(
        &mut security,
        "fsGroup",
        dice.maybe(20, &[json!(3), json!(7), json!(1000)]),
    );
    let groups = [json!([3]), json!([7, 8]), json!([1000])];
    put(&mut security, "supplementalGroups", dice.maybe(20, &groups));
    let seccomp = [
        json!({"type": "RuntimeDefault"}),
        json!({"type": "Unconfined"}),
    ];
    put(&mut security, "seccompProfile", dice.maybe(40, &seccomp));
    let names = [
        "net.ipv4.ip_local_port_range",
        "net.core.somaxconn",
        "net.ipv4.tcp_keepalive_time",
    ];
    let sysctl = dice.maybe(20, &names).filter(|_| !has_host_network);
    let sysctl = sysctl.or_else(|| {
        let names = ["kernel.shm_rmid_forced", "kernel.msgmax"];
        dice.maybe(10, &names).filter(|_| !has_host_ipc)
    });
    let sysctls = sysctl.map(|name| json!([{"name": name, "value": "1"}]));
    put(&mut security, "sysctls", sysctls);
    if dice.percent(70) {
        spec.insert("securityContext".into(), security.into());
    }
    let volumes = [
        json!({"emptyDir": {}}),
        json!({"secret": {"secretName": "s"}}),
        json!({"configMap": {"name": "c"}}),
        json!({"hostPath": {"path": "/var/log/app"}}),
        json!({"hostPath": {"path": "/etc"}}),
        json!({"nfs": {"server": "s", "path": "/p"}}),
        json!({"flexVolume": {"driver": "example.com/d"}}),
        json!({"csi": {"driver": "csi.example.com"}}),
    ];
    let volumes: Vec<Value> = (0..dice.below(3))
        .map(|number| {
            let mut volume = dice.of(&volumes);
            volume["name"] = format!("v{number}").into();
            volume
        })
        .collect();
    if let (Some(volume), true) = (volumes.first(), dice.percent(70)) {
        let mount = json!([{
            "name": volume["name"], "mountPath": "/v", "readOnly": dice.percent(50),
        }]);
        spec["containers"][0]["volumeMounts"] = mount;
    }
    spec.insert("volumes".into(), volumes.into());
    put(
        &mut spec,
        "automountServiceAccountToken",
        dice.maybe(40, &[json!(false)]),
    );
    let mut metadata = json!({"name": name, "labels": {"app": "x"}});
    if dice.percent(8) {
        let key = "container.apparmor.security.beta.kubernetes.io/c0";
        let profile = dice.of(&["unconfined", "runtime/default", "localhost/p"]);
        let has_field = !spec["containers"][0]["securityContext"]["appArmorProfile"].is_null();
        if !has_field {
            metadata["annotations"] = json!({key: profile});
        }
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

/// A pod with requests and limits of all kinds.
pub(crate) fn resourced(dice: &mut Dice, name: &str) -> Value {
    let amounts = |dice: &mut Dice| -> Map<String, Value> {
        let mut map = Map::new();
        put(
            &mut map,
            "cpu",
            dice.maybe(
                60,
                &[json!("100m"), json!("0.1"), json!("0"), json!("300m")],
            ),
        );
        put(
            &mut map,
            "memory",
            dice.maybe(
                60,
                &[json!("64Mi"), json!("67108864"), json!("0"), json!("2Gi")],
            ),
        );
        map
    };
    let resources = |dice: &mut Dice| match dice.below(4) {
        0 => json!({}),
        1 => json!({"limits": amounts(dice)}),
        2 => json!({"requests": amounts(dice)}),
        _ => {
            let limits = amounts(dice);
            let mut requests = limits.clone();
            if dice.percent(30) {
                requests.remove("cpu");
            }
            json!({"limits": limits, "requests": requests})
        }
    };
    let mut containers = Vec::new();
    for number in 0..1 + dice.below(2) {
        let own = resources(dice);
        containers.push(json!({"name": format!("c{number}"), "image": "i", "resources": own}));
    }
    let mut spec = json!({"containers": containers});
    if dice.percent(30) {
        let own = resources(dice);
        let mut first = json!({"name": "first", "image": "i", "resources": own});
        if dice.percent(50) {
            first["restartPolicy"] = "Always".into();
        }
        spec["initContainers"] = json!([first]);
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}
