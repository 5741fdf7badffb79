//! A pod's names: its host name and its hosts file.

use model::validation::names;
use model::validation::read::{get, is_true, list, text, texts};
use model::{Value, meta};
use thiserror::Error;

/// The longest host name that Linux takes.
const MAX_HOSTNAME: usize = 63;
/// The longest name with its domain.
const MAX_FULL: usize = 64;

/// The names of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Its name without a domain.
    pub short: String,
    /// Its domain within the cluster; empty for a pod without a subdomain.
    pub domain: String,
    /// What its kernel calls it: the short name, or with `setHostnameAsFQDN` the full one.
    pub kernel: String,
}

/// Why a pod cannot be named.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Its `hostname` or `subdomain` is no label.
    #[error("pod {field} {} is not a valid DNS label: {messages}", model::go::quoted(.value))]
    Label {
        /// `Hostname` or `Subdomain`.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        messages: String,
    },
    /// Nothing is left of it.
    #[error("hostname for pod {} was invalid: {}", model::go::quoted(.pod), model::go::quoted(.hostname))]
    Blank {
        /// The pod's name.
        pod: String,
        /// The name that it should have.
        hostname: String,
    },
    /// With its domain it is too long.
    #[error(
        "failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too long \
         ({most} characters is the max, {length} characters requested)",
        most = MAX_FULL,
        length = full.len()
    )]
    Long {
        /// The name with its domain.
        full: String,
    },
}

/// What a pod is called, in a cluster with that domain.
pub fn names(pod: &Value, cluster_domain: &str) -> Result<Names, NameError> {
    let spec = get(pod, "spec").unwrap_or(&Value::Null);
    let label = |field, value: &str| {
        let messages = names::dns1123_label(value);
        if messages.is_empty() {
            return Ok(());
        }
        let messages = messages.join(";");
        Err(NameError::Label {
            field,
            value: value.to_owned(),
            messages,
        })
    };
    let asked = text(spec, "hostname");
    if !asked.is_empty() {
        label("Hostname", asked)?;
    }
    let whole = if asked.is_empty() {
        meta::name(pod)
    } else {
        asked
    };
    // Names of pods are ASCII.
    let short = match whole.get(..MAX_HOSTNAME) {
        Some(start) if whole.len() > MAX_HOSTNAME => start.trim_end_matches(['-', '.']),
        _ => whole,
    };
    if short.is_empty() {
        let (pod, hostname) = (meta::name(pod).to_owned(), whole.to_owned());
        return Err(NameError::Blank { pod, hostname });
    }
    let subdomain = text(spec, "subdomain");
    let domain = if subdomain.is_empty() {
        String::new()
    } else {
        label("Subdomain", subdomain)?;
        format!("{subdomain}.{}.svc.{cluster_domain}", meta::namespace(pod))
    };
    let kernel = if is_true(spec, "setHostnameAsFQDN") && !domain.is_empty() {
        let full = format!("{short}.{domain}");
        if full.len() > MAX_FULL {
            return Err(NameError::Long { full });
        }
        full
    } else {
        short.to_owned()
    };
    Ok(Names {
        short: short.to_owned(),
        domain,
        kernel,
    })
}

/// The hosts file of a pod with these addresses, first line to last as kubelet writes it. On the
/// node's own network it is the node's file, `node_file`, with the pod's aliases.
pub fn hosts_file(pod: &Value, names: &Names, addresses: &[String], node_file: &str) -> String {
    let spec = get(pod, "spec").unwrap_or(&Value::Null);
    let mut file = String::new();
    if is_true(spec, "hostNetwork") {
        file.push_str("# Kubernetes-managed hosts file (host network).\n");
        file.push_str(node_file);
    } else {
        file.push_str(
            "# Kubernetes-managed hosts file.\n\
             127.0.0.1\tlocalhost\n\
             ::1\tlocalhost ip6-localhost ip6-loopback\n\
             fe00::0\tip6-localnet\n\
             fe00::0\tip6-mcastprefix\n\
             fe00::1\tip6-allnodes\n\
             fe00::2\tip6-allrouters\n",
        );
        for address in addresses {
            let Names { short, domain, .. } = names;
            file.push_str(&if domain.is_empty() {
                format!("{address}\t{short}\n")
            } else {
                format!("{address}\t{short}.{domain}\t{short}\n")
            });
        }
    }
    let aliases = list(spec, "hostAliases");
    if !aliases.is_empty() {
        file.push_str("\n# Entries added by HostAliases.\n");
    }
    for alias in aliases {
        let hostnames: Vec<&str> = texts(alias, "hostnames").collect();
        file.push_str(&format!(
            "{}\t{}\n",
            text(alias, "ip"),
            hostnames.join("\t")
        ));
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn named(name: &str, spec: Value) -> Result<Names, NameError> {
        let pod = json!({"metadata": {"name": name, "namespace": "ns"}, "spec": spec});
        names(&pod, "cluster.local")
    }

    #[test]
    fn pods_are_called_by_their_names() {
        let long = format!("{}-.x", "a".repeat(61));
        for (name, spec, want) in [
            ("p", json!({}), ("p", "", "p")),
            ("p.q", json!({}), ("p.q", "", "p.q")),
            ("p", json!({"hostname": "h"}), ("h", "", "h")),
            (
                "p",
                json!({"subdomain": "s"}),
                ("p", "s.ns.svc.cluster.local", "p"),
            ),
            (
                "p",
                json!({"hostname": "h", "subdomain": "s", "setHostnameAsFQDN": true}),
                ("h", "s.ns.svc.cluster.local", "h.s.ns.svc.cluster.local"),
            ),
            ("p", json!({"setHostnameAsFQDN": true}), ("p", "", "p")),
            (&long, json!({}), (&long[..61], "", &long[..61])),
        ] {
            let names = named(name, spec).unwrap();
            assert_eq!((&*names.short, &*names.domain, &*names.kernel), want);
        }
    }

    #[test]
    fn names_that_cannot_be() {
        let error = named("p", json!({"hostname": "A"}))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("pod Hostname \"A\" is not a valid DNS label: "),
            "{error}"
        );
        let spec = json!({"subdomain": "s".repeat(50), "setHostnameAsFQDN": true});
        let error = named("p", spec).unwrap_err().to_string();
        assert!(
            error.ends_with("is too long (64 characters is the max, 73 characters requested)"),
            "{error}"
        );
    }

    #[test]
    fn hosts_files() {
        let pod = json!({"metadata": {"name": "p", "namespace": "ns"}, "spec": {"subdomain": "s",
            "hostAliases": [{"ip": "10.1.2.3", "hostnames": ["foo", "bar"]}]}});
        let called = names(&pod, "c").unwrap();
        let file = hosts_file(&pod, &called, &["10.0.0.5".to_owned()], "");
        assert!(file.starts_with("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"));
        assert!(file.ends_with(
            "fe00::2\tip6-allrouters\n10.0.0.5\tp.s.ns.svc.c\tp\n\n\
             # Entries added by HostAliases.\n10.1.2.3\tfoo\tbar\n"
        ));
        let on_host = json!({"spec": {"hostNetwork": true}});
        let file = hosts_file(
            &on_host,
            &called,
            &["10.0.0.5".to_owned()],
            "127.0.0.1 me\n",
        );
        assert_eq!(
            file,
            "# Kubernetes-managed hosts file (host network).\n127.0.0.1 me\n"
        );
    }
}
