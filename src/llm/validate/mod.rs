//! Turns an answer into an artifact, or rejects it with the exact complaint.
//!
//! Remarks and code fences around the answer are removed first. Then a text is checked by its format and
//! length. An object loses the members that its schema does not ask for, and is checked by the schema and by
//! the image that it names. The resource's own check comes after that.

mod dockerfile;
mod document;
mod fence;
mod length;
mod members;
mod nginx;
mod schema;
mod yaml;

use serde_json::{Map, Value};

use super::format::{Format, Syntax};
use super::{official_images, prompt};
use crate::resource::{Artifact, Request};

/// The rules for answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// True for a model on this machine, which may write shorter texts.
    pub local: bool,
    /// True if images may be other than Docker's official ones.
    pub allow_unverified_images: bool,
}

/// Makes an artifact out of an answer; the error is the complaint about it.
pub fn artifact(request: &Request, answer: &str, rules: Rules) -> Result<Artifact, String> {
    let answer = without_reasoning(answer);
    let artifact = match &request.schema {
        Some(schema) => object(answer, schema).map(Artifact::Object),
        None => text(request, answer, rules).map(Artifact::Text),
    }?;
    official_images::check(request, &artifact, rules.allow_unverified_images)?;
    Ok(artifact)
}

fn text(request: &Request, answer: &str, rules: Rules) -> Result<String, String> {
    let format = request.text.then(|| prompt::format_of(request));
    let alone = match &format {
        Some(format) => fence::file_alone(answer, format, &|text| syntax(text, format).is_ok()),
        None => fence::without_fence(answer, false),
    };
    let text = alone.trim_start_matches(['\n', '\r']).trim_end();
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    let Some(format) = format else { return Ok(text.to_owned()) };
    syntax(text, &format)?;
    if format.prose {
        length::length(text, request.size, rules.local)?;
    }
    // A text file ends with a newline; other texts become a part of something.
    Ok(format!("{text}\n"))
}

/// Checks a text by the grammar of its format, if it has one that needs no interpreter.
fn syntax(text: &str, format: &Format) -> Result<(), String> {
    match format.syntax {
        Some(Syntax::Json) => document::json(text),
        Some(Syntax::JsonLines) => document::json_lines(text),
        Some(Syntax::Toml) => document::toml(text),
        Some(Syntax::Xml) => document::xml(text),
        Some(Syntax::Ini) => document::ini(text),
        Some(Syntax::Yaml) => yaml::yaml(text),
        Some(Syntax::Compose) => yaml::compose(text),
        Some(Syntax::Nginx) => nginx::nginx(text),
        Some(Syntax::Dockerfile) => dockerfile::dockerfile(text),
        Some(Syntax::Python | Syntax::Shell) | None => Ok(()),
    }
}

fn object(answer: &str, schema: &Value) -> Result<Map<String, Value>, String> {
    let value = find_object(answer).ok_or("it holds no JSON object")?;
    let mut value = members::wanted(value, schema);
    schema::check(&value, schema)?;
    // The lock keeps keys in this order, so the first run must see it as well.
    value.sort_all_objects();
    match value {
        Value::Object(object) => Ok(object),
        _ => Err("it is no JSON object".to_owned()),
    }
}

/// The first JSON object in a text.
fn find_object(text: &str) -> Option<Value> {
    text.match_indices('{').take(100).find_map(|(start, _)| {
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        values.next()?.ok().filter(Value::is_object)
    })
}

/// Removes the reasoning that some models put before their answer.
pub fn without_reasoning(answer: &str) -> &str {
    let Some(thoughts) = answer.trim_start().strip_prefix("<think>") else { return answer };
    thoughts.split_once("</think>").map_or(answer, |(_, answer)| answer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Address, ArtifactSize};

    fn request(name: &str, schema: Option<Value>) -> Request {
        Request {
            address: Address { kind: "FileResource".into(), name: name.into() },
            renamed_from: None,
            text: true,
            instructions: None,
            description: None,
            size: ArtifactSize::Small,
            fields: Map::new(),
            placement: Vec::new(),
            schema,
            context: Vec::new(),
            project: Vec::new(),
        }
    }

    fn text_of(name: &str, answer: &str) -> String {
        match artifact(&request(name, None), answer, Rules::default()).unwrap() {
            Artifact::Text(text) => text,
            Artifact::Object(_) => unreachable!(),
        }
    }

    #[test]
    fn takes_off_a_fence_around_the_whole() {
        for (name, answer, wanted) in [
            ("a.json", "```json\n{}\n```", "{}\n"),
            ("a.sh", "\n~~~~sh\necho\n~~~~\n\n", "echo\n"),
            ("a.md", "```markdown\n# A\n```py\n1\n```\nend\n```", "# A\n```py\n1\n```\nend\n"),
            ("a.md", "```markdown\n# A\n```\n1\n```\nend\n```", "# A\n```\n1\n```\nend\n"),
            ("a.txt", "  indented\n", "  indented\n"),
            ("a.txt", "<think>hm\n</think>\n\nyes", "yes\n"),
        ] {
            assert_eq!(text_of(name, answer), wanted, "{answer}");
        }
        for (name, answer) in [
            ("a.md", "```py\n1\n```\ntext\n```py\n2\n```\n"),
            ("a.md", "```py\n1\n```\n"),
            ("a.txt", "```\n1\n```\ntext\n```\n2\n```\n"),
            ("a.txt", "```\nnever closed\n"),
            ("a.txt", "text with ``` in it\n"),
        ] {
            assert_eq!(text_of(name, answer), answer, "{answer}");
        }
    }

    #[test]
    fn what_is_empty_is_no_text() {
        for answer in ["```\n```", "<think>hm</think> \n", "```md\n\n```"] {
            assert!(artifact(&request("a.md", None), answer, Rules::default()).is_err(), "{answer}");
        }
    }

    #[test]
    fn finds_the_object() {
        let schema =
            json!({"type": "object", "properties": {"image": {"type": "string"}}, "required": ["image"]});
        let request = request("web", Some(schema));
        for answer in [
            r#"{"image": "nginx:1.27"}"#,
            "```json\n{\"image\": \"nginx:1.27\"}\n```",
            "Use {this}: {\"image\": \"nginx:1.27\"}. Done {}",
        ] {
            let wanted = Artifact::Object(json!({"image": "nginx:1.27"}).as_object().unwrap().clone());
            assert_eq!(artifact(&request, answer, Rules::default()), Ok(wanted), "{answer}");
        }
        assert_eq!(artifact(&request, "nginx:1.27", Rules::default()), Err("it holds no JSON object".into()));
        assert_eq!(
            artifact(&request, "{\"image\": 1}", Rules::default()),
            Err("image has to be of the type string".into())
        );
    }
}
