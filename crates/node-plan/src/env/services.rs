//! The variables that tell a container of the services around it.

use model::validation::read::{get, int, list, text};
use model::{Value, meta};
use std::collections::BTreeMap;

/// The variables of the services that a pod in `namespace` sees: with `links` those of its own
/// namespace, and always `default/kubernetes` (unless its own namespace has one of that name).
/// Headless services have none.
pub fn variables(services: &[Value], namespace: &str, links: bool) -> BTreeMap<String, String> {
    let mut seen: BTreeMap<&str, &Value> = BTreeMap::new();
    for service in services {
        if !matches!(address(service), "" | "None") {
            let name = meta::name(service);
            let is_api = meta::namespace(service) == "default" && name == "kubernetes";
            if links && meta::namespace(service) == namespace {
                seen.insert(name, service);
            } else if is_api {
                seen.entry(name).or_insert(service);
            }
        }
    }
    let mut variables = BTreeMap::new();
    for (name, service) in seen {
        describe(&upper(name), service, &mut variables);
    }
    variables
}

fn address(service: &Value) -> &str {
    meta::text(service, &["spec", "clusterIP"])
}

fn describe(name: &str, service: &Value, variables: &mut BTreeMap<String, String>) {
    let address = address(service);
    let ports = get(service, "spec").map_or(&[][..], |spec| list(spec, "ports"));
    let mut set = |key: String, value: String| variables.insert(key, value);
    set(format!("{name}_SERVICE_HOST"), address.to_owned());
    for (i, port) in ports.iter().enumerate() {
        let number = int(port, "port").unwrap_or(0);
        if i == 0 {
            set(format!("{name}_SERVICE_PORT"), number.to_string());
        }
        let port_name = text(port, "name");
        if !port_name.is_empty() {
            let key = format!("{name}_SERVICE_PORT_{}", upper(port_name));
            set(key, number.to_string());
        }
        let protocol = match text(port, "protocol") {
            "" => "TCP",
            protocol => protocol,
        };
        let lower = protocol.to_lowercase();
        let host = if address.contains(':') {
            format!("[{address}]:{number}")
        } else {
            format!("{address}:{number}")
        };
        if i == 0 {
            set(format!("{name}_PORT"), format!("{lower}://{host}"));
        }
        let prefix = format!("{name}_PORT_{number}_{}", protocol.to_uppercase());
        set(format!("{prefix}_PROTO"), lower.clone());
        set(format!("{prefix}_PORT"), number.to_string());
        set(format!("{prefix}_ADDR"), address.to_owned());
        set(prefix, format!("{lower}://{host}"));
    }
}

fn upper(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(namespace: &str, name: &str, ip: &str) -> Value {
        json!({"metadata": {"namespace": namespace, "name": name}, "spec": {"clusterIP": ip,
            "ports": [{"name": "p-1", "port": 80}, {"name": "q", "port": 53, "protocol": "UDP"}]}})
    }

    #[test]
    fn a_service_is_described_in_full() {
        let found = variables(&[service("ns", "my-db", "10.0.0.7")], "ns", true);
        let lines: Vec<String> = found.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            lines,
            [
                "MY_DB_PORT=tcp://10.0.0.7:80",
                "MY_DB_PORT_53_UDP=udp://10.0.0.7:53",
                "MY_DB_PORT_53_UDP_ADDR=10.0.0.7",
                "MY_DB_PORT_53_UDP_PORT=53",
                "MY_DB_PORT_53_UDP_PROTO=udp",
                "MY_DB_PORT_80_TCP=tcp://10.0.0.7:80",
                "MY_DB_PORT_80_TCP_ADDR=10.0.0.7",
                "MY_DB_PORT_80_TCP_PORT=80",
                "MY_DB_PORT_80_TCP_PROTO=tcp",
                "MY_DB_SERVICE_HOST=10.0.0.7",
                "MY_DB_SERVICE_PORT=80",
                "MY_DB_SERVICE_PORT_P_1=80",
                "MY_DB_SERVICE_PORT_Q=53",
            ]
        );
        let found = variables(&[service("ns", "six", "fd00::1")], "ns", true);
        assert_eq!(found["SIX_PORT"], "tcp://[fd00::1]:80");
    }

    #[test]
    fn which_services_a_pod_sees() {
        let services = [
            service("ns", "own", "10.0.0.2"),
            service("ns", "headless", "None"),
            service("ns", "pending", ""),
            service("other", "far", "10.0.0.3"),
            service("default", "kubernetes", "10.0.0.1"),
            service("default", "web", "10.0.0.4"),
        ];
        let hosts = |namespace: &str, links: bool| -> Vec<String> {
            variables(&services, namespace, links)
                .into_keys()
                .filter_map(|key| key.strip_suffix("_SERVICE_HOST").map(str::to_owned))
                .collect()
        };
        assert_eq!(hosts("ns", true), ["KUBERNETES", "OWN"]);
        assert_eq!(hosts("ns", false), ["KUBERNETES"]);
        assert_eq!(hosts("default", true), ["KUBERNETES", "WEB"]);
        let both = [
            service("ns", "kubernetes", "10.0.0.9"),
            service("default", "kubernetes", "10.0.0.1"),
        ];
        for services in [both.to_vec(), both.iter().rev().cloned().collect()] {
            let found = variables(&services, "ns", true);
            assert_eq!(found["KUBERNETES_SERVICE_HOST"], "10.0.0.9");
        }
    }
}
