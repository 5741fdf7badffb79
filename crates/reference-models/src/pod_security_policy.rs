//! PodSecurityPolicies as their documentation describes them: one question after the other, each
//! asked of the whole pod.

use model::Value;
use serde_json::json;

const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Whether a policy admits a pod as it is, without anything filled in.
pub fn admits(policy: &Value, pod: &Value) -> bool {
    let at = |path: &str| policy.pointer(&format!("/spec/{path}"));
    let allows = |path: &str| at(path) == Some(&Value::Bool(true));
    let spec = |path: &str| pod.pointer(&format!("/spec/{path}"));
    let containers: Vec<&Value> = LISTS
        .iter()
        .filter_map(|list| spec(list)?.as_array())
        .flatten()
        .collect();
    let host = ["hostNetwork", "hostPID", "hostIPC"]
        .iter()
        .all(|key| allows(key) || spec(key) != Some(&Value::Bool(true)));
    let group = |value: Option<&Value>| match value {
        None => Vec::new(),
        Some(Value::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
    };
    let groups = ["fsGroup", "supplementalGroups"]
        .iter()
        .all(|key| in_ranges(at(key), &group(spec(&format!("securityContext/{key}")))));
    let class = spec("runtimeClassName").is_none_or(|name| {
        at("runtimeClass").is_none_or(|class| {
            let allowed = texts(class.get("allowedRuntimeClassNames"));
            allowed
                .iter()
                .any(|allowed| allowed == "*" || name == allowed)
        })
    });
    let sysctls = all(spec("securityContext/sysctls")).iter().all(|sysctl| {
        let name = sysctl.get("name").and_then(Value::as_str).unwrap_or("");
        let safe = "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies \
             net.ipv4.ping_group_range net.ipv4.ip_unprivileged_port_start";
        let matches = |key| {
            texts(at(key)).iter().any(|pattern| {
                pattern == name
                    || pattern.ends_with('*') && name.starts_with(pattern.trim_end_matches('*'))
            })
        };
        !matches("forbiddenSysctls")
            && (safe.split(' ').any(|safe| safe == name) || matches("allowedUnsafeSysctls"))
    });
    let whole = profile(pod, None, "seccomp");
    host && groups
        && class
        && sysctls
        && selinux(at("seLinux"), spec("securityContext/seLinuxOptions"))
        && seccomp(policy, &whole)
        && volumes(policy, pod, &containers)
        && containers.iter().all(|c| container(policy, pod, c))
}

fn all(list: Option<&Value>) -> Vec<Value> {
    list.and_then(Value::as_array).cloned().unwrap_or_default()
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    all(list).iter().filter_map(text).collect()
}

fn in_ranges(strategy: Option<&Value>, numbers: &[Value]) -> bool {
    let Some(strategy) = strategy else {
        return true;
    };
    let rule = strategy.get("rule").and_then(Value::as_str);
    let ranges = all(strategy.get("ranges"));
    let within = numbers.iter().all(|number| {
        ranges.iter().any(|range| {
            let end = |key| range.get(key).and_then(Value::as_i64);
            number.as_i64() >= end("min") && number.as_i64() <= end("max")
        })
    });
    match rule {
        Some("MustRunAs") => !numbers.is_empty() && within,
        Some("MayRunAs") => within,
        _ => true,
    }
}

fn selinux(strategy: Option<&Value>, options: Option<&Value>) -> bool {
    let wanted = strategy.and_then(|s| s.get("seLinuxOptions"));
    let Some(wanted) = wanted else { return true };
    let Some(options) = options else { return false };
    let text = |value: &Value, key| {
        let text = value.get(key).and_then(Value::as_str);
        text.unwrap_or("").to_owned()
    };
    let same = |key| text(wanted, key) == text(options, key);
    let level = |value: &Value| {
        let level = text(value, "level");
        let mut parts: Vec<String> = level.split([':', ',']).map(str::to_owned).collect();
        parts.sort();
        parts
    };
    same("role") && same("type") && same("user") && level(wanted) == level(options)
}

/// The profile of the pod, or of a container, as an annotation would have it.
fn profile(pod: &Value, container: Option<&Value>, kind: &str) -> String {
    let (field, prefix) = match kind {
        "seccomp" => (
            "seccompProfile",
            "container.seccomp.security.alpha.kubernetes.io/",
        ),
        _ => (
            "appArmorProfile",
            "container.apparmor.security.beta.kubernetes.io/",
        ),
    };
    let annotation = |key: &str| {
        let value = pod
            .get("metadata")?
            .get("annotations")?
            .get(key)?
            .as_str()?;
        Some(value.to_owned())
    };
    let field = |holder: &Value| {
        let profile = holder.get("securityContext")?.get(field)?;
        Some(match profile.get("type")?.as_str()? {
            "Unconfined" => "unconfined".to_owned(),
            "RuntimeDefault" => "runtime/default".to_owned(),
            _ => format!("localhost/{}", profile.get("localhostProfile")?.as_str()?),
        })
    };
    let whole = pod.get("spec").and_then(field);
    let own = container.and_then(|c| {
        let name = c.get("name")?.as_str()?;
        annotation(&format!("{prefix}{name}"))
    });
    let set = |text: Option<String>| text.filter(|text| !text.is_empty());
    let pods = annotation("seccomp.security.alpha.kubernetes.io/pod");
    let found = match (kind, container) {
        ("seccomp", None) => set(pods).or(whole),
        ("seccomp", Some(c)) => field(c).or(own).or(whole).or(pods),
        (_, c) => set(own).or_else(|| c.and_then(field)).or(whole),
    };
    found.unwrap_or_default()
}

fn allowed(policy: &Value, key: &str) -> Option<Vec<String>> {
    let names = policy.get("metadata")?.get("annotations")?.get(key)?;
    Some(names.as_str()?.split(',').map(str::to_owned).collect())
}

fn seccomp(policy: &Value, profile: &str) -> bool {
    let key = "seccomp.security.alpha.kubernetes.io/allowedProfileNames";
    let Some(names) = allowed(policy, key) else {
        return profile.is_empty();
    };
    let has = |name: &str| names.iter().any(|n| n == name);
    let is_default = |name: &str| name == "runtime/default" || name == "docker/default";
    let defaults = has("runtime/default") || has("docker/default");
    has("*") || has(profile) || (defaults && is_default(profile))
}

fn volumes(policy: &Value, pod: &Value, containers: &[&Value]) -> bool {
    let spec = policy.get("spec");
    let of = |key: &str| spec.and_then(|spec| spec.get(key));
    let kinds = texts(of("volumes"));
    let has = |kind: &str| kinds.iter().any(|k| k == kind || k == "*");
    let volumes = all(pod.pointer("/spec/volumes"));
    volumes.iter().all(|volume| {
        let fields = volume.as_object().into_iter().flatten();
        let kind = fields.map(|(key, _)| key).find(|key| *key != "name");
        let Some(kind) = kind else { return false };
        let token = json!([{"serviceAccountToken": {"path": "token"}}]);
        let is_token = volume.pointer("/projected/sources") == Some(&token);
        if !(has(kind) || is_token && has("secret")) {
            return false;
        }
        let driver = |list: &str, key: &str, path: &str| {
            let allowed = all(of(list));
            let own = volume.pointer(path);
            allowed.is_empty() || allowed.iter().any(|driver| driver.get(key) == own)
        };
        match kind.as_str() {
            "csi" => driver("allowedCSIDrivers", "name", "/csi/driver"),
            "hostPath" => {
                let paths = all(of("allowedHostPaths"));
                let path = volume.pointer("/hostPath/path").and_then(Value::as_str);
                let path = format!("{}/", path.unwrap_or("").trim_end_matches('/'));
                let fits = |allowed: &&Value| {
                    let prefix = allowed.get("pathPrefix").and_then(Value::as_str);
                    let prefix = prefix.unwrap_or("").trim_end_matches('/');
                    path.starts_with(&format!("{prefix}/"))
                };
                let read_only = |allowed: &&Value| allowed.get("readOnly") == Some(&json!(true));
                let mounts = containers.iter().flat_map(|c| all(c.get("volumeMounts")));
                let mut own = mounts.filter(|mount| mount.get("name") == volume.get("name"));
                paths.is_empty()
                    || paths.iter().filter(fits).any(|p| !read_only(&p))
                    || paths.iter().any(|p| fits(&p)) && own.all(|mount| read_only(&&mount))
            }
            _ => true,
        }
    })
}

fn container(policy: &Value, pod: &Value, container: &Value) -> bool {
    let rule = |path: &str| policy.pointer(&format!("/spec/{path}"));
    let is_true = |value: Option<&Value>| value == Some(&Value::Bool(true));
    let own = |path: &str| container.pointer(&format!("/securityContext/{path}"));
    let whole = |path: &str| pod.pointer(&format!("/spec/securityContext/{path}"));
    let effective = |path: &str| own(path).or_else(|| whole(path));
    let user = effective("runAsUser");
    let runs = match rule("runAsUser/rule").and_then(Value::as_str) {
        Some("MustRunAs") => in_ranges(
            rule("runAsUser"),
            &user.cloned().into_iter().collect::<Vec<_>>(),
        ),
        Some("MustRunAsNonRoot") => {
            let non_root = effective("runAsNonRoot").and_then(Value::as_bool);
            non_root != Some(false)
                && user.and_then(Value::as_i64) != Some(0)
                && (non_root.is_some() || user.is_some())
        }
        _ => true,
    };
    let group: Vec<Value> = effective("runAsGroup").cloned().into_iter().collect();
    let mounts = texts(rule("allowedProcMountTypes"));
    let mount = own("procMount")
        .and_then(Value::as_str)
        .unwrap_or("Default");
    let ports = all(container.get("ports")).iter().all(|port| {
        let number = port.get("hostPort").and_then(Value::as_i64).unwrap_or(0);
        let ranges = rule("hostPorts").cloned().unwrap_or_default();
        let ranges = json!({"rule": "MustRunAs", "ranges": ranges});
        number == 0 || in_ranges(Some(&ranges), &[number.into()])
    });
    let armor = profile(pod, Some(container), "apparmor");
    let armors = allowed(
        policy,
        "apparmor.security.beta.kubernetes.io/allowedProfileNames",
    );
    let escalates = own("allowPrivilegeEscalation") != Some(&Value::Bool(false));
    runs && in_ranges(rule("runAsGroup"), &group)
        && selinux(rule("seLinux"), effective("seLinuxOptions"))
        && armors.is_none_or(|all| !armor.is_empty() && all.contains(&armor))
        && seccomp(policy, &profile(pod, Some(container), "seccomp"))
        && (is_true(rule("privileged")) || !is_true(own("privileged")))
        && (if mounts.is_empty() {
            mount == "Default"
        } else {
            mounts.iter().any(|m| m == mount)
        })
        && capabilities(policy, own("capabilities"))
        && ports
        && (!is_true(rule("readOnlyRootFilesystem")) || is_true(own("readOnlyRootFilesystem")))
        && (rule("allowPrivilegeEscalation") != Some(&Value::Bool(false)) || !escalates)
}

fn capabilities(policy: &Value, own: Option<&Value>) -> bool {
    let rule = |key: &str| texts(policy.get("spec").and_then(|spec| spec.get(key)));
    let default = rule("defaultAddCapabilities");
    let required = rule("requiredDropCapabilities");
    let allowed = rule("allowedCapabilities");
    let Some(own) = own else {
        return default.is_empty() && required.is_empty();
    };
    let (add, drop) = (texts(own.get("add")), texts(own.get("drop")));
    allowed.iter().any(|name| name == "*")
        || add
            .iter()
            .all(|name| default.contains(name) || allowed.contains(name))
            && required.iter().all(|name| drop.contains(name))
}
