//! What is open to the outside of the cluster: services, ingresses, and ports of nodes.

use crate::page::Table;
use crate::page::table::Column;
use model::meta;
use serde_json::Value;
use snapshot::{Object, Snapshot, Standing};

/// The list of all that is open.
pub(super) fn table(snapshot: &Snapshot) -> Table {
    let mut table = Table::new(&[
        Column::text("Open by").filtered(),
        Column::text("Kind").filtered(),
        Column::code("Namespace").filtered(),
        Column::code("Name"),
        Column::code("Ports"),
        Column::code("Names and addresses"),
        Column::code("Where"),
    ]);
    let mut row = |how: &str, object: &Object, path: &str, ports: String, names: String| {
        let place = snapshot.locate(object, path).map(|at| at.to_string());
        table.row(&[
            how,
            &object.kind.kind,
            object.namespace(),
            object.name(),
            &ports,
            &names,
            &place.unwrap_or_default(),
        ]);
    };
    for service in snapshot.of("", "services") {
        let value = &service.value;
        let ports = list(value, &["spec", "ports"], |port| {
            let protocol = match meta::text(port, &["protocol"]) {
                "" => "TCP",
                protocol => protocol,
            };
            let own = number(port, "port")?;
            Some(match number(port, "nodePort") {
                Some(node) => format!("{own}:{node}/{protocol}"),
                None => format!("{own}/{protocol}"),
            })
        });
        let addresses = list(value, &["spec", "externalIPs"], |ip| {
            ip.as_str().map(str::to_owned)
        });
        match meta::text(value, &["spec", "type"]) {
            how @ ("NodePort" | "LoadBalancer") => {
                row(how, service, "spec.type", ports, addresses);
            }
            _ if !addresses.is_empty() => {
                row(
                    "external IPs",
                    service,
                    "spec.externalIPs",
                    ports,
                    addresses,
                );
            }
            _ => {}
        }
    }
    for ingress in snapshot.of("networking.k8s.io", "ingresses") {
        let hosts = list(&ingress.value, &["spec", "rules"], |rule| {
            Some(match meta::text(rule, &["host"]) {
                "" => "*".to_owned(),
                host => host.to_owned(),
            })
        });
        row("Ingress", ingress, "spec", String::new(), hosts);
    }
    let written =
        |t: &snapshot::PodTemplate<'_>| t.owner.standing == Standing::Written && t.is_outermost();
    for template in snapshot.pod_templates().filter(written) {
        let network = template.spec.get("hostNetwork") == Some(&Value::Bool(true));
        let mut ports = Vec::new();
        for container in template.containers() {
            for port in meta::list(container.value, &["ports"]) {
                let open = number(port, "hostPort").filter(|port| *port > 0);
                ports.extend(open.map(|port| port.to_string()));
            }
        }
        if network {
            let path = template.field("hostNetwork");
            row(
                "the node's network",
                template.owner,
                &path,
                ports.join(", "),
                String::new(),
            );
        } else if !ports.is_empty() {
            row(
                "ports of nodes",
                template.owner,
                "",
                ports.join(", "),
                String::new(),
            );
        }
    }
    table
}

fn number(value: &Value, field: &str) -> Option<u64> {
    value.get(field).and_then(Value::as_u64)
}

fn list(value: &Value, path: &[&str], text: impl Fn(&Value) -> Option<String>) -> String {
    let texts: Vec<String> = meta::list(value, path).iter().filter_map(text).collect();
    texts.join(", ")
}
