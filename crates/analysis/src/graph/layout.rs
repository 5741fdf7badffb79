//! Where nodes stand: one column for each kind, in each the order that keeps neighbours close.

use super::{Graph, NodeKind};
use std::fmt::Write;

/// How often columns are sorted by where their neighbours stand.
const ROUNDS: usize = 6;
/// The height of a row, and of the box in it.
const ROW: usize = 30;
const BOX: usize = 22;
/// The width of a letter, about, and the space between columns.
const LETTER: usize = 7;
const GAP: usize = 120;
/// How much of a label is drawn.
const LONGEST: usize = 60;

/// Where a node is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// The left edge, in the picture's units.
    pub x: usize,
    /// The upper edge.
    pub y: usize,
    /// How wide its box is; all are 22 high.
    pub width: usize,
}

/// Where everything is drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    /// A place for each node of the graph, in their order.
    pub places: Vec<Place>,
    /// The width of the whole.
    pub width: usize,
    /// The height of the whole.
    pub height: usize,
}

/// Finds a place for every node: one column for each kind, and in each column an order that keeps
/// edges short.
pub fn placed(graph: &Graph) -> Placed {
    let (places, width, height) = places(graph);
    Placed {
        places,
        width,
        height,
    }
}

/// All places, and the size of the whole.
pub(super) fn places(graph: &Graph) -> (Vec<Place>, usize, usize) {
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); 4];
    for (at, node) in graph.nodes.iter().enumerate() {
        if let Some(column) = columns.get_mut(node.kind.layer()) {
            column.push(at);
        }
    }
    let mut neighbours: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
    for (from, to) in &graph.edges {
        for (one, other) in [(*from, *to), (*to, *from)] {
            if let Some(list) = neighbours.get_mut(one) {
                list.push(other);
            }
        }
    }
    // Heights are shares of the column, so that short columns spread along long ones.
    let mut heights = vec![0.0_f64; graph.nodes.len()];
    for column in &columns {
        spread(column, &mut heights);
    }
    for _ in 0..ROUNDS {
        for column in &mut columns {
            let centre = |at: usize| -> f64 {
                let around = neighbours.get(at).map(Vec::as_slice).unwrap_or_default();
                if around.is_empty() {
                    return heights.get(at).copied().unwrap_or_default();
                }
                let sum: f64 = around.iter().filter_map(|n| heights.get(*n)).sum();
                sum / f64::from(u32::try_from(around.len()).unwrap_or(u32::MAX))
            };
            let mut keyed: Vec<(f64, usize)> = column.iter().map(|at| (centre(*at), *at)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            *column = keyed.into_iter().map(|(_, at)| at).collect();
            spread(column, &mut heights);
        }
    }
    let longest = columns.iter().map(Vec::len).max().unwrap_or_default();
    let mut all = vec![Place::default(); graph.nodes.len()];
    let mut x = 10;
    for column in &columns {
        let widths = column.iter().filter_map(|at| graph.nodes.get(*at));
        let widest = widths
            .map(|node| shortened(&node.label).chars().count() * LETTER + 16)
            .max()
            .unwrap_or_default();
        for (row, at) in column.iter().enumerate() {
            if let Some(place) = all.get_mut(*at) {
                let y = row * longest * ROW / column.len().max(1);
                *place = Place {
                    x,
                    y: y + 10,
                    width: widest,
                };
            }
        }
        if widest > 0 {
            x += widest + GAP;
        }
    }
    (all, x.saturating_sub(GAP) + 10, longest * ROW + 20)
}

fn spread(column: &[usize], heights: &mut [f64]) {
    let count = f64::from(u32::try_from(column.len().max(1)).unwrap_or(u32::MAX));
    for (row, at) in column.iter().enumerate() {
        if let Some(height) = heights.get_mut(*at) {
            *height = (f64::from(u32::try_from(row).unwrap_or(u32::MAX)) + 0.5) / count;
        }
    }
}

/// A label that is not too long to draw.
fn shortened(label: &str) -> String {
    if label.chars().count() <= LONGEST {
        return label.to_owned();
    }
    let mut text: String = label.chars().take(LONGEST - 1).collect();
    text.push('…');
    text
}

/// The picture as SVG, with nothing outside it.
pub fn svg(graph: &Graph) -> String {
    let (places, width, height) = places(graph);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<g fill=\"none\" stroke=\"#999\">\n"
    );
    for (from, to) in &graph.edges {
        let (Some(a), Some(b)) = (places.get(*from), places.get(*to)) else {
            continue;
        };
        let (x1, y1) = (a.x + a.width, a.y + BOX / 2);
        let (x2, y2) = (b.x, b.y + BOX / 2);
        let middle = (x1 + x2) / 2;
        // Writing to a text cannot fail, here and below.
        let _ = writeln!(
            out,
            "<path d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\"/>"
        );
    }
    out.push_str("</g>\n");
    for (node, place) in graph.nodes.iter().zip(&places) {
        let fill = colour(node.kind);
        let stroke = if node.missing {
            "#c00\" stroke-dasharray=\"4"
        } else {
            "#333"
        };
        let Place { x, y, width } = *place;
        let _ = writeln!(
            out,
            "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX}\" \
             rx=\"4\" fill=\"{fill}\" stroke=\"{stroke}\"/><text x=\"{}\" y=\"{}\">{}</text></g>",
            escaped(&node.label),
            x + 8,
            y + 15,
            escaped(&shortened(&node.label))
        );
    }
    out.push_str("</svg>\n");
    out
}

/// A text as it can stand in XML and in quoted attributes.
fn escaped(text: &str) -> String {
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

/// The colour of a kind of node.
fn colour(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Subject => "#dbeafe",
        NodeKind::Binding => "#fef3c7",
        NodeKind::Role => "#dcfce7",
        NodeKind::Rule => "#f3f4f6",
    }
}
