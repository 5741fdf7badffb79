//! `$(NAME)` references in commands, arguments, values and sub-paths.

/// Replaces every `$(NAME)` of `input` by what `value` gives for the name. `$$` stands for one
/// `$`, so `$$(NAME)` is left as `$(NAME)`; a reference that is not closed, and a `$` before
/// anything else, stay as they are.
pub fn expand(input: &str, mut value: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(input.len());
    let mut rest = input;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(escaped) = after.strip_prefix('$') {
            out.push('$');
            rest = escaped;
        } else if let Some((name, behind)) = after.strip_prefix('(').and_then(|s| s.split_once(')'))
        {
            out.push_str(&value(name));
            rest = behind;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn references_and_escapes() {
        let value = |name: &str| match name {
            "A" => "1".to_owned(),
            "B" => "$(A)".to_owned(),
            "" => "blank".to_owned(),
            _ => format!("$({name})"),
        };
        for (input, want) in [
            ("$(A)", "1"),
            ("x$(A)y$(A)", "x1y1"),
            // What a value holds is not expanded again.
            ("$(B)", "$(A)"),
            ("$(C)", "$(C)"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$$$$(A)", "$$(A)"),
            ("$", "$"),
            ("$$", "$"),
            ("a$", "a$"),
            ("$A", "$A"),
            ("$(A", "$(A"),
            ("$(A$(A)", "$(A$(A)"),
            ("$($(A))", "$($(A))"),
            ("$()", "blank"),
            ("$é$(A)", "$é1"),
            (")$(A)(", ")1("),
        ] {
            assert_eq!(expand(input, value), want, "{input}");
        }
    }

    proptest! {
        #[test]
        fn doubling_every_dollar_keeps_a_text(text in "[$()a-zé]{0,20}") {
            let escaped = text.replace('$', "$$");
            prop_assert_eq!(expand(&escaped, |_| unreachable!()), text);
        }
    }
}
