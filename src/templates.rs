//! The environment of templates, such as those of prompts.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

/// Creates an environment with these templates (name and source). Undefined variables are errors, blocks
/// leave no empty lines behind, and nothing is escaped as HTML.
pub(crate) fn environment(templates: &[(&'static str, &'static str)]) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    for (name, source) in templates {
        if let Err(error) = environment.add_template(name, source) {
            // The templates are compiled in, and a test renders each of them.
            unreachable!("{name}: {error:#}");
        }
    }
    environment
}
