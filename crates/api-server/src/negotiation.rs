//! Which representation a client gets (`Accept`) and how a body is written (`Content-Type`).

use model::decode::Format;
use model::status::Status;

/// The media types of responses, as messages list them.
pub const SERVED: &str = "application/json, application/yaml";

/// How a response is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Media {
    /// JSON.
    #[default]
    Json,
    /// YAML.
    Yaml,
}

impl Media {
    /// The `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
        }
    }
}

/// What of an object a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// The object.
    #[default]
    Whole,
    /// A `Table` with its rows.
    Table,
    /// `PartialObjectMetadata`, or for lists `PartialObjectMetadataList`.
    Metadata,
    /// The aggregated form of discovery documents (`apidiscovery.k8s.io/v2`).
    AggregatedDiscovery,
}

/// The representation that was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Representation {
    /// How it is written.
    pub media: Media,
    /// What of the object.
    pub view: View,
    /// The view's version: `v1` or `v1beta1` (for discovery `v2` or `v2beta1`).
    pub view_version: ViewVersion,
    /// Whether it is indented.
    pub pretty: bool,
}

/// The version of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ViewVersion {
    /// `v1` (discovery: `v2`).
    #[default]
    Stable,
    /// `v1beta1` (discovery: `v2beta1`).
    Beta,
}

struct Clause<'a> {
    media: &'a str,
    quality: f32,
    kind: &'a str,
    version: &'a str,
    group: &'a str,
}

fn clause(text: &str) -> Clause<'_> {
    let mut parts = text.split(';').map(str::trim);
    let mut clause = Clause {
        media: parts.next().unwrap_or_default(),
        quality: 1.0,
        kind: "",
        version: "",
        group: "",
    };
    for part in parts {
        match part.split_once('=') {
            Some(("q", value)) => clause.quality = value.parse().unwrap_or(1.0),
            Some(("as", value)) => clause.kind = value,
            Some(("v", value)) => clause.version = value,
            Some(("g", value)) => clause.group = value,
            _ => {}
        }
    }
    clause
}

/// Which views an endpoint can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// The object only.
    Plain,
    /// Tables and metadata too.
    Objects,
    /// Aggregated discovery too.
    Discovery,
}

/// Chooses a representation: the first clause, by quality and then by position, that can be
/// served. A missing or empty `Accept` means JSON.
pub fn negotiate(accept: &str, offer: Offer) -> Result<Representation, Status> {
    let plain = Representation::default();
    if accept.is_empty() || accept == "application/json" || accept == "*/*" {
        return Ok(plain);
    }
    let mut clauses: Vec<Clause<'_>> = accept
        .split(',')
        .map(clause)
        .filter(|c| c.quality > 0.0)
        .collect();
    clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    clauses
        .iter()
        .find_map(|c| accepts(c, offer))
        .ok_or_else(|| Status::not_acceptable(SERVED))
}

fn accepts(clause: &Clause<'_>, offer: Offer) -> Option<Representation> {
    let media = match clause.media {
        "application/json" | "application/*" | "*/*" => Media::Json,
        "application/yaml" => Media::Yaml,
        _ => return None,
    };
    let (view, view_version) = match (clause.kind, clause.group, clause.version, offer) {
        ("", ..) => (View::Whole, ViewVersion::Stable),
        (kind, "meta.k8s.io", version @ ("v1" | "v1beta1"), Offer::Objects) => {
            let view = match kind {
                "Table" => View::Table,
                "PartialObjectMetadata" | "PartialObjectMetadataList" => View::Metadata,
                _ => return None,
            };
            (view, stability(version == "v1"))
        }
        (
            "APIGroupDiscoveryList",
            "apidiscovery.k8s.io",
            version @ ("v2" | "v2beta1"),
            Offer::Discovery,
        ) => (View::AggregatedDiscovery, stability(version == "v2")),
        _ => return None,
    };
    Some(Representation {
        media,
        view,
        view_version,
        pretty: false,
    })
}

fn stability(stable: bool) -> ViewVersion {
    if stable {
        ViewVersion::Stable
    } else {
        ViewVersion::Beta
    }
}

/// Whether a `Content-Type` is Kubernetes' protobuf form of objects.
pub fn is_protobuf(content_type: &str) -> bool {
    media_type(content_type) == "application/vnd.kubernetes.protobuf"
}

/// How a body is written; a missing type means JSON.
pub fn body_format(content_type: &str) -> Result<Format, Status> {
    match media_type(content_type) {
        "" | "application/json" => Ok(Format::Json),
        "application/yaml" | "application/x-yaml" | "text/yaml" => Ok(Format::Yaml),
        _ => Err(Status::unsupported_media_type(SERVED)),
    }
}

/// A `Content-Type` without its parameters.
pub fn media_type(content_type: &str) -> &str {
    content_type
        .split_once(';')
        .map_or(content_type, |(media, _)| media)
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_servable_clause_wins() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        for (accept, offer, want) in [
            ("", Offer::Objects, Some((Media::Json, View::Whole))),
            ("*/*", Offer::Objects, Some((Media::Json, View::Whole))),
            (table, Offer::Objects, Some((Media::Json, View::Table))),
            (table, Offer::Plain, Some((Media::Json, View::Whole))),
            (
                "application/vnd.kubernetes.protobuf,application/json",
                Offer::Objects,
                Some((Media::Json, View::Whole)),
            ),
            ("application/vnd.kubernetes.protobuf", Offer::Objects, None),
            (
                "application/json;q=0.5,application/yaml",
                Offer::Objects,
                Some((Media::Yaml, View::Whole)),
            ),
            (
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                Offer::Objects,
                Some((Media::Json, View::Metadata)),
            ),
            (
                "application/json;as=Table;v=v9;g=meta.k8s.io",
                Offer::Objects,
                None,
            ),
            (
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
                Offer::Discovery,
                Some((Media::Json, View::AggregatedDiscovery)),
            ),
            (
                "application/json;stream=watch",
                Offer::Objects,
                Some((Media::Json, View::Whole)),
            ),
            ("text/html", Offer::Objects, None),
        ] {
            let got = negotiate(accept, offer).ok().map(|r| (r.media, r.view));
            assert_eq!(got, want, "{accept}");
        }
    }

    #[test]
    fn bodies_are_json_or_yaml() {
        assert_eq!(body_format("").unwrap(), Format::Json);
        assert_eq!(
            body_format("application/json; charset=utf-8").unwrap(),
            Format::Json
        );
        assert_eq!(body_format("application/yaml").unwrap(), Format::Yaml);
        assert_eq!(body_format("text/csv").unwrap_err().code, 415);
    }
}
