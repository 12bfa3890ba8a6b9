//! Names of container images: their grammar, and which of them are Docker's official ones.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::resource::{Artifact, Request};

/// One line for each image: its name, and the tag to suggest. Its head tells where it is from, and
/// of which day.
const LIST: &str = include_str!("data/official_images.txt");

static OFFICIAL: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = LIST.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(':').unwrap_or((line, ""))).collect()
});

/// A reference of an image, in its parts: `registry/path:tag@digest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference<'a> {
    /// The registry's host and port; without one it is Docker Hub.
    pub registry: Option<&'a str>,
    /// The name in the registry.
    pub path: &'a str,
    /// The tag.
    pub tag: Option<&'a str>,
    /// The digest, with its algorithm.
    pub digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Reads a reference, as <https://pkg.go.dev/github.com/distribution/reference> describes them.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            // A colon before a slash is that of a port.
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some((host, path)) if host == "localhost" || host.contains(['.', ':']) => (Some(host), path),
            _ => (None, name),
        };
        let fits = registry.is_none_or(is_host)
            && path.split('/').all(is_component)
            && name.len() <= 255
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest);
        fits.then_some(Self { registry, path, tag, digest })
    }

    /// Whether it is one of Docker's official images.
    pub fn is_official(&self) -> bool {
        let hub =
            matches!(self.registry, None | Some("docker.io" | "index.docker.io" | "registry-1.docker.io"));
        let name = self.path.strip_prefix("library/").unwrap_or(self.path);
        hub && OFFICIAL.contains_key(name)
    }
}

/// Whether a text names one of Docker's official images, whatever its tag.
pub fn official(reference: &str) -> bool {
    Reference::parse(reference).is_some_and(|reference| reference.is_official())
}

fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    name.split('.').all(label)
        && port.is_none_or(|port| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()))
}

/// Lower-case letters and digits, with `.`, `_`, `__` or dashes between them.
fn is_component(component: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separator = |text: &str| matches!(text, "." | "_" | "__") || text.chars().all(|c| c == '-');
    component.starts_with(plain)
        && component.ends_with(plain)
        && component.split(plain).filter(|text| !text.is_empty()).all(separator)
}

fn is_tag(tag: &str) -> bool {
    tag.len() <= 128
        && tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hash)| {
        algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
            && algorithm.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '.'))
            && hash.len() >= 32
            && hash.chars().all(|c| c.is_ascii_hexdigit())
    })
}

/// The property of an answer that names the image of a container, where there is one.
pub(super) fn property(request: &Request) -> Option<&'static str> {
    let properties = request.schema.as_ref()?.get("properties")?;
    (request.template == "docker_service" && properties.get("image").is_some()).then_some("image")
}

/// The image that an artifact names.
pub(super) fn of<'a>(request: &Request, artifact: &'a Artifact) -> Option<&'a str> {
    let Artifact::Object(object) = artifact else { return None };
    object.get(property(request)?)?.as_str()
}

/// Whether an artifact names an image that is not one of Docker's official ones.
pub(super) fn unverified(request: &Request, artifact: &Artifact) -> bool {
    of(request, artifact).is_some_and(|image| !official(image))
}

/// The schema with all official images to choose from in place of any text: a small model that
/// writes by a grammar then names one that exists.
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

/// A tag that is left out means `latest`.
fn with_tag(name: &str, tag: &str) -> String {
    if tag.is_empty() { name.to_owned() } else { format!("{name}:{tag}") }
}

/// Checks an image that a model named; the error is the complaint.
pub(super) fn check(image: &str, allow_unverified: bool) -> Result<(), String> {
    let Some(reference) = Reference::parse(image) else {
        return Err(format!("image is no reference of an image, such as \"nginx:1.27-alpine\": \"{image}\""));
    };
    if reference.is_official() || allow_unverified {
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

    #[test]
    fn reads_references() {
        let hash = "a".repeat(64);
        let whole = format!("localhost:5000/a-b/c__d.e:1.0-x@sha256:{hash}");
        let digest = format!("sha256:{hash}");
        let expected = Reference {
            registry: Some("localhost:5000"),
            path: "a-b/c__d.e",
            tag: Some("1.0-x"),
            digest: Some(&digest),
        };
        assert_eq!(Reference::parse(&whole), Some(expected));
        for good in ["nginx", "nginx:1.27", "me/app", "ghcr.io/me/app:v1", "a.b/c", "a---b", "localhost/x:_y"]
        {
            assert!(Reference::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "Nginx",
            "nginx:",
            "nginx:-x",
            "a//b",
            "/a",
            "a/",
            "a b",
            "a_-b",
            ".a",
            "a.",
            "http://a/b",
            "a@sha256:1",
            "a@",
            "a:b:c",
            "-h.x/a",
            "a\n",
            "ä",
        ] {
            assert!(Reference::parse(bad).is_none(), "{bad}");
        }
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
