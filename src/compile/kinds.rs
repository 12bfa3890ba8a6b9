//! The templates of the built-in kinds. A new kind adds its two templates to the index below.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, Error as TemplateError, State};
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
    environment.add_filter("resolve", |state: &State, path: String| resolve(&path, &folder_of(state)));
    environment.add_filter("resolve_volume", |state: &State, volume: String| {
        resolve_volume(&volume, &folder_of(state))
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

/// Makes a path absolute: `~` is the home folder, and what is relative is below `folder`.
pub fn resolve(path: &str, folder: &Path) -> String {
    let home = || std::env::var("HOME").ok().filter(|home| !home.is_empty());
    if let (Some(rest), Some(home)) = (path.strip_prefix("~/"), home()) {
        return format!("{}/{rest}", home.trim_end_matches('/'));
    }
    if path.starts_with('/') {
        return path.to_owned();
    }
    let mut relative = path;
    while let Some(rest) = relative.strip_prefix("./") {
        relative = rest.trim_start_matches('/');
    }
    format!("{}/{relative}", folder.display().to_string().trim_end_matches('/'))
}

/// Makes the host's side of `source:target[:options]` absolute where it is a relative path; the
/// name of a volume stays a name.
fn resolve_volume(volume: &str, folder: &Path) -> String {
    match volume.split_once(':') {
        Some((source, rest)) if source.starts_with(['.', '~']) => {
            format!("{}:{rest}", resolve(source, folder))
        }
        _ => volume.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_paths_against_the_folder() {
        let folder = Path::new("/project");
        assert_eq!(resolve("/etc/motd", folder), "/etc/motd");
        assert_eq!(resolve("a/b", folder), "/project/a/b");
        assert_eq!(resolve("././a", folder), "/project/a");
        assert_eq!(resolve("-rf", folder), "/project/-rf");
        assert_eq!(resolve_volume("./data:/data:ro", folder), "/project/data:/data:ro");
        assert_eq!(resolve_volume(".:/data", folder), "/project/.:/data");
        assert_eq!(resolve_volume("cache:/data", folder), "cache:/data");
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
