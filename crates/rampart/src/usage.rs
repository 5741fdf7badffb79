//! What pods use, as measured by others.

use anyhow::{Context, Result, bail};
use model::quantity::Quantity;
use model::{Value, meta};
use std::collections::BTreeMap;

/// Bytes of memory by namespace and name of the pod.
pub(crate) type Usage = BTreeMap<(String, String), i64>;

/// Reads the list of `metrics.k8s.io` (`kubectl get --raw
/// /apis/metrics.k8s.io/v1beta1/pods`), or what `kubectl top pods` prints, with `-A` or without:
/// then `namespace` is meant.
pub(crate) fn parse(text: &str, namespace: &str) -> Result<Usage> {
    if text.trim_start().starts_with('{') {
        return of_list(&serde_json::from_str(text).context("the usage figures are no JSON")?);
    }
    let mut usage = Usage::new();
    for (line, number) in text.lines().zip(1..) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (namespace, name, memory) = match words.as_slice() {
            [] => continue,
            [.., last] if last.starts_with("MEMORY") => continue,
            [name, _, memory] => (namespace, *name, *memory),
            [namespace, name, _, memory] => (*namespace, *name, *memory),
            _ => bail!(
                "line {number} of the usage figures has {} columns: expected those of `kubectl \
                 top pods`, with -A or without",
                words.len()
            ),
        };
        let memory = Quantity::parse(memory)
            .with_context(|| format!("line {number} of the usage figures: {memory:?}"))?;
        usage.insert((namespace.to_owned(), name.to_owned()), memory.value());
    }
    Ok(usage)
}

fn of_list(list: &Value) -> Result<Usage> {
    let mut usage = Usage::new();
    let Some(items) = list.get("items").and_then(Value::as_array) else {
        bail!("the usage figures are no list of pod metrics: they have no items");
    };
    for pod in items {
        let key = (meta::namespace(pod).to_owned(), meta::name(pod).to_owned());
        let mut sum: i64 = 0;
        for container in meta::list(pod, &["containers"]) {
            let memory = meta::at(container, &["usage", "memory"])
                .with_context(|| format!("the usage of pod {}/{} names no memory", key.0, key.1))?;
            let memory = Quantity::from_value(memory)
                .with_context(|| format!("the usage of pod {}/{}", key.0, key.1))?;
            sum = sum.saturating_add(memory.value());
        }
        usage.insert(key, sum);
    }
    Ok(usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: i64 = 1 << 20;

    fn found(text: &str) -> Vec<(String, i64)> {
        let usage = parse(text, "here").unwrap();
        usage
            .into_iter()
            .map(|((namespace, name), memory)| (format!("{namespace}/{name}"), memory))
            .collect()
    }

    #[test]
    fn what_kubectl_top_prints() {
        let with = "NAMESPACE  NAME  CPU(cores)  MEMORY(bytes)\na   b   1m   12Mi\n\n";
        assert_eq!(found(with), [("a/b".to_owned(), 12 * MIB)]);
        let without = "NAME  CPU(cores)  MEMORY(bytes)\nb   1m   12Mi";
        assert_eq!(found(without), [("here/b".to_owned(), 12 * MIB)]);
    }

    #[test]
    fn what_the_metrics_api_gives() {
        let list = r#"{"kind": "PodMetricsList", "items": [{"metadata": {"namespace": "a",
            "name": "b"}, "containers": [{"usage": {"memory": "1Mi"}},
            {"usage": {"memory": "1024Ki"}}]}]}"#;
        assert_eq!(found(list), [("a/b".to_owned(), 2 * MIB)]);
    }

    #[test]
    fn anything_else_is_refused_with_its_place() {
        for (text, place) in [
            ("a b", "line 1"),
            ("NAME CPU MEMORY(bytes)\na 1m lots", "line 2"),
            ("{", "no JSON"),
            ("{}", "no items"),
            (
                r#"{"items": [{"metadata": {"namespace": "n", "name": "x"}, "containers": [{}]}]}"#,
                "n/x",
            ),
        ] {
            let error = format!("{:#}", parse(text, "default").unwrap_err());
            assert!(error.contains(place), "{text}: {error}");
        }
    }
}
