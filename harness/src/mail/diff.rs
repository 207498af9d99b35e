//! A unified diff, read as git reads it: hunks end where their header's counts
//! say, so neither a signature nor chatter is taken for a change.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::host::visible;

/// A diff of several files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// In the order of the diff.
    pub files: Vec<FileDiff>,
    /// Bytes from its start to the end of the last change.
    pub length: usize,
}

/// The change of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileDiff {
    /// Its path before; none for a new file.
    pub old: Option<String>,
    /// Its path after; none for one that is removed.
    pub new: Option<String>,
    /// What changes in it; empty for a change of mode, a rename, a binary file.
    pub hunks: Vec<Hunk>,
    /// It is, or becomes, a program.
    pub executable: bool,
    /// It is, or becomes, a symbolic link.
    pub link: bool,
}

/// A run of changed lines with their context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hunk {
    /// Its `@@` line.
    pub header: String,
    /// The first line's number before and after, from 1.
    pub start: (u32, u32),
    /// Its lines, each with the mark in front.
    pub lines: Vec<String>,
}

impl FileDiff {
    /// The path that it has, or had.
    pub fn path(&self) -> &str {
        self.new.as_deref().or(self.old.as_deref()).unwrap_or_default()
    }

    /// The lines that are added, with their numbers in the new file.
    pub fn added(&self) -> impl Iterator<Item = (u32, &str)> {
        self.hunks.iter().flat_map(Hunk::added)
    }

    /// The lines that are removed.
    pub fn removed(&self) -> impl Iterator<Item = &str> {
        self.hunks.iter().flat_map(|h| h.lines.iter()).filter_map(|l| l.strip_prefix('-'))
    }
}

impl Hunk {
    fn added(&self) -> impl Iterator<Item = (u32, &str)> {
        let mut at = self.start.1;
        self.lines.iter().filter_map(move |line| {
            let here = at;
            at = at.saturating_add(u32::from(!line.starts_with(['-', '\\'])));
            line.strip_prefix('+').map(|text| (here, text))
        })
    }
}

static HUNK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@").expect("the pattern is a constant")
});

/// Reads `text`, which may begin and end with something else.
///
/// # Errors
/// Says which hunk of which file is shorter than its header says, as in a mail
/// whose lines were wrapped or that was cut off.
pub fn parse(text: &[u8]) -> Result<Diff, String> {
    let mut reader = Reader { diff: Diff::default(), lines: Lines { text, at: 0 } };
    while let Some(line) = reader.lines.next() {
        reader.line(line)?;
    }
    Ok(reader.diff)
}

struct Reader<'a> {
    diff: Diff,
    lines: Lines<'a>,
}

impl Reader<'_> {
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if let Some(names) = line.strip_prefix(b"diff --git ") {
            let (old, new) = git_names(&lossy(names));
            self.diff.files.push(FileDiff { old, new, ..FileDiff::default() });
            self.mark();
        } else if let Some(m) = HUNK.captures(line) {
            let number = |n: usize, default| {
                m.get(n).map_or(default, |d| lossy(d.as_bytes()).parse().unwrap_or(default))
            };
            let hunk = Hunk {
                header: lossy(line),
                start: (number(1, 0), number(3, 0)),
                lines: Vec::new(),
            };
            let length = (number(2, 1), number(4, 1));
            return self.hunk(hunk, length);
        } else if let Some(name) = line.strip_prefix(b"--- ") {
            self.old_name(&lossy(name));
        } else if let Some(name) = line.strip_prefix(b"+++ ") {
            if let Some(file) = self.diff.files.last_mut().filter(|f| f.hunks.is_empty()) {
                file.new = name_of(&lossy(name));
            }
        } else if EXTENDED.iter().any(|p| line.starts_with(p)) && !self.diff.files.is_empty() {
            self.extended(&lossy(line));
            self.mark();
        }
        Ok(())
    }

    /// A diff without a `diff --git` line begins a file here.
    fn old_name(&mut self, name: &str) {
        let next_is_new = self.lines.peek().is_some_and(|l| l.starts_with(b"+++ "));
        if !next_is_new {
            return;
        }
        let begun = self.diff.files.last().is_some_and(|f| f.hunks.is_empty());
        if !begun {
            self.diff.files.push(FileDiff::default());
        }
        if let Some(file) = self.diff.files.last_mut() {
            file.old = name_of(name);
        }
    }

    fn extended(&mut self, line: &str) {
        let Some(file) = self.diff.files.last_mut() else { return };
        if line.starts_with("new file")
            || line.starts_with("new mode")
            || line.starts_with("index ")
        {
            file.executable |= line.ends_with("100755");
            file.link |= line.ends_with("120000");
        }
        if line.starts_with("new file") {
            file.old = None;
        } else if line.starts_with("deleted file") {
            file.new = None;
        } else if let Some(name) = line.strip_prefix("rename from ") {
            file.old = Some(name.into());
        } else if let Some(name) = line.strip_prefix("rename to ") {
            file.new = Some(name.into());
        }
    }

    fn hunk(&mut self, mut hunk: Hunk, (mut old, mut new): (u32, u32)) -> Result<(), String> {
        let path = self.diff.files.last().map_or(String::new(), |f| f.path().to_string());
        while old > 0 || new > 0 {
            let line = self.lines.next();
            match line.and_then(|l| l.first().copied().or(Some(b' '))) {
                Some(b' ') if old > 0 && new > 0 => (old, new) = (old - 1, new - 1),
                Some(b'-') if old > 0 => old -= 1,
                Some(b'+') if new > 0 => new -= 1,
                Some(b'\\') => {}
                _ => {
                    let header = &hunk.header;
                    return Err(format!("{path}: the hunk {header} is shorter than it says"));
                }
            }
            hunk.lines.push(lossy(line.unwrap_or_default()));
        }
        if self.lines.peek().is_some_and(|l| l.starts_with(b"\\")) {
            hunk.lines.push(lossy(self.lines.next().unwrap_or_default()));
        }
        match self.diff.files.last_mut() {
            Some(file) => file.hunks.push(hunk),
            None => return Err(format!("the hunk {} belongs to no file", hunk.header)),
        }
        self.mark();
        Ok(())
    }

    fn mark(&mut self) {
        self.diff.length = self.lines.at;
    }
}

