//! Resolves users' paths on this machine.

use std::path::Path;

/// Makes a path absolute. `~` is the home folder, and a relative path is below `folder`. The error
/// says why the home folder is not known.
pub fn resolve(path: &str, folder: &Path) -> Result<String, String> {
    if path.starts_with('/') {
        return Ok(path.to_owned());
    }
    if let Some(rest) = path.strip_prefix('~') {
        if !(rest.is_empty() || rest.starts_with('/')) {
            return Err(format!(
                "the path '{path}' begins with another user's home folder, which only that host knows. Write the whole \
                 path, or ./{path} for a file of that name"
            ));
        }
        let home = std::env::var("HOME").ok().filter(|home| !home.is_empty());
        let home = home.ok_or_else(|| {
            format!(
                "the path '{path}' begins with the home folder, and HOME is not set. Write the whole path"
            )
        })?;
        return Ok(format!("{}{rest}", home.trim_end_matches('/')));
    }
    let mut relative = path;
    while let Some(rest) = relative.strip_prefix("./") {
        relative = rest.trim_start_matches('/');
    }
    Ok(format!("{}/{relative}", folder.display().to_string().trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_paths_against_the_folder() {
        let folder = Path::new("/project");
        for (path, wanted) in [("/etc/motd", "/etc/motd"), ("a/b", "/project/a/b"), ("././a", "/project/a")] {
            assert_eq!(resolve(path, folder).unwrap(), wanted);
        }
        assert_eq!(resolve("-rf", folder).unwrap(), "/project/-rf");
    }

    #[test]
    fn knows_the_home_folder() {
        let home = std::env::var("HOME").unwrap();
        let home = home.trim_end_matches('/');
        let folder = Path::new("/project");
        assert_eq!(resolve("~", folder).unwrap(), home);
        assert_eq!(resolve("~/a", folder).unwrap(), format!("{home}/a"));
        assert!(resolve("~root/a", folder).unwrap_err().contains("another user's home folder"));
        assert_eq!(resolve("./~root", folder).unwrap(), "/project/~root");
    }
}
