//! What was found before, so that only what is new counts.

use crate::finding::Finding;
use serde::Deserialize;
use std::collections::HashMap;

/// The findings of an earlier audit.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    /// How often each fingerprint was found.
    fingerprints: HashMap<String, usize>,
}

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("it is no JSON of `rampart audit -o json`: {0}")]
pub struct BaselineError(#[from] serde_json::Error);

impl Baseline {
    /// Reads what `rampart audit -o json` wrote: its findings and those that were known to it.
    pub fn parse(text: &[u8]) -> Result<Self, BaselineError> {
        #[derive(Deserialize)]
        struct Earlier {
            findings: Vec<Found>,
            #[serde(default)]
            known: Vec<Found>,
        }
        #[derive(Deserialize)]
        struct Found {
            fingerprint: String,
        }
        let earlier: Earlier = serde_json::from_slice(text)?;
        let mut fingerprints = HashMap::new();
        for found in earlier.findings.into_iter().chain(earlier.known) {
            *fingerprints.entry(found.fingerprint).or_default() += 1;
        }
        Ok(Self { fingerprints })
    }

    /// Splits findings into those that were known and those that are new. Of several findings
    /// that look alike as many are known as there were.
    pub(super) fn split<'a>(
        &self,
        findings: Vec<Finding<'a>>,
    ) -> (Vec<Finding<'a>>, Vec<Finding<'a>>) {
        let mut left = self.fingerprints.clone();
        findings
            .into_iter()
            .partition(|finding| match left.get_mut(&finding.fingerprint()) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    true
                }
                _ => false,
            })
    }
}
