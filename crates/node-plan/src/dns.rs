//! Whom a pod asks for addresses: its `resolv.conf`.

use model::validation::read::{get, is_true, list, text, texts};
use model::{Value, meta};

/// Name servers that resolvers look at.
const MAX_SERVERS: usize = 3;
/// Search domains that resolvers look at.
const MAX_SEARCHES: usize = 32;
/// Characters of all search domains together.
const MAX_SEARCH_CHARACTERS: usize = 2048;
/// Characters of one search domain.
const MAX_SEARCH: usize = 253;

/// A resolver's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolver {
    /// Addresses of name servers.
    pub servers: Vec<String>,
    /// Domains that are tried one after the other.
    pub searches: Vec<String>,
    /// Options, `NAME` or `NAME:VALUE`.
    pub options: Vec<String>,
}

impl Resolver {
    /// Reads a `resolv.conf`. Name servers add up, of `search` lines the last one counts, and of
    /// an option that is given twice the last value. Lines of other kinds are passed over.
    pub fn parse(file: &str) -> Self {
        let mut resolver = Self::default();
        for line in file.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => resolver.servers.extend(words.next().map(str::to_owned)),
                Some("search") => {
                    resolver.searches = words
                        .filter(|domain| *domain != ".")
                        .map(|domain| domain.strip_suffix('.').unwrap_or(domain).to_owned())
                        .collect();
                }
                Some("options") => {
                    for option in words {
                        set_option(&mut resolver.options, option);
                    }
                }
                _ => {}
            }
        }
        resolver
    }

    /// The file.
    pub fn render(&self) -> String {
        let mut file = String::new();
        if !self.searches.is_empty() {
            file.push_str(&format!("search {}\n", self.searches.join(" ")));
        }
        for server in &self.servers {
            file.push_str(&format!("nameserver {server}\n"));
        }
        if !self.options.is_empty() {
            file.push_str(&format!("options {}\n", self.options.join(" ")));
        }
        file
    }
}

fn set_option(options: &mut Vec<String>, new: &str) {
    let name = |option: &str| option.split(':').next().unwrap_or_default().to_owned();
    match options.iter_mut().find(|option| name(option) == name(new)) {
        Some(option) => new.clone_into(option),
        None => options.push(new.to_owned()),
    }
}

/// What the cluster and the node know of names.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The node's own configuration.
    pub node: &'a Resolver,
    /// The addresses of the cluster's DNS service; empty if there is none.
    pub cluster_servers: &'a [String],
    /// The cluster's domain; empty if it has none.
    pub cluster_domain: &'a str,
}

/// A pod's configuration, and the warnings (reason, message) that come with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The configuration.
    pub resolver: Resolver,
    /// Events on the pod.
    pub warnings: Vec<(&'static str, String)>,
}

/// The resolver configuration of a pod by its `dnsPolicy` and `dnsConfig`, cut to what resolvers
/// take.
pub fn resolver(pod: &Value, around: &Surroundings<'_>) -> Answer {
    let spec = get(pod, "spec").unwrap_or(&Value::Null);
    let mut warnings = Vec::new();
    let from_node = match text(spec, "dnsPolicy") {
        "Default" => true,
        "ClusterFirst" => is_true(spec, "hostNetwork"),
        _ => false,
    };
    let mut resolver = if text(spec, "dnsPolicy") == "None" {
        Resolver::default()
    } else if from_node {
        around.node.clone()
    } else if around.cluster_servers.is_empty() {
        let message = format!(
            "pod: \"{}_{}({})\". kubelet does not have ClusterDNS IP configured and cannot create \
             Pod using \"ClusterFirst\" policy. Falling back to \"Default\" policy.",
            meta::name(pod),
            meta::namespace(pod),
            meta::uid(pod)
        );
        warnings.push(("MissingClusterDNS", message));
        around.node.clone()
    } else {
        of_cluster(meta::namespace(pod), around)
    };
    if let Some(config) = get(spec, "dnsConfig") {
        add_distinct(&mut resolver.servers, texts(config, "nameservers"));
        add_distinct(&mut resolver.searches, texts(config, "searches"));
        for option in list(config, "options") {
            let name = text(option, "name");
            match text(option, "value") {
                "" => set_option(&mut resolver.options, name),
                value => set_option(&mut resolver.options, &format!("{name}:{value}")),
            }
        }
    }
    fit(&mut resolver, &mut warnings);
    Answer { resolver, warnings }
}

fn of_cluster(namespace: &str, around: &Surroundings<'_>) -> Resolver {
    let domain = around.cluster_domain;
    let mut searches = Vec::new();
    if !domain.is_empty() {
        searches.push(format!("{namespace}.svc.{domain}"));
        searches.push(format!("svc.{domain}"));
        searches.push(domain.to_owned());
    }
    add_distinct(
        &mut searches,
        around.node.searches.iter().map(String::as_str),
    );
    Resolver {
        servers: around.cluster_servers.to_vec(),
        searches,
        options: vec!["ndots:5".to_owned()],
    }
}

