//! What can be said about a series without building it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::{Patch, Series};
use crate::Result;
use crate::host::console::Console;
use crate::host::glob::glob;
use crate::host::regular;
use crate::mail::{FileDiff, Hunk};
use crate::qemu::build;
use crate::qemu::checkpatch::{self, Severity};
use crate::qemu::source::Source;

/// One of the things that are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Each patch applies on those before it.
    Applies,
    /// QEMU's `scripts/checkpatch.pl` has nothing to say.
    Checkpatch,
    /// The title names the subsystem and fits one line.
    Subject,
    /// The message is wrapped and says something.
    Message,
    /// The message names the manual's section.
    Section,
    /// A patch is one change.
    OneChange,
    /// Trailers that only a sender may add are not stored.
    Signoff,
    /// `series.toml` says what the file says.
    Step,
}

impl Check {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Check::Applies => "applies",
            Check::Checkpatch => "checkpatch",
            Check::Subject => "subject",
            Check::Message => "message",
            Check::Section => "section",
            Check::OneChange => "one-change",
            Check::Signoff => "signoff",
            Check::Step => "step",
        }
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The patch's file name.
    pub patch: String,
    /// What was checked.
    pub check: Check,
    /// What is wrong.
    pub what: String,
}

/// Longest title. With `[PATCH v2 00/00] ` in front it still fits 80 columns of
/// most mailers' lists.
const TITLE: usize = 72;
/// Longest line of a message, as in QEMU's guide to submitting patches.
const LINE: usize = 76;

/// Checks a series against the tree that it is for.
///
/// # Errors
/// As [`checkpatch::check`]; a finding is no error.
pub fn lint(series: &Series, source: &Source, console: &Console) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let all = series.patches.len() as u64;
    for (n, patch) in series.patches.iter().enumerate() {
        console.progress(n as u64, all, &patch.mail.subject.title);
        findings.extend(patch_alone(n, patch));
        findings.extend(checkpatch(patch, &source.dir)?);
    }
    console.end_progress();
    findings.extend(applies(series, source)?);
    findings.sort_by(|a, b| (&a.patch, a.check).cmp(&(&b.patch, b.check)));
    Ok(findings)
}

fn checkpatch(patch: &Patch, tree: &Path) -> Result<Vec<Finding>> {
    let bytes = build::patch::Patch::read(&patch.path)?.bytes;
    let mut complaints = checkpatch::check(tree, &bytes, false)?;
    if complaints.iter().any(|c| c.what.starts_with(NEW_FILES)) && maintained(patch, tree) {
        complaints.retain(|c| !c.what.starts_with(NEW_FILES));
    }
    let finding = |c: checkpatch::Complaint| {
        let severity = if c.severity == Severity::Error { "error" } else { "warning" };
        let at = c.at.map_or(String::new(), |at| format!("{at}: "));
        finding(patch, Check::Checkpatch, format!("{at}{severity}: {}", c.what))
    };
    Ok(complaints.into_iter().map(finding).collect())
}

/// What checkpatch asks of each patch that adds files, whoever maintains them.
const NEW_FILES: &str = "added, moved or deleted file(s)";

/// Whether MAINTAINERS has somebody for each file that a patch adds.
fn maintained(patch: &Patch, tree: &Path) -> bool {
    let text = regular::read_text(&tree.join("MAINTAINERS")).unwrap_or_default();
    let patterns: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("F: ")).collect();
    let covers = |path: &str, pattern: &str| {
        pattern.ends_with('/') && path.starts_with(pattern) || glob(pattern, path)
    };
    let added = |f: &&FileDiff| f.old.is_none();
    let files = &patch.mail.changes.files;
    files.iter().filter(added).all(|f| patterns.iter().any(|p| covers(f.path(), p.trim())))
}

fn applies(series: &Series, source: &Source) -> Result<Option<Finding>> {
    let paths = series.patches.iter().map(|p| build::patch::Patch::read(&p.path));
    let patches: Vec<_> = paths.collect::<Result<_>>()?;
    let tried = |n: usize| build::apply::apply(source, &patches[..n]);
    let refused = match tried(patches.len()) {
        Ok(_) => return Ok(None),
        Err(e) if e.kind() == crate::Kind::Build => e,
        Err(e) => return Err(e),
    };
    // Whatever applied is known by now; the first prefix that does not is to blame.
    let first = (1..=patches.len()).find(|&n| tried(n).is_err()).unwrap_or(patches.len());
    Ok(Some(finding(&series.patches[first - 1], Check::Applies, refused.to_string())))
}

/// What one patch and its entry say by themselves; `n` counts from 0.
fn patch_alone(n: usize, patch: &Patch) -> Vec<Finding> {
    let mut found: Vec<(Check, String)> = Vec::new();
    let title = &patch.mail.subject.title;
    found.extend(subject(title).into_iter().map(|what| (Check::Subject, what)));
    found.extend(message(&patch.mail.message).into_iter().map(|what| (Check::Message, what)));
    if !patch.entry.features.is_empty() && !SECTION.is_match(&flat(&patch.mail.message)) {
        let what = "the message names no section of the manual: AMD64 APM vol. 2, section N.M";
        found.push((Check::Section, what.into()));
    }
    found.extend(changes(patch).into_iter().map(|what| (Check::OneChange, what)));
    for trailer in patch.mail.trailers() {
        if SENDERS.contains(&trailer.name.as_str()) {
            let what = format!("{} is stored; it is added on export", trailer.name);
            found.push((Check::Signoff, what));
        }
    }
    found.extend(step(n, patch).into_iter().map(|what| (Check::Step, what)));
    found.into_iter().map(|(check, what)| finding(patch, check, what)).collect()
}

