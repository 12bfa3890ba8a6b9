//! The fingerprint of a question: the hash of all that the model is told and that bears on its answer.
//!
//! It is a part of the lock's format: a change of it makes every pinned artifact stale. So it has nothing
//! that changes with Clockwork's version, such as the wording of a prompt, and nothing of the model. A
//! member that is null or empty does not enter it, so a later version can add one.

use serde_json::{Value, json};

use super::{format, prompt, schema};
use crate::hash::sha256;
use crate::resource::Request;

/// The fingerprint of the question that a request leads to.
///
/// Secrets are taken out before: their values are not sent, and the lock is committed.
pub(super) fn fingerprint(request: &Request) -> String {
    let mut fields = prompt::shown_fields(request);
    fields.retain(|name, _| !request.placement.contains(name));
    // All resources of the project are shown, but only the connected ones count. If a new resource, or a
    // better word in another's description, made every answer stale, nothing would stay pinned for long.
    let connected: Vec<_> = prompt::others(request).into_iter().filter(|other| other.connected).collect();
    let mut question = json!({
        "kind": request.address.kind,
        "name": request.address.name,
        "file_type": file_type(request),
        "description": prompt::shown_description(request),
        "size": request.size,
        "fields": fields,
        "schema": request.schema.as_ref().map(schema::strict),
        "context": prompt::shown_context(request),
        "connected": connected,
    });
    if let Some(members) = question.as_object_mut() {
        members.retain(|_, member| match member {
            Value::Null => false,
            Value::Array(items) => !items.is_empty(),
            Value::Object(object) => !object.is_empty(),
            _ => true,
        });
    }
    question.sort_all_objects();
    sha256(question.to_string().as_bytes())
}

/// The part of a file's path that decides its format, if the file's name alone would decide it otherwise.
fn file_type(request: &Request) -> Option<String> {
    if !request.text {
        return None;
    }
    let path = request.fields.get("path")?.as_str()?;
    let name = &request.address.name;
    // An unknown path leaves the decision to the name; see `prompt::format_of`.
    let decides = format::by_name(path).is_some() || format::by_name(name).is_none();
    let (own, wanted) = (format::suffix(name), format::suffix(path));
    if !decides || (own == wanted && format::by_name(path) == format::by_name(name)) {
        return None;
    }
    // Some formats are known by the whole name, such as that of nginx.conf.
    match format::by_name(path) {
        Some(format)
            if format::by_name(&format!("x.{}", wanted.as_deref().unwrap_or_default())) != Some(format) =>
        {
            Some(format.name.to_owned())
        }
        _ => wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::resource::{Address, ArtifactSize, ContextFile, ProjectResource};

    fn request(name: &str, fields: &Value) -> Request {
        Request {
            address: Address { kind: "FileResource".into(), name: name.into() },
            renamed_from: None,
            text: true,
            instructions: None,
            description: Some("A page".into()),
            size: ArtifactSize::Small,
            fields: fields.as_object().unwrap().clone(),
            placement: ["path", "directory", "mode"].map(str::to_owned).to_vec(),
            schema: None,
            context: Vec::new(),
            project: Vec::new(),
        }
    }

    fn of(name: &str, fields: &Value) -> String {
        fingerprint(&request(name, fields))
    }

    #[test]
    fn is_the_same_in_every_version() {
        let plain = request("a.md", &json!({}));
        let full = Request {
            address: Address { kind: "Greeting".into(), name: "hello".into() },
            text: false,
            size: ArtifactSize::Large,
            fields: json!({"color": "red", "password": "x"}).as_object().unwrap().clone(),
            schema: Some(json!({
                "title": "Choice", "type": "object", "required": ["image"],
                "properties": {"image": {"title": "Image", "type": "string"}},
            })),
            context: vec![ContextFile { path: "a.yaml".into(), text: "a: 1\n".into() }],
            project: vec![ProjectResource {
                kind: "FileResource".into(),
                name: "b".into(),
                connected: true,
                fields: json!({"path": "/b"}).as_object().unwrap().clone(),
                ..ProjectResource::default()
            }],
            ..plain.clone()
        };
        assert_eq!(
            [fingerprint(&plain), fingerprint(&full)],
            [
                "7ec391abf3716a463acd517091cb68269f473adae270b61f76e5dfb01539e46f",
                "4bc122aa128e8458b2cc88a28427ac5bc28b093c46b1b7305c6f9e053a21df74",
            ]
        );
    }

    #[test]
    fn the_place_of_a_file_does_not_count() {
        let plain = of("a.md", &json!({}));
        for fields in [
            json!({"path": "/etc/b.md"}),
            json!({"path": "/etc/motd"}),
            json!({"directory": "/srv", "mode": "600"}),
        ] {
            assert_eq!(of("a.md", &fields), plain, "{fields}");
        }
        assert_ne!(of("a.md", &json!({"color": "red"})), plain);
        let unplaced = Request { placement: Vec::new(), ..request("a.md", &json!({"mode": "600"})) };
        assert_ne!(fingerprint(&unplaced), plain);
    }

    #[test]
    fn the_format_of_a_file_counts() {
        assert_ne!(of("a.md", &json!({})), of("a.txt", &json!({})));
        let path = |path: &str| file_type(&request("site", &json!({"path": path})));
        assert_eq!(path("/a/site.json").as_deref(), Some("json"));
        assert_eq!(path("/b/other.JSON"), path("/a/site.json"));
        assert_eq!(path("/etc/nginx/nginx.conf").as_deref(), Some("an nginx configuration"));
        assert_eq!(path("/etc/site.conf").as_deref(), Some("conf"));
        assert_eq!(path("/a/site.zig").as_deref(), Some("zig"));
        assert_eq!(path("/a/site"), None);
    }

    #[test]
    fn instructions_do_not_count() {
        let plain = request("a.md", &json!({}));
        let instructed = Request { instructions: Some("Write in verse.".into()), ..plain.clone() };
        assert_eq!(fingerprint(&instructed), fingerprint(&plain));
    }

    #[test]
    fn an_empty_member_is_as_good_as_none() {
        let mut fields = Map::new();
        fields.insert("mode".into(), "600".into());
        assert_eq!(of("a", &Value::Object(fields)), of("a", &json!({})));
    }
}
