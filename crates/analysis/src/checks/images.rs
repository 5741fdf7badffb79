//! Which image runs.

use super::{BLANK, Check, Parameter, Pod, Run, Sink, cis, kubeaudit, nsa};
use crate::finding::Severity;

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-IMG-001",
        title: "image without a version",
        severity: Severity::Medium,
        what: "Images without tag and digest, which means latest, and images tagged latest.",
        why: "What runs changes whenever somebody pushes: nobody knows what runs now, what ran \
              yesterday, or how to go back.",
        fix: "name a version and its digest: image: NAME:TAG@sha256:…",
        example: "image: nginx:1.29.3@sha256:…",
        references: &[kubeaudit("image"), nsa("Building secure container images")],
        run: Run::Pods(latest),
        ..BLANK
    },
    Check {
        id: "RMP-IMG-002",
        title: "image by a mutable tag",
        severity: Severity::Low,
        what: "Images with a tag and no digest.",
        why: "A tag can be moved to another image by whoever may push; a digest cannot.",
        fix: "add the digest: image: NAME:TAG@sha256:…",
        example: "image: nginx:1.29.3@sha256:…",
        references: &[kubeaudit("image"), nsa("Building secure container images")],
        run: Run::Pods(tag),
        ..BLANK
    },
    Check {
        id: "RMP-IMG-003",
        title: "image from another registry",
        severity: Severity::Medium,
        what: "Images from registries that are not configured as allowed. Nothing is found until \
               the parameter `registries` is set.",
        why: "Images that nobody vetted run in the cluster.",
        fix: "use an image of an allowed registry",
        references: &[cis("5.5.1"), nsa("Building secure container images")],
        parameters: &[Parameter {
            name: "registries",
            what: "prefixes of images that may run, such as registry.example.com/team",
            default: &[],
        }],
        run: Run::Pods(registry),
        ..BLANK
    },
];

/// The parts of an image's name.
struct Image<'a> {
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

fn parse(image: &str) -> Image<'_> {
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    // A colon before the last slash belongs to the registry's port.
    let last = rest.rsplit_once('/').map_or(rest, |(_, last)| last);
    let tag = last.split_once(':').map(|(_, tag)| tag);
    Image { tag, digest }
}

fn latest<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in &pod.containers {
        let name = container.image();
        let image = parse(name);
        if name.is_empty() || image.digest.is_some() {
            continue;
        }
        let message = match image.tag {
            None => format!("{name} has no tag: whatever is latest runs"),
            Some("latest") => format!("{name} is whatever was pushed last"),
            Some(_) => continue,
        };
        sink.container(container, "image", message);
    }
}

fn tag<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in &pod.containers {
        let name = container.image();
        let image = parse(name);
        if let Some(tag) = image.tag
            && image.digest.is_none()
            && tag != "latest"
        {
            sink.container(
                container,
                "image",
                format!("{name} can become another image"),
            );
        }
    }
}

/// The image's name with the registry and directory that are meant if none is named.
fn full(image: &str) -> String {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => image.to_owned(),
        Some(_) => format!("docker.io/{image}"),
        None => format!("docker.io/library/{image}"),
    }
}

fn registry<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    let allowed: Vec<String> = sink
        .values("registries")
        .map(|prefix| prefix.trim_end_matches('/').to_owned())
        .collect();
    if allowed.is_empty() {
        return;
    }
    for container in &pod.containers {
        let name = full(container.image());
        let is_allowed = allowed.iter().any(|prefix| {
            name.strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':', '@']))
        });
        if !is_allowed && !container.image().is_empty() {
            sink.container(
                container,
                "image",
                format!("{name} is of no allowed registry"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{full, parse};

    #[test]
    fn names_of_images_are_taken_apart() {
        for (name, tag, digest) in [
            ("redis", None, None),
            ("redis:7", Some("7"), None),
            ("localhost:5000/redis", None, None),
            ("localhost:5000/a/redis:7", Some("7"), None),
            ("redis@sha256:ab", None, Some("sha256:ab")),
            ("r.io/redis:7@sha256:ab", Some("7"), Some("sha256:ab")),
        ] {
            let image = parse(name);
            assert_eq!((image.tag, image.digest), (tag, digest), "{name}");
        }
        assert_eq!(full("redis:7"), "docker.io/library/redis:7");
        assert_eq!(full("bitnami/redis"), "docker.io/bitnami/redis");
        assert_eq!(full("localhost:5000/redis"), "localhost:5000/redis");
    }
}
