//! The parameters of writes (`meta/v1` CreateOptions, UpdateOptions, PatchOptions), checked as
//! upstream checks them.

use crate::context::Context;
use model::Value;
use model::field::{ErrorList, FieldError, Path};
use model::status::Status;

const MANAGER_MAX: usize = 128;

/// What happens to fields that a kind does not have, and to fields that stand twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped with a warning.
    Warn,
    /// The request is refused.
    Strict,
}

/// How a write is meant.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// Who owns the fields that are written.
    pub manager: String,
    /// Unknown and duplicate fields.
    pub validation: FieldValidation,
    /// Server-side apply: take fields that others own.
    pub force: bool,
}

impl WriteOptions {
    /// Reads the parameters. `kind` is `CreateOptions`, `UpdateOptions` or `PatchOptions`;
    /// `apply` says whether the request is a server-side apply.
    pub fn parse(ctx: &Context, kind: &str, apply: bool) -> Result<Self, Status> {
        let mut errors = ErrorList::new();
        let dry_run = dry_run(ctx.query.all("dryRun"), &mut errors);
        let manager = ctx.query.get("fieldManager");
        check_manager(manager, &mut errors);
        if kind == "PatchOptions" {
            if apply && manager.is_empty() {
                errors.push(FieldError::required(
                    &Path::new("fieldManager"),
                    "is required for apply patch",
                ));
            }
            if !apply && ctx.query.find("force").is_some_and(|f| !f.is_empty()) {
                errors.push(FieldError::forbidden(
                    &Path::new("force"),
                    "may not be specified for non-apply patch",
                ));
            }
        }
        let validation = match ctx.query.get("fieldValidation") {
            "Strict" => FieldValidation::Strict,
            "Ignore" => FieldValidation::Ignore,
            "" | "Warn" => FieldValidation::Warn,
            other => {
                let known = ["", "Ignore", "Strict", "Warn"];
                errors.push(FieldError::not_supported(
                    &Path::new("fieldValidation"),
                    other,
                    &known,
                ));
                FieldValidation::Warn
            }
        };
        if !errors.is_empty() {
            return Err(Status::invalid("meta.k8s.io", kind, "", &errors));
        }
        Ok(Self {
            dry_run,
            manager: if manager.is_empty() {
                manager_of(&ctx.user_agent)
            } else {
                manager.to_owned()
            },
            validation,
            force: ctx.query.flag("force"),
        })
    }
}

/// Reads `dryRun`, which may only ever be `All`.
pub fn dry_run<'a>(values: impl Iterator<Item = &'a str>, errors: &mut ErrorList) -> bool {
    let mut any = false;
    for value in values.filter(|v| !v.is_empty()) {
        any = true;
        if value != "All" {
            let list: Value = vec![value].into();
            let path = Path::new("dryRun");
            errors.push(FieldError::not_supported(&path, list, &["All"]));
        }
    }
    any
}

fn check_manager(manager: &str, errors: &mut ErrorList) {
    let path = Path::new("fieldManager");
    if manager.len() > MANAGER_MAX {
        errors.push(FieldError::too_long(&path, MANAGER_MAX));
    }
    if manager.chars().any(char::is_control) {
        let detail = "should only contain printable characters";
        errors.push(FieldError::invalid(&path, manager, detail));
    }
}

/// The manager of a client that names none: its program's name.
fn manager_of(user_agent: &str) -> String {
    let name = user_agent.split('/').next().unwrap_or_default();
    let mut out = String::new();
    for c in name.chars().filter(|c| !c.is_control()) {
        if out.len() + c.len_utf8() > MANAGER_MAX {
            break;
        }
        out.push(c);
    }
    if out.is_empty() {
        out.push_str("unknown");
    }
    out
}
