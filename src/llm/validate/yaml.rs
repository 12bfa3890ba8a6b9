//! YAML, and the Compose files that are written in it.

use saphyr::{LoadableYamlNode as _, Yaml};

use super::super::image_reference::ImageReference;
use super::document::complaint;

/// The depth to which blocks may be nested: the parser's own recursion has no bound.
const DEPTH: usize = 400;

/// Checks that a text is a YAML mapping or list. Every sentence is a valid YAML text.
pub(super) fn yaml(text: &str) -> Result<(), String> {
    let documents = parse(text)?;
    match documents.iter().find(|document| !is_collection(document)) {
        None if documents.is_empty() => Err("it holds no YAML document".to_owned()),
        None => Ok(()),
        Some(_) => Err("it is no YAML mapping or list".to_owned()),
    }
}

/// Checks a Compose file: services, each with an image or something to build.
pub(super) fn compose(text: &str) -> Result<(), String> {
    let documents = parse(text)?;
    let [document] = &documents[..] else { return Err("a Compose file is one YAML document".to_owned()) };
    let services = document.as_mapping_get("services").and_then(Yaml::as_mapping);
    let services = services.ok_or("a Compose file has a mapping 'services' at its top level")?;
    if services.is_empty() {
        return Err("its 'services' is empty".to_owned());
    }
    for (name, service) in services {
        let name = name.as_str().unwrap_or("?");
        if service.as_mapping().is_none() {
            return Err(format!("services.{name} has to be a mapping"));
        }
        if !["image", "build", "extends", "provider"].iter().any(|key| service.contains_mapping_key(key)) {
            return Err(format!("services.{name} has neither 'image' nor 'build'"));
        }
        if let Some(image) = service.as_mapping_get("image") {
            let image = image.as_str().ok_or_else(|| format!("services.{name}.image has to be a text"))?;
            // Compose fills in variables from an environment that is not known here.
            if !image.contains('$') && ImageReference::parse(image).is_none() {
                return Err(format!("services.{name}.image is no reference of an image: '{image}'"));
            }
        }
    }
    Ok(())
}

fn is_collection(document: &Yaml<'_>) -> bool {
    match document {
        Yaml::Mapping(_) | Yaml::Sequence(_) => true,
        Yaml::Tagged(_, inner) => is_collection(inner),
        _ => false,
    }
}

fn parse(text: &str) -> Result<Vec<Yaml<'_>>, String> {
    let marks = |line: &str| line.len() - line.trim_start_matches([' ', '-', '?', ':', '\t']).len();
    if let Some(index) = text.lines().position(|line| marks(line) > DEPTH) {
        return Err(complaint("YAML", index + 1, 1, "it is nested too deep"));
    }
    Yaml::load_from_str(text).map_err(|error| {
        let place = error.marker();
        complaint("YAML", place.line(), place.col() + 1, error.info())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_is_wrong() {
        let deep = "- ".repeat(100_000);
        let complaints = [
            yaml("a: 1\n\tb: 2\n"),
            yaml("a: 1\na: 2\n"),
            yaml("a: [1, 2\n"),
            yaml("Just words.\n"),
            yaml("# nothing\n"),
            yaml(&deep),
            yaml(&"[".repeat(10_000)),
            compose("a: 1\n"),
            compose("services: {}\n"),
            compose("services:\n  web: nginx\n"),
            compose("services:\n  web:\n    ports: ['80:80']\n"),
            compose("services:\n  web:\n    image: My Image\n"),
            compose("services:\n  web:\n    image: 3\n"),
        ];
        let text: Vec<String> = complaints.into_iter().map(|complaint| complaint.unwrap_err()).collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn lets_pass_what_is_right() {
        yaml("a: &x 1\nb: *x\nc: !Ref d\n---\n- 1\n").unwrap();
        yaml("!thing {a: 1}\n").unwrap();
        compose("services:\n  web: {image: 'nginx:1.27'}\n  api: {build: .}\n  x: {image: '${IMAGE}'}\n")
            .unwrap();
    }
}
