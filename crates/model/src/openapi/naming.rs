//! How operations spell groups, versions and kinds.

/// `RbacAuthorization` for `rbac.authorization.k8s.io`, `Core` for the core group.
pub(super) fn camel_group(group: &str) -> String {
    if group.is_empty() {
        return "Core".to_owned();
    }
    let group = group.strip_suffix(".k8s.io").unwrap_or(group);
    group.split('.').map(upper_first).collect()
}

/// `Apps` for `apps`.
pub(super) fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// `apps` for `Apps`.
pub(super) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}
/// `a Pod`, `an Event`, `Endpoints`.
pub(super) fn with_article(noun: &str) -> String {
    // Kinds that are plural have none.
    let article = match noun.as_bytes() {
        [.., b's'] if !noun.ends_with("ss") => "",
        [b'A' | b'E' | b'I' | b'O' | b'U', ..] => "an ",
        _ => "a ",
    };
    format!("{article}{noun}")
}
