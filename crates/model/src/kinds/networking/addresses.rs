//! IPAddresses and ServiceCIDRs.

use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::net::{canonical_cidr, parse_cidr, parse_ip};
use crate::validation::object_meta::immutable_field;
use crate::validation::read::{get, list, text, texts};
use std::net::IpAddr;

const IMMUTABLE: &str = "field is immutable";

/// What is wrong with the name of an IPAddress, which is the address itself.
pub(super) fn address_name(name: &str) -> Vec<String> {
    let plain: Option<IpAddr> = name.parse().ok();
    match (plain, parse_ip(name)) {
        (_, None) => {
            vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()]
        }
        (None, Some(_)) => vec!["must not have leading 0s".to_owned()],
        (Some(ip), Some(_)) if ip.to_string() != name => {
            vec![format!("must be in canonical form ({:?})", ip.to_string())]
        }
        _ => Vec::new(),
    }
}

/// Reports what is wrong with an address.
pub(super) fn validate_address(address: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let at = At::of("spec.parentRef");
    let none = Value::Null;
    let Some(parent) = get(address.get("spec").unwrap_or(&none), "parentRef") else {
        errors.required(&at, "");
        return errors;
    };
    let group = text(parent, "group");
    if !group.is_empty() {
        errors.invalid_each(&at.child("group"), group, names::dns1123_subdomain(group));
    }
    for (key, required) in [("resource", true), ("name", true), ("namespace", false)] {
        let value = text(parent, key);
        if !value.is_empty() {
            errors.invalid_each(&at.child(key), value, names::path_segment(value));
        } else if required {
            errors.required(&at.child(key), "");
        }
    }
    errors
}

/// Reports a change of what an address is for.
pub(super) fn validate_address_update(address: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let none = Value::Null;
    immutable_field(
        address.get("spec").unwrap_or(&none),
        old.get("spec").unwrap_or(&none),
        "parentRef",
        &At::of("spec"),
        &mut errors,
    );
    errors
}

/// Reports what is wrong with the ranges of a ServiceCIDR.
pub(super) fn validate_range(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let at = At::of("spec.cidrs");
    let none = Value::Null;
    let spec = object.get("spec").unwrap_or(&none);
    let given = list(spec, "cidrs");
    if given.is_empty() {
        errors.required(&at, "at least one CIDR required");
        return errors;
    }
    if given.len() > 2 {
        errors.invalid(&at, spec.clone(), "may only hold up to 2 values");
        return errors;
    }
    let mut families = Vec::new();
    for (i, cidr) in texts(spec, "cidrs").enumerate() {
        let at = at.index(i);
        match (parse_cidr(cidr), canonical_cidr(cidr)) {
            (Some((ip, _)), Some(canonical)) => {
                families.push(ip.is_ipv4());
                if canonical != cidr {
                    errors.invalid(
                        &at,
                        cidr,
                        format!("must be in canonical form ({canonical:?})"),
                    );
                }
            }
            _ => errors.invalid(
                &at,
                cidr,
                "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            ),
        }
    }
    if let [first, second] = families.as_slice()
        && first == second
    {
        errors.invalid(
            &at,
            given.to_vec(),
            "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and \
             2001:db8::/64",
        );
    }
    errors
}

/// Reports changes of ranges: a second one may be added, and that is all.
pub(super) fn validate_range_update(object: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let at = At::of("spec.cidrs");
    let none = Value::Null;
    let (spec, old_spec) = (
        object.get("spec").unwrap_or(&none),
        old.get("spec").unwrap_or(&none),
    );
    let (given, was) = (list(spec, "cidrs"), list(old_spec, "cidrs"));
    let grows = was.len() == 1 && given.len() == 2;
    if given.len() != was.len() && !grows {
        errors.invalid(&at, given.to_vec(), IMMUTABLE);
        return errors;
    }
    for (i, (new, old)) in given.iter().zip(was).enumerate() {
        if new != old {
            errors.invalid(&at.index(i), new.clone(), IMMUTABLE);
        }
    }
    if grows {
        errors.extend(validate_range(object));
    }
    errors
}
