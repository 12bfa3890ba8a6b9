//! Docker's official images: the list, and the rule that a model has to name one of them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::image_reference::ImageReference;
use crate::resource::{Artifact, Request};

/// One line for each image: its name, and the tag to suggest. The head of the list tells its origin and date.
const LIST: &str = include_str!("data/official_images.txt");

static OFFICIAL: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = LIST.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(':').unwrap_or((line, ""))).collect()
});

/// Tells whether a reference is that of one of Docker's official images, whatever its tag.
fn is_official(reference: &ImageReference<'_>) -> bool {
    let is_hub =
        matches!(reference.registry, None | Some("docker.io" | "index.docker.io" | "registry-1.docker.io"));
    let name = reference.path.strip_prefix("library/").unwrap_or(reference.path);
    is_hub && OFFICIAL.contains_key(name)
}

/// The property of an answer that names the image of a container, if there is one.
pub(super) fn property(request: &Request) -> Option<&'static str> {
    let properties = request.schema.as_ref()?.get("properties")?;
    (request.template == "docker_service" && properties.get("image").is_some()).then_some("image")
}

/// The image that an artifact names.
pub(super) fn of<'a>(request: &Request, artifact: &'a Artifact) -> Option<&'a str> {
    let Artifact::Object(object) = artifact else { return None };
    object.get(property(request)?)?.as_str()
}

/// Tells whether an artifact names an image that is not one of Docker's official ones.
pub(super) fn unverified(request: &Request, artifact: &Artifact) -> bool {
    let is_official = |image| ImageReference::parse(image).is_some_and(|reference| is_official(&reference));
    of(request, artifact).is_some_and(|image| !is_official(image))
}

/// The schema with an enumeration of all official images, so that a small model that writes by a grammar
/// names one that exists.
pub(super) fn restrict(request: &Request, schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(name) = property(request)
        && let Some(image) = schema.get_mut("properties").and_then(|properties| properties.get_mut(name))
    {
        let choices: Vec<String> = OFFICIAL.iter().map(|(name, tag)| with_tag(name, tag)).collect();
        *image = json!({"type": "string", "enum": choices});
    }
    schema
}

/// The name with its tag. Without a tag it means `latest`.
fn with_tag(name: &str, tag: &str) -> String {
    if tag.is_empty() { name.to_owned() } else { format!("{name}:{tag}") }
}

/// Checks an image that a model named; the error is the complaint.
pub(super) fn check(image: &str, allow_unverified: bool) -> Result<(), String> {
    let Some(reference) = ImageReference::parse(image) else {
        return Err(format!("image is no reference of an image, such as \"nginx:1.27-alpine\": \"{image}\""));
    };
    if is_official(&reference) || allow_unverified {
        return Ok(());
    }
    Err(format!(
        "image is not one of Docker's official images: \"{image}\". Choose an official one, whose name has no '/' in \
         it (the author can allow others with --allow-unverified-images, or set image=)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn official(text: &str) -> bool {
        ImageReference::parse(text).is_some_and(|reference| is_official(&reference))
    }

    #[test]
    fn knows_official_images() {
        assert!((120..250).contains(&OFFICIAL.len()), "{}", OFFICIAL.len());
        let lines: Vec<&str> = LIST.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), OFFICIAL.len(), "a name stands there twice");
        let names = lines.iter().map(|line| line.split(':').next());
        assert!(names.is_sorted(), "they are in order, so that a change is easy to read");
        for (name, tag) in OFFICIAL.iter() {
            assert!(
                official(&with_tag(name, tag)) && !name.contains('/') && *tag != "latest",
                "{name}:{tag}"
            );
        }
        let hash = "0".repeat(64);
        for name in ["nginx", "library/nginx:1", "docker.io/library/nginx", &format!("redis@sha256:{hash}")] {
            assert!(official(name), "{name}");
        }
        for name in
            ["me/nginx", "ghcr.io/library/nginx", "nginxx", "docker.io/me/nginx", "NGINX", "unit", "centos"]
        {
            assert!(!official(name), "{name}");
        }
    }
}
