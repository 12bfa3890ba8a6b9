//! A unified diff, put together from the lines that pyinfra logs.

/// A unified diff.
#[derive(Debug, Default)]
pub struct Diff {
    text: String,
    /// True if the next line on an attribute holds the new value.
    new_value: bool,
}

impl Diff {
    /// Adds one log record: its message before and after its values are put in.
    pub fn add(&mut self, message: &str, text: &str) {
        if message == "  %s" {
            let line = text.strip_prefix("  ").unwrap_or(text);
            let (mark, rest) = line.split_at(line.len().min(2));
            match mark {
                "+ " | "- " | "  " => self.line(mark.trim_end_matches(' '), rest),
                _ => self.line(line, ""),
            }
        } else if let Some((created, path)) = header(text) {
            let before = if created { "/dev/null" } else { path };
            self.line(&format!("--- {before}"), "");
            self.line(&format!("+++ {path}"), "");
        } else if ["mode %s", "chown %s:%s", "mtime %s", "atime %s"].contains(&message) {
            self.line(if self.new_value { "+" } else { "-" }, text);
            self.new_value = !self.new_value;
        }
    }

    fn line(&mut self, mark: &str, rest: &str) {
        // Context has a mark of its own: a space.
        self.text.push_str(if mark.is_empty() { " " } else { mark });
        self.text.push_str(rest);
        self.text.push('\n');
    }

    /// The text, unless nothing has been logged.
    pub fn text(&self) -> Option<&str> {
        (!self.text.is_empty()).then_some(self.text.as_str())
    }
}

/// The meaning of the line before a diff: whether the file is new, and its path.
fn header(text: &str) -> Option<(bool, &str)> {
    let rest = text.strip_prefix("Will ")?;
    [("create ", true), ("modify ", false), ("replace lines in ", false), ("Remove lines in ", false)]
        .into_iter()
        .find_map(|(start, created)| Some((created, rest.strip_prefix(start)?)))
}
