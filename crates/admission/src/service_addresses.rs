//! Addresses and node ports of services, which upstream hands out while it stores them.
//!
//! What is taken is read off the services there are, so the server must let writes of services
//! take turns, each until the next sees what it took. Where the search for something free begins
//! follows from the service's name.

use crate::{Lookup, Operation, Plugin, Request};
use model::field::{ErrorList, FieldError, Path};
use model::kinds::core::service::{needs_cluster_ip, needs_health_check, needs_node_ports};
use model::status::Status;
use model::validation::net;
use model::{Value, meta};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// Gives new services what the client left open, and refuses what others have.
#[derive(Debug, Clone, Copy)]
pub struct ServiceAddresses {
    network: u32,
    size: u32,
    prefix: u8,
}

/// The ports that nodes keep for services.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30000..=32767;
/// The lower end of a range is left to those who choose their address.
const CHOSEN: u32 = 256;

impl ServiceAddresses {
    /// Hands out the addresses of an IPv4 network, whose host bits are ignored. Prefixes longer
    /// than 30 bits leave nothing to hand out.
    pub fn new(network: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        let size = 1u32.checked_shl(32 - u32::from(prefix)).unwrap_or(u32::MAX);
        Self {
            network: u32::from(network) & !size.wrapping_sub(1),
            size,
            prefix,
        }
    }

    fn range(self) -> String {
        format!("{}/{}", Ipv4Addr::from(self.network), self.prefix)
    }

    /// The address that many steps into the network; the ends are not for services.
    fn at(self, offset: u32) -> Option<Ipv4Addr> {
        (1..self.size.saturating_sub(1))
            .contains(&offset)
            .then(|| Ipv4Addr::from(self.network.wrapping_add(offset)))
    }

    fn contains(self, ip: Ipv4Addr) -> bool {
        let offset = u32::from(ip).wrapping_sub(self.network);
        self.at(offset).is_some()
    }

    fn free(self, taken: &BTreeSet<IpAddr>, seed: u64) -> Option<Ipv4Addr> {
        let low = CHOSEN.min(self.size / 2).max(1);
        let band = self.size.saturating_sub(1).saturating_sub(low).max(1);
        let start = u32::try_from(seed % u64::from(band)).unwrap_or(0);
        (0..band)
            .map(|step| low.saturating_add(start.wrapping_add(step) % band))
            .chain(1..low)
            .filter_map(|offset| self.at(offset))
            .find(|ip| !taken.contains(&IpAddr::V4(*ip)))
    }

    fn give_address(
        self,
        spec: &mut Value,
        taken: &BTreeSet<IpAddr>,
        seed: u64,
    ) -> Result<(), FieldError> {
        if !needs_cluster_ip(spec) {
            return Ok(());
        }
        self.check_families(spec)?;
        let wanted = match meta::text(spec, &["clusterIP"]) {
            "" => meta::list(spec, &["clusterIPs"])
                .first()
                .and_then(Value::as_str)
                .unwrap_or_default(),
            ip => ip,
        };
        if wanted == "None" {
            return Ok(());
        }
        let path = Path::new("spec").child("clusterIPs");
        if wanted.is_empty() {
            let Some(ip) = self.free(taken, seed) else {
                let why = "failed to allocate a serviceIP: range is full";
                return Err(FieldError::internal(&path, why));
            };
            meta::set(spec, &["clusterIP"], ip.to_string());
            meta::set(spec, &["clusterIPs"], json!([ip.to_string()]));
            return Ok(());
        }
        // What is no address at all is for validation to say.
        let Some(ip) = net::parse_ip(wanted) else {
            return Ok(());
        };
        let why = match ip {
            _ if taken.contains(&ip) => "provided IP is already allocated".to_owned(),
            IpAddr::V4(v4) if self.contains(v4) => return Ok(()),
            _ => format!(
                "the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {}",
                self.range()
            ),
        };
        Err(FieldError::invalid(
            &path,
            json!([wanted]),
            format!("failed to allocate IP {wanted}: {why}"),
        ))
    }

    /// There is one family here.
    fn check_families(self, spec: &Value) -> Result<(), FieldError> {
        let path = Path::new("spec");
        for (i, family) in meta::list(spec, &["ipFamilies"]).iter().enumerate() {
            if family == "IPv6" {
                return Err(FieldError::invalid(
                    &path.child("ipFamilies").index(i),
                    family.clone(),
                    "not configured on this cluster",
                ));
            }
        }
        if meta::text(spec, &["ipFamilyPolicy"]) == "RequireDualStack" {
            return Err(FieldError::invalid(
                &path.child("ipFamilyPolicy"),
                "RequireDualStack",
                "this cluster is not configured for dual-stack services",
            ));
        }
        Ok(())
    }
}

