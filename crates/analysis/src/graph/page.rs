//! The picture as one HTML page that needs nothing else: drawn on a canvas, and only what is seen
//! of it, so that thousands of nodes stay quick to move.

use super::layout::{colour, places};
use super::{Graph, NodeKind};
use serde_json::json;

/// The page around the data.
const PAGE: &str = include_str!("page.html");

/// The page. `title` is shown above the picture.
pub fn page(graph: &Graph, title: &str) -> String {
    let (places, width, height) = places(graph);
    let nodes: Vec<_> = graph
        .nodes
        .iter()
        .zip(&places)
        .map(|(node, place)| {
            let source = node.object.as_ref().and_then(|o| o.location.as_ref());
            json!({
                "l": node.label,
                "k": node.kind.layer(),
                "m": node.missing,
                "x": place.x,
                "y": place.y,
                "w": place.width,
                "s": source.map(ToString::to_string),
            })
        })
        .collect();
    let colours = [
        NodeKind::Subject,
        NodeKind::Binding,
        NodeKind::Role,
        NodeKind::Rule,
    ]
    .map(colour);
    let data = json!({
        "nodes": nodes,
        "edges": graph.edges,
        "width": width,
        "height": height,
        "colours": colours,
    });
    // Nothing in the data may end the script.
    let data = data.to_string().replace('<', "\\u003c");
    PAGE.replacen("{{title}}", &escaped(title), 2)
        .replacen("{{data}}", &data, 1)
}

/// A text as it can stand in HTML and in quoted attributes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' && c != '\t' => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}