fn add_distinct<'a>(list: &mut Vec<String>, more: impl Iterator<Item = &'a str>) {
    for item in more {
        if !list.iter().any(|known| known == item) {
            list.push(item.to_owned());
        }
    }
}

fn fit(resolver: &mut Resolver, warnings: &mut Vec<(&'static str, String)>) {
    const REASON: &str = "DNSConfigForming";
    if resolver.servers.len() > MAX_SERVERS {
        resolver.servers.truncate(MAX_SERVERS);
        let message = format!(
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied \
             nameserver line is: {}",
            resolver.servers.join(" ")
        );
        warnings.push((REASON, message));
    }
    let searches = &mut resolver.searches;
    let before = searches.len();
    searches.truncate(MAX_SEARCHES);
    searches.retain(|search| search.len() <= MAX_SEARCH);
    while searches.join(" ").len() > MAX_SEARCH_CHARACTERS {
        searches.pop();
    }
    if searches.len() < before {
        let message = format!(
            "Search Line limits were exceeded, some search paths have been omitted, the applied \
             search line is: {}",
            searches.join(" ")
        );
        warnings.push((REASON, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file(spec: Value, servers: &[&str]) -> (String, Vec<&'static str>) {
        let pod = json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": spec});
        let node = Resolver::parse(
            "# a comment\nnameserver 192.0.2.53\nsearch old.example\nsearch example.com. .\n\
             options timeout:1 rotate\noptions timeout:2\nsortlist x\n",
        );
        let servers: Vec<String> = servers.iter().map(|s| (*s).to_owned()).collect();
        let around = Surroundings {
            node: &node,
            cluster_servers: &servers,
            cluster_domain: "cluster.local",
        };
        let answer = resolver(&pod, &around);
        let reasons = answer.warnings.iter().map(|(reason, _)| *reason).collect();
        (answer.resolver.render(), reasons)
    }

    #[test]
    fn policies() {
        let node = "search example.com\nnameserver 192.0.2.53\noptions timeout:2 rotate\n";
        let cluster = "search ns.svc.cluster.local svc.cluster.local cluster.local example.com\n\
                       nameserver 10.0.0.10\noptions ndots:5\n";
        let dns = ["10.0.0.10"];
        for (spec, servers, want) in [
            (json!({"dnsPolicy": "ClusterFirst"}), &dns[..], cluster),
            (
                json!({"dnsPolicy": "ClusterFirst", "hostNetwork": true}),
                &dns,
                node,
            ),
            (
                json!({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": true}),
                &dns,
                cluster,
            ),
            (json!({"dnsPolicy": "Default"}), &dns, node),
            (json!({"dnsPolicy": "ClusterFirst"}), &[], node),
            (json!({"dnsPolicy": "None"}), &dns, ""),
            (
                json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"],
                    "searches": ["a", "a"], "options": [{"name": "ndots", "value": "2"},
                    {"name": "edns0"}]}}),
                &dns,
                "search a\nnameserver 1.1.1.1\noptions ndots:2 edns0\n",
            ),
            (
                json!({"dnsPolicy": "Default", "dnsConfig": {"nameservers": ["192.0.2.53"],
                    "searches": ["b"], "options": [{"name": "timeout", "value": "9"}]}}),
                &dns,
                "search example.com b\nnameserver 192.0.2.53\noptions timeout:9 rotate\n",
            ),
        ] {
            assert_eq!(file(spec.clone(), servers).0, want, "{spec}");
        }
        let (_, warnings) = file(json!({"dnsPolicy": "ClusterFirst"}), &[]);
        assert_eq!(warnings, ["MissingClusterDNS"]);
    }

    #[test]
    fn what_resolvers_cannot_take_is_cut() {
        let config = json!({"nameservers": ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"],
            "searches": ["x".repeat(254), "ok"]});
        let (file, warnings) = file(json!({"dnsPolicy": "None", "dnsConfig": config}), &[]);
        assert_eq!(
            file,
            "search ok\nnameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n"
        );
        assert_eq!(warnings, ["DNSConfigForming", "DNSConfigForming"]);
        let many: Vec<String> = (0..40).map(|i| format!("{i:0>100}")).collect();
        let config = json!({"nameservers": ["1.1.1.1"], "searches": many});
        let (file, _) = self::file(json!({"dnsPolicy": "None", "dnsConfig": config}), &[]);
        // Twenty of a hundred characters with the spaces between them.
        assert_eq!(
            file.lines().next().unwrap().len(),
            "search ".len() + 20 * 101 - 1
        );
    }
}
