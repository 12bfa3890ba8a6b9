//! Tests of precedence and validation.

use std::collections::HashMap;
use std::fs;

use super::*;

fn load(
    dotenv: [&str; 2],
    environment: &[(&str, &str)],
    overrides: &Overrides,
) -> Result<(Settings, tempfile::TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("cwd")).unwrap();
    for (path, text) in [".env", "cwd/.env"].iter().zip(dotenv) {
        if !text.is_empty() {
            fs::write(folder.path().join(path), text).unwrap();
        }
    }
    let environment: HashMap<_, _> = environment.iter().copied().collect();
    let get = |name: &str| environment.get(name).map(|value| (*value).to_owned());
    let settings = Settings::load_from(folder.path(), &folder.path().join("cwd"), overrides, &get)?;
    Ok((settings, folder))
}

fn message(dotenv: &str, environment: &[(&str, &str)], overrides: &Overrides) -> String {
    load([dotenv, ""], environment, overrides).unwrap_err().to_string()
}

#[test]
fn has_defaults() {
    let (settings, folder) = load(["", ""], &[], &Overrides::default()).unwrap();
    assert_eq!(settings.api_key, None);
    assert_eq!(settings.model, Model::Remote(DEFAULT_MODEL.into()));
    assert_eq!(settings.base_url, DEFAULT_BASE_URL);
    assert_eq!(settings.concurrency, 8);
    assert_eq!(settings.output_dir, folder.path().join(".clockwork/pyinfra"));
    assert_eq!(settings.log_level, LogLevel::Warning);
}

#[test]
fn the_nearer_source_wins() {
    let model = |dotenv, environment: &[_], overrides: &Overrides| {
        load(dotenv, environment, overrides).unwrap().0.model.to_string()
    };
    let none = Overrides::default();
    let given = Overrides { model: Some("a".into()), ..Overrides::default() };
    let dotenv = ["OPENROUTER_MODEL=c", "OPENROUTER_MODEL=d"];
    assert_eq!(model(dotenv, &[("OPENROUTER_MODEL", "b")], &given), "a");
    assert_eq!(model(dotenv, &[("OPENROUTER_MODEL", "b")], &none), "b");
    assert_eq!(model(dotenv, &[("OPENROUTER_MODEL", "")], &none), "c");
    assert_eq!(model(["OPENROUTER_MODEL=\n", dotenv[1]], &[], &none), "d");
}

#[test]
fn dotenv_leaves_the_environment_alone() {
    let (settings, _folder) =
        load(["CLOCKWORK_TEST_MARK=1\nOPENROUTER_API_KEY='sk-1'", ""], &[], &Overrides::default()).unwrap();
    assert_eq!(settings.api_key.unwrap().reveal(), "sk-1");
    assert!(std::env::var_os("CLOCKWORK_TEST_MARK").is_none());
}

#[test]
fn a_broken_dotenv_line_is_told_by_number() {
    let text = message("A=1\n\nOPENROUTER_API_KEY=sk hidden\n", &[], &Overrides::default());
    assert!(text.contains(".env cannot be read: line 3 "), "{text}");
    assert!(!text.contains("hidden"), "{text}");
    let text = message("# A=two words\nA=two words\n", &[], &Overrides::default());
    assert!(text.contains("line 2 "), "{text}");
}

#[test]
fn local_models() {
    let parse = |text| Model::parse(text, Path::new("/project"), Some("/home/me"));
    assert_eq!(parse("local").unwrap(), Model::Local(None));
    assert_eq!(parse("local:/a/b.gguf").unwrap(), Model::Local(Some("/a/b.gguf".into())));
    assert_eq!(parse("local:b.gguf").unwrap(), Model::Local(Some("/project/b.gguf".into())));
    assert_eq!(parse("local:~/b.gguf").unwrap(), Model::Local(Some("/home/me/b.gguf".into())));
    assert_eq!(parse("localai/x").unwrap(), Model::Remote("localai/x".into()));
    assert!(parse("local:").is_err());
    assert_eq!(parse("a/b , c:free,").unwrap(), Model::Remote("a/b,c:free".into()));
    assert!(parse("a,local").is_err() && parse(",").is_err());
}