/// Trailers that say something about people.
const SENDERS: [&str; 6] =
    ["Signed-off-by", "Reviewed-by", "Acked-by", "Tested-by", "Message-Id", "Change-Id"];

static PREFIX: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[a-z0-9][A-Za-z0-9_/.+-]*(: [a-z0-9_/.-]+)*: \S").expect("a constant")
});
static SECTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(APM|AMD64 .*Manual).*\b(sections?|chapter) \d+|APM vol(\.|ume) ?3")
        .expect("a constant")
});
static SECOND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(while (at it|here|there|we are at it)|(?:^|\. )also,? (fix|clean|remove|rename|add)|unrelated)")
        .expect("a constant")
});

fn subject(title: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !PREFIX.is_match(title) {
        found.push("the title does not begin with a subsystem, as in `target/i386: …`".into());
    }
    let length = title.chars().count();
    if length > TITLE {
        found.push(format!("the title has {length} characters; {TITLE} is the most"));
    }
    if title.ends_with('.') {
        found.push("the title ends with a full stop".into());
    }
    found
}

fn message(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if text.trim().is_empty() {
        found.push("there is no message below the title".into());
    }
    for (n, line) in text.lines().enumerate() {
        let length = line.chars().count();
        // Indented lines quote something; a long word cannot be wrapped.
        let quoted = line.starts_with([' ', '\t', '>']) || !line.trim().contains(' ');
        let trailer = line.starts_with("Fixes: ") || line.starts_with("Link: ");
        if length > LINE && !quoted && !trailer {
            found.push(format!(
                "line {} of the message has {length} characters; {LINE} is the most",
                n + 1
            ));
        }
    }
    found
}

/// Signs that a patch is more than one change.
fn changes(patch: &Patch) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(m) = SECOND.find(&flat(&patch.mail.message)) {
        found.push(format!("the message says `{}`: that is a patch of its own", m.as_str().trim()));
    }
    let files = &patch.mail.changes.files;
    let is_test = |f: &&FileDiff| f.path().starts_with("tests/");
    let is_code = |f: &&FileDiff| {
        [".c", ".h", ".inc"].iter().any(|end| f.path().ends_with(end)) && !is_test(f)
    };
    if files.iter().any(|f| is_test(&f)) && files.iter().any(|f| is_code(&f)) {
        found.push("it changes tests and what they test; QEMU wants two patches".into());
    }
    // A header in include/ goes with what it declares.
    let declares = |f: &&FileDiff| f.path().starts_with("include/");
    let areas: BTreeSet<String> =
        files.iter().filter(|f| is_code(f) && !declares(f)).map(|f| area(f.path())).collect();
    if areas.len() > 3 {
        let list: Vec<_> = areas.into_iter().collect();
        found.push(format!("it changes {} parts of QEMU: {}", list.len(), list.join(", ")));
    }
    let hunks = || files.iter().flat_map(|f| f.hunks.iter().map(move |h| (f.path(), h)));
    if hunks().any(|(_, h)| !only_spaces(h)) {
        for (path, hunk) in hunks().filter(|(_, h)| only_spaces(h)) {
            let what = format!("{path}, {}: only white space changes here", hunk.header);
            found.push(format!("{what}; that is a patch of its own"));
        }
    }
    found
}

/// The part of QEMU that a file belongs to: its first two folders.
fn area(path: &str) -> String {
    let folders: Vec<&str> = path.split('/').collect();
    folders[..folders.len().saturating_sub(1).min(2)].join("/")
}

fn only_spaces(hunk: &Hunk) -> bool {
    let squeezed = |mark: char| -> String {
        let lines = hunk.lines.iter().filter_map(|l| l.strip_prefix(mark));
        lines.flat_map(|l| l.chars().filter(|c| !c.is_whitespace())).collect()
    };
    let (old, new) = (squeezed('-'), squeezed('+'));
    // Empty lines between functions come and go with them.
    !old.is_empty() && old == new
}

/// Whether the entry says what the file says.
fn step(n: usize, patch: &Patch) -> Vec<String> {
    let mut found = Vec::new();
    let entry = &patch.entry;
    if entry.title != patch.mail.subject.title {
        found.push(format!(
            "series.toml calls it `{}`, its subject is `{}`",
            entry.title, patch.mail.subject.title
        ));
    }
    if !entry.file.starts_with(&format!("{:04}-", n + 1)) {
        found.push(format!("it is patch {}, and its file is not named {:04}-…", n + 1, n + 1));
    }
    let known = |rule: &&String| svm_model::rules::named(rule).is_some();
    for rule in entry.rules.iter().filter(|r| !known(r)) {
        found.push(format!("`{rule}` is no rule of the model"));
    }
    if entry.flips.is_empty() && entry.reason.as_deref().is_none_or(|r| r.trim().is_empty()) {
        found.push("it flips no test, and series.toml gives no reason".into());
    }
    found
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn finding(patch: &Patch, check: Check, what: impl Into<String>) -> Finding {
    Finding { patch: patch.entry.file.clone(), check, what: what.into() }
}

#[cfg(test)]
#[path = "lint_tests.rs"]
mod tests;
