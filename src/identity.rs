//! Identities and claims of things on a host.
//!
//! An identity is a text such as `path:/etc/motd` or `container:web`. The core normalises the path of
//! a `path:` identity, and compares all others as they are.

use std::path::Path;

use crate::resource::Address;

/// The start of an identity that is a path.
const PATH: &str = "path:";

/// The identity of a resource whose kind gives none. It is made of the address.
pub fn of_code(address: &Address) -> String {
    format!("code:{}/{}", address.kind, address.name)
}

/// Returns true if the kind gives the identity. Another identity of the same resource then means
/// that the resource has moved.
pub fn has_place(identity: &str) -> bool {
    !identity.starts_with("code:")
}

/// Normalises an identity or a claim, for comparison: `path:/k//x/../y` is `path:/k/y`.
pub fn normalise(identity: &str) -> String {
    match path_of(identity) {
        Some(path) => format!("{PATH}{}", clean(path)),
        None => identity.to_owned(),
    }
}

/// The path in an identity or a claim.
pub fn path_of(identity: &str) -> Option<&str> {
    identity.strip_prefix(PATH)
}

/// Follows the links on this machine, except for the last part of the path.
///
/// Two paths of the same file lead to the same identity.
pub fn followed(identity: &str) -> String {
    let follow = |path: &str| {
        let path = Path::new(path);
        let (folder, name) = (path.parent()?, path.file_name()?);
        // Only the nearest folder that exists can be resolved.
        let there = folder.ancestors().find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
        let (ancestor, real) = there?;
        let rest = folder.strip_prefix(ancestor).ok()?;
        Some(real.join(rest).join(name).display().to_string())
    };
    match path_of(identity).filter(|path| path.starts_with('/')).and_then(follow) {
        Some(path) => format!("{PATH}{path}"),
        None => identity.to_owned(),
    }
}

/// Returns true if two things exclude each other: one path lies below the other.
pub fn overlap(one: &str, other: &str) -> bool {
    let (Some(one), Some(other)) = (path_of(one), path_of(other)) else { return false };
    one != other && (Path::new(one).starts_with(other) || Path::new(other).starts_with(one))
}

/// Resolves `.`, `..` and repeated slashes, without looking at the disk.
fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != ".." && *last != "~") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for (path, wanted) in [
            ("path:/k/x", "path:/k/x"),
            ("path:/k//x", "path:/k/x"),
            ("path:/k/../k/./x", "path:/k/x"),
            ("path:/../x", "path:/x"),
            ("path:~/a/../x", "path:~/x"),
            ("path:~/../x", "path:~/../x"),
            ("path:/", "path:/"),
            ("container:a/../b", "container:a/../b"),
        ] {
            assert_eq!(normalise(path), wanted);
        }
    }

    #[test]
    #[cfg(unix)]
    fn links_on_the_way_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink("real", root.join("link")).unwrap();
        let through = |path: &str| followed(&format!("path:{}/{path}", root.display()));
        assert_eq!(through("link/a"), through("real/a"));
        assert_eq!(through("link/new/a"), through("real/new/a"));
        assert_eq!(followed("path:~/a"), "path:~/a");
    }

    #[test]
    fn a_file_in_place_of_a_folder_overlaps() {
        assert!(overlap("path:/a", "path:/a/b"));
        assert!(overlap("path:/a/b/c", "path:/a"));
        assert!(!overlap("path:/a", "path:/ab"));
        assert!(!overlap("path:/a", "path:/a"));
        assert!(!overlap("container:a", "container:a/b"));
    }
}
