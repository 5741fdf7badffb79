use super::*;

fn created(spec: Value) -> (Value, Vec<String>) {
    let mut service = json!({"metadata": {"name": "s"}, "spec": spec});
    default("v1", &mut service);
    prepare_create(&mut service);
    let errors = service_rules::validate_create(&service);
    (service, errors.iter().map(ToString::to_string).collect())
}

#[test]
fn defaults() {
    let (service, errors) = created(json!({"ports": [{"port": 80}], "selector": {"a": "b"}}));
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(
        service,
        json!({
            "metadata": {"name": "s"},
            "spec": {
                "type": "ClusterIP",
                "sessionAffinity": "None",
                "internalTrafficPolicy": "Cluster",
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
                "selector": {"a": "b"},
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
            },
            "status": {"loadBalancer": {}},
        })
    );
    let (balanced, errors) = created(json!({"type": "LoadBalancer", "ports": [{"port": 80}],
        "sessionAffinity": "ClientIP"}));
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(balanced["spec"]["externalTrafficPolicy"], "Cluster");
    assert_eq!(balanced["spec"]["allocateLoadBalancerNodePorts"], true);
    assert_eq!(
        balanced["spec"]["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"],
        10800
    );
}

#[test]
fn rules() {
    let cases: Vec<(Value, Vec<&str>)> = vec![
        (json!({}), vec!["spec.ports: Required value"]),
        (json!({"clusterIP": "None"}), vec![]),
        (
            json!({"type": "ExternalName", "externalName": "example.com."}),
            vec![],
        ),
        (
            json!({"type": "ExternalName"}),
            vec!["spec.externalName: Required value"],
        ),
        (
            json!({"type": "X", "ports": [{"port": 1}]}),
            vec![
                "spec.type: Unsupported value: \"X\": supported values: \"ClusterIP\", \
                  \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
            ],
        ),
        (
            json!({"ports": [{"port": 0}]}),
            vec![
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, \
                  inclusive",
            ],
        ),
        (
            json!({"ports": [{"port": 1}, {"port": 2, "name": "b"}]}),
            vec!["spec.ports[0].name: Required value"],
        ),
        (
            json!({"ports": [{"port": 1, "name": "b"}, {"port": 2, "name": "b"}]}),
            vec!["spec.ports[1].name: Duplicate value: \"b\""],
        ),
        (
            json!({"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]}),
            vec!["spec.ports[1]: Duplicate value: {\"port\":1,\"protocol\":\"TCP\"}"],
        ),
        (
            json!({"ports": [{"port": 1, "nodePort": 30000}]}),
            vec!["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
        ),
        (
            json!({"ports": [{"port": 1}], "selector": {"a": "b c"}}),
            vec!["spec.selector: Invalid value: \"b c\""],
        ),
        (
            json!({"ports": [{"port": 1}], "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}}}),
            vec![
                "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must \
                  be greater than 0 and less than 86400",
            ],
        ),
        (
            json!({"ports": [{"port": 1}], "clusterIP": "x"}),
            vec!["spec.clusterIPs[0]: Invalid value: \"x\": must be a valid IP address"],
        ),
        (
            json!({"ports": [{"port": 1}], "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"]}),
            vec!["spec.clusterIPs: Invalid value: []string{\"10.0.0.2\"}: first value must match"],
        ),
        (
            json!({"ports": [{"port": 1}], "clusterIP": "10.0.0.1", "ipFamilies": ["IPv6"]}),
            vec![
                "spec.clusterIPs[0]: Invalid value: \"10.0.0.1\": expected an IPv6 value as \
                  indicated by `ipFamilies[0]`",
            ],
        ),
        (
            json!({"ports": [{"port": 1}], "externalIPs": ["127.0.0.1"]}),
            vec!["spec.externalIPs[0]: Invalid value: \"127.0.0.1\": may not be in the loopback"],
        ),
        (
            json!({"ports": [{"port": 1}], "loadBalancerSourceRanges": ["10.0.0.0/8"]}),
            vec![
                "spec.loadBalancerSourceRanges: Forbidden: may only be used when `type` is \
                  'LoadBalancer'",
            ],
        ),
        (
            json!({"ports": [{"port": 1}], "externalTrafficPolicy": "Local"}),
            vec![
                "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for \
                  externally-accessible services",
            ],
        ),
        (
            json!({"type": "LoadBalancer", "clusterIP": "None", "ports": [{"port": 1}]}),
            vec![
                "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for \
                  LoadBalancer services",
            ],
        ),
        (
            json!({"ports": [{"port": 1}], "internalTrafficPolicy": "X"}),
            vec!["spec.internalTrafficPolicy: Unsupported value: \"X\""],
        ),
    ];
    for (spec, want) in cases {
        let (_, got) = created(spec.clone());
        assert_eq!(got.len(), want.len(), "{spec}: {got:#?}");
        for (got, want) in got.iter().zip(want) {
            assert!(got.starts_with(want), "{spec}: {got}");
        }
    }
}

fn updated(old: &Value, spec: Value) -> (Value, Vec<String>) {
    let mut new = old.clone();
    new["spec"] = spec;
    default("v1", &mut new);
    prepare_update(&mut new, old, "");
    let errors = service_rules::validate_update(&new, old, "");
    (new, errors.iter().map(ToString::to_string).collect())
}

#[test]
fn allocated_values_stay() {
    let (mut old, _) = created(json!({"type": "NodePort", "ports": [{"port": 80}]}));
    old["spec"]["clusterIP"] = json!("10.0.0.1");
    old["spec"]["clusterIPs"] = json!(["10.0.0.1"]);
    old["spec"]["ports"][0]["nodePort"] = json!(30000);
    let (new, errors) = updated(&old, json!({"type": "NodePort", "ports": [{"port": 80}]}));
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(new["spec"], old["spec"]);
    let (new, errors) = updated(
        &old,
        json!({"type": "NodePort", "clusterIP": "10.0.0.2",
        "ports": [{"port": 80}]}),
    );
    assert_eq!(new["spec"]["clusterIPs"], json!(["10.0.0.2"]));
    assert_eq!(
        errors,
        ["spec.clusterIPs[0]: Invalid value: []string{\"10.0.0.2\"}: may not change once set"]
    );
    let mut down = old["spec"].clone();
    down["type"] = json!("ClusterIP");
    let (new, errors) = updated(&old, down);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(new["spec"]["ports"][0].get("nodePort"), None);
    assert_eq!(new["spec"].get("externalTrafficPolicy"), None);
    let mut named = old["spec"].clone();
    named["type"] = json!("ExternalName");
    named["externalName"] = json!("example.com");
    let (new, errors) = updated(&old, named);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(new["spec"].get("clusterIP"), None);
}
