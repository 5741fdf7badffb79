//! Resource quantities (`resource.Quantity`): `100m`, `1.5Gi`, `2e3`.

/// Why a text is no quantity; upstream's text.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct QuantityError(pub String);
