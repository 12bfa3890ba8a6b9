//! Secrets that are recognizable by themselves: logins in URLs, and the tokens of well-known services.

use super::PLACEHOLDER;
use super::assignments::is_reference;

/// The prefixes of the tokens of well-known services.
const TOKENS: &[&str] = &[
    "sk-",
    "sk_live_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "eyJ",
    "hf_",
    "npm_",
    "pypi-",
    "dop_v1_",
    "SG.",
];
/// The smallest length of a token: shorter words with such a prefix are no tokens.
const TOKEN_LENGTH: usize = 16;

/// Redacts the login of `scheme://user:password@host`. The user's name stays. A name without a password is
/// a token and is redacted, except over SSH.
pub fn addresses(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        result.push_str(before);
        rest = after;
        if let Some(at) = login(after) {
            result.push_str(&match after[..at].split_once(':') {
                // With these fillers in place of the password, the name is the token.
                Some((_, "" | "x" | "X" | "x-oauth-basic")) => PLACEHOLDER.to_owned(),
                Some((user, _)) => format!("{user}:{PLACEHOLDER}"),
                None if before.ends_with("ssh://") || is_reference(&after[..at]) => after[..at].to_owned(),
                None => PLACEHOLDER.to_owned(),
            });
            rest = &after[at..];
        }
    }
    result + rest
}

/// The length of the login at the start of an address.
fn login(address: &str) -> Option<usize> {
    let quote = |c: char| matches!(c, '"' | '\'' | '`' | '<' | '>');
    let end = address.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(address.len());
    let authority = &address[..end];
    if let Some(at) = authority.rfind('@') {
        let login = &authority[..at];
        let plain = !login.is_empty() && !login.contains(|c| quote(c) || matches!(c, '?' | '#'));
        return (plain || login.contains(':')).then_some(at);
    }
    // A password may contain a slash; a port is a number or a placeholder in braces.
    let port = authority.split_once(':')?.1;
    let host = authority.starts_with('[') || port.contains(['$', '{']);
    if host || port.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    address[..address.find(|c: char| quote(c) || c.is_whitespace()).unwrap_or(address.len())].rfind('@')
}

/// Redacts the tokens of well-known services.
pub fn tokens(text: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '/' | '=');
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(part) {
        result.push_str(&rest[..start]);
        let word = &rest[start..];
        let word = &word[..word.find(|c| !part(c)).unwrap_or(word.len())];
        match token(word) {
            Some(start) => {
                result.push_str(&word[..start]);
                result.push_str(PLACEHOLDER);
            }
            None => result.push_str(word),
        }
        rest = &rest[start + word.len()..];
    }
    result + rest
}

/// The position of a token in a word; it may be a segment of a path.
fn token(word: &str) -> Option<usize> {
    let is_token =
        |text: &str| text.len() >= TOKEN_LENGTH && TOKENS.iter().any(|token| text.starts_with(token));
    // In `KEY=token` the token follows the sign; two signs at the end are base64 padding.
    let value = word.strip_suffix("==").unwrap_or(word).rfind('=').map_or(0, |sign| sign + 1);
    if is_token(&word[value..]) {
        return Some(value);
    }
    word.match_indices('/')
        .map(|(slash, _)| slash + 1)
        .find(|start| is_token(word[*start..].split('/').next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use crate::redact::text::evident;

    #[test]
    fn takes_tokens_out_of_paths() {
        for (before, after) in [
            ("https://h/v1/sk_live_0123456789abcdef", "https://h/v1/(not shown)"),
            ("a/ghp_0123456789abcdef0123/b", "a/(not shown)"),
            ("https://h/x?y=hf_0123456789abcdef", "https://h/x?y=(not shown)"),
            ("eyJhbGciOi/IUzI1NiIsInR5cCI", "(not shown)"),
            ("see eyJhbGciOiJIUzI1NiIsInR5cCI==", "see (not shown)"),
        ] {
            assert_eq!(evident(before), after, "{before}");
        }
        for text in ["/opt/hf_cache/models/llama/config.json", "npm_config_registry=\"x\"", "a/sk-learn/b"] {
            assert_eq!(evident(text), text);
        }
    }

    #[test]
    fn takes_logins_out_of_addresses() {
        for (before, after) in [
            ("https://ghp_0123456789abcdef0123@github.com/o/r", "https://(not shown)@github.com/o/r"),
            ("git clone https://0123abcd@github.com/o/r", "git clone https://(not shown)@github.com/o/r"),
            ("https://0123abcd:x-oauth-basic@github.com", "https://(not shown)@github.com"),
            ("https://0123abcd:@api.example.com", "https://(not shown)@api.example.com"),
            ("https://ghp_0123456789abcdef0123:a@h", "https://(not shown):(not shown)@h"),
            ("postgres://me:hun/ter2@db/x", "postgres://me:(not shown)@db/x"),
            ("a://b://hunter2@c d://hunter2@e", "a://b://(not shown)@c d://(not shown)@e"),
        ] {
            assert_eq!(evident(before), after, "{before}");
        }
    }

    #[test]
    fn leaves_addresses_without_a_secret() {
        for text in [
            "git clone git@github.com:o/r.git, or write to me@example.com",
            "ssh://git@github.com/o/r and git+ssh://git@github.com/o/r",
            "https://${GITHUB_TOKEN}@github.com/o/r",
            "https://example.com?mail=me@example.com",
            "[\"https://example.com\",\"me@example.com\"]",
            "https://registry.npmjs.org/@scope/a http://h:80/a@b http://[::1]/a@b http://h:${PORT}/a@b",
            "https://@example.com",
        ] {
            assert_eq!(evident(text), text);
        }
    }
}
