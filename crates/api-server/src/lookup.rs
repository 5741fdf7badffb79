//! The cluster as admission plugins see it: parsed objects from the cache.

use crate::cache::{Cache, CachedObject, Filter};
use crate::key;
use model::Value;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// How many parsed objects are remembered. Most requests ask for the same few: their namespace, its
/// default account.
const REMEMBERED: usize = 1024;
/// Lists of up to so many objects are remembered too: classes, policies, limits and quotas, which
/// are asked for with every pod.
const FEW: usize = 64;

/// One version of an object: its revision and its value.
type Version = (u64, Arc<Value>);

/// Answers [`admission::Lookup`] from the cache.
pub struct CacheLookup {
    cache: Arc<Cache>,
    parsed: Mutex<HashMap<Arc<str>, Version>>,
}

impl CacheLookup {
    /// Answers from `cache`.
    pub fn new(cache: Arc<Cache>) -> Self {
        Self {
            cache,
            parsed: Mutex::default(),
        }
    }

    /// The object as a value; parsed once for each of its versions, as long as it is remembered.
    fn remembered(&self, object: &CachedObject) -> Option<Arc<Value>> {
        if let Some((revision, value)) = self.parsed.lock().get(&object.key)
            && *revision == object.revision
        {
            return Some(Arc::clone(value));
        }
        let value = parsed(object)?;
        let mut all = self.parsed.lock();
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(
            Arc::clone(&object.key),
            (object.revision, Arc::clone(&value)),
        );
        Some(value)
    }
}

fn parsed(object: &CachedObject) -> Option<Arc<Value>> {
    object.encoded.parse().ok().map(Arc::new)
}

impl admission::Lookup for CacheLookup {
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let cache = self.cache.named(group, resource)?;
        self.remembered(&*cache.get(&key::of_object(&cache.prefix, namespace, name))?)
    }

    fn list(&self, group: &str, resource: &str, namespace: &str) -> Vec<Arc<Value>> {
        let Some(cache) = self.cache.named(group, resource) else {
            return Vec::new();
        };
        let filter = Filter::below(key::of_namespace(&cache.prefix, namespace));
        let page = cache.page(&filter, None, 0);
        let objects = page.objects.iter();
        if page.objects.len() <= FEW {
            return objects.filter_map(|o| self.remembered(o)).collect();
        }
        objects.filter_map(|o| parsed(o)).collect()
    }

    fn first(
        &self,
        group: &str,
        resource: &str,
        namespace: &str,
        max: usize,
    ) -> (Vec<Arc<Value>>, usize) {
        let Some(cache) = self.cache.named(group, resource) else {
            return (Vec::new(), 0);
        };
        let filter = Filter::below(key::of_namespace(&cache.prefix, namespace));
        let page = cache.page(&filter, None, max);
        let total = page.objects.len().saturating_add(page.remaining);
        (
            page.objects.iter().filter_map(|o| parsed(o)).collect(),
            total,
        )
    }
}
