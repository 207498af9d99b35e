//! The subject line of a patch mail: `[RFC PATCH v2 03/14] target/i386: …`.

use std::sync::LazyLock;

use regex::Regex;

use crate::host::visible;

/// What a subject line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The commit's title: the line without `Re:` and bracketed prefixes.
    pub title: String,
    /// It has a bracketed prefix with the word `PATCH`.
    pub patch: bool,
    /// It answers another mail.
    pub reply: bool,
    /// The version of the series; 1 where none is given.
    pub version: u32,
    /// The place in the series and its length, as in `03/14`; 0 is the cover
    /// letter.
    pub place: Option<(u32, u32)>,
    /// Other words of the prefix, such as `RFC` or `RESEND`.
    pub words: Vec<String>,
}

static PREFIX: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*\[([^\]]*)\]\s*").expect("the pattern is a constant"));
static REPLY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s*(re|aw|fwd?|fw)\s*:\s*").expect("the pattern is a constant")
});

impl Subject {
    /// Reads a subject line that has been decoded and unfolded.
    pub fn parse(line: &str) -> Self {
        let mut subject = Subject { version: 1, ..Subject::default() };
        let mut rest = line;
        loop {
            if let Some(m) = REPLY.find(rest) {
                subject.reply = true;
                rest = &rest[m.end()..];
            } else if let Some(m) = PREFIX.captures(rest) {
                subject.prefix(&m[1]);
                rest = &rest[m[0].len()..];
            } else {
                break;
            }
        }
        let words = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        subject.title = visible::line(&words);
        subject
    }

    fn prefix(&mut self, words: &str) {
        for word in words.split_whitespace() {
            if word.eq_ignore_ascii_case("patch") {
                self.patch = true;
            } else if let Some(place) = place(word) {
                self.place = Some(place);
            } else if let Some(version) = version(word) {
                self.version = version;
            } else if let Some(version) = word.to_ascii_lowercase().strip_prefix("patchv") {
                // `[PATCHv2]` is common enough.
                self.patch = true;
                self.version = number(version).unwrap_or(1);
            } else {
                self.words.push(visible::line(word));
            }
        }
    }

    /// Whether this is the mail that describes the series.
    pub fn is_cover(&self) -> bool {
        self.place.is_some_and(|(n, _)| n == 0)
    }
}

/// A number that does not fit counts as the largest: too much, and said to be.
fn number(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().unwrap_or(u32::MAX))
}

fn place(word: &str) -> Option<(u32, u32)> {
    let (n, of) = word.split_once('/')?;
    Some((number(n)?, number(of)?))
}

fn version(word: &str) -> Option<u32> {
    number(word.strip_prefix(['v', 'V'])?).filter(|&n| n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_all_kinds_are_taken_apart() {
        let s = Subject::parse("[RFC PATCH v2 03/14] target/i386: svm:  x [1/2]");
        assert_eq!((s.patch, s.reply, s.version, s.place), (true, false, 2, Some((3, 14))));
        assert_eq!((s.title.as_str(), s.words), ("target/i386: svm: x [1/2]", vec!["RFC".into()]));
        let s = Subject::parse("Re: [qemu-devel] [PATCHv3] hw: y");
        assert_eq!((s.patch, s.reply, s.version, s.place), (true, true, 3, None));
        assert_eq!(s.title, "hw: y");
        let s = Subject::parse("[PATCH 0/2] the series");
        assert!(s.is_cover() && s.version == 1);
        let s = Subject::parse("vacation");
        assert!(!s.patch && s.place.is_none() && s.title == "vacation");
        assert_eq!(Subject::parse("[PATCH 10.2 2/3] z").words, ["10.2"]);
    }
}
