//! The pages that commands write with `-o html`: one shell for all of them.
//!
//! A page is one file that needs nothing else and loads nothing. Its policy allows one script and
//! one style sheet, by their hashes: whatever else may have slipped into it is not run. What the
//! lists show stands in it as data and is put into the document as text, a page of rows at a time,
//! so that tens of thousands of rows stay quick. The same input makes the same bytes.

mod html;
pub(crate) mod matrix;
pub(crate) mod paths;
pub(crate) mod picture;
pub(crate) mod table;

pub(crate) use html::Html;
pub(crate) use matrix::Matrix;
pub(crate) use picture::Picture;
pub(crate) use table::Table;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page/style.css");

/// What every page has: how elements are made.
const ELEMENTS: &str = include_str!("page/elements.js");

/// Starts what the others define, once for each place that asks for it.
const START: &str = include_str!("page/start.js");

/// What a place of the page is filled with by its script.
pub(crate) enum Widget {
    /// A list with filters.
    Table(Table),
    /// Subjects and resources.
    Matrix(Matrix),
    /// Nodes and edges, with search and zoom.
    Picture(Picture),
}

impl Widget {
    /// Its name in the document, and the script that knows how to show it.
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::Table(_) => ("table", table::SCRIPT),
            Self::Matrix(_) => ("matrix", matrix::SCRIPT),
            Self::Picture(_) => ("picture", picture::SCRIPT),
        }
    }

    fn data(self) -> Value {
        match self {
            Self::Table(table) => table.into_data(),
            Self::Matrix(matrix) => matrix.into_data(),
            Self::Picture(picture) => picture.into_data(),
        }
    }
}

/// A page that is being written.
pub(crate) struct Page {
    title: String,
    contents: Vec<(&'static str, &'static str)>,
    body: Html,
    data: Map<String, Value>,
    scripts: Vec<&'static str>,
    is_one_picture: bool,
}

impl Page {
    /// An empty page.
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            contents: Vec::new(),
            body: Html::default(),
            data: Map::new(),
            scripts: Vec::new(),
            is_one_picture: false,
        }
    }

    /// Makes its picture as high as the window.
    pub(crate) fn fill_window(&mut self) {
        self.is_one_picture = true;
    }

    /// Begins a section; the table of contents leads to it by `id`.
    pub(crate) fn section(&mut self, id: &'static str, title: &'static str) -> &mut Html {
        if !self.contents.is_empty() {
            self.body.raw("</section>\n");
        }
        self.contents.push((id, title));
        self.body.raw("<section id=\"").raw(id).raw("\">\n<h2>");
        self.body.raw(title).raw("</h2>\n")
    }

    /// Writes on.
    pub(crate) fn body(&mut self) -> &mut Html {
        &mut self.body
    }

    /// Puts in what the script shows. `id` is the page's own name for it.
    pub(crate) fn widget(&mut self, id: &'static str, widget: Widget) {
        let (kind, script) = widget.kind();
        if !self.scripts.contains(&script) {
            self.scripts.push(script);
        }
        self.body.raw("<div class=\"widget\" data-widget=\"");
        self.body.raw(kind).raw("\" data-id=\"").raw(id);
        self.body
            .raw("\"><noscript>This part needs JavaScript.</noscript></div>\n");
        self.data.insert(id.to_owned(), widget.data());
    }

    /// The file.
    pub(crate) fn render(self) -> String {
        let Self {
            title,
            contents,
            body,
            data,
            scripts,
            is_one_picture,
        } = self;
        let script: String = std::iter::once(ELEMENTS)
            .chain(scripts)
            .chain([START])
            .collect();
        let mut out = Html::default();
        out.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        out.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"");
        out.text(&policy(&script));
        out.raw("\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        out.raw("<meta name=\"referrer\" content=\"no-referrer\">\n");
        out.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
        out.raw("<link rel=\"icon\" href=\"data:,\">\n<title>");
        out.text(&title).raw("</title>\n<style>");
        out.raw(STYLE).raw("</style>\n</head>\n");
        out.raw(if is_one_picture {
            "<body class=\"whole\">\n"
        } else {
            "<body>\n"
        });
        out.raw("<header><h1>").text(&title).raw("</h1>");
        if contents.len() > 1 {
            out.raw("<nav aria-label=\"Sections\">");
            for (id, title) in &contents {
                out.raw("<a href=\"#").raw(id).raw("\">");
                out.raw(title).raw("</a>");
            }
            out.raw("</nav>");
        }
        out.raw("</header>\n<main>\n").append(body);
        if !contents.is_empty() {
            out.raw("</section>\n");
        }
        out.raw("</main>\n<script type=\"application/json\" id=\"data\">");
        out.data(&Value::Object(data));
        out.raw("</script>\n<script>").append(Html::script(&script));
        out.raw("</script>\n</body>\n</html>\n");
        out.finish()
    }
}

/// Nothing is loaded, nothing is sent, and only the page's own script and style count.
fn policy(script: &str) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; \
         base-uri 'none'; form-action 'none'",
        hash(script),
        hash(STYLE)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'\u{202e}&amp;";

    #[test]
    fn hostile_text_stays_text() {
        let mut page = Page::new(HOSTILE);
        page.section("one", "One").text(HOSTILE);
        let mut table = Table::new(&[table::Column::text(HOSTILE_TITLE)]);
        table.row(&[HOSTILE]);
        page.widget("list", Widget::Table(table));
        let text = page.render();
        assert_eq!(text.matches("</script>").count(), 2, "{text}");
        assert!(!text.contains("<img"), "{text}");
        assert!(!text.contains('\u{202e}'), "{text}");
        assert!(text.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;"));
    }

    const HOSTILE_TITLE: &str = "<b>";

    #[test]
    fn the_policy_is_about_what_is_written() {
        let page = Page::new("a").render();
        let script = page
            .rsplit_once("<script>")
            .and_then(|(_, rest)| rest.split_once("</script>"))
            .map(|(script, _)| script)
            .expect("a script");
        assert!(page.contains(&html::escaped(&policy(script))));
        for source in [
            ELEMENTS,
            START,
            table::SCRIPT,
            matrix::SCRIPT,
            picture::SCRIPT,
        ] {
            assert!(!source.contains("</script") && !source.contains("<!--"));
            assert!(!source.contains("innerHTML") && !source.contains("eval("));
        }
        assert!(!STYLE.contains("</style") && !STYLE.contains("url("));
    }
}
