//! Lists of names as upstream's messages have them.

use std::collections::BTreeSet;

/// The word for one, or the word for another number of them.
pub(crate) fn plural(count: usize, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

/// `"a", "b"`. Upstream does not escape what it quotes here.
pub(crate) fn quoted<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let mut text = String::new();
    for name in names {
        text.push_str(if text.is_empty() { "\"" } else { ", \"" });
        text.push_str(name.as_ref());
        text.push('"');
    }
    text
}

/// `container "a"` or `containers "a", "b"`.
pub(crate) fn containers(names: &[&str]) -> String {
    let noun = plural(names.len(), "container", "containers");
    format!("{noun} {}", quoted(names))
}

/// Texts in order, each once.
pub(crate) type Sorted<'a> = BTreeSet<&'a str>;

/// Who set something that may not be set: the pod as a whole, or some of its containers.
#[derive(Debug, Default)]
pub(crate) struct Setters<'a> {
    pub(crate) pod: bool,
    pub(crate) containers: Vec<&'a str>,
}

impl Setters<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        !self.pod && self.containers.is_empty()
    }

    /// `pod and container "a"`, with anything else that comes after.
    pub(crate) fn text(&self, more: Option<&str>) -> String {
        let pod = self.pod.then(|| "pod".to_owned());
        let containers = (!self.containers.is_empty()).then(|| containers(&self.containers));
        let all = [pod, containers, more.map(str::to_owned)];
        all.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}