/// git's lines between `diff --git` and the first hunk.
const EXTENDED: [&[u8]; 14] = [
    b"old mode ",
    b"new mode ",
    b"new file mode ",
    b"deleted file mode ",
    b"similarity index ",
    b"dissimilarity index ",
    b"rename from ",
    b"rename to ",
    b"copy from ",
    b"copy to ",
    b"index ",
    b"Binary files ",
    b"GIT binary patch",
    b"literal ",
];

/// `a/x b/x`, where both names are the same; other cases have lines of their
/// own that say it better.
fn git_names(names: &str) -> (Option<String>, Option<String>) {
    let middle = names.len() / 2;
    let halves = names.is_char_boundary(middle).then(|| names.split_at(middle));
    match halves {
        Some((old, new)) => (name_of(old), name_of(new.trim_start())),
        None => (None, None),
    }
}

/// `a/x.c`, perhaps with a tab and a date behind it, or `/dev/null`.
fn name_of(name: &str) -> Option<String> {
    let name = name.split('\t').next().unwrap_or(name).trim().trim_matches('"');
    let path = name.split_once('/').map_or(name, |(_, path)| path);
    (name != "/dev/null").then(|| visible::line(path))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct Lines<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let line = self.peek()?;
        self.at = (self.at + line.len() + 1).min(self.text.len());
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn peek(&self) -> Option<&'a [u8]> {
        let rest = self.text.get(self.at..).filter(|r| !r.is_empty())?;
        rest.split(|&b| b == b'\n').next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "chatter\n\ndiff --git a/x.c b/x.c\nindex 1..2 100644\n--- a/x.c\n\
        +++ b/x.c\n@@ -3,3 +3,3 @@ f\n a\n-- \n+b\n c\n@@ -9 +9,2 @@\n-d\n+e\n+f\n\
        \\ No newline at end of file\ndiff --git a/n b/n\nnew file mode 100644\n\
        --- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+n\n";

    #[test]
    fn files_hunks_and_numbers_are_as_git_counts_them() {
        let text = format!("{TWO}-- \n2.50.1\n\n+not a change\n");
        let diff = parse(text.as_bytes()).unwrap();
        assert_eq!(diff.length, TWO.len());
        let paths: Vec<_> = diff.files.iter().map(|f| (f.path(), f.old.is_some())).collect();
        assert_eq!(paths, [("x.c", true), ("n", false)]);
        let added: Vec<_> = diff.files[0].added().collect();
        assert_eq!(added, [(4, "b"), (9, "e"), (10, "f")]);
        assert_eq!(diff.files[0].removed().collect::<Vec<_>>(), ["- ", "d"]);
    }

    #[test]
    fn a_wrapped_or_cut_off_hunk_is_named() {
        let cut = TWO.split("\\ No").next().unwrap().replace("+f\n", "");
        let e = parse(cut.as_bytes()).unwrap_err();
        assert_eq!(e, "x.c: the hunk @@ -9 +9,2 @@ is shorter than it says");
        let wrapped = TWO.replace(" c\n", " c and\nmore\n").replace("-3,3 +3,3", "-3,4 +3,4");
        assert!(parse(wrapped.as_bytes()).unwrap_err().contains("x.c: the hunk @@ -3,4"));
    }

    #[test]
    fn a_plain_diff_and_a_removed_file_are_understood() {
        let plain = "--- a/x\t2020\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n--- a/y\n+++ /dev/null\n\
                     @@ -1 +0,0 @@\n-a\n";
        let diff = parse(plain.as_bytes()).unwrap();
        let files: Vec<_> = diff.files.iter().map(|f| (f.path(), f.new.is_some())).collect();
        assert_eq!(files, [("x", true), ("y", false)]);
    }
}