#[test]
fn a_local_model_is_looked_for_where_its_name_stands() {
    let name = "OPENROUTER_MODEL=local:m.gguf";
    let of = |dotenv, environment: &[_]| {
        let (settings, folder) = load(dotenv, environment, &Overrides::default()).unwrap();
        let Model::Local(Some(path)) = settings.model else { panic!("{:?}", settings.model) };
        path.strip_prefix(folder.path()).unwrap().to_path_buf()
    };
    assert_eq!(of([name, ""], &[]), Path::new("m.gguf"));
    assert_eq!(of(["", name], &[]), Path::new("cwd/m.gguf"));
    assert_eq!(of([name, ""], &[("OPENROUTER_MODEL", "local:m.gguf")]), Path::new("cwd/m.gguf"));
}

#[test]
fn base_urls() {
    assert_eq!(check_base_url("http://localhost:8080/v1/").unwrap(), "http://localhost:8080/v1");
    assert_eq!(check_base_url("https://h/v1/chat/completions").unwrap(), "https://h/v1");
    assert_eq!(check_base_url("http://[::1]:80").unwrap(), "http://[::1]");
    for bad in ["localhost:8080", "ftp://h", "nonsense", "https://h?a=b", "http://", "file:///etc/passwd"] {
        assert!(matches!(check_base_url(bad), Err(Error::Settings(_))), "{bad}");
    }
    for secret in ["https://me:hunter2@h/v1", "https://h/v1?key=hunter2", "https://h/v1#hunter2"] {
        let text = check_base_url(secret).unwrap_err().to_string();
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn turns_away_what_cannot_be_used() {
    let none = Overrides::default();
    for (name, value) in [
        ("CLOCKWORK_CONCURRENCY", "0"),
        ("CLOCKWORK_CONCURRENCY", "many"),
        ("CLOCKWORK_CONCURRENCY", "1001"),
        ("CLOCKWORK_TIMEOUT", "-1"),
        ("CLOCKWORK_TIMEOUT", "NaN"),
        ("CLOCKWORK_MAX_REPAIRS", "-1"),
        ("CLOCKWORK_MAX_TOKENS_TOTAL", "0"),
        ("CLOCKWORK_MAX_COST", "inf"),
        ("CLOCKWORK_ALLOW_UNVERIFIED_IMAGES", "maybe"),
        ("LOG_LEVEL", "loud"),
        ("OPENROUTER_API_KEY", "two words"),
    ] {
        let text = message("", &[(name, value)], &none);
        assert!(text.contains(name) || text.contains("API key"), "{text}");
        assert!(name != "OPENROUTER_API_KEY" || !text.contains("two words"), "{text}");
    }
    for concurrency in [0, usize::MAX] {
        message("", &[], &Overrides { concurrency: Some(concurrency), ..Overrides::default() });
    }
}

#[test]
fn limits_come_from_the_environment_too() {
    let environment = [
        ("CLOCKWORK_MAX_REPAIRS", "0"),
        ("CLOCKWORK_MAX_TOKENS_TOTAL", "1000"),
        ("CLOCKWORK_MAX_COST", "0.5"),
        ("CLOCKWORK_ALLOW_UNVERIFIED_IMAGES", "yes"),
    ];
    let overrides = Overrides { max_tokens_total: Some(7), ..Overrides::default() };
    let (settings, _folder) = load(["", ""], &environment, &overrides).unwrap();
    assert_eq!((settings.max_repairs, settings.max_tokens_total, settings.max_cost), (0, Some(7), Some(0.5)));
    assert!(settings.allow_unverified_images);
}

#[test]
fn a_secret_is_never_shown() {
    let overrides = Overrides { api_key: Some("sk-hidden".into()), ..Overrides::default() };
    let (settings, _folder) = load(["", ""], &[], &overrides).unwrap();
    let shown = format!("{overrides:?} {settings:?} {}", settings.api_key.as_ref().unwrap());
    assert!(!shown.contains("hidden"), "{shown}");
}
