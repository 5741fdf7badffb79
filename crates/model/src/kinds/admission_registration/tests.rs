use crate::Value;
use crate::kinds::check::{create, defaulted, update};
use crate::patch::merge_patch;
use serde_json::json;

const GROUP: &str = "admissionregistration.k8s.io";
const MUTATING: &str = "mutatingwebhookconfigurations";

fn configuration(plural: &str, webhook: &Value) -> Value {
    let given = json!({"name": "a.b.c", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"name": "s", "namespace": "n"}}, "rules": [{
            "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"],
            "resources": ["pods"]}]});
    let webhook = merge_patch(&given, webhook).unwrap();
    defaulted(GROUP, plural, "v1", &json!({"webhooks": [webhook]}))
}

#[test]
fn webhook_defaults() {
    let made = configuration(MUTATING, &json!({}));
    let webhook = &made["webhooks"][0];
    let want = json!({"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10,
        "namespaceSelector": {}, "objectSelector": {}, "reinvocationPolicy": "Never"});
    for (key, value) in want.as_object().unwrap() {
        assert_eq!(webhook[key], *value, "{key}");
    }
    assert_eq!(webhook["clientConfig"]["service"]["port"], 443);
    assert_eq!(webhook["rules"][0]["scope"], "*");
    let made = configuration("validatingwebhookconfigurations", &json!({}));
    assert_eq!(made["webhooks"][0].get("reinvocationPolicy"), None);
}

#[test]
fn webhooks() {
    let rule = |rule: Value| {
        let given = json!({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]});
        json!({"rules": [merge_patch(&given, &rule).unwrap()]})
    };
    let first = "webhooks[0]";
    let cases = [
        (json!({}), String::new()),
        (
            rule(json!({"resources": ["pods", "pods/log"]})),
            String::new(),
        ),
        (
            json!({"name": "a.b"}),
            format!(
                "{first}.name: Invalid value: \"a.b\": should be a domain with at least three segments separated by dots"
            ),
        ),
        (
            json!({"sideEffects": null}),
            format!("{first}.sideEffects: Required value: must specify one of None, NoneOnDryRun"),
        ),
        (
            json!({"sideEffects": "Some"}),
            format!(
                "{first}.sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\""
            ),
        ),
        (
            json!({"admissionReviewVersions": ["v9"]}),
            format!(
                "{first}.admissionReviewVersions: Invalid value: []string{{\"v9\"}}: must include at least one of v1, v1beta1"
            ),
        ),
        (
            json!({"admissionReviewVersions": null}),
            format!(
                "{first}.admissionReviewVersions: Required value: must specify one of v1, v1beta1"
            ),
        ),
        (
            json!({"timeoutSeconds": 31, "failurePolicy": "x"}),
            format!(
                "{first}.failurePolicy: Unsupported value: \"x\": supported values: \"Fail\", \"Ignore\"; {first}.timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"
            ),
        ),
        (
            rule(json!({"operations": ["*", "CREATE"]})),
            format!(
                "{first}.rules[0].operations: Invalid value: []admissionregistration.OperationType{{\"*\", \"CREATE\"}}: if '*' is present, must not specify other operations"
            ),
        ),
        (
            rule(json!({"operations": ["GET"], "apiVersions": [""]})),
            format!(
                "{first}.rules[0].operations[0]: Unsupported value: \"GET\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\"; {first}.rules[0].apiVersions[0]: Required value"
            ),
        ),
        (
            rule(json!({"resources": ["*/*", "pods"]})),
            format!(
                "{first}.rules[0].resources: Invalid value: []string{{\"*/*\", \"pods\"}}: if '*/*' is present, must not specify other resources"
            ),
        ),
        (
            rule(json!({"resources": ["pods/*", "pods/log"]})),
            format!(
                "{first}.rules[0].resources[1]: Invalid value: \"pods/log\": if 'pods/*' is present, must not specify pods/log"
            ),
        ),
        (
            json!({"reinvocationPolicy": "x"}),
            format!(
                "{first}.reinvocationPolicy: Unsupported value: \"x\": supported values: \"IfNeeded\", \"Never\""
            ),
        ),
    ];
    for (webhook, want) in cases {
        let made = configuration(MUTATING, &webhook);
        assert_eq!(create(GROUP, MUTATING, &made).join("; "), want, "{webhook}");
    }
    let mut twice = configuration(MUTATING, &json!({}));
    let webhook = twice["webhooks"][0].clone();
    twice["webhooks"].as_array_mut().unwrap().push(webhook);
    assert_eq!(
        create(GROUP, MUTATING, &twice),
        ["webhooks[1].name: Duplicate value: \"a.b.c\""]
    );
    assert!(update(GROUP, MUTATING, &twice, &twice, "").is_empty());
}

#[test]
fn policies() {
    let plural = "validatingadmissionpolicies";
    let rules = json!([{"operations": ["CREATE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}]);
    let policy = json!({"spec": {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": "true"}]}});
    let made = defaulted(GROUP, plural, "v1", &policy);
    assert_eq!(made["spec"]["failurePolicy"], "Fail");
    let constraints = &made["spec"]["matchConstraints"];
    assert_eq!(constraints["matchPolicy"], "Equivalent");
    assert_eq!(constraints["resourceRules"][0]["scope"], "*");
    assert!(create(GROUP, plural, &made).is_empty());
    let bad = json!({"spec": {"validations": [{"expression": " "}]}});
    assert_eq!(
        create(GROUP, plural, &bad),
        [
            "spec.matchConstraints: Required value",
            "spec.validations[0].expression: Required value: expression is not specified",
        ]
    );
}

#[test]
fn bindings() {
    let plural = "validatingadmissionpolicybindings";
    let cases = [
        (
            json!({"policyName": "p", "validationActions": ["Deny", "Audit"]}),
            "",
        ),
        (
            json!({}),
            "spec.policyName: Required value; spec.validationActions: Required value: at least one validation action is required",
        ),
        (
            json!({"policyName": "p", "validationActions": ["Deny", "Warn"]}),
            "spec.validationActions: Invalid value: []admissionregistration.ValidationAction{\"Deny\", \"Warn\"}: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)",
        ),
        (
            json!({"policyName": "p", "validationActions": ["Audit"], "paramRef": {"name": "a", "selector": {}, "parameterNotFoundAction": "Deny"}}),
            "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
        ),
    ];
    for (spec, want) in cases {
        let binding = defaulted(GROUP, plural, "v1", &json!({"spec": spec}));
        assert_eq!(
            create(GROUP, plural, &binding).join("; "),
            want,
            "{binding}"
        );
    }
}
