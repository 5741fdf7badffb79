//! The Prometheus text format.

use std::fmt::{Display, Write};

/// A page of metrics that is being written.
#[derive(Default)]
pub struct Text {
    out: String,
    name: &'static str,
}

impl Text {
    /// Begins a family; its values follow.
    pub fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        // Writing to a String does not fail.
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A value of the family.
    pub fn value(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.sample("", labels, None, value);
    }

    /// A histogram: the number of values in each bucket (the last one without bound), and their
    /// sum.
    pub fn histogram(&mut self, labels: &[(&str, &str)], bounds: &[f64], counts: &[u64], sum: f64) {
        let mut total: u64 = 0;
        for (index, count) in counts.iter().enumerate() {
            total = total.saturating_add(*count);
            let bound = bounds
                .get(index)
                .map_or_else(|| "+Inf".to_owned(), ToString::to_string);
            self.sample("_bucket", labels, Some(&bound), total);
        }
        self.sample("_sum", labels, None, sum);
        self.sample("_count", labels, None, total);
    }

    fn sample(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        bound: Option<&str>,
        value: impl Display,
    ) {
        self.out.push_str(self.name);
        self.out.push_str(suffix);
        let bound = bound.map(|b| ("le", b));
        let mut before = '{';
        for (name, text) in labels.iter().copied().chain(bound) {
            self.out.push(before);
            before = ',';
            self.out.push_str(name);
            self.out.push_str("=\"");
            for c in text.chars() {
                match c {
                    '\\' => self.out.push_str("\\\\"),
                    '"' => self.out.push_str("\\\""),
                    '\n' => self.out.push_str("\\n"),
                    c => self.out.push(c),
                }
            }
            self.out.push('"');
        }
        if before == ',' {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
    }

    /// The page.
    pub fn finish(self) -> String {
        self.out
    }
}
