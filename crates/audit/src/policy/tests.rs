use super::*;
use serde_json::{Value, json};

fn policy(rules: Value) -> Result<Policy, PolicyError> {
    let file = json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules});
    Policy::parse(file.to_string().as_bytes())
}

fn request<'a>(user: &'a UserInfo, line: &'a str) -> Attributes<'a> {
    // `verb path`, or `verb group resource[/subresource] namespace name` with `-` for nothing.
    let words: Vec<&str> = line
        .split(' ')
        .map(|w| if w == "-" { "" } else { w })
        .collect();
    let mut attributes = Attributes {
        user,
        verb: words[0],
        is_resource: words.len() > 2,
        group: "",
        version: "v1",
        resource: "",
        subresource: "",
        namespace: "",
        name: "",
        path: words[1],
    };
    if let [_, group, resource, namespace, name] = words.as_slice() {
        let (main, sub) = resource.split_once('/').unwrap_or((resource, ""));
        (attributes.group, attributes.resource) = (group, main);
        (attributes.subresource, attributes.namespace) = (sub, namespace);
        (attributes.name, attributes.path) = (name, "/api");
    }
    attributes
}

fn jane() -> UserInfo {
    UserInfo::new("jane", ["dev", "system:authenticated"])
}

#[test]
fn rules_match_as_upstreams() {
    let user = jane();
    for (rule, line, matches) in [
        (json!({}), "get - pods ns a", true),
        (json!({}), "get /healthz", true),
        (json!({"users": ["jane"]}), "get - pods ns a", true),
        (json!({"users": ["joe"]}), "get - pods ns a", false),
        (json!({"userGroups": ["ops", "dev"]}), "get /x", true),
        (json!({"userGroups": ["ops"]}), "get /x", false),
        (json!({"verbs": ["get"]}), "get /x", true),
        (json!({"verbs": ["list"]}), "get /x", false),
        (json!({"namespaces": ["ns"]}), "get - pods ns a", true),
        (json!({"namespaces": ["ns"]}), "get - pods other a", false),
        (json!({"namespaces": [""]}), "get - nodes - a", true),
        (json!({"namespaces": ["ns"]}), "get /x", false),
        (json!({"nonResourceURLs": ["/x"]}), "get /x", true),
        (json!({"nonResourceURLs": ["/x"]}), "get /x/y", false),
        (json!({"nonResourceURLs": ["/x*"]}), "get /x/y", true),
        (json!({"nonResourceURLs": ["*"]}), "get /x/y", true),
        (json!({"nonResourceURLs": ["*"]}), "get - pods ns a", false),
        (
            json!({"resources": [{"group": ""}]}),
            "get - pods/log ns a",
            true,
        ),
        (
            json!({"resources": [{"group": ""}]}),
            "get apps pods ns a",
            false,
        ),
        (
            json!({"resources": [{"group": "", "resources": ["pods"]}]}),
            "get - pods ns a",
            true,
        ),
        (
            json!({"resources": [{"group": "", "resources": ["pods"]}]}),
            "get - pods/log ns a",
            false,
        ),
        (
            json!({"resources": [{"group": "", "resources": ["pods/log"]}]}),
            "get - pods/log ns a",
            true,
        ),
        (
            json!({"resources": [{"group": "", "resources": ["pods/log"]}]}),
            "get - pods ns a",
            false,
        ),
        (
            json!({"resources": [{"group": "", "resources": ["pods/*"]}]}),
            "get - pods/log ns a",
            true,
        ),
        (
            json!({"resources": [{"group": "", "resources": ["pods/*"]}]}),
            "get - pods ns a",
            true,
        ),
        (
            json!({"resources": [{"group": "", "resources": ["*/log"]}]}),
            "get - pods/log ns a",
            true,
        ),
        (
            json!({"resources": [{"group": "", "resources": ["*/log"]}]}),
            "get - pods ns a",
            false,
        ),
        (
            json!({"resources": [{"group": "", "resources": ["*"]}]}),
            "get - pods/log ns a",
            true,
        ),
        (
            json!({"resources": [{"resources": ["pods"], "resourceNames": ["a"]}]}),
            "get - pods ns a",
            true,
        ),
        (
            json!({"resources": [{"resources": ["pods"], "resourceNames": ["b"]}]}),
            "get - pods ns a",
            false,
        ),
        (
            json!({"resources": [{"group": "apps"}, {"group": ""}], "namespaces": ["x", "ns"]}),
            "get - pods ns a",
            true,
        ),
    ] {
        let mut with_level = rule.clone();
        with_level["level"] = "Request".into();
        let level = policy(json!([with_level]))
            .unwrap()
            .decide(&request(&user, line))
            .level;
        let expected = if matches { Level::Request } else { Level::None };
        assert_eq!(level, expected, "{rule} on {line}");
    }
}

