//! The parameters of lists and watches (`meta/v1` ListOptions), checked as upstream checks them.

use crate::query::Query;
use crate::reply::Include;
use model::field::{ErrorList, FieldError, Path};
use model::selector::{FieldSelector, LabelSelector};
use model::status::Status;

/// How a resource version is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It is not said.
    Unset,
    /// Exactly this state.
    Exact,
    /// This state or a later one.
    NotOlderThan,
}

/// What a list or watch asks for.
#[derive(Debug, Clone)]
pub struct ListOptions {
    /// By labels.
    pub labels: LabelSelector,
    /// By fields.
    pub fields: FieldSelector,
    /// The resource version; `None` if it is not given.
    pub revision: Option<u64>,
    /// How it is meant.
    pub revision_match: Match,
    /// At most so many objects; 0 for all.
    pub limit: usize,
    /// The token of the page before.
    pub continue_token: String,
    /// Seconds after which a watch ends.
    pub timeout: Option<u64>,
    /// Whether the client wants bookmarks.
    pub bookmarks: bool,
    /// Whether a watch begins with the objects that are there.
    pub send_initial: Option<bool>,
    /// What a table's rows carry of their objects.
    pub include: Include,
}

impl ListOptions {
    /// Reads and checks the parameters.
    pub fn parse(query: &Query, watch: bool) -> Result<Self, Status> {
        let bad = |e: &dyn std::fmt::Display| Status::bad_request(e.to_string());
        let labels = LabelSelector::parse(query.get("labelSelector")).map_err(|e| bad(&e))?;
        let fields = FieldSelector::parse(query.get("fieldSelector")).map_err(|e| bad(&e))?;
        let send_initial = query
            .find("sendInitialEvents")
            .filter(|v| !v.is_empty())
            .map(|_| query.flag("sendInitialEvents"));
        let options = Self {
            labels,
            fields,
            revision: parse_revision(query.get("resourceVersion"))?,
            revision_match: match query.get("resourceVersionMatch") {
                "Exact" => Match::Exact,
                "NotOlderThan" => Match::NotOlderThan,
                _ => Match::Unset,
            },
            limit: usize::try_from(query.number("limit")?.unwrap_or(0)).unwrap_or(0),
            continue_token: query.get("continue").to_owned(),
            timeout: query
                .number("timeoutSeconds")?
                .and_then(|n| u64::try_from(n).ok())
                .filter(|n| *n > 0),
            bookmarks: query.flag("allowWatchBookmarks"),
            send_initial,
            include: match query.get("includeObject") {
                "None" => Include::None,
                "Object" => Include::Object,
                _ => Include::Metadata,
            },
        };
        let errors = options.check(query, watch);
        if errors.is_empty() {
            Ok(options)
        } else {
            Err(Status::invalid("meta.k8s.io", "ListOptions", "", &errors))
        }
    }

    fn check(&self, query: &Query, watch: bool) -> ErrorList {
        let path = Path::new("resourceVersionMatch");
        let text = query.get("resourceVersionMatch");
        let mut errors = ErrorList::new();
        let mut forbid = |path: &Path, why: &str| errors.push(FieldError::forbidden(path, why));
        if watch {
            if self.send_initial.is_some() {
                if self.revision_match != Match::NotOlderThan {
                    forbid(
                        &path,
                        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                    );
                }
            } else if !text.is_empty() {
                forbid(
                    &path,
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is \
                     provided",
                );
            }
            return errors;
        }
        if self.send_initial.is_some() {
            forbid(
                &Path::new("sendInitialEvents"),
                "sendInitialEvents is forbidden for list",
            );
        }
        if text.is_empty() {
            return errors;
        }
        if self.revision.is_none() {
            forbid(
                &path,
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            );
        }
        if !self.continue_token.is_empty() {
            forbid(
                &path,
                "resourceVersionMatch is forbidden when continue is provided",
            );
        }
        if self.revision_match == Match::Exact && self.revision == Some(0) {
            forbid(
                &path,
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            );
        }
        if self.revision_match == Match::Unset {
            let known = ["Exact", "NotOlderThan", ""];
            errors.push(FieldError::not_supported(&path, text, &known));
        }
        errors
    }
}

/// A resource version; `None` for an empty one.
pub fn parse_revision(text: &str) -> Result<Option<u64>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        Status::bad_request(format!(
            "resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": \
             invalid syntax"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_checked_as_upstream() {
        for (query, watch, want) in [
            ("", false, ""),
            ("resourceVersion=5&resourceVersionMatch=Exact", false, ""),
            (
                "resourceVersion=0&resourceVersionMatch=NotOlderThan",
                false,
                "",
            ),
            ("resourceVersion=x", false, "resourceVersion: Invalid value"),
            (
                "resourceVersionMatch=Exact",
                false,
                "is forbidden unless resourceVersion is provided",
            ),
            (
                "resourceVersion=0&resourceVersionMatch=Exact",
                false,
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ),
            (
                "resourceVersion=1&resourceVersionMatch=Sometimes",
                false,
                "Unsupported value: \"Sometimes\"",
            ),
            (
                "resourceVersion=1&resourceVersionMatch=Exact&continue=x",
                false,
                "is forbidden when continue is provided",
            ),
            (
                "sendInitialEvents=true",
                false,
                "sendInitialEvents is forbidden for list",
            ),
            (
                "sendInitialEvents=true",
                true,
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ),
            (
                "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                true,
                "",
            ),
            (
                "resourceVersion=1&resourceVersionMatch=NotOlderThan",
                true,
                "forbidden for watch unless sendInitialEvents is provided",
            ),
            ("limit=x", false, "strconv.ParseInt: parsing \"x\""),
            (
                "labelSelector=a%20b%20c",
                false,
                "unable to parse requirement",
            ),
        ] {
            let got = ListOptions::parse(&Query::parse(query), watch);
            let message = got.err().map(|s| s.message).unwrap_or_default();
            assert!(
                message.contains(want) && message.is_empty() == want.is_empty(),
                "{query}: {message}"
            );
        }
    }
}
