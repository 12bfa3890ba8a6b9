//! Writes operations as pyinfra code.

use std::fmt::Write as _;

use super::imports::Imports;
use super::literal::literal;
use crate::operation::{Argument, Deferred, Operation};

/// The longest call that is written on one line, in characters.
const WIDTH: usize = 100;

/// Writes one operation, ending in a newline.
pub(super) fn operation(code: &mut String, operation: &Operation, imports: &mut Imports) {
    let function = imports.function(&operation.function, code);
    for (_, value) in &operation.arguments {
        imports.value(value);
    }
    let is_later = |deferred: &&Deferred| matches!(deferred, Deferred::Output(..));
    let later = operation.arguments.iter().any(|(_, value)| value.deferred().iter().any(is_later));
    if !later {
        call(code, &function, &operation.arguments, 0);
        code.push('\n');
        return;
    }
    // pyinfra evaluates arguments before anything runs, but those in a callback only when the operation runs.
    imports.operations.insert("python".to_owned());
    let name = operation.arguments.iter().find(|(name, _)| name == "name");
    let name = name.map_or_else(|| Argument::Text(operation.function.clone()), |(_, value)| value.clone());
    let _ = write!(code, "python.call(\n    name={},\n    function=lambda: ", literal(&name, None));
    call(code, &function, &operation.arguments, 4);
    code.push_str(",\n)\n");
}

/// Writes a call, on one line where it is short.
fn call(code: &mut String, function: &str, arguments: &[(String, Argument)], indent: usize) {
    let short: Vec<String> =
        arguments.iter().map(|(name, value)| format!("{name}={}", literal(value, None))).collect();
    let short = format!("{function}({})", short.join(", "));
    let is_file =
        |(_, value): &(String, Argument)| matches!(value, Argument::TextFile(_) | Argument::BytesFile(_));
    if short.chars().count() <= WIDTH && !arguments.iter().any(is_file) {
        code.push_str(&short);
        return;
    }
    let pad = " ".repeat(indent);
    let _ = writeln!(code, "{function}(");
    for (name, value) in arguments {
        let _ = writeln!(code, "{pad}    {name}={},", long(value, indent + 4));
    }
    let _ = write!(code, "{pad})");
}

/// Writes a value over several lines where it has several parts.
fn long(value: &Argument, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let parts: Vec<String> = match value {
        Argument::List(items) if items.len() > 1 => items.iter().map(|item| literal(item, None)).collect(),
        _ => return literal(value, Some(indent)),
    };
    let one = format!("[{}]", parts.join(", "));
    if one.chars().count() + indent <= WIDTH {
        return one;
    }
    let lines: String = parts.iter().map(|part| format!("{pad}    {part},\n")).collect();
    format!("[\n{lines}{pad}]")
}
