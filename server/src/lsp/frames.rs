//! The framing of messages: a header with the length, followed by that many bytes of JSON.
//! Malformed input is skipped up to the next header, so that later messages are still handled.

use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;
use tower_lsp::jsonrpc::{Error, Id, Request, Response};

/// A message from the editor.
#[derive(Debug, PartialEq)]
pub enum Message {
    /// A request or a notification.
    Request(Request),
    /// The response to a request of the server.
    Response(Response),
}

/// An error in a message, and the id of the request if it can be read.
#[derive(Debug, PartialEq)]
pub struct Malformed {
    pub id: Id,
    pub error: Error,
}

/// A decoder that extracts messages from the bytes that were read.
#[derive(Default)]
pub struct Frames {
    /// The bytes that were read and not decoded yet.
    pub unread: Vec<u8>,
    /// Whether `unread` begins within malformed input whose error was already returned.
    is_lost: bool,
    /// The length of the prefix of `unread` that contains no end of a header.
    scanned: usize,
}

/// The maximum length of a message in bytes. It has to fit into memory, and no document is longer.
const MAX_BODY: usize = 512 << 20;

/// The number of bytes to read at once.
pub const READ_AT_ONCE: usize = 64 << 10;

/// The maximum length of a header in bytes.
const MAX_HEADER: usize = 4 << 10;

const NAME: &[u8] = b"Content-Length";
const END: &[u8] = b"\r\n\r\n";

impl Frames {
    /// Returns the next message, or `None` if more bytes have to be read first.
    pub fn next(&mut self) -> Option<Result<Message, Malformed>> {
        if self.is_lost {
            self.skip(0);
        }
        if self.is_lost {
            return None;
        }
        let Some(end) = memmem::find(self.unread.get(self.scanned..)?, END) else {
            self.scanned = self.unread.len().saturating_sub(END.len() - 1);
            return (self.unread.len() > MAX_HEADER).then(|| Err(self.resynchronize(1)));
        };
        let end = self.scanned + end;
        let body = end + END.len();
        let Some(length) = self.unread.get(..end).and_then(length) else {
            return Some(Err(self.resynchronize(1)));
        };
        self.scanned = end;
        let bytes = self.unread.get(body..body + length)?;
        self.scanned = 0;
        let Some(value) = json(bytes) else {
            // The length may be wrong.
            return Some(Err(self.resynchronize(body)));
        };
        self.take(body + length);
        Some(message(value))
    }

    /// Skips at least `min` unread bytes, up to the next header.
    fn resynchronize(&mut self, min: usize) -> Malformed {
        self.is_lost = true;
        self.skip(min);
        Malformed { id: Id::Null, error: Error::parse_error() }
    }

    fn skip(&mut self, min: usize) {
        self.scanned = 0;
        let rest = self.unread.get(min..).unwrap_or_default();
        match memmem::find(rest, NAME) {
            Some(at) => {
                self.is_lost = false;
                self.take(min + at);
            }
            // The end may be the beginning of the name.
            None => self.take(self.unread.len().saturating_sub(NAME.len() - 1)),
        }
    }

    fn take(&mut self, bytes: usize) {
        self.unread.drain(..bytes);
        // Long messages are rare, so their memory is freed.
        self.unread.shrink_to(2 * READ_AT_ONCE);
    }
}

/// Parses the length from a header.
fn length(header: &[u8]) -> Option<usize> {
    let header = std::str::from_utf8(header).ok()?;
    let fields: Option<Vec<(&str, &str)>> = header.split("\r\n").map(|field| field.split_once(':')).collect();
    let mut fields = fields?.into_iter();
    let (_, value) = fields.find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(NAME))?;
    value.trim().parse().ok().filter(|length| *length <= MAX_BODY)
}

/// Parses JSON, and also accepts what editors' libraries let pass: invalid UTF-8 and lone
/// surrogates.
fn json(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes)
        .ok()
        .or_else(|| serde_json::from_str(&without_lone_surrogates(&String::from_utf8_lossy(bytes))).ok())
}

/// Replaces each escaped lone surrogate by a replacement character, which has the same length in
/// UTF-16.
fn without_lone_surrogates(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        whole.push_str(before);
        let taken = match (unit(escape), escape.get(5..).and_then(|next| unit(next.strip_prefix('\\')?))) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 11,
            (Some(0xD800..=0xDFFF), _) => {
                whole.push(char::REPLACEMENT_CHARACTER);
                rest = escape.get(5..).unwrap_or_default();
                continue;
            }
            (Some(_), _) => 5,
            (None, _) => escape.chars().next().map_or(0, char::len_utf8),
        };
        let (escape, after) = escape.split_at(taken);
        whole.push('\\');
        whole.push_str(escape);
        rest = after;
    }
    whole + rest
}

