//! Server-sent events, put together from bytes that arrive in pieces of any size.

/// The bytes of a stream that have not yet made up a whole event.
#[derive(Debug, Default)]
pub(super) struct EventStream {
    line: Vec<u8>,
    data: Option<String>,
    after_return: bool,
}

/// The stream holds bytes that are no UTF-8 text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotText;

impl EventStream {
    /// Takes the next bytes, and returns the data of each event that they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<String>, NotText> {
        let mut events = Vec::new();
        for &byte in bytes {
            // A line ends with CR, LF, or CR LF. CR and LF may come in different pieces.
            let second_half = byte == b'\n' && std::mem::take(&mut self.after_return);
            self.after_return = byte == b'\r';
            match byte {
                b'\n' if second_half => {}
                b'\n' | b'\r' => events.extend(self.end_line()?),
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    /// Returns the event that the end of the stream completes: some servers forget the blank line.
    pub fn end(&mut self) -> Result<Option<String>, NotText> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        Ok(self.data.take())
    }

    fn end_line(&mut self) -> Result<Option<String>, NotText> {
        // Only whole lines are decoded, because a piece may end in the middle of a character.
        let line = String::from_utf8(std::mem::take(&mut self.line)).map_err(|_| NotText)?;
        let line = line.strip_prefix('\u{feff}').unwrap_or(&line);
        if line.is_empty() {
            return Ok(self.data.take());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        // An empty field name is a comment, which keeps the connection alive.
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Result<Vec<String>, NotText> {
        let mut stream = EventStream::default();
        let mut events = Vec::new();
        for piece in pieces {
            events.extend(stream.feed(piece)?);
        }
        events.extend(stream.end()?);
        Ok(events)
    }

    #[test]
    fn reads_events() {
        let text =
            b"\xef\xbb\xbf: hello\n\ndata: a\n\nevent: x\ndata:b\r\ndata:  c\r\n\r\nid\rdata\r\rdata: d";
        assert_eq!(events(&[text]).unwrap(), ["a", "b\n c", "", "d"]);
    }

    #[test]
    fn a_piece_may_end_anywhere() {
        let text = "data: grün\r\n\r\n: ping\n\ndata: 😀\n\n".as_bytes();
        for middle in 0..text.len() {
            assert_eq!(events(&[&text[..middle], &text[middle..]]).unwrap(), ["grün", "😀"], "{middle}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(events(&single).unwrap(), ["grün", "😀"]);
    }

    #[test]
    fn turns_away_what_is_not_text() {
        assert_eq!(events(&[b"data: \xff\n\n"]), Err(NotText));
        assert_eq!(events(&[b"data: \xf0\x9f"]), Err(NotText));
    }
}
