use crate::kinds::check::{create, defaulted, update};
use serde_json::{Value, json};

const GROUP: &str = "networking.k8s.io";

fn errors_of(plural: &str, spec: &Value) -> String {
    create(GROUP, plural, &json!({"spec": spec})).join("; ")
}

#[test]
fn network_policies_name_their_directions() {
    let cases = [
        (json!({}), json!(["Ingress"])),
        (json!({"egress": [{}]}), json!(["Ingress", "Egress"])),
        (json!({"policyTypes": ["Egress"]}), json!(["Egress"])),
    ];
    for (spec, want) in cases {
        let filled = defaulted(GROUP, "networkpolicies", "v1", &json!({"spec": spec}));
        assert_eq!(filled["spec"]["policyTypes"], want);
    }
    let policy = json!({"spec": {"egress": [{"ports": [{"port": 53}, {"protocol": "UDP"}]}]}});
    let filled = defaulted(GROUP, "networkpolicies", "v1", &policy);
    assert_eq!(filled["spec"]["egress"][0]["ports"][0]["protocol"], "TCP");
    assert_eq!(filled["spec"]["egress"][0]["ports"][1]["protocol"], "UDP");
}

#[test]
fn network_policies() {
    let rule = |rule: Value| json!({"podSelector": {}, "ingress": [rule]});
    let cases = [
        (json!({"podSelector": {}}), ""),
        (
            rule(
                json!({"ports": [{"protocol": "TCP", "port": 80, "endPort": 90}, {"port": "web"}]}),
            ),
            "",
        ),
        (
            rule(json!({"ports": [{"protocol": "ICMP"}]})),
            "spec.ingress[0].ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"TCP\", \"UDP\", \"SCTP\"",
        ),
        (
            rule(json!({"ports": [{"port": 0}]})),
            "spec.ingress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
        (
            rule(json!({"ports": [{"port": 80, "endPort": 79}]})),
            "spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`",
        ),
        (
            rule(json!({"ports": [{"endPort": 79}]})),
            "spec.ingress[0].ports[0].endPort: Invalid value: 79: may not be specified when `port` is not specified",
        ),
        (
            rule(json!({"ports": [{"port": "a", "endPort": 79}]})),
            "spec.ingress[0].ports[0].endPort: Invalid value: 79: may not be specified when `port` is non-numeric",
        ),
        (
            rule(json!({"from": [{}]})),
            "spec.ingress[0].from[0]: Required value: must specify a peer",
        ),
        (
            rule(json!({"from": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]})),
            "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer",
        ),
        (
            rule(json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]})),
            "",
        ),
        (
            rule(
                json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16", "10.0.0.0/8"]}}]}),
            ),
            "spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`; \
             spec.ingress[0].from[0].ipBlock.except[1]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`",
        ),
        (
            rule(json!({"from": [{"ipBlock": {"cidr": "x"}}]})),
            "spec.ingress[0].from[0].ipBlock.cidr: Invalid value: \"x\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
        ),
        (
            rule(json!({"from": [{"ipBlock": {}}]})),
            "spec.ingress[0].from[0].ipBlock.cidr: Required value",
        ),
        (
            json!({"policyTypes": ["Egress", "x"]}),
            "spec.policyTypes[1]: Unsupported value: \"x\": supported values: \"Ingress\", \"Egress\"",
        ),
        (
            json!({"egress": [{"to": [{"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {}}]}]}),
            "",
        ),
    ];
    for (spec, want) in cases {
        assert_eq!(errors_of("networkpolicies", &spec), want, "{spec}");
    }
}

fn backend() -> Value {
    json!({"service": {"name": "s", "port": {"number": 80}}})
}

#[test]
fn ingresses() {
    let path = |path: Value| json!({"rules": [{"host": "a.b", "http": {"paths": [path]}}]});
    let cases = [
        (json!({"defaultBackend": backend()}), ""),
        (
            json!({}),
            "spec: Invalid value: []: either `defaultBackend` or `rules` must be specified",
        ),
        (
            path(json!({"path": "/", "pathType": "Prefix", "backend": backend()})),
            "",
        ),
        (
            path(json!({"path": "/", "backend": backend()})),
            "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
        ),
        (
            path(json!({"path": "a/../b", "pathType": "Exact", "backend": backend()})),
            "spec.rules[0].http.paths[0].path: Invalid value: \"a/../b\": must be an absolute path; \
             spec.rules[0].http.paths[0].path: Invalid value: \"a/../b\": must not contain '/../'",
        ),
        (
            path(json!({"pathType": "x", "backend": backend()})),
            "spec.rules[0].http.paths[0].pathType: Unsupported value: \"x\": supported values: \"Exact\", \"ImplementationSpecific\", \"Prefix\"",
        ),
        (
            path(json!({"pathType": "ImplementationSpecific"})),
            "spec.rules[0].http.paths[0].backend: Invalid value: \"\": resource or service backend is required",
        ),
        (
            json!({"defaultBackend": {"service": {"name": "s"}}}),
            "spec.defaultBackend: Required value: port name or number is required",
        ),
        (
            json!({"defaultBackend": {"service": {"name": "s", "port": {"number": 1, "name": "a"}}}}),
            "spec.defaultBackend: Invalid value: \"\": cannot set both port name & port number",
        ),
        (
            json!({"defaultBackend": {"service": {"port": {"number": 70000}}}}),
            "spec.defaultBackend.service.name: Required value; \
             spec.defaultBackend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (
            json!({"defaultBackend": {"resource": {"kind": "K"}}}),
            "spec.defaultBackend.resource.name: Required value: name is required",
        ),
        (
            json!({"rules": [{"http": {"paths": []}}]}),
            "spec.rules[0].http.paths: Required value",
        ),
    ];
    for (spec, want) in cases {
        assert_eq!(errors_of("ingresses", &spec), want, "{spec}");
    }
    let ip = errors_of("ingresses", &json!({"rules": [{"host": "1.2.3.4"}]}));
    assert_eq!(
        ip,
        "spec.rules[0].host: Invalid value: \"1.2.3.4\": must be a DNS name, not an IP address"
    );
    let wild = errors_of(
        "ingresses",
        &json!({"rules": [{"host": "a.*"}], "tls": [{"hosts": ["*.a"], "secretName": "A"}]}),
    );
    assert!(
        wild.starts_with(
            "spec.rules[0].host: Invalid value: \"a.*\": a wildcard DNS-1123 subdomain"
        )
    );
    assert!(
        wild.contains("spec.tls[0].secretName: Invalid value: \"A\""),
        "{wild}"
    );
}

#[test]
fn the_class_of_an_ingress_is_named_once() {
    let ingress = json!({
        "metadata": {"annotations": {"kubernetes.io/ingress.class": "a"}},
        "spec": {"ingressClassName": "b", "defaultBackend": backend()},
    });
    assert_eq!(
        create(GROUP, "ingresses", &ingress),
        [
            "annotations.kubernetes.io/ingress.class: Invalid value: \"a\": must match `ingressClassName` when both are specified"
        ]
    );
    assert!(update(GROUP, "ingresses", &ingress, &ingress, "").is_empty());
    let behavior = crate::kinds::behavior(GROUP, "ingresses");
    assert_eq!((behavior.warnings)(&ingress, None).len(), 1);
    assert!((behavior.warnings)(&ingress, Some(&ingress)).is_empty());
}

#[test]
fn status_of_ingresses() {
    let ingress = json!({"status": {"loadBalancer": {"ingress": [{"ip": "x"}, {"hostname": "1.1.1.1"}, {"hostname": "a.b"}]}}});
    assert_eq!(
        update(GROUP, "ingresses", &ingress, &ingress, "status"),
        [
            "status.loadBalancer.ingress[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            "status.loadBalancer.ingress[1].hostname: Invalid value: \"1.1.1.1\": must be a DNS name, not an IP address",
        ]
    );
}

#[test]
fn ingress_classes() {
    let cases = [
        (json!({"controller": "example.com/c"}), ""),
        (json!({}), "spec.controller: Required value"),
        (
            json!({"controller": "c"}),
            "spec.controller: Invalid value: \"c\": must be a domain-prefixed path (such as \"acme.io/foo\")",
        ),
        (
            json!({"controller": "a.b/c", "parameters": {"kind": "K", "name": "n", "scope": "Namespace"}}),
            "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
        ),
        (
            json!({"controller": "a.b/c", "parameters": {"kind": "K", "name": "n", "scope": "Cluster", "namespace": "x"}}),
            "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
        ),
        (
            json!({"controller": "a.b/c", "parameters": {"kind": "K", "name": "n", "scope": "x"}}),
            "spec.parameters.scope: Unsupported value: \"x\": supported values: \"Cluster\", \"Namespace\"",
        ),
    ];
    for (spec, want) in cases {
        assert_eq!(errors_of("ingressclasses", &spec), want, "{spec}");
    }
    let class = json!({"spec": {"controller": "a.b/c", "parameters": {"kind": "K", "name": "n"}}});
    let filled = defaulted(GROUP, "ingressclasses", "v1", &class);
    assert_eq!(filled["spec"]["parameters"]["scope"], "Cluster");
    let changed = json!({"spec": {"controller": "a.b/d"}});
    assert_eq!(
        update(GROUP, "ingressclasses", &changed, &filled, ""),
        ["spec.controller: Invalid value: \"a.b/d\": field is immutable"]
    );
}

#[test]
fn addresses() {
    let name = crate::kinds::behavior(GROUP, "ipaddresses").validate_name;
    for good in ["10.0.0.1", "2001:db8::1"] {
        assert!(name(good, false).is_empty(), "{good}");
    }
    for (bad, start) in [
        ("x", "must be a valid IP address"),
        ("010.0.0.1", "must not have leading 0s"),
        ("2001:DB8::1", "must be in canonical form (\"2001:db8::1\")"),
    ] {
        assert!(name(bad, false)[0].starts_with(start), "{bad}");
    }
    let address = json!({"spec": {"parentRef": {"resource": "services", "name": "a"}}});
    assert!(create(GROUP, "ipaddresses", &address).is_empty());
    assert_eq!(
        errors_of("ipaddresses", &json!({"parentRef": {"namespace": "a/b"}})),
        "spec.parentRef.resource: Required value; spec.parentRef.name: Required value; \
         spec.parentRef.namespace: Invalid value: \"a/b\": may not contain '/'"
    );
    assert_eq!(
        errors_of("ipaddresses", &json!({})),
        "spec.parentRef: Required value"
    );
    assert_eq!(
        update(GROUP, "ipaddresses", &json!({}), &address, "").len(),
        1
    );
}

#[test]
fn service_ranges() {
    let cases = [
        (json!(["10.0.0.0/16"]), ""),
        (json!(["10.0.0.0/16", "fd00::/64"]), ""),
        (
            json!([]),
            "spec.cidrs: Required value: at least one CIDR required",
        ),
        (
            json!(["10.0.0.1/16"]),
            "spec.cidrs[0]: Invalid value: \"10.0.0.1/16\": must be in canonical form (\"10.0.0.0/16\")",
        ),
        (
            json!(["10.0.0.0/16", "11.0.0.0/16"]),
            "spec.cidrs: Invalid value: []string{\"10.0.0.0/16\", \"11.0.0.0/16\"}: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
        ),
    ];
    for (cidrs, want) in cases {
        assert_eq!(errors_of("servicecidrs", &json!({"cidrs": cidrs})), want);
    }
    let of = |cidrs: Value| json!({"spec": {"cidrs": cidrs}});
    let old = of(json!(["10.0.0.0/16"]));
    assert!(
        update(
            GROUP,
            "servicecidrs",
            &of(json!(["10.0.0.0/16", "fd00::/64"])),
            &old,
            ""
        )
        .is_empty()
    );
    assert_eq!(
        update(GROUP, "servicecidrs", &of(json!(["11.0.0.0/16"])), &old, ""),
        ["spec.cidrs[0]: Invalid value: \"11.0.0.0/16\": field is immutable"]
    );
}

#[test]
fn ranges_that_were_let_in_once_may_stay() {
    let policy = |cidr: &str, except: &str| {
        json!({"spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock":
            {"cidr": cidr, "except": [except]}}]}]}})
    };
    let old = policy("10.0.0.0/8", "10.1/16");
    assert_eq!(create(GROUP, "networkpolicies", &old).len(), 1);
    assert!(update(GROUP, "networkpolicies", &old, &old, "").is_empty());
    // Elsewhere in the policy it is as known as before, another one is not.
    let mut moved = old.clone();
    moved["spec"]["egress"] = json!([{"to": [{"ipBlock": {"cidr": "10.1/16"}}]}]);
    assert!(update(GROUP, "networkpolicies", &moved, &old, "").is_empty());
    let other = policy("10.0.0.0/8", "10.2/16");
    assert_eq!(
        update(GROUP, "networkpolicies", &other, &old, ""),
        [
            "spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: \"10.2/16\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        ]
    );
}

#[test]
fn doubtful_ranges_are_warned_of() {
    let policy = json!({"spec": {"egress": [{}, {"to": [{"podSelector": {}}, {"ipBlock":
        {"cidr": "10.0.0.1/8", "except": ["10.1.0.0/16", "10.02.0.0/16"]}}]}]}});
    let warnings = (crate::kinds::behavior(GROUP, "networkpolicies").warnings)(&policy, None);
    assert_eq!(
        warnings,
        [
            "spec.egress[1].to[1].ipBlock.cidr: CIDR value \"10.0.0.1/8\" is ambiguous in this context (should be \"10.0.0.0/8\" or \"10.0.0.1/32\"?)",
            "spec.egress[1].to[1].ipBlock.except[1]: non-standard CIDR value \"10.02.0.0/16\" will be considered invalid in a future Kubernetes release: use \"10.2.0.0/16\"",
        ]
    );
}
