//! The templates of the built-in kinds. A new kind adds its two templates to the index below.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, Error as TemplateError, ErrorKind, State};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Phase, literal};
use crate::error::{Error, Result};
use crate::resource::Address;
use crate::templates;

/// The index of built-in kinds: for each, how it is brought up and how it is taken down.
const TEMPLATES: &[(&str, &str)] = &[
    ("file.deploy", include_str!("templates/file.deploy.py.j2")),
    ("file.destroy", include_str!("templates/file.destroy.py.j2")),
    ("docker_service.engine", include_str!("templates/docker_service.engine.py.j2")),
    ("docker_service.deploy", include_str!("templates/docker_service.deploy.py.j2")),
    ("docker_service.removal", include_str!("templates/docker_service.removal.py.j2")),
    ("docker_service.destroy", include_str!("templates/docker_service.destroy.py.j2")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// Renders the code of a resource of the built-in kind `template`.
///
/// `fields` are the resource's fields, completed by the model; `folder` is the folder of its
/// main.py, against which relative paths are resolved.
pub fn render(
    template: &str,
    phase: Phase,
    address: &Address,
    fields: &Map<String, Value>,
    folder: &Path,
) -> Result<String> {
    let failed = |reason: &str| Error::Compile { address: address.clone(), reason: reason.to_owned() };
    let suffix = match phase {
        Phase::Deploy => "deploy",
        Phase::Destroy => "destroy",
    };
    let template = ENVIRONMENT
        .get_template(&format!("{template}.{suffix}"))
        .map_err(|_| failed(&format!("there is no template '{template}.{suffix}'")))?;
    let mut context = fields.clone();
    context.insert("folder".to_owned(), Value::String(folder.display().to_string()));
    template.render(Serde(context)).map_err(|error| failed(error.detail().unwrap_or("its template failed")))
}

fn environment() -> Environment<'static> {
    let mut environment = templates::environment(TEMPLATES);
    environment.add_filter(
        "py",
        |Serde(value): Serde<Value>, kwargs: Kwargs| -> Result<String, TemplateError> {
            let indent = kwargs.get::<Option<usize>>("indent")?;
            kwargs.assert_all_used()?;
            Ok(literal::literal(&value, indent))
        },
    );
    environment.add_filter("fingerprint", |Serde(value): Serde<Value>| fingerprint(&value.to_string()));
    environment.add_filter("sha256", |text: String| hex_digest(text.as_bytes()));
    environment.add_filter("shell", |text: String| format!("'{}'", text.replace('\'', r"'\''")));
    let unusable = |reason: String| TemplateError::new(ErrorKind::InvalidOperation, reason);
    environment.add_filter("resolve", move |state: &State, path: String| {
        resolve(&path, &folder_of(state)).map_err(unusable)
    });
    environment.add_filter("resolve_volume", move |state: &State, volume: String| {
        resolve_volume(&volume, &folder_of(state)).map_err(unusable)
    });
    environment
}

fn folder_of(state: &State) -> PathBuf {
    state.lookup("folder").map(|folder| PathBuf::from(folder.to_string())).unwrap_or_default()
}

/// The SHA-256 of some bytes, in hexadecimal.
pub fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut digest, byte| {
        let _ = write!(digest, "{byte:02x}");
        digest
    })
}

/// What tells one state of a specification from all others, short enough for a label.
fn fingerprint(specification: &str) -> String {
    let mut digest = hex_digest(specification.as_bytes());
    digest.truncate(16);
    digest
}

/// Makes a path absolute: `~` is the home folder, and what is relative is below `folder`. The error
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

/// Makes the host's side of `source:target[:options]` absolute where it is a relative path; the
/// name of a volume stays a name.
fn resolve_volume(volume: &str, folder: &Path) -> Result<String, String> {
    match volume.split_once(':') {
        Some((source, rest)) if source.starts_with(['.', '~']) => {
            Ok(format!("{}:{rest}", resolve(source, folder)?))
        }
        _ => Ok(volume.to_owned()),
    }
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
        for (volume, wanted) in [
            ("./data:/data:ro", "/project/data:/data:ro"),
            (".:/data", "/project/.:/data"),
            ("cache:/data", "cache:/data"),
        ] {
            assert_eq!(resolve_volume(volume, folder).unwrap(), wanted);
        }
    }

    #[test]
    fn knows_the_home_folder() {
        let home = std::env::var("HOME").unwrap();
        let home = home.trim_end_matches('/');
        let folder = Path::new("/project");
        assert_eq!(resolve("~", folder).unwrap(), home);
        assert_eq!(resolve("~/a", folder).unwrap(), format!("{home}/a"));
        assert_eq!(resolve_volume("~:/home", folder).unwrap(), format!("{home}:/home"));
        assert!(resolve("~root/a", folder).unwrap_err().contains("another user's home folder"));
        assert_eq!(resolve("./~root", folder).unwrap(), "/project/~root");
    }

    #[test]
    fn renders_every_kind_in_every_phase() {
        insta::glob!("snapshots/inputs/*.json", |path| {
            let input: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let template = input["template"].as_str().unwrap();
            let name = input["fields"]["name"].as_str().unwrap();
            let address = Address { kind: template.into(), name: name.into() };
            let mut text = String::new();
            for phase in [Phase::Deploy, Phase::Destroy] {
                let fields = input["fields"].as_object().unwrap();
                let code = render(template, phase, &address, fields, Path::new("/project")).unwrap();
                let _ = write!(text, "# {phase:?}\n{}\n\n", code.trim());
            }
            insta::assert_snapshot!(text);
        });
    }
}
