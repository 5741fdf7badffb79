//! `AlwaysPullImages`: images are pulled for every container, so that nobody runs a private image
//! that somebody else's pod has brought to the node.

use crate::{Lookup, Operation, Plugin, Request, forbidden};
use model::field::{FieldError, Path};
use model::status::Status;
use model::{Value, meta};

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct AlwaysPullImages;

const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];
const FIELD: &str = "imagePullPolicy";

/// Whether the request brings images to a pod.
fn concerns(request: &Request<'_>) -> bool {
    let resource = request.resource;
    if !resource.group.is_empty() || resource.plural != "pods" {
        return false;
    }
    match (request.operation, request.subresource) {
        (Operation::Create, "") => true,
        (Operation::Update, "") => {
            let images = |pod: &Value| -> Vec<String> {
                let all = LISTS
                    .into_iter()
                    .flat_map(|l| meta::list(pod, &["spec", l]));
                all.map(|c| meta::text(c, &["image"]).to_owned()).collect()
            };
            // Those that are there stay as they are.
            let old = request.old_object.map(images).unwrap_or_default();
            images(&request.object).iter().any(|new| !old.contains(new))
        }
        _ => false,
    }
}

impl Plugin for AlwaysPullImages {
    fn name(&self) -> &'static str {
        "AlwaysPullImages"
    }

    fn mutate(&self, request: &mut Request<'_>, _cluster: &dyn Lookup) -> Result<(), Status> {
        if !concerns(request) {
            return Ok(());
        }
        for list in LISTS {
            let spec = request.object.get_mut("spec");
            let all = spec.and_then(|spec| spec.get_mut(list)?.as_array_mut());
            for container in all.into_iter().flatten() {
                meta::set(container, &[FIELD], "Always");
            }
        }
        Ok(())
    }

    fn validate(&self, request: &mut Request<'_>, _cluster: &dyn Lookup) -> Result<(), Status> {
        if !concerns(request) {
            return Ok(());
        }
        for list in LISTS {
            let containers = meta::list(&request.object, &["spec", list]).iter();
            for (index, container) in containers.enumerate() {
                let policy = meta::text(container, &[FIELD]);
                if policy != "Always" {
                    let at = Path::new("spec").child(list).index(index).child(FIELD);
                    let error = FieldError::not_supported(&at, policy, &["Always"]);
                    return Err(forbidden(request, &error.to_string()));
                }
            }
        }
        Ok(())
    }
}
