//! The audiences of tokens that the volumes of a pod ask for.

use super::Objects;
use model::go::quoted;
use model::{Value, meta};

/// Whether the pod has a volume that needs a token for that audience: one that projects it, or one
/// of a CSI driver that asks for it.
///
/// # Errors
///
/// What could not be found on the way to a driver, if no other volume wants the audience.
pub(super) fn wanted(pod: &Value, audience: &str, objects: &dyn Objects) -> Result<bool, String> {
    let mut missing = Vec::new();
    for volume in meta::list(pod, &["spec", "volumes"]) {
        let projects = meta::list(volume, &["projected", "sources"])
            .iter()
            .filter_map(|source| meta::at(source, &["serviceAccountToken"]))
            .any(|token| meta::text(token, &["audience"]) == audience);
        if projects {
            return Ok(true);
        }
        match driver(pod, volume, objects).and_then(|driver| asks(&driver, audience, objects)) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(why) if missing.contains(&why) => {}
            Err(why) => missing.push(why),
        }
    }
    match missing.as_slice() {
        [] => Ok(false),
        [one] => Err(one.clone()),
        all => Err(format!("[{}]", all.join(", "))),
    }
}

/// The CSI driver of a volume; empty if it has none.
fn driver(pod: &Value, volume: &Value, objects: &dyn Objects) -> Result<String, String> {
    let claim = meta::text(volume, &["persistentVolumeClaim", "claimName"]);
    let claim = if meta::at(volume, &["ephemeral", "volumeClaimTemplate"]).is_some() {
        format!("{}-{}", meta::name(pod), meta::text(volume, &["name"]))
    } else {
        claim.to_owned()
    };
    if claim.is_empty() {
        return Ok(meta::text(volume, &["csi", "driver"]).to_owned());
    }
    let found = objects
        .claim(meta::namespace(pod), &claim)
        .ok_or_else(|| not_found("persistentvolumeclaim", &claim))?;
    let name = meta::text(&found, &["spec", "volumeName"]);
    let volume = objects
        .volume(name)
        .ok_or_else(|| not_found("persistentvolume", name))?;
    Ok(meta::text(&volume, &["spec", "csi", "driver"]).to_owned())
}

fn asks(driver: &str, audience: &str, objects: &dyn Objects) -> Result<bool, String> {
    if driver.is_empty() {
        return Ok(false);
    }
    let found = objects
        .driver(driver)
        .ok_or_else(|| not_found("csidriver.storage.k8s.io", driver))?;
    let mut requests = meta::list(&found, &["spec", "tokenRequests"]).iter();
    Ok(requests.any(|request| meta::text(request, &["audience"]) == audience))
}

fn not_found(what: &str, name: &str) -> String {
    format!("{what} {} not found", quoted(name))
}
