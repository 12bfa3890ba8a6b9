//! The wording of questions: one template for the text of a file, and one for everything else, filled in with
//! the user's data.
//!
//! The same request gives the same question. The user's data stands between tags that it cannot close, and
//! secrets are taken out of it.

use std::sync::LazyLock;

use minijinja::value::Serde;
use minijinja::{Environment, context};
use serde::Serialize;
use serde_json::{Map, Value};

use super::format::{self, Format};
use crate::error::{Error, Result};
use crate::redact;
use crate::resource::{ArtifactSize, ContextFile, ProjectResource, Request};
use crate::templates;

/// The templates: `text` and `resource` word a question, and the others are parts of them.
const TEMPLATES: &[(&str, &str)] = &[
    ("system", include_str!("templates/system.j2")),
    ("author", include_str!("templates/author.j2")),
    ("schema", include_str!("templates/schema.j2")),
    ("instructions", include_str!("templates/instructions.j2")),
    ("text", include_str!("templates/text.j2")),
    ("resource", include_str!("templates/resource.j2")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// The wording of a question, in the two parts that chat models know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prompt {
    /// The rules.
    pub system: String,
    /// The task.
    pub user: String,
}

impl Prompt {
    /// Words the question for a request.
    ///
    /// `show_schema` puts the schema into the question, for servers that take none beside it.
    pub fn new(request: &Request, show_schema: bool) -> Result<Self> {
        let fields = shown_fields(request);
        let format = if request.text { format_of(request) } else { format::PLAIN };
        let schema = request.schema.as_ref().filter(|_| show_schema);
        let context = context! {
            text => request.text,
            instructions => request.instructions.as_deref().map(str::trim),
            kind => request.address.kind.clone(),
            name => request.address.name.clone(),
            description => shown_description(request),
            words => words(request.size),
            structured => request.schema.is_some(),
            format => Serde(format),
            fields => Serde(fields),
            schema => Serde(schema),
            project => Serde(others(request)),
            context => Serde(fenced(request)),
        };
        let render = |name: &str| -> Result<String> {
            let rendered = ENVIRONMENT.get_template(name).and_then(|template| template.render(&context));
            rendered.map(|text| text.trim_end().to_owned()).map_err(|error| Error::Compile {
                address: request.address.clone(),
                reason: format!("its prompt failed: {}", error.detail().unwrap_or("no such template")),
            })
        };
        Ok(Self { system: render("system")?, user: render(if request.text { "text" } else { "resource" })? })
    }
}

impl Prompt {
    /// Words the question for a very small model, which would take long rules for a part of its subject.
    pub fn brief(request: &Request) -> Self {
        let what = request.description.as_deref().unwrap_or(&request.address.name).trim();
        let format = format_of(request);
        let (system, user) = if request.schema.is_some() {
            ("You choose what fits best. Answer with JSON alone.", format!("Choose for this purpose: {what}"))
        } else if !request.text || format.prose {
            let words = words(request.size);
            (
                "You are a writer. Answer with the text alone.",
                format!("Write a text about this: {what}. Use {words}."),
            )
        } else {
            let (name, kind) = (&request.address.name, format.name);
            let user = format!("Write {kind} for the file {name}: {what}");
            ("You write files. Answer with the file's content alone.", user)
        };
        Self { system: system.to_owned(), user }
    }
}

/// The fields that a question shows: those that the user set and that stand nowhere else in it, without
/// secrets.
pub fn shown_fields(request: &Request) -> Map<String, Value> {
    let mut fields = redact::fields(&request.fields);
    fields.retain(|name, _| !matches!(name.as_str(), "name" | "description" | "context"));
    fields.sort_keys();
    fields
}

/// The user's description, without anything that is evidently a secret.
pub fn shown_description(request: &Request) -> Option<String> {
    request.description.as_deref().map(redact::text::evident)
}

/// The files that a question shows, without secrets.
pub fn shown_context(request: &Request) -> Vec<ContextFile> {
    let shown = |file: &ContextFile| ContextFile {
        path: file.path.clone(),
        text: redact::text::document(&file.path, &file.text),
    };
    request.context.iter().map(shown).collect()
}

/// All other resources of the project.
pub(super) fn others(request: &Request) -> Vec<ProjectResource> {
    let others = request
        .project
        .iter()
        .filter(|other| (&other.kind, &other.name) != (&request.address.kind, &request.address.name));
    let shown = others.map(|other| ProjectResource {
        description: other.description.as_deref().map(redact::text::evident),
        fields: redact::fields(&other.fields),
        ..other.clone()
    });
    shown.collect()
}

/// A file as a question shows it, with a fence around it that it cannot close.
#[derive(Serialize)]
struct Fenced {
    path: String,
    text: String,
    fence: String,
}

fn fenced(request: &Request) -> Vec<Fenced> {
    let fenced = |ContextFile { path, text }: ContextFile| {
        let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let text = text.strip_suffix('\n').map(str::to_owned).unwrap_or(text);
        Fenced { path, text, fence: "`".repeat(longest.max(2) + 1) }
    };
    shown_context(request).into_iter().map(fenced).collect()
}

/// The format of the file that a request is for, by its path, or else by its name.
pub fn format_of(request: &Request) -> Format {
    let path = request.fields.get("path").and_then(Value::as_str);
    path.and_then(format::by_name).or_else(|| format::by_name(&request.address.name)).unwrap_or(format::PLAIN)
}

fn words(size: ArtifactSize) -> &'static str {
    match size {
        ArtifactSize::Small => "about 100 to 500 words",
        ArtifactSize::Medium => "about 500 to 2000 words",
        ArtifactSize::Large => "more than 2000 words",
    }
}

fn environment() -> Environment<'static> {
    let mut environment = templates::environment(TEMPLATES);
    environment.add_filter("json", |Serde(value): Serde<Value>| {
        // Without `<`, no value can close the tag that it stands in.
        value.to_string().replace('<', "\\u003c")
    });
    environment.add_filter("inside", |text: String, tag: String| {
        text.replace(&format!("</{tag}"), &format!("<\\/{tag}"))
    });
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_every_kind_of_question() {
        insta::glob!("snapshots/inputs/*.json", |path| {
            let input = std::fs::read_to_string(path).unwrap();
            let request: Request = serde_json::from_str(&input).unwrap();
            let prompt = Prompt::new(&request, true).unwrap();
            assert_eq!(prompt, Prompt::new(&request, true).unwrap());
            insta::assert_snapshot!(format!("# system\n{}\n\n# user\n{}", prompt.system, prompt.user));
        });
    }
}
