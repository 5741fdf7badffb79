//! The status of a pod as its node reports it.

mod conditions;
mod containers;
mod phase;
#[cfg(test)]
mod tests;

use crate::lifecycle::{Verdicts, sandbox_attempt};
use crate::observed::Observed;
use jiff::Timestamp;
use model::validation::read::{list, text};
use model::{Value, meta};
use serde_json::json;
use std::collections::BTreeMap;

/// What a status is made from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The pod, with the status that was told last.
    pub pod: &'a Value,
    /// What is there of it.
    pub observed: &'a Observed,
    /// What its probes say.
    pub verdicts: &'a Verdicts,
    /// Containers whose last start failed or has to wait: reason and message, by name.
    pub errors: &'a BTreeMap<String, (String, String)>,
    /// Why the pod failed as a whole (evicted, its time was over, refused by the node): reason and
    /// message.
    pub failed: Option<(&'a str, &'a str)>,
    /// Whether all its containers have ended and none will run again, whatever its restart policy.
    pub over: bool,
    /// The node's addresses, the preferred one first.
    pub host_ips: &'a [String],
    /// Whether the node can make mounts recursively read-only.
    pub recursive_read_only: bool,
    /// Now.
    pub now: Timestamp,
}

/// The pod's status. Conditions keep the time at which they last turned, terminal phases stay, and
/// what others wrote (conditions, `nominatedNodeName`, `resize`) is kept.
pub fn status(input: &Input<'_>) -> Value {
    let pod = input.pod;
    let old = pod.get("status").unwrap_or(&Value::Null);
    let init = containers::statuses(
        input,
        crate::containers::init(pod),
        list(old, "initContainerStatuses"),
    );
    let regular = containers::statuses(
        input,
        crate::containers::regular(pod),
        list(old, "containerStatuses"),
    );
    let ephemeral = containers::statuses(
        input,
        crate::containers::ephemeral(pod),
        list(old, "ephemeralContainerStatuses"),
    );
    let mut regular = regular;
    regular.sort_by(|a, b| text(a, "name").cmp(text(b, "name")));
    let told = text(old, "phase");
    let phase = match phase::phase(pod, &init, &regular, input.over) {
        _ if matches!(told, "Failed" | "Succeeded") => told,
        _ if input.failed.is_some() => "Failed",
        phase => phase,
    };
    let mut status = old.clone();
    if !status.is_object() {
        status = json!({});
    }
    let mut set = |key: &str, value: Value| meta::set(&mut status, &[key], value);
    set("phase", phase.into());
    let why = match input.failed {
        Some(why) if told != "Failed" && told != "Succeeded" => Some(why),
        _ if phase == told => Some((text(old, "reason"), text(old, "message"))),
        _ => None,
    };
    for (key, value) in [
        ("reason", why.map(|why| why.0)),
        ("message", why.map(|why| why.1)),
    ] {
        set(
            key,
            value
                .filter(|value| !value.is_empty())
                .map_or(Value::Null, Value::from),
        );
    }
    let (others, _): (Vec<Value>, Vec<Value>) = list(old, "conditions")
        .iter()
        .cloned()
        .partition(|condition| !conditions::OWN.contains(&text(condition, "type")));
    let about = conditions::About {
        pod,
        init: &init,
        regular: &regular,
        phase,
        has_sandbox: sandbox_attempt(pod, input.observed).is_none(),
        others: &others,
    };
    let now = time(input.now);
    let conditions = conditions::write(&about, list(old, "conditions"), &now);
    set("conditions", conditions.into());
    if text(old, "startTime").is_empty() {
        set("startTime", now.into());
    }
    addresses(input, &mut set);
    let class = pod_resources::qos_class(pod);
    if text(old, "qosClass").is_empty() {
        set("qosClass", class.as_str().into());
    }
    set("containerStatuses", regular.into());
    for (key, list) in [
        ("initContainerStatuses", init),
        ("ephemeralContainerStatuses", ephemeral),
    ] {
        set(
            key,
            if list.is_empty() {
                Value::Null
            } else {
                list.into()
            },
        );
    }
    if let Some(fields) = status.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    status
}

fn addresses(input: &Input<'_>, set: &mut impl FnMut(&str, Value)) {
    let on_host = meta::at(input.pod, &["spec", "hostNetwork"]) == Some(&Value::Bool(true));
    let own = match &input.observed.sandbox {
        _ if on_host => input.host_ips,
        Some(sandbox) => &sandbox.addresses,
        None => &[],
    };
    for (one, all, ips) in [
        ("podIP", "podIPs", own),
        ("hostIP", "hostIPs", input.host_ips),
    ] {
        let first = ips.first();
        set(one, first.map_or(Value::Null, |ip| ip.as_str().into()));
        let ips: Vec<Value> = ips.iter().map(|ip| json!({ "ip": ip })).collect();
        set(all, first.map_or(Value::Null, |_| ips.into()));
    }
}

/// The status of that name.
fn named<'a>(statuses: &'a [Value], name: &str) -> Option<&'a Value> {
    statuses.iter().find(|status| text(status, "name") == name)
}

/// Whether one of the pod's own containers ran: then it was initialised.
fn has_started(regular: &[Value]) -> bool {
    regular.iter().any(|status| {
        ["running", "terminated"]
            .iter()
            .any(|state| meta::at(status, &["state", state]).is_some())
    })
}

/// A time as the API writes it.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The bytes of last words that are kept of a file.
const MAX_MESSAGE: usize = 4096;
/// The bytes, and lines, of last words that are kept of a log.
const MAX_LOG: (usize, usize) = (2048, 80);

/// The last words of a container: what it wrote to its termination log, or, if that is nothing and
/// it failed and `terminationMessagePolicy` says so, the end of its output.
pub fn last_words(container: &Value, file: &[u8], output: &str, exit_code: i64) -> String {
    let from_file = end(&String::from_utf8_lossy(file), MAX_MESSAGE).to_owned();
    let falls_back = text(container, "terminationMessagePolicy") == "FallbackToLogsOnError";
    if !from_file.is_empty() || !falls_back || exit_code == 0 {
        return from_file;
    }
    let lines: Vec<&str> = output.split_inclusive('\n').collect();
    let skipped = lines.len().saturating_sub(MAX_LOG.1);
    let kept: String = lines.into_iter().skip(skipped).collect();
    end(&kept, MAX_LOG.0).to_owned()
}

/// The last bytes of a text, whole characters only.
fn end(text: &str, bytes: usize) -> &str {
    let from = text.len().saturating_sub(bytes);
    (from..=text.len())
        .find_map(|from| text.get(from..))
        .unwrap_or_default()
}
