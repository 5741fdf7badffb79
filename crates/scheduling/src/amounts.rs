//! Amounts of resources in the units the scheduler counts in.

use model::quantity::Quantity;
use pod_resources::Resources;
use std::sync::Arc;

/// CPU in thousandths, all else in whole units. Arithmetic saturates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Thousandths of a processor.
    pub milli_cpu: i64,
    /// Bytes of memory.
    pub memory: i64,
    /// Bytes of local storage.
    pub ephemeral_storage: i64,
    /// Extended resources, huge pages and attachable volumes, in the order of their names.
    pub scalars: Vec<(Arc<str>, i64)>,
}

/// Whether a resource is counted by its name, as upstream's `IsScalarResourceName`.
fn is_scalar(name: &str) -> bool {
    name.contains('/') || name.starts_with("hugepages-") || name.starts_with("attachable-volumes-")
}

impl Amounts {
    /// Reads a resource list; what the scheduler does not count is left out.
    pub fn of(resources: &Resources) -> Self {
        let whole = |name: &str| resources.get(name).map_or(0, Quantity::value);
        Self {
            milli_cpu: resources.get("cpu").map_or(0, Quantity::milli_value),
            memory: whole("memory"),
            ephemeral_storage: whole("ephemeral-storage"),
            scalars: resources
                .iter()
                .filter(|(name, _)| is_scalar(name))
                .map(|(name, amount)| (Arc::from(name.as_str()), amount.value()))
                .collect(),
        }
    }

    /// How much of an extended resource.
    pub fn scalar(&self, name: &str) -> i64 {
        self.scalars
            .iter()
            .find(|(known, _)| &**known == name)
            .map_or(0, |(_, amount)| *amount)
    }

    /// Whether nothing is asked for.
    pub fn is_nothing(&self) -> bool {
        self.milli_cpu == 0
            && self.memory == 0
            && self.ephemeral_storage == 0
            && self.scalars.iter().all(|(_, amount)| *amount == 0)
    }

    /// Counts `other` in (`sign` 1) or out (`sign` -1).
    pub(crate) fn shift(&mut self, other: &Self, sign: i64) {
        let shift = |here: &mut i64, there: i64| {
            *here = here.saturating_add(there.saturating_mul(sign));
        };
        shift(&mut self.milli_cpu, other.milli_cpu);
        shift(&mut self.memory, other.memory);
        shift(&mut self.ephemeral_storage, other.ephemeral_storage);
        for (name, amount) in &other.scalars {
            match self.scalars.binary_search_by(|(known, _)| known.cmp(name)) {
                Ok(at) => {
                    if let Some((_, here)) = self.scalars.get_mut(at) {
                        shift(here, *amount);
                        if *here == 0 {
                            self.scalars.remove(at);
                        }
                    }
                }
                Err(at) => self
                    .scalars
                    .insert(at, (Arc::clone(name), amount.saturating_mul(sign))),
            }
        }
    }
}
