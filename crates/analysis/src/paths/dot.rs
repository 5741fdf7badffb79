//! Paths as a picture for Graphviz.

use super::Paths;
use std::collections::BTreeSet;
use std::fmt::Write;

/// All steps of all listed paths as one graph in the DOT language.
pub fn dot(paths: &Paths) -> String {
    let mut out = String::from("digraph paths {\n  rankdir=LR;\n  node [shape=box];\n");
    let starts: BTreeSet<&str> = paths.paths.iter().map(|p| p.from.as_str()).collect();
    let ends: BTreeSet<&str> = paths.paths.iter().map(|p| p.to.as_str()).collect();
    for start in &starts {
        // Writing to a text cannot fail, here and below.
        let _ = writeln!(out, "  {} [style=bold];", quoted(start));
    }
    for end in &ends {
        let _ = writeln!(out, "  {} [style=bold, color=red];", quoted(end));
    }
    let mut steps: BTreeSet<(&str, &str, &str, bool)> = BTreeSet::new();
    for step in paths.paths.iter().flat_map(|path| &path.steps) {
        steps.insert((&step.from, &step.to, &step.text, step.certain));
    }
    for (from, to, text, certain) in steps {
        let style = if certain { "" } else { ", style=dashed" };
        let _ = writeln!(
            out,
            "  {} -> {} [label={}{style}];",
            quoted(from),
            quoted(to),
            quoted(text)
        );
    }
    out.push_str("}\n");
    out
}

/// A text as a quoted identifier of DOT.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
