//! All objects of a cluster, page by page.

use crate::discover::{Listable, Refusal, root};
use crate::{Client, ClientError};
use futures::stream::{self, StreamExt};
use model::registry::Registry;
use model::{Value, meta};
use snapshot::{Builder, Kind, Options, Problem, ProblemKind, Snapshot};
use std::fmt::Write;
use std::sync::Arc;

/// How many objects a page has, as kubectl's.
const PAGE: usize = 500;

/// How many kinds are listed at once: enough to hide the way to the cluster, and few enough to
/// leave its priority and fairness in peace.
const AT_ONCE: usize = 4;

/// How far the reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Kinds that were read.
    pub kinds: usize,
    /// Kinds that there are.
    pub of: usize,
    /// Objects that were read.
    pub objects: usize,
}

/// What is read of a cluster.
#[derive(Clone)]
pub struct Reading<'a> {
    /// How the snapshot is made.
    pub options: Options,
    /// The namespace in which kinds are listed that may not be listed in the whole cluster.
    pub namespace: &'a str,
    /// Which kinds are read, by group and plural name.
    pub wanted: &'a dyn Fn(&str, &str) -> bool,
}

impl std::fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading")
            .field("options", &self.options)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// What was listed of a kind.
struct Listed {
    items: Vec<Value>,
    /// What of it could not be read.
    refusal: Option<Refusal>,
    /// The only namespace that was read, where the whole cluster was refused.
    only_in: Option<String>,
}

impl Client {
    /// All objects that the user may list, of the wanted kinds, but never events and what is
    /// computed when it is asked for. Kinds that may not be listed in the whole cluster are
    /// listed in one namespace; each that is missing is a problem of the snapshot.
    ///
    /// Only if the cluster cannot be reached or refuses the user altogether is it an error.
    pub async fn snapshot(
        &self,
        registry: Arc<Registry>,
        reading: Reading<'_>,
        mut progress: impl FnMut(Progress),
    ) -> Result<Snapshot, ClientError> {
        let (kinds, failed) = self
            .discover(&registry)
            .await
            .map_err(|refusal| self.unreachable(refusal.text()))?;
        let Reading {
            options,
            namespace,
            wanted,
        } = reading;
        let mut builder = Builder::new(registry, options);
        for (group_version, refusal) in failed {
            let message = format!("{group_version} cannot be discovered: {}", refusal.text());
            builder.problem(Problem::new(ProblemKind::Unavailable, message, None));
        }
        for kind in &kinds {
            builder.kind(Kind {
                group: kind.group.clone().into(),
                kind: kind.kind.clone().into(),
                plural: kind.plural.clone().into(),
                namespaced: kind.namespaced,
                versions: kind.versions.iter().cloned().map(Into::into).collect(),
                known: true,
                builtin: None,
            });
        }
        let kinds: Vec<Listable> = kinds
            .into_iter()
            .filter(|kind| wanted(&kind.group, &kind.plural))
            .collect();
        let mut done = Progress {
            kinds: 0,
            of: kinds.len(),
            objects: 0,
        };
        progress(done);
        let mut lists = stream::iter(&kinds)
            .map(|kind| async move { (kind, self.list_where_allowed(kind, namespace).await) })
            .buffered(AT_ONCE);
        while let Some((kind, listed)) = lists.next().await {
            done.kinds += 1;
            done.objects += listed.items.len();
            progress(done);
            if let Some(refusal) = &listed.refusal {
                builder.problem(problem(kind, refusal, listed.only_in.as_deref()));
            }
            for item in listed.items {
                builder.object(item);
            }
        }
        Ok(builder.build())
    }

    async fn list_where_allowed(&self, kind: &Listable, namespace: &str) -> Listed {
        let (items, refusal) = self.list(kind, None).await;
        if kind.namespaced
            && !namespace.is_empty()
            && items.is_empty()
            && matches!(refusal, Some(Refusal::Forbidden(_)))
        {
            let (items, inner) = self.list(kind, Some(namespace)).await;
            if inner.is_none() {
                return Listed {
                    items,
                    refusal,
                    only_in: Some(namespace.to_owned()),
                };
            }
        }
        Listed {
            items,
            refusal,
            only_in: None,
        }
    }

    /// All pages of a list, and why there are no more if that is not all. A list whose later pages
    /// are no longer to be had is read again, at once.
    async fn list(
        &self,
        kind: &Listable,
        namespace: Option<&str>,
    ) -> (Vec<Value>, Option<Refusal>) {
        let mut path = root(&kind.group, &kind.version);
        if let Some(namespace) = namespace {
            // Writing to a String does not fail.
            let _ = write!(path, "/namespaces/{}", escaped(namespace));
        }
        let _ = write!(path, "/{}", escaped(&kind.plural));
        let mut items = Vec::new();
        let mut page = format!("{path}?limit={PAGE}");
        let mut again = false;
        loop {
            let mut list = match self.get(&page).await {
                Ok(list) => list,
                // Deleted between discovery and now: there are none.
                Err(Refusal::Absent) => return (items, None),
                Err(Refusal::Expired) if !again => {
                    again = true;
                    items.clear();
                    page.clone_from(&path);
                    continue;
                }
                Err(refusal) => return (items, Some(refusal)),
            };
            if let Some(Value::Array(found)) = list.get_mut("items").map(Value::take) {
                items.extend(found.into_iter().map(|item| named(item, kind)));
            }
            let token = meta::text(&list, &["metadata", "continue"]);
            if token.is_empty() {
                return (items, None);
            }
            page = format!("{path}?limit={PAGE}&continue={}", escaped(token));
        }
    }
}

/// An item of a list, saying what it is.
fn named(mut item: Value, kind: &Listable) -> Value {
    if item.is_object() {
        let version = model::resource::api_version(&kind.group, &kind.version);
        meta::set(&mut item, &["apiVersion"], version);
        meta::set(&mut item, &["kind"], kind.kind.as_str());
    }
    item
}

fn problem(kind: &Listable, refusal: &Refusal, only_in: Option<&str>) -> Problem {
    let name = model::status::qualified(&kind.group, &kind.plural);
    let what = match refusal {
        Refusal::Forbidden(_) => ProblemKind::Forbidden,
        _ => ProblemKind::Unavailable,
    };
    let message = match only_in {
        Some(namespace) => format!(
            "{name} can be listed in the namespace {namespace:?} only: {}",
            refusal.text()
        ),
        None => format!("{name} cannot be listed: {}", refusal.text()),
    };
    Problem::new(what, message, None).about(&kind.group, &kind.plural)
}

/// Text as a part of a URL.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_escaped() {
        assert_eq!(escaped("eyJ2=/+a.b"), "eyJ2%3D%2F%2Ba.b");
    }
}
