//! File formats by name, and the rule that a model is told for each.

use serde::Serialize;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Format {
    /// Its name in a prompt.
    pub name: &'static str,
    /// The rule that makes it valid.
    pub rule: &'static str,
    /// True if it is text for people, whose length is counted in words.
    pub prose: bool,
    /// The grammar that it can be checked against, if there is one.
    #[serde(skip)]
    pub syntax: Option<Syntax>,
}

/// A grammar that a text can be checked against.
///
/// `Python` and `Shell` need an interpreter, which the core does not have: the resource's own
/// [`Check`](super::Check) looks at them. All others are checked in the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// One JSON document.
    Json,
    /// One JSON document on each line.
    JsonLines,
    /// YAML: one document or more.
    Yaml,
    /// YAML that describes services for Docker Compose.
    Compose,
    /// TOML.
    Toml,
    /// Well-formed XML.
    Xml,
    /// Sections and `name = value`.
    Ini,
    /// Instructions for building an image.
    Dockerfile,
    /// Directives and blocks of nginx.
    Nginx,
    /// Python 3, for the caller to check.
    Python,
    /// A shell script, for the caller to check.
    Shell,
}

impl Format {
    const fn of(self, syntax: Syntax) -> Self {
        Self { syntax: Some(syntax), ..self }
    }
}

/// The format of a file whose name is unknown.
pub const PLAIN: Format = prose("plain text", "Use no markup.");

const fn prose(name: &'static str, rule: &'static str) -> Format {
    Format { name, rule, prose: true, syntax: None }
}

const fn code(name: &'static str, rule: &'static str) -> Format {
    Format { name, rule, prose: false, syntax: None }
}

const MARKDOWN: Format =
    prose("Markdown", "Begin with a heading. Use code fences only around code inside the text.");

/// Tells the format of a file by its name or path.
pub fn by_name(path: &str) -> Option<Format> {
    let name = path.rsplit(['/', '\\']).next()?.to_ascii_lowercase();
    let by_whole_name = match name.as_str() {
        "nginx.conf" => Some(NGINX),
        "makefile" => Some(code("a Makefile", "Indent recipes with tabs.")),
        "caddyfile" => Some(code("a Caddyfile", "It must pass `caddy validate`.")),
        "crontab" => Some(code("a crontab", "One job a line, comments on lines of their own.")),
        ".env" => Some(ENVIRONMENT),
        "haproxy.cfg" => Some(code("an HAProxy configuration", "It must pass `haproxy -c`.")),
        "docker-compose.yml" | "docker-compose.yaml" | "compose.yml" | "compose.yaml" => Some(
            code("a Docker Compose file", "It must be valid YAML. Leave out the obsolete key `version`.")
                .of(Syntax::Compose),
        ),
        "dockerfile" | "containerfile" => Some(DOCKERFILE),
        "readme" | "license" | "notice" => Some(PLAIN),
        _ if name.starts_with("dockerfile.") => Some(DOCKERFILE),
        // `sites/nginx-shop.conf`, but not `about-nginx.md`.
        _ if name.contains("nginx") && matches!(name.rsplit_once('.'), None | Some((_, "conf"))) => {
            Some(NGINX)
        }
        _ => None,
    };
    by_whole_name.or_else(|| by_extension(name.rsplit_once('.')?.1))
}

const DOCKERFILE: Format =
    code("a Dockerfile", "Begin with FROM and a pinned tag of an image that exists.").of(Syntax::Dockerfile);
const NGINX: Format = code("an nginx configuration", "It must pass `nginx -t`.").of(Syntax::Nginx);
const ENVIRONMENT: Format =
    code("environment variables", "NAME=value on each line; leave the values of secrets empty.");

const INI: Format = code("INI", "Sections in brackets, then `name = value` on each line.");

/// The suffix of a file's name or path, in small letters and without its dot.
pub fn suffix(path: &str) -> Option<String> {
    let name = path.rsplit(['/', '\\']).next()?;
    Some(name.rsplit_once('.')?.1.to_ascii_lowercase())
}

fn by_extension(extension: &str) -> Option<Format> {
    Some(match extension {
        "md" | "markdown" => MARKDOWN,
        "txt" | "text" => PLAIN,
        "rst" => prose("reStructuredText", "Begin with a title."),
        "adoc" => prose("AsciiDoc", "Begin with a title."),
        "tex" => prose("LaTeX", "It must be a complete document."),
        "html" | "htm" => prose("HTML", "It must be a complete document that begins with <!DOCTYPE html>."),
        "json" => code("JSON", "It must be one valid document, without comments or trailing commas.")
            .of(Syntax::Json),
        "jsonl" | "ndjson" => code("JSON Lines", "One valid JSON object on each line.").of(Syntax::JsonLines),
        "yaml" | "yml" => {
            code("YAML", "It must be valid, indented with two spaces, without tabs.").of(Syntax::Yaml)
        }
        "toml" => code("TOML", "It must be a valid document.").of(Syntax::Toml),
        "xml" => code("XML", "It must be well-formed, with one root element.").of(Syntax::Xml),
        "svg" => code("SVG", "It must be well-formed XML, with one root element <svg>.").of(Syntax::Xml),
        "ini" => INI.of(Syntax::Ini),
        // Programs use this suffix for several grammars.
        "cfg" => INI,
        "conf" => code("a configuration file", "Use the syntax of the program that it is for."),
        "service" | "timer" | "socket" => code("a systemd unit", "It must pass `systemd-analyze verify`."),
        "env" => ENVIRONMENT,
        "properties" => code("Java properties", "`name=value` on each line."),
        "csv" => code("CSV", "A header line first; put quotes around fields with commas in them."),
        "tsv" => code("tab-separated values", "A header line first; one tab between fields."),
        "sql" => code(
            "SQL",
            "Standard SQL, each statement ended with a semicolon; no explanations outside comments.",
        ),
        "py" => code("Python 3", "It must parse. Explanations only in comments and docstrings.")
            .of(Syntax::Python),
        "sh" | "bash" => {
            code("a shell script", "Begin with a #! line. It must pass `bash -n`. Quote variables.")
                .of(Syntax::Shell)
        }
        "js" | "mjs" => code("JavaScript", "It must parse. Explanations only in comments."),
        "ts" => code("TypeScript", "It must compile. Explanations only in comments."),
        "css" => code("CSS", "It must be valid."),
        "go" => code("Go", "It must compile and be formatted as gofmt does."),
        "rs" => code("Rust", "It must compile and be formatted as rustfmt does."),
        "rb" => code("Ruby", "It must parse. Explanations only in comments."),
        "lua" => code("Lua", "It must parse. Explanations only in comments."),
        "tf" => code("Terraform", "It must pass `terraform validate`."),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_by_name() {
        let name = |path| by_name(path).map(|format| format.name);
        assert_eq!(name("article.MD"), Some("Markdown"));
        assert_eq!(name("/etc/nginx/nginx.conf"), Some("an nginx configuration"));
        assert_eq!(name("docker/Dockerfile"), Some("a Dockerfile"));
        assert_eq!(name("about-nginx.md"), Some("Markdown"));
        assert_eq!(name("app.conf"), Some("a configuration file"));
        assert_eq!(name("motd"), None);
        assert_eq!(name(""), None);
    }
}
