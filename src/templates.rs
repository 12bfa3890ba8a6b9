//! How templates are read, of compiled code and of prompts alike.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

/// An environment with these templates, each a name and a source: a name that is not there is an
/// error, blocks leave no lines behind, and nothing is escaped as if it were HTML.
pub(crate) fn environment(templates: &[(&'static str, &'static str)]) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    for (name, source) in templates {
        if let Err(error) = environment.add_template(name, source) {
            // Only a template of our own can be at fault, and every one is rendered by a test.
            unreachable!("{name}: {error:#}");
        }
    }
    environment
}