impl Plugin for ServiceAddresses {
    fn name(&self) -> &'static str {
        "ServiceAddresses"
    }

    fn mutate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        let services = request.resource.group.is_empty() && request.resource.plural == "services";
        let writes = matches!(request.operation, Operation::Create | Operation::Update);
        if !services || !request.subresource.is_empty() || !writes {
            return Ok(());
        }
        if let Some(old) = request.old_object {
            // What was handed out before stays, or goes with the type that needed it.
            (request.resource.behavior.prepare_update)(&mut request.object, old, "");
        }
        let taken = Taken::by_others(request, cluster);
        let Some(spec) = request.object.get_mut("spec") else {
            return Ok(());
        };
        let seed = seed(request.namespace, request.name);
        let mut errors = ErrorList::new();
        errors.extend(self.give_address(spec, &taken.addresses, seed).err());
        give_ports(spec, &taken.ports, seed, &mut errors);
        if errors.is_empty() {
            return Ok(());
        }
        Err(Status::invalid("", "Service", request.name, &errors))
    }
}

/// What other services have.
struct Taken {
    addresses: BTreeSet<IpAddr>,
    ports: BTreeSet<(String, i64)>,
}

impl Taken {
    fn by_others(request: &Request<'_>, cluster: &dyn Lookup) -> Self {
        let mut taken = Self {
            addresses: BTreeSet::new(),
            ports: BTreeSet::new(),
        };
        for service in cluster.list("", "services", "") {
            let itself = meta::namespace(&service) == request.namespace
                && meta::name(&service) == request.name;
            if itself {
                continue;
            }
            let ips = meta::list(&service, &["spec", "clusterIPs"]);
            taken.addresses.extend(
                ips.iter()
                    .filter_map(Value::as_str)
                    .filter_map(net::parse_ip),
            );
            for port in meta::list(&service, &["spec", "ports"]) {
                if let Some(number) = port.get("nodePort").and_then(Value::as_i64) {
                    let protocol = meta::text(port, &["protocol"]);
                    taken.ports.insert((protocol.to_owned(), number));
                }
            }
            let check = meta::at(&service, &["spec", "healthCheckNodePort"]);
            if let Some(number) = check.and_then(Value::as_i64) {
                taken.ports.insert(("TCP".to_owned(), number));
            }
        }
        taken
    }
}

fn give_ports(
    spec: &mut Value,
    others: &BTreeSet<(String, i64)>,
    seed: u64,
    errors: &mut ErrorList,
) {
    let health_check = needs_health_check(spec);
    if !needs_node_ports(spec) && !health_check {
        return;
    }
    let mut taken = others.clone();
    if needs_node_ports(spec) {
        check_ports(spec, &mut taken, errors);
        let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
        for port in ports.into_iter().flatten() {
            if port_of(port, "nodePort").is_none() {
                let protocol = meta::text(port, &["protocol"]).to_owned();
                give_port(port, "nodePort", &protocol, &mut taken, seed, errors);
            }
        }
    }
    if health_check && port_of(spec, "healthCheckNodePort").is_none() {
        give_port(spec, "healthCheckNodePort", "TCP", &mut taken, seed, errors);
    }
}

fn port_of(holder: &Value, key: &str) -> Option<i64> {
    holder.get(key).and_then(Value::as_i64).filter(|n| *n != 0)
}

/// Refuses chosen ports that others have or that are none of the nodes' range.
fn check_ports(spec: &Value, taken: &mut BTreeSet<(String, i64)>, errors: &mut ErrorList) {
    let path = Path::new("spec").child("ports");
    let mut chosen = Vec::new();
    for (i, port) in meta::list(spec, &["ports"]).iter().enumerate() {
        let Some(number) = port_of(port, "nodePort") else {
            continue;
        };
        let key = (meta::text(port, &["protocol"]).to_owned(), number);
        let path = path.index(i).child("nodePort");
        if !NODE_PORTS.contains(&number) {
            let why = "provided port is not in the valid range. The range of valid ports is \
                       30000-32767";
            errors.push(FieldError::invalid(&path, number, why));
        } else if taken.contains(&key) {
            let why = "provided port is already allocated";
            errors.push(FieldError::invalid(&path, number, why));
        }
        chosen.push(key);
    }
    taken.extend(chosen);
}

fn give_port(
    holder: &mut Value,
    key: &str,
    protocol: &str,
    taken: &mut BTreeSet<(String, i64)>,
    seed: u64,
    errors: &mut ErrorList,
) {
    let count = NODE_PORTS.end() - NODE_PORTS.start() + 1;
    let start = i64::try_from(seed % 2768).unwrap_or(0);
    let free = (0..count)
        .map(|step| NODE_PORTS.start() + (start + step) % count)
        .find(|number| !taken.contains(&(protocol.to_owned(), *number)));
    match free {
        Some(number) => {
            taken.insert((protocol.to_owned(), number));
            meta::set(holder, &[key], number);
        }
        None => errors.push(FieldError::internal(
            &Path::new("spec").child(key),
            "failed to allocate a nodePort: range is full",
        )),
    }
}

/// A number that names spread evenly over (FNV-1a).
fn seed(namespace: &str, name: &str) -> u64 {
    namespace
        .bytes()
        .chain(*b"/")
        .chain(name.bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}
