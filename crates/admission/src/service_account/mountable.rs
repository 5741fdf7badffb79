//! With the annotation `kubernetes.io/enforce-mountable-secrets` a pod may use only secrets that its
//! service account lists. The texts are upstream's.

use model::{Value, meta};

const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

/// Whether the account keeps its pods to its own secrets.
pub(super) fn enforces(account: &Value) -> bool {
    // Upstream parses with strconv.ParseBool.
    matches!(
        meta::annotations(account).get(ENFORCE).copied(),
        Some("1" | "t" | "T" | "TRUE" | "true" | "True")
    )
}

fn listed<'a>(account: &'a Value, field: &str) -> Vec<&'a str> {
    let all = meta::list(account, &[field]).iter();
    all.map(|secret| meta::text(secret, &["name"])).collect()
}

/// The first secret that a new pod uses and its account does not list, as a refusal.
pub(super) fn refused(account: &Value, pod: &Value) -> Option<String> {
    let secrets = listed(account, "secrets");
    let name = meta::name(account);
    let by_volume = meta::list(pod, &["spec", "volumes"])
        .iter()
        .find_map(|volume| {
            let secret = meta::at(volume, &["secret"]).filter(|source| !source.is_null())?;
            let secret = meta::text(secret, &["secretName"]);
            (!secrets.contains(&secret)).then(|| {
            format!(
                "volume with secret.secretName=\"{secret}\" is not allowed because service account \
                 {name} does not reference that secret"
            )
        })
        });
    let pulls = listed(account, "imagePullSecrets");
    let by_pull = || {
        let mut all = meta::list(pod, &["spec", "imagePullSecrets"])
            .iter()
            .enumerate();
        all.find_map(|(index, pull)| {
            let secret = meta::text(pull, &["name"]);
            (!pulls.contains(&secret)).then(|| {
                format!(
                    "imagePullSecrets[{index}].name=\"{secret}\" is not allowed because service \
                     account {name} does not reference that imagePullSecret"
                )
            })
        })
    };
    by_volume
        .or_else(|| by_containers(pod, "initContainers", "init container", &secrets, name))
        .or_else(|| by_containers(pod, "containers", "container", &secrets, name))
        .or_else(by_pull)
}

/// The first secret that an ephemeral container uses and the account does not list.
pub(super) fn refused_by_added(account: &Value, pod: &Value) -> Option<String> {
    let secrets = listed(account, "secrets");
    let what = "ephemeral container";
    by_containers(
        pod,
        "ephemeralContainers",
        what,
        &secrets,
        meta::name(account),
    )
}

fn by_containers(
    pod: &Value,
    list: &str,
    what: &str,
    secrets: &[&str],
    account: &str,
) -> Option<String> {
    let mut containers = meta::list(pod, &["spec", list]).iter();
    containers.find_map(|container| {
        let name = meta::text(container, &["name"]);
        let refusal = |how: String, secret: &str| {
            format!(
                "{what} {name} with {how} referencing secret.secretName=\"{secret}\" is not allowed \
                 because service account {account} does not reference that secret"
            )
        };
        // The name of a secret that is referred to and not listed.
        let foreign = |holder: &Value, path: &[&str]| {
            let reference = meta::at(holder, path).filter(|reference| !reference.is_null())?;
            let secret = meta::text(reference, &["name"]).to_owned();
            (!secrets.contains(&secret.as_str())).then_some(secret)
        };
        let by_variable = meta::list(container, &["env"]).iter().find_map(|variable| {
            let secret = foreign(variable, &["valueFrom", "secretKeyRef"])?;
            let how = format!("envVar {}", meta::text(variable, &["name"]));
            Some(refusal(how, &secret))
        });
        by_variable.or_else(|| {
            let mut sources = meta::list(container, &["envFrom"]).iter();
            let secret = sources.find_map(|source| foreign(source, &["secretRef"]))?;
            Some(refusal("envFrom".to_owned(), &secret))
        })
    })
}
