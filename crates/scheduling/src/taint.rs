//! Taints and tolerations (KEP-166).

use model::{Value, meta};
use std::sync::Arc;

/// What a taint does to pods that do not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// New pods are kept off.
    NoSchedule,
    /// New pods are kept off if there is another place.
    PreferNoSchedule,
    /// New pods are kept off and running ones are evicted.
    NoExecute,
    /// Not known; never matched.
    Other,
}

impl Effect {
    fn parse(text: &str) -> Self {
        match text {
            "NoSchedule" => Self::NoSchedule,
            "PreferNoSchedule" => Self::PreferNoSchedule,
            "NoExecute" => Self::NoExecute,
            _ => Self::Other,
        }
    }
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taint {
    /// The key.
    pub key: Arc<str>,
    /// The value; may be empty.
    pub value: Arc<str>,
    /// The effect.
    pub effect: Effect,
}

impl Taint {
    /// Reads an element of `spec.taints`.
    pub(crate) fn of(taint: &Value) -> Self {
        Self {
            key: Arc::from(meta::text(taint, &["key"])),
            value: Arc::from(meta::text(taint, &["value"])),
            effect: Effect::parse(meta::text(taint, &["effect"])),
        }
    }

    /// What a cordoned node stands for.
    pub(crate) fn cordon() -> Self {
        Self {
            key: Arc::from("node.kubernetes.io/unschedulable"),
            value: Arc::from(""),
            effect: Effect::NoSchedule,
        }
    }

    /// Whether the taint keeps pods off.
    pub(crate) fn bars(&self) -> bool {
        matches!(self.effect, Effect::NoSchedule | Effect::NoExecute)
    }
}

/// A toleration of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Toleration {
    key: String,
    value: String,
    exists: bool,
    known_operator: bool,
    effect: Option<Effect>,
}

impl Toleration {
    /// Reads an element of `spec.tolerations`.
    pub(crate) fn of(toleration: &Value) -> Self {
        let operator = meta::text(toleration, &["operator"]);
        let effect = meta::text(toleration, &["effect"]);
        Self {
            key: meta::text(toleration, &["key"]).to_owned(),
            value: meta::text(toleration, &["value"]).to_owned(),
            exists: operator == "Exists",
            known_operator: matches!(operator, "" | "Equal" | "Exists"),
            effect: (!effect.is_empty()).then(|| Effect::parse(effect)),
        }
    }

    /// Whether it covers a taint, as upstream's `ToleratesTaint`.
    fn covers(&self, taint: &Taint) -> bool {
        self.known_operator
            && self.effect.is_none_or(|effect| effect == taint.effect)
            && (self.key.is_empty() || *self.key == *taint.key)
            && (self.exists || *self.value == *taint.value)
    }
}

/// Whether any of the tolerations covers the taint.
pub(crate) fn tolerated(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations
        .iter()
        .any(|toleration| toleration.covers(taint))
}

/// The first taint that keeps a pod with these tolerations off.
pub(crate) fn barring<'a>(tolerations: &[Toleration], taints: &'a [Taint]) -> Option<&'a Taint> {
    taints
        .iter()
        .find(|taint| taint.bars() && !tolerated(tolerations, taint))
}

/// How many `PreferNoSchedule` taints are not tolerated.
pub(crate) fn disliked(tolerations: &[Toleration], taints: &[Taint]) -> usize {
    taints
        .iter()
        .filter(|taint| taint.effect == Effect::PreferNoSchedule)
        .filter(|taint| !tolerated(tolerations, taint))
        .count()
}
