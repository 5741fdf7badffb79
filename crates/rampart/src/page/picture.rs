//! Roles and bindings as a picture: drawn on a canvas, and only what is seen of it, so that
//! thousands of nodes stay quick to move.

use super::html::visible;
use analysis::graph::{Graph, placed};
use serde_json::{Value, json};

/// How the browser shows it.
pub(super) const SCRIPT: &str = include_str!("picture.js");

/// A picture.
pub(crate) struct Picture {
    data: Value,
}

impl Picture {
    /// The picture of a graph.
    pub(crate) fn of(graph: &Graph) -> Self {
        let placed = placed(graph);
        let nodes: Vec<Value> = graph
            .nodes
            .iter()
            .zip(&placed.places)
            .map(|(node, place)| {
                let source = node.object.as_ref().and_then(|o| o.location.as_ref());
                json!({
                    "l": visible(&node.label),
                    "k": node.kind.layer(),
                    "m": u8::from(node.missing),
                    "x": place.x,
                    "y": place.y,
                    "w": place.width,
                    "s": source.map(|at| visible(&at.to_string())),
                })
            })
            .collect();
        Self {
            data: json!({
                "nodes": nodes,
                "edges": graph.edges,
                "width": placed.width,
                "height": placed.height,
            }),
        }
    }

    pub(super) fn into_data(self) -> Value {
        self.data
    }
}
