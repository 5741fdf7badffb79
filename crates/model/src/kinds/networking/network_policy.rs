//! NetworkPolicies.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::validation::at::{At, Report};
use crate::validation::net::{canonical_cidr, cidr_warnings, parse_cidr, valid_cidr};
use crate::validation::read::{get, int, list, text, texts};
use crate::validation::{names, selector};
use serde_json::json;

const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];

/// Fills in the defaults: TCP, and the directions that the policy speaks of.
pub(super) fn default(_version: &str, policy: &mut Value) {
    let Some(policy) = policy.as_object_mut() else {
        return;
    };
    fill::empty_map(policy, "spec");
    let Some(spec) = fill::map(policy, "spec") else {
        return;
    };
    for direction in ["ingress", "egress"] {
        for rule in fill::maps(spec, direction) {
            for port in fill::maps(rule, "ports") {
                fill::absent(port, "protocol", "TCP");
            }
        }
    }
    let len = |key: &str| spec.get(key).and_then(Value::as_array).map_or(0, Vec::len);
    if len("policyTypes") == 0 {
        let types = if len("egress") == 0 {
            json!(["Ingress"])
        } else {
            json!(["Ingress", "Egress"])
        };
        spec.insert("policyTypes".to_owned(), types);
    }
}

/// Which faults are let pass, because the policy had them already.
struct Terms<'a> {
    /// Whether the values of selectors are checked.
    strict: bool,
    /// CIDR ranges that may stand anywhere.
    known: Vec<&'a str>,
}

/// The ranges that a policy speaks of. Rules move about when a policy is edited, so that none can
/// be said to be the same as before; ranges can.
fn ranges(policy: &Value) -> Vec<&str> {
    let mut ranges = Vec::new();
    let spec = policy.get("spec").unwrap_or(&Value::Null);
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let peers = list(spec, direction)
            .iter()
            .flat_map(|rule| list(rule, peers));
        for block in peers.filter_map(|peer| get(peer, "ipBlock")) {
            ranges.push(text(block, "cidr"));
            ranges.extend(texts(block, "except"));
        }
    }
    ranges
}

/// Reports what is wrong with a policy. Of the old one, selectors with values that were let in
/// once may stay, and ranges that were.
pub(super) fn validate(policy: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let none = Value::Null;
    let spec = policy.get("spec").unwrap_or(&none);
    let strict = old.is_none_or(|old| {
        let mut found = ErrorList::new();
        let pods = old.pointer("/spec/podSelector").unwrap_or(&none);
        selector::validate(pods, &At::root(), &mut found);
        found.is_empty()
    });
    let terms = Terms {
        strict,
        known: old.map(ranges).unwrap_or_default(),
    };
    let at = At::of("spec");
    let pods = spec.get("podSelector").unwrap_or(&none);
    selector::validate_with(pods, strict, &at.child("podSelector"), &mut errors);
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let at = at.child(direction);
        for (i, rule) in list(spec, direction).iter().enumerate() {
            let at = at.index(i);
            let ports_at = at.child("ports");
            for (j, one) in list(rule, "ports").iter().enumerate() {
                port(one, &ports_at.index(j), &mut errors);
            }
            let peers_at = at.child(peers);
            for (j, one) in list(rule, peers).iter().enumerate() {
                peer(one, &terms, &peers_at.index(j), &mut errors);
            }
        }
    }
    let types = list(spec, "policyTypes");
    let at = at.child("policyTypes");
    if types.len() > 2 {
        errors.invalid(
            &at,
            types.to_vec(),
            "may not specify more than two policyTypes",
        );
        return errors;
    }
    for (i, one) in texts(spec, "policyTypes").enumerate() {
        let supported = ["Ingress", "Egress"];
        if !supported.contains(&one) {
            errors.not_supported_in_order(&at.index(i), one, &supported);
        }
    }
    errors
}

