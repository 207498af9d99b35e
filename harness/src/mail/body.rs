//! The body of a patch mail: in-body headers, message, remarks, diff.

use std::sync::LazyLock;

use regex::Regex;

/// The parts of a body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) author: Option<String>,
    pub(super) date: Option<String>,
    pub(super) title: Option<String>,
    pub(super) message: String,
    pub(super) remarks: String,
    pub(super) diff: Vec<u8>,
}

/// A line such as `Fixes: 0123abcd ("title")` at the end of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// `Fixes`.
    pub name: String,
    /// What follows the colon.
    pub value: String,
}

static SCISSORS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:-[-\s]*)?(?:>8|8<|>%|%<)(?:[\s-]|>8|8<|>%|%<)*-[\s-]*$|^\s*-[-\s]*(?:>8|8<|>%|%<)[-\s]*$")
        .expect("the pattern is a constant")
});
static TRAILER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^([A-Z][A-Za-z0-9-]*): +(\S.*)$").expect("the pattern is a constant")
});

/// Takes apart a decoded body; text above the diff is in `charset`.
pub(super) fn take_apart(text: &[u8], charset: &str, oddities: &mut Vec<String>) -> Body {
    let lines: Vec<&[u8]> = text.split_inclusive(|&b| b == b'\n').collect();
    let trimmed = |l: &[u8]| String::from_utf8_lossy(l).trim_end().to_string();
    let end = lines.iter().position(|l| ends_message(&trimmed(l))).unwrap_or(lines.len());
    let starts_diff = |l: &&[u8]| l.starts_with(b"diff --git ") || l.starts_with(b"--- a/");
    let diff = lines[end..].iter().position(starts_diff).map_or(lines.len(), |n| end + n);
    let mut body = Body { diff: lines[diff..].concat(), ..Body::default() };
    body.remarks = recode(&lines[end..diff].concat(), charset, oddities);
    let head = recode(&lines[..end].concat(), charset, oddities);
    let mut head: Vec<&str> = head.lines().collect();
    if let Some(cut) = head.iter().rposition(|l| SCISSORS.is_match(l)) {
        oddities.push("cut at its scissors line".into());
        head.drain(..=cut);
    }
    let start = body.in_body_headers(&head);
    let message: Vec<&str> = head[start..].iter().map(|l| l.trim_end()).collect();
    body.message = message.join("\n").trim_matches('\n').to_string();
    body.remarks = body.remarks.trim_start_matches("---").trim().to_string();
    body
}

impl Body {
    /// `From:`, `Date:` and `Subject:` at the top; returns where the message
    /// begins.
    fn in_body_headers(&mut self, lines: &[&str]) -> usize {
        let mut at = lines.iter().take_while(|l| l.trim().is_empty()).count();
        let first = at;
        while let Some(line) = lines.get(at) {
            let Some((name, value)) = line.split_once(": ") else { break };
            let slot = match name {
                "From" => &mut self.author,
                "Date" => &mut self.date,
                "Subject" => &mut self.title,
                _ => break,
            };
            *slot = Some(value.trim().to_string());
            at += 1;
        }
        if let Some(title) = self.title.take() {
            self.title = Some(super::Subject::parse(&title).title);
        }
        if at > first && lines.get(at).is_some_and(|l| !l.trim().is_empty()) && self.title.is_none()
        {
            // A message may well begin with "From: what it says"; git wants an
            // empty line behind the headers, and so do we.
            (self.author, self.date) = (None, None);
            return first;
        }
        at
    }
}

/// Where git ends the commit message.
fn ends_message(line: &str) -> bool {
    let name = line.strip_prefix("--- ").is_some_and(|n| !n.starts_with([' ', '\t']));
    line == "---" || name || line.starts_with("diff -") || line.starts_with("Index: ")
}

fn recode(bytes: &[u8], charset: &str, oddities: &mut Vec<String>) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_string();
    }
    let (text, damaged) = match charset::Charset::for_label(charset.as_bytes()) {
        Some(encoding) => {
            let (text, _, damaged) = encoding.decode(bytes);
            (text, damaged)
        }
        None => (String::from_utf8_lossy(bytes), true),
    };
    if damaged {
        oddities.push(format!("its message is not in the charset that it names ({charset})"));
    }
    text.into_owned()
}

/// The last paragraph's trailers; none when it has other lines, too.
pub(super) fn trailers(message: &str) -> Vec<Trailer> {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    // git goes by a quarter of the lines; people write `[name: what]` between.
    last.lines()
        .filter_map(|l| TRAILER.captures(l.trim_end()))
        .map(|m| Trailer { name: m[1].to_string(), value: m[2].to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scissors_are_told_from_other_lines_of_dashes() {
        for yes in ["-- >8 --", "--8<--", "  - - >8 - - >8 - -", "---- %< ----", ">8--"] {
            assert!(SCISSORS.is_match(yes), "{yes}");
        }
        for no in ["---", "-- ", "- a list with >8 items", "a >8 b", ">8"] {
            assert!(!SCISSORS.is_match(no), "{no}");
        }
    }

    #[test]
    fn trailers_are_those_of_the_last_paragraph() {
        let message = "Note: not one.\n\nText.\n\nFixes: 0123 (\"a\")\nCc: someone\n";
        let names: Vec<_> = trailers(message).into_iter().map(|t| t.name).collect();
        assert_eq!(names, ["Fixes", "Cc"]);
    }
}
