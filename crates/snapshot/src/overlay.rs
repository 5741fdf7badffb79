//! A cluster to which manifests are applied.

use crate::builder::{Builder, Options};
use crate::set::Snapshot;
use crate::source::{FileId, Source};
use crate::workloads::PodTemplatePath;
use model::registry::Registry;
use model::{Value, meta};
use std::sync::Arc;

impl Snapshot {
    /// What there would be if `manifests` were applied: their objects in place of those of the same
    /// name, whose UID and status stay. Pods that are there stay as they are, since what matters of
    /// a pod cannot be changed. The problems are those of the whole, not those that the two had.
    /// `pod_templates` says where custom kinds keep theirs.
    #[must_use]
    pub fn with_applied(
        &self,
        manifests: &Self,
        registry: Arc<Registry>,
        pod_templates: &[PodTemplatePath],
    ) -> Self {
        let options = Options {
            origin: self.origin(),
            with_given: self.has_given(),
            pod_templates: pod_templates.to_vec(),
            ..Options::cluster()
        };
        let mut builder = Builder::new(registry, options);
        for kind in self
            .kinds()
            .learnt()
            .iter()
            .chain(manifests.kinds().learnt())
        {
            builder.kind((**kind).clone());
        }
        let files = |of: &Self, builder: &mut Builder| -> Vec<FileId> {
            of.files().map(|(_, name)| builder.file(name)).collect()
        };
        let (own, theirs) = (files(self, &mut builder), files(manifests, &mut builder));
        let moved = |source: &Option<Source>, ids: &[FileId]| {
            source.as_ref().and_then(|source| {
                let file = *ids.get(source.file.index())?;
                Some(Source {
                    file,
                    ..source.clone()
                })
            })
        };
        for object in self.objects().iter().filter(|o| !self.is_added(o)) {
            let source = moved(&object.source, &own);
            let value = (*object.value).clone();
            builder.finished(value, object.written.clone(), source);
        }
        for object in manifests
            .objects()
            .iter()
            .filter(|o| !manifests.is_added(o))
        {
            let (group, plural) = (object.group(), object.resource());
            let there = self
                .find(group, plural, object.namespace(), object.name())
                .filter(|there| !object.is_name_generated() && !there.is_name_generated());
            if there.is_some() && object.is("", "pods") {
                continue;
            }
            let mut value = (*object.value).clone();
            for path in [&["metadata", "uid"][..], &["status"]] {
                if let Some(kept) = there.and_then(|there| meta::at(&there.value, path)) {
                    meta::set(&mut value, path, Value::clone(kept));
                }
            }
            let source = moved(&object.source, &theirs);
            builder.finished(value, object.written.clone(), source);
        }
        builder.build()
    }
}