/// Warns of ranges in doubtful forms.
pub(super) fn warnings(policy: &Value, _old: Option<&Value>) -> Vec<String> {
    let mut warnings = Vec::new();
    let spec = policy.get("spec").unwrap_or(&Value::Null);
    let at = At::of("spec");
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let at = at.child(direction);
        for (i, rule) in list(spec, direction).iter().enumerate() {
            let at = at.index(i);
            let at = at.child(peers);
            for (j, peer) in list(rule, peers).iter().enumerate() {
                let Some(block) = get(peer, "ipBlock") else {
                    continue;
                };
                let at = at.index(j);
                let at = at.child("ipBlock");
                let cidr = text(block, "cidr");
                warnings.extend(cidr_warnings(cidr, &at.child("cidr")));
                let at = at.child("except");
                for (k, except) in texts(block, "except").enumerate() {
                    warnings.extend(cidr_warnings(except, &at.index(k)));
                }
            }
        }
    }
    warnings
}

fn port(port: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if get(port, "protocol").is_some() && !PROTOCOLS.contains(&text(port, "protocol")) {
        errors.not_supported_in_order(&at.child("protocol"), text(port, "protocol"), PROTOCOLS);
    }
    let (end, end_at) = (int(port, "endPort"), at.child("endPort"));
    let number_faults = |number: i64, at: &At<'_>, errors: &mut ErrorList| {
        for fault in names::port_number(number) {
            errors.invalid(at, number, fault);
        }
    };
    match (get(port, "port"), end) {
        (Some(Value::String(name)), end) => {
            if let Some(end) = end {
                errors.invalid(
                    &end_at,
                    end,
                    "may not be specified when `port` is non-numeric",
                );
            }
            errors.invalid_each(&at.child("port"), name, names::port_name(name));
        }
        (Some(number), end) => {
            let number = number.as_i64().unwrap_or(0);
            number_faults(number, &at.child("port"), errors);
            if let Some(end) = end {
                if end < number {
                    errors.invalid(&end_at, number, "must be greater than or equal to `port`");
                }
                number_faults(end, &end_at, errors);
            }
        }
        (None, Some(end)) => errors.invalid(
            &end_at,
            end,
            "may not be specified when `port` is not specified",
        ),
        (None, None) => {}
    }
}

fn peer(peer: &Value, terms: &Terms<'_>, at: &At<'_>, errors: &mut ErrorList) {
    let mut peers = 0;
    for key in ["podSelector", "namespaceSelector"] {
        if let Some(one) = get(peer, key) {
            peers += 1;
            selector::validate_with(one, terms.strict, &at.child(key), errors);
        }
    }
    let block = get(peer, "ipBlock");
    if let Some(block) = block {
        peers += 1;
        ip_block(block, terms, &at.child("ipBlock"), errors);
    }
    if peers == 0 {
        errors.required(at, "must specify a peer");
    } else if peers > 1 && block.is_some() {
        errors.forbidden(at, "may not specify both ipBlock and another peer");
    }
}

fn ip_block(block: &Value, terms: &Terms<'_>, at: &At<'_>, errors: &mut ErrorList) {
    let cidr = text(block, "cidr");
    if cidr.is_empty() {
        errors.required(&at.child("cidr"), "");
        return;
    }
    if !terms.known.contains(&cidr) {
        valid_cidr(cidr, &at.child("cidr"), errors);
    }
    if parse_cidr(cidr).is_none() {
        return;
    }
    let at = at.child("except");
    for (i, except) in texts(block, "except").enumerate() {
        let at = at.index(i);
        if !terms.known.contains(&except) {
            valid_cidr(except, &at, errors);
        }
        if parse_cidr(except).is_some() && !is_strict_subset(except, cidr) {
            errors.invalid(&at, except, "must be a strict subset of `cidr`");
        }
    }
}

fn is_strict_subset(inner: &str, outer: &str) -> bool {
    let (Some((ip, inner_length)), Some((outer_ip, length))) =
        (parse_cidr(inner), parse_cidr(outer))
    else {
        return false;
    };
    ip.is_ipv4() == outer_ip.is_ipv4()
        && length < inner_length
        && canonical_cidr(&format!("{ip}/{length}")) == canonical_cidr(outer)
}