/// Parses the UTF-16 code unit of an escape, given what follows its backslash.
fn unit(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix('u')?.get(..4)?, 16).ok()
}

fn message(value: Value) -> Result<Message, Malformed> {
    let invalid = |id: Id| Malformed { id, error: Error::invalid_request() };
    let Some(fields) = value.as_object() else { return Err(invalid(Id::Null)) };
    let id = fields.get("id").and_then(|id| Id::deserialize(id).ok()).unwrap_or_default();
    if fields.contains_key("method") {
        serde_json::from_value(value).map(Message::Request).map_err(|_| invalid(id))
    } else {
        serde_json::from_value(value).map(Message::Response).map_err(|_| invalid(Id::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes the bytes, which gives the same messages in whatever chunks they arrive.
    fn read(bytes: &[u8]) -> Vec<String> {
        let mut results = [1, 7, bytes.len()].map(|piece| {
            let mut frames = Frames::default();
            let mut messages = Vec::new();
            for piece in bytes.chunks(piece) {
                frames.unread.extend_from_slice(piece);
                messages.extend(std::iter::from_fn(|| frames.next()).map(|message| match message {
                    Ok(Message::Request(request)) => format!("{} {:?}", request.method(), request.params()),
                    Ok(Message::Response(response)) => format!("answer to {}", response.id()),
                    Err(Malformed { id, error }) => format!("{} for {id}", error.code.code()),
                }));
            }
            messages
        });
        results.sort();
        assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
        std::mem::take(&mut results[0])
    }

    fn frame(body: &str) -> Vec<u8> {
        format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[test]
    fn frames_follow_each_other() {
        let all = [
            frame(r#"{"jsonrpc":"2.0","method":"a","params":{"text":"Content-Length: 7\r\n\r\n😀"}}"#),
            frame(r#"{"jsonrpc":"2.0","id":1,"result":null}"#),
            b"x-other: 1\r\ncontent-length:34\r\n\r\n".to_vec(),
            br#" {"jsonrpc":"2.0","method":"b"}   "#.to_vec(),
        ];
        let a = r#"a Some(Object {"text": String("Content-Length: 7\r\n\r\n😀")})"#;
        assert_eq!(read(&all.concat()), [a, "answer to 1", "b None"]);
    }

    #[test]
    fn malformed_input_is_reported_once_and_skipped() {
        let next = frame(r#"{"jsonrpc":"2.0","method":"next"}"#);
        let broken: [&[u8]; 9] = [
            b"what is this?",
            b"\r\n\r\n\r\n\r\n",
            b"Content-Length: many\r\n\r\n{}",
            b"Content-Length: 99999999999999999999999\r\n\r\n{}",
            b"Content-Length: 999999999999999\r\n\r\n{}",
            b"Content-Length: 3\r\n\r\n{\"a\":\"long\"}",
            b"Content-Length: 30\r\n\r\n{}",
            b"Content-Length: 0\r\n\r\n",
            &[b'x'; 3 * MAX_HEADER],
        ];
        for bytes in broken {
            let messages = read(&[bytes, &next, &next].concat());
            assert_eq!(messages, ["-32700 for null", "next None", "next None"], "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn an_invalid_message_is_reported_with_its_id() {
        let messages = |body| read(&frame(body));
        assert_eq!(messages("[]"), ["-32600 for null"]);
        assert_eq!(messages(r#"{"jsonrpc":"2.0","id":[1],"method":"a"}"#), ["-32600 for null"]);
        assert_eq!(messages(r#"{"jsonrpc":"1.0","id":"x","method":"a"}"#), ["-32600 for \"x\""]);
        assert_eq!(messages(r#"{"jsonrpc":"2.0","id":"x"}"#), ["-32600 for null"]);
    }

    #[test]
    fn invalid_characters_are_replaced() {
        let request =
            |text: &[u8]| [br#"{"jsonrpc":"2.0","method":"a","params":[""#, text, br#""]}"#].concat();
        let text = |text: &[u8]| match json(&request(text)).and_then(|value| message(value).ok()) {
            Some(Message::Request(request)) => request.params().unwrap()[0].as_str().unwrap().to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(text(b"a\xFFb\xC3"), "a\u{FFFD}b\u{FFFD}");
        assert_eq!(text(br#"\ud83d\uDE00 \\ud83d \" \u00e9 \ud83d"#), "\u{1F600} \\ud83d \" é \u{FFFD}");
        assert_eq!(text(br"\ud83d\ud83d\ude00\ude00\n"), "\u{FFFD}\u{1F600}\u{FFFD}\n");
        assert!(json(br#"["\ud83"]"#).is_none());
    }
}