#[test]
fn the_first_match_decides_and_stages_add_up() {
    let file = json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived"], "omitManagedFields": true,
        "rules": [
            {"level": "Request", "verbs": ["get"], "omitStages": ["ResponseStarted"],
             "omitManagedFields": false},
            {"level": "None", "verbs": ["get", "list"]},
            {"level": "RequestResponse"},
        ],
    });
    let policy = Policy::parse(file.to_string().as_bytes()).unwrap();
    let user = jane();
    let get = policy.decide(&request(&user, "get /x"));
    assert_eq!(
        (get.level, get.omit_managed_fields),
        (Level::Request, false)
    );
    let written: Vec<Stage> = Stage::ALL.into_iter().filter(|s| get.writes(*s)).collect();
    assert_eq!(written, [Stage::ResponseComplete, Stage::Panic]);
    let list = policy.decide(&request(&user, "list /x"));
    assert!(
        Stage::ALL.into_iter().all(|s| !list.writes(s)),
        "level None"
    );
    let post = policy.decide(&request(&user, "post /x"));
    assert_eq!(
        (post.level, post.omit_managed_fields),
        (Level::RequestResponse, true)
    );
    assert!(post.writes(Stage::ResponseStarted) && !post.writes(Stage::RequestReceived));
}

#[test]
fn mistakes_are_named_with_their_field() {
    for (rules, expected) in [
        (json!([]), "it has no rules"),
        (json!([{}]), "rules[0].level: Required value"),
        (
            json!([{"level": "All"}]),
            "rules[0].level: Unsupported value: \"All\"",
        ),
        (
            json!([{"level": "None", "user": ["x"]}]),
            "rules[0].user: Forbidden: unknown field",
        ),
        (
            json!([{"level": "None", "users": "x"}]),
            "rules[0].users: Invalid value",
        ),
        (
            json!([{"level": "None", "verbs": [1]}]),
            "rules[0].verbs[0]: Invalid value",
        ),
        (
            json!([{"level": "None", "omitStages": ["Done"]}]),
            "rules[0].omitStages[0]: Unsupported value: \"Done\"",
        ),
        (
            json!([{"level": "None"}, {"level": "None", "nonResourceURLs": ["x"]}]),
            "rules[1].nonResourceURLs[0]: Invalid value: \"x\": non-resource URL rules must begin \
             with a '/' character",
        ),
        (
            json!([{"level": "None", "nonResourceURLs": ["/a*/b"]}]),
            "non-resource URL wildcards '*' must be the final character of the rule",
        ),
        (
            json!([{"level": "None", "nonResourceURLs": ["/a"], "namespaces": ["x"]}]),
            "rules cannot apply to both regular resources and non-resource URLs",
        ),
        (
            json!([{"level": "None", "resources": [{"group": "", "resourceNames": ["x"]}]}]),
            "rules[0].resources[0].resourceNames: Invalid value: []string{\"x\"}: using resourceNames \
             requires at least one resource",
        ),
        (
            json!([{"level": "None", "resources": [{"group": "Apps"}]}]),
            "rules[0].resources[0].group: Invalid value: \"Apps\"",
        ),
        (
            json!([{"level": "None", "resources": [{"groups": "apps"}]}]),
            "rules[0].resources[0].groups: Forbidden: unknown field",
        ),
        (
            json!(["x"]),
            "rules[0]: Invalid value: \"x\": must be an object",
        ),
        (
            json!([{"level": "None", "omitManagedFields": 1}]),
            "must be true or false",
        ),
    ] {
        let error = policy(rules.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{rules}: {error}");
    }
    for (file, expected) in [
        ("{", "cannot be used"),
        (
            r#"{"kind": "Policy", "apiVersion": "audit.k8s.io/v1beta1"}"#,
            "audit.k8s.io/v1",
        ),
        ("[]", "must be a Policy"),
        ("", "cannot be used"),
    ] {
        let error = Policy::parse(file.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{file}: {error}");
    }
}

#[test]
fn the_default_policy_keeps_what_matters() {
    assert!(Policy::parse(DEFAULT.as_bytes()).is_ok());
    let policy = Policy::secure_default();
    assert!(policy.records_refusals());
    let user = jane();
    let node = UserInfo::new("system:node:n1", ["system:nodes"]);
    for (user, line, level) in [
        (&user, "get /healthz", Level::None),
        (&user, "get /readyz/etcd", Level::None),
        (&user, "get /apis/apps/v1", Level::None),
        (&user, "get /logs/x", Level::Metadata),
        (&user, "post /api", Level::None),
        (&user, "get - pods ns a", Level::None),
        (&user, "create - pods ns a", Level::Metadata),
        (&user, "get example.com widgets ns a", Level::Metadata),
        (&user, "get - secrets ns a", Level::Metadata),
        (&user, "list - configmaps ns -", Level::Metadata),
        (&user, "get - pods/exec ns a", Level::Metadata),
        (
            &user,
            "create - serviceaccounts/token ns a",
            Level::Metadata,
        ),
        (
            &user,
            "create authentication.k8s.io tokenreviews - -",
            Level::Metadata,
        ),
        (
            &user,
            "create authorization.k8s.io subjectaccessreviews - -",
            Level::None,
        ),
        (&user, "create - events ns a", Level::None),
        (
            &user,
            "delete rbac.authorization.k8s.io clusterroles - a",
            Level::Metadata,
        ),
        (&node, "patch - nodes/status - n1", Level::None),
        (&node, "create - pods ns a", Level::Metadata),
        (&node, "get - secrets ns a", Level::Metadata),
        (&node, "get - pods ns a", Level::None),
        (&node, "update - secrets ns a", Level::Metadata),
    ] {
        let ruling = policy.decide(&request(user, line));
        assert_eq!(ruling.level, level, "{} {line}", user.name);
        assert!(!ruling.writes(Stage::RequestReceived));
    }
}
