//! The messages after the question: complaints about an answer, and requests for the rest of one.

use super::optional_parts::RejectedParts;

/// The number of bytes of an answer's second half that are searched for a repetition of the first half.
const OVERLAP: usize = 400;

/// The messages after a question, and what bounds the next answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Conversation {
    /// The parts of a request that the server does not take.
    pub rejected: RejectedParts,
    /// The number of times that the room for an answer was doubled.
    pub doublings: u64,
    /// Each message after the question, with its role.
    messages: Vec<(&'static str, String)>,
    /// The text below the question.
    note: String,
}

impl Conversation {
    /// Tells whether there is a message after the question.
    pub fn is_begun(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Drops all messages, and puts the complaint about the last answer below the question.
    ///
    /// A model that is too small for a conversation takes earlier answers for a part of the question.
    pub fn begin_anew(&mut self, complaint: &str) {
        self.messages.clear();
        self.note = format!("\n\nAn earlier answer could not be used: {complaint}. Avoid that.");
    }

    /// Gives an answer back with the complaint about it. Earlier messages are dropped, because only the
    /// last answer has to be mended.
    pub fn complain(&mut self, answer: &str, complaint: &str) {
        let request = format!(
            "Your answer cannot be used: {complaint}.\nGive the whole corrected answer, and nothing else."
        );
        self.messages = vec![("assistant", answer.to_owned()), ("user", request)];
    }

    /// Each message after the question, with its role.
    pub fn messages(&self) -> &[(&'static str, String)] {
        &self.messages
    }

    /// The text below the question.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Asks for the rest of an answer that was cut off.
    pub fn go_on(&mut self, answer: &str) {
        let request = "Your answer was cut off. Go on exactly where it stopped, in the middle of the word if need be: \
                       repeat nothing, and say nothing else.";
        self.messages = vec![("assistant", answer.to_owned()), ("user", request.to_owned())];
    }
}

/// Puts the rest of an answer behind its first part, without the words that it repeats.
pub(super) fn join(first: &str, rest: &str) -> String {
    let start: String = first.trim_start().chars().take(40).collect();
    // The model began from the start, although it was asked to go on.
    if start.len() >= 20 && rest.trim_start().starts_with(&start) {
        return rest.to_owned();
    }
    let ends = rest.char_indices().map(|(index, c)| index + c.len_utf8());
    // A few letters may come twice by chance, so only a longer overlap is a repetition.
    let repeated = ends.take_while(|end| *end <= OVERLAP).filter(|end| *end >= 12);
    let overlap = repeated.filter(|end| first.ends_with(&rest[..*end])).last().unwrap_or(0);
    format!("{first}{}", &rest[overlap..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_two_halves() {
        assert_eq!(join("the qui", "ck fox"), "the quick fox");
        assert_eq!(join("and so the quick brown", "the quick brown fox"), "and so the quick brown fox");
        assert_eq!(join("a a", "a b"), "a aa b");
        let text = "The whole text from its beginning on, ";
        assert_eq!(join(text, &format!("{text}and its end")), format!("{text}and its end"));
        assert_eq!(join("grün", "lich"), "grünlich");
    }
}
