//! Docker's official images: the list, and the rule that a model has to name one of them.
//!
//! The fields of an answer that name a container image are those whose schema has the format `container-image`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::image_reference::ImageReference;
use super::schema::CONTAINER_IMAGE;
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

/// The properties of an answer that name a container image, or several in a list.
fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.filter(|(_, property)| property.get("format").is_some_and(|format| format == CONTAINER_IMAGE))
}

/// The container images that an artifact names, each with the name of its field.
fn images<'a>(request: &'a Request, artifact: &'a Artifact) -> Vec<(&'a str, &'a str)> {
    let (Some(schema), Artifact::Object(object)) = (&request.schema, artifact) else { return Vec::new() };
    let values = properties(schema).filter_map(|(name, _)| Some((name.as_str(), object.get(name)?)));
    let images = values.flat_map(|(name, value)| {
        let items = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
        items.iter().filter_map(move |item| Some((name, item.as_str()?)))
    });
    images.collect()
}

/// Tells whether an artifact names an image that is not one of Docker's official ones.
pub(super) fn unverified(request: &Request, artifact: &Artifact) -> bool {
    let is_official = |image| ImageReference::parse(image).is_some_and(|reference| is_official(&reference));
    images(request, artifact).iter().any(|(_, image)| !is_official(image))
}

/// The strict form of a request's schema with an enumeration of all official images, so that a small model that
/// writes by a grammar names one that exists.
pub(super) fn restrict(schema: &Value, strict: &Value) -> Value {
    let mut restricted = strict.clone();
    let choices: Vec<String> = OFFICIAL.iter().map(|(name, tag)| with_tag(name, tag)).collect();
    for (name, property) in properties(schema) {
        let image = json!({"type": "string", "enum": choices});
        let is_list = property.get("type").is_some_and(|kind| kind == "array");
        restricted["properties"][name] =
            if is_list { json!({"type": "array", "items": image}) } else { image };
    }
    restricted
}

/// The name with its tag. Without a tag it means `latest`.
fn with_tag(name: &str, tag: &str) -> String {
    if tag.is_empty() { name.to_owned() } else { format!("{name}:{tag}") }
}

/// Checks the images that an artifact names; the error is the complaint.
pub(super) fn check(request: &Request, artifact: &Artifact, allow_unverified: bool) -> Result<(), String> {
    images(request, artifact)
        .into_iter()
        .try_for_each(|(field, image)| check_image(field, image, allow_unverified))
}

fn check_image(field: &str, image: &str, allow_unverified: bool) -> Result<(), String> {
    let Some(reference) = ImageReference::parse(image) else {
        return Err(format!(
            "{field} is no reference of an image, such as \"nginx:1.27-alpine\": \"{image}\""
        ));
    };
    if is_official(&reference) || allow_unverified {
        return Ok(());
    }
    Err(format!(
        "{field} is not one of Docker's official images: \"{image}\". Choose an official one, whose name has no '/' in \
         it (the author can allow others with --allow-unverified-images, or set {field}=)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::schema::strict;
    use crate::llm::tests::project::service;

    fn official(text: &str) -> bool {
        ImageReference::parse(text).is_some_and(|reference| is_official(&reference))
    }

    #[test]
    fn fields_of_images_are_known_by_their_format() {
        let schema = json!({
            "type": "object", "required": ["base", "extra", "note"],
            "properties": {
                "base": {"type": "string", "format": CONTAINER_IMAGE},
                "extra": {"type": "array", "items": {"type": "string"}, "format": CONTAINER_IMAGE},
                "image": {"type": "string"},
            },
        });
        let request = Request { schema: Some(schema.clone()), ..service("web") };
        let artifact = |object: Value| Artifact::Object(object.as_object().unwrap().clone());
        let official = artifact(json!({"base": "nginx:1", "extra": ["redis:7"], "image": "me/any"}));
        assert_eq!(check(&request, &official, false), Ok(()));
        assert!(!unverified(&request, &official));
        let foreign = artifact(json!({"base": "nginx:1", "extra": ["redis:7", "me/app:1"], "image": "x"}));
        let complaint = check(&request, &foreign, false).unwrap_err();
        assert!(
            complaint.starts_with("extra is not one of Docker's official images: \"me/app:1\""),
            "{complaint}"
        );
        assert!(complaint.contains("set extra="), "{complaint}");
        assert_eq!(check(&request, &foreign, true), Ok(()));
        assert!(unverified(&request, &foreign));
        let restricted = restrict(&schema, &strict(&schema));
        assert!(restricted["properties"]["base"]["enum"].is_array());
        assert!(restricted["properties"]["extra"]["items"]["enum"].is_array());
        assert_eq!(restricted["properties"]["image"]["anyOf"][0], json!({"type": "string"}));
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
