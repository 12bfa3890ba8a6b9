//! The grammar of image references.

/// The parts of an image reference: `registry/path:tag@digest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ImageReference<'a> {
    /// The registry's host and port; `None` means Docker Hub.
    pub registry: Option<&'a str>,
    /// The image's name in the registry.
    pub path: &'a str,
    /// The tag.
    pub tag: Option<&'a str>,
    /// The digest, with its algorithm.
    pub digest: Option<&'a str>,
}

impl<'a> ImageReference<'a> {
    /// Reads a reference as <https://pkg.go.dev/github.com/distribution/reference> describes it.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            // A colon before a slash belongs to a port.
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

/// Tells whether a text has only lower-case letters and digits, with `.`, `_`, `__` or dashes between them.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_references() {
        let hash = "a".repeat(64);
        let whole = format!("localhost:5000/a-b/c__d.e:1.0-x@sha256:{hash}");
        let digest = format!("sha256:{hash}");
        let expected = ImageReference {
            registry: Some("localhost:5000"),
            path: "a-b/c__d.e",
            tag: Some("1.0-x"),
            digest: Some(&digest),
        };
        assert_eq!(ImageReference::parse(&whole), Some(expected));
        for good in ["nginx", "nginx:1.27", "me/app", "ghcr.io/me/app:v1", "a.b/c", "a---b", "localhost/x:_y"]
        {
            assert!(ImageReference::parse(good).is_some(), "{good}");
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
            assert!(ImageReference::parse(bad).is_none(), "{bad}");
        }
    }
}
