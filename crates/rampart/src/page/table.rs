//! A list with filters, a page of rows at a time.

use super::html::visible;
use serde_json::{Value, json};
use std::collections::HashMap;

/// How the browser shows it.
pub(super) const SCRIPT: &str = include_str!("table.js");

/// What stands in a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    form: &'static str,
    filter: bool,
    detail: bool,
}

impl Column {
    /// Words.
    pub(crate) fn text(title: &'static str) -> Self {
        Self {
            title,
            form: "text",
            filter: false,
            detail: false,
        }
    }

    /// Names and other texts of machines.
    pub(crate) fn code(title: &'static str) -> Self {
        Self {
            form: "code",
            ..Self::text(title)
        }
    }

    /// Short names that stay on one line.
    pub(crate) fn id(title: &'static str) -> Self {
        Self {
            form: "id",
            ..Self::text(title)
        }
    }

    /// Numbers.
    pub(crate) fn number(title: &'static str) -> Self {
        Self {
            form: "number",
            ..Self::text(title)
        }
    }

    /// Words with colours, from the best to the worst by what they mean.
    pub(crate) fn badge(title: &'static str) -> Self {
        Self {
            form: "level",
            ..Self::text(title)
        }
    }

    /// `yes`, `names` and `-`.
    pub(crate) fn access(title: &'static str) -> Self {
        Self {
            form: "access",
            ..Self::text(title)
        }
    }

    /// Lines that keep their spaces, seen when the row is opened.
    pub(crate) fn source(title: &'static str) -> Self {
        Self {
            form: "source",
            ..Self::text(title).in_detail()
        }
    }

    /// Rows can be chosen by the column's values.
    pub(crate) fn filtered(self) -> Self {
        Self {
            filter: true,
            ..self
        }
    }

    /// Seen when the row is opened.
    pub(crate) fn in_detail(self) -> Self {
        Self {
            detail: true,
            ..self
        }
    }
}

/// A list.
pub(crate) struct Table {
    columns: Vec<Value>,
    width: usize,
    strings: Vec<String>,
    places: HashMap<String, usize>,
    rows: Vec<Vec<usize>>,
}

impl Table {
    /// A list without rows.
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self::titled(
            columns
                .iter()
                .map(|column| (column.title.to_owned(), *column)),
        )
    }

    /// A list whose columns have names that are not this program's.
    pub(crate) fn titled(columns: impl IntoIterator<Item = (String, Column)>) -> Self {
        let columns: Vec<Value> = columns
            .into_iter()
            .map(|(title, column)| {
                json!({
                    "title": visible(&title),
                    "form": column.form,
                    "filter": column.filter,
                    "detail": column.detail,
                })
            })
            .collect();
        Self {
            width: columns.len(),
            columns,
            strings: Vec::new(),
            places: HashMap::new(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells that are missing are empty.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        let texts = cells.iter().map(AsRef::as_ref);
        let texts = texts.chain(std::iter::repeat("")).take(self.width);
        let row = texts.map(|text| self.place(text)).collect();
        self.rows.push(row);
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each text stands in the page once.
    fn place(&mut self, text: &str) -> usize {
        let Self {
            strings, places, ..
        } = self;
        match places.get(text) {
            Some(place) => *place,
            None => {
                let place = strings.len();
                strings.push(visible(text));
                places.insert(text.to_owned(), place);
                place
            }
        }
    }

    pub(super) fn into_data(self) -> Value {
        json!({"columns": self.columns, "strings": self.strings, "rows": self.rows})
    }
}
