//! The cluster as admission plugins see it: parsed objects from the cache.

use crate::cache::{Cache, CachedObject, Filter};
use crate::key;
use model::Value;
use std::sync::Arc;

/// Answers [`admission::Lookup`] from the cache.
pub struct CacheLookup(pub Arc<Cache>);

fn parsed(object: &CachedObject) -> Option<Arc<Value>> {
    object.encoded.parse().ok().map(Arc::new)
}

impl admission::Lookup for CacheLookup {
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let cache = self.0.named(group, resource)?;
        parsed(&*cache.get(&key::of_object(&cache.prefix, namespace, name))?)
    }

    fn list(&self, group: &str, resource: &str, namespace: &str) -> Vec<Arc<Value>> {
        let Some(cache) = self.0.named(group, resource) else {
            return Vec::new();
        };
        let filter = Filter::below(key::of_namespace(&cache.prefix, namespace));
        let page = cache.page(&filter, None, 0);
        page.objects.iter().filter_map(|o| parsed(o)).collect()
    }
}
