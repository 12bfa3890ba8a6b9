//! The length of a text for people. The bounds catch nonsense only.

use crate::resource::ArtifactSize;

/// Checks the length of a text. A `local` model has no lower bound, because a small model does not write
/// more when it is asked again.
pub(super) fn length(text: &str, size: ArtifactSize, local: bool) -> Result<(), String> {
    // A small file may consist of one word: there is no smaller size to ask for.
    let (least, most) = match size {
        ArtifactSize::Small => (1, Some(2000)),
        ArtifactSize::Medium => (150, Some(8000)),
        ArtifactSize::Large => (600, None),
    };
    let words = words(text);
    match most {
        Some(most) if words > most => {
            Err(format!("it is too long: it has {words} words, and at most {most} are wanted"))
        }
        _ if words < least && !local => {
            Err(format!("it is too short: it has {words} words, and at least {least} are wanted"))
        }
        _ => Ok(()),
    }
}

/// The number of words of a text. In scripts without blanks between words, two characters count as one.
fn words(text: &str) -> usize {
    let dense =
        |c: &char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{e00}'..='\u{e7f}');
    text.split_whitespace().count() + text.chars().filter(dense).count() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catches_nonsense() {
        let check = |words: usize, size| length(&"word ".repeat(words), size, false);
        assert!(check(1, ArtifactSize::Small).is_ok() && check(2001, ArtifactSize::Small).is_err());
        assert!(check(149, ArtifactSize::Medium).is_err() && check(150, ArtifactSize::Medium).is_ok());
        assert!(check(599, ArtifactSize::Large).is_err() && check(90_000, ArtifactSize::Large).is_ok());
        assert!(length("few words", ArtifactSize::Large, true).is_ok());
        assert!(length(&"生命游戏".repeat(100), ArtifactSize::Medium, false).is_ok());
    }
}
