//! Pictures in the languages of other tools.

use super::{Graph, NodeKind};
use crate::paths::quoted;
use std::fmt::Write;

/// For Graphviz.
pub fn dot(graph: &Graph) -> String {
    let mut out = String::from("digraph rbac {\n  rankdir=LR;\n  node [shape=box];\n");
    for (at, node) in graph.nodes.iter().enumerate() {
        let shape = match node.kind {
            NodeKind::Subject => "box, style=rounded",
            NodeKind::Binding => "octagon",
            NodeKind::Role => "box",
            NodeKind::Rule => "note",
        };
        let colour = if node.missing { ", color=red" } else { "" };
        // Writing to a text cannot fail, here and below.
        let _ = writeln!(
            out,
            "  n{at} [label={}, shape={shape}{colour}];",
            quoted(&node.label)
        );
    }
    for (from, to) in &graph.edges {
        let _ = writeln!(out, "  n{from} -> n{to};");
    }
    out.push_str("}\n");
    out
}

/// For mermaid, as Markdown viewers show it.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart LR\n");
    for (at, node) in graph.nodes.iter().enumerate() {
        let (open, close) = match node.kind {
            NodeKind::Subject => ("([", "])"),
            NodeKind::Binding => ("{{", "}}"),
            NodeKind::Role => ("[", "]"),
            NodeKind::Rule => (">", "]"),
        };
        let class = if node.missing { ":::missing" } else { "" };
        let _ = writeln!(
            out,
            "  n{at}{open}\"{}\"{close}{class}",
            entities(&node.label)
        );
    }
    for (from, to) in &graph.edges {
        let _ = writeln!(out, "  n{from} --> n{to}");
    }
    if graph.nodes.iter().any(|node| node.missing) {
        out.push_str("  classDef missing stroke:#c00,stroke-dasharray:4\n");
    }
    out
}

/// Mermaid's own entities: a number sign and the code.
fn entities(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' | '#' | '<' | '>' | '&' | ';' | '`' | '\\' => format!("#{};", u32::from(c)),
            c if c.is_control() => char::REPLACEMENT_CHARACTER.to_string(),
            c => c.to_string(),
        })
        .collect()
}
