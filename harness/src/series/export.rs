//! The series as mails that can be sent: `git format-patch` files with a cover
//! letter whose table of results comes from what was measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use xshell::cmd;

use super::cover;
use super::revision::History;
use super::{Patch, Series};
use crate::host::cache::{io_error, write_atomic};
use crate::host::process;
use crate::mail::header;
use crate::qemu::build::patch::Patch as File;
use crate::qemu::source::Source;
use crate::record::results::ResultSet;
use crate::row::mails::file_name;
use crate::{Error, Kind, Result};

/// How to export.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The version of the series; 1 is not shown.
    pub version: u32,
    /// `Name <address>` of who sends it: adds a Signed-off-by to each patch.
    pub signoff: Option<String>,
    /// Who writes the cover letter, `Name <address>`.
    pub sender: String,
    /// A revision of the repository with what was sent before.
    pub since: Option<String>,
    /// Name the recipients that the tree's get_maintainer gives.
    pub recipients: bool,
    /// Where the files go.
    pub directory: PathBuf,
}

/// Who gets a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// Lists.
    pub to: Vec<String>,
    /// People.
    pub cc: Vec<String>,
}

/// Refuses what can be seen to be wrong before the source is there.
///
/// # Errors
/// Usage, when `since` is no revision or the directory has other patches in it.
pub fn ready(repo: &Path, series: &Series, request: &Request) -> Result<()> {
    history(repo, series, request).map(drop)
}

/// What was sent before, if that is asked for.
fn history(repo: &Path, series: &Series, request: &Request) -> Result<Option<History>> {
    refuse_leftovers(&request.directory)?;
    let revision = request.since.as_ref();
    revision.map(|revision| History::compare(repo, series, revision)).transpose()
}

/// Writes the files and returns their paths, the cover letter first.
///
/// # Errors
/// Usage, when `since` is no revision or the directory has other patches in it;
/// Build, when the series does not apply; Harness.
pub fn export(
    repo: &Path,
    series: &Series,
    source: &Source,
    results: &[ResultSet],
    request: &Request,
) -> Result<Vec<PathBuf>> {
    let history = history(repo, series, request)?;
    let total = series.patches.len();
    let mut files = Vec::new();
    let mut everyone = Recipients::default();
    for (n, patch) in series.patches.iter().enumerate() {
        let recipients = match request.recipients {
            true => recipients(&source.dir, &patch.path)?,
            false => Recipients::default(),
        };
        everyone.add(&recipients);
        let note = history.as_ref().and_then(|h| h.note(n, request.version));
        let text = mail(patch, (n + 1, total), request, &recipients, note.as_deref())?;
        let name = name(request.version, &file_name(n, &patch.mail.subject.title));
        files.push((request.directory.join(name), text));
    }
    let letter = cover::letter(&cover::About {
        series,
        source,
        results,
        request,
        recipients: &everyone,
        changes: history.as_ref().map(|h| h.summary(request.version)),
    })?;
    files.insert(
        0,
        (request.directory.join(name(request.version, "0000-cover-letter.patch")), letter),
    );
    for (path, text) in &files {
        write_atomic(path, text)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// `v2-0003-….patch`.
fn name(version: u32, file: &str) -> String {
    if version > 1 { format!("v{version}-{file}") } else { file.to_string() }
}

/// Mails of another version in the directory would be sent along.
fn refuse_leftovers(dir: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io_error("listing", dir, e)),
    };
    let patch = |p: &PathBuf| p.extension().is_some_and(|x| x == "patch");
    match entries.flatten().map(|e| e.path()).find(patch) {
        None => Ok(()),
        Some(file) => {
            let what = format!("exporting to {}: it has {} already", dir.display(), file.display());
            Err(Error::new(Kind::Usage, what).hint("name an empty --output-directory"))
        }
    }
}

/// One mail.
fn mail(
    patch: &Patch,
    (number, total): (usize, usize),
    request: &Request,
    recipients: &Recipients,
    note: Option<&str>,
) -> Result<Vec<u8>> {
    let mail = &patch.mail;
    let place = place(request.version, number, total);
    let mut head = format!("From {} Mon Sep 17 00:00:00 2001\n", "0".repeat(40));
    head += &format!("From: {}\nDate: {}\n", header::people("From", [&*mail.author]), mail.date);
    let subject = format!("{place} {}", mail.subject.title);
    head += &format!("Subject: {}\n", header::text("Subject", &subject));
    head += &recipients.headers();
    head += MIME;
    head += &format!("\n{}\n", signed(&mail.message, request.signoff.as_deref()));
    head += "---\n";
    if let Some(note) = note {
        head += &format!("{note}\n\n");
    }
    head += &stat(&patch.path)?;
    head.push('\n');
    let mut text = head.into_bytes();
    text.extend_from_slice(&mail.diff);
    text.extend_from_slice(b"-- \n");
    text.extend_from_slice(git_version().as_bytes());
    text.extend_from_slice(b"\n\n");
    Ok(text)
}

pub(super) const MIME: &str = "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n\
                               Content-Transfer-Encoding: 8bit\n";

/// `[PATCH v2 03/14]`.
pub(super) fn place(version: u32, number: usize, total: usize) -> String {
    let version = if version > 1 { format!(" v{version}") } else { String::new() };
    let width = total.to_string().len();
    format!("[PATCH{version} {number:0width$}/{total}]")
}

/// The message with a Signed-off-by, behind the trailers that are there.
fn signed(message: &str, signoff: Option<&str>) -> String {
    let Some(person) = signoff else { return message.to_string() };
    let line = format!("Signed-off-by: {person}");
    let last = message.rsplit("\n\n").next().unwrap_or_default();
    let trailers = last.lines().all(|l| {
        let name = l.split_once(": ").map_or("", |(name, _)| name);
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-')
    });
    if message.lines().any(|l| l == line) {
        message.to_string()
    } else if trailers && message.contains("\n\n") {
        format!("{message}\n{line}")
    } else {
        format!("{message}\n\n{line}")
    }
}

/// git's summary of what a patch changes.
fn stat(path: &Path) -> Result<String> {
    // Checked when the series was read; only the bytes' shape is looked at.
    File::read(path)?;
    let sh = process::shell()?;
    let c = cmd!(sh, "git apply --stat --summary {path}");
    Ok(process::stdout(Kind::Harness, &mut c.into())? + "\n")
}

/// What format-patch puts below a patch.
pub(super) fn git_version() -> String {
    let ask = |sh: xshell::Shell| process::stdout(Kind::Setup, &mut cmd!(sh, "git version").into());
    let text = process::shell().and_then(ask).unwrap_or_default();
    text.split_whitespace().nth(2).unwrap_or("git").to_string()
}

impl Recipients {
    fn add(&mut self, other: &Recipients) {
        for (mine, theirs) in [(&mut self.to, &other.to), (&mut self.cc, &other.cc)] {
            for person in theirs {
                if !mine.contains(person) {
                    mine.push(person.clone());
                }
            }
        }
    }

    /// `To:` and `Cc:` lines.
    pub(super) fn headers(&self) -> String {
        let mut out = String::new();
        for (name, people) in [("To", &self.to), ("Cc", &self.cc)] {
            if !people.is_empty() {
                let people = header::people(name, people.iter().map(String::as_str));
                out += &format!("{name}: {people}\n");
            }
        }
        out
    }
}

/// Whom the tree's `scripts/get_maintainer.pl` names for a patch; nobody where
/// the tree has no such script.
fn recipients(tree: &Path, patch: &Path) -> Result<Recipients> {
    let script = tree.join("scripts/get_maintainer.pl");
    if !script.is_file() || !tree.join("MAINTAINERS").is_file() {
        return Ok(Recipients::default());
    }
    let patch = std::path::absolute(patch).map_err(|e| io_error("finding", patch, e))?;
    let sh = process::shell()?;
    let mut c: Command = cmd!(sh, "perl {script} --nogit --nogit-fallback {patch}").into();
    Ok(parse_recipients(&process::stdout(Kind::Setup, c.current_dir(tree))?))
}

/// One `person (role:section)` a line; the role of a list has the word in it.
fn parse_recipients(text: &str) -> Recipients {
    let mut recipients = Recipients::default();
    for line in text.lines() {
        // A name may have parentheses, too; the address is the last thing before the role.
        let at = line.find("> (").map(|at| at + 1).or_else(|| line.find(" ("));
        let (person, role) = line.split_at(at.unwrap_or(line.len()));
        let person = person.trim();
        if person.is_empty() {
            continue;
        }
        let list = role.split(':').next().is_some_and(|role| role.contains("list"));
        let group = if list { &mut recipients.to } else { &mut recipients.cc };
        group.push(person.to_string());
    }
    recipients
}

/// Who git says the user is, `Name <address>`.
///
/// # Errors
/// Usage, when git does not know.
pub fn git_user(repo: &Path) -> Result<String> {
    let sh = process::shell()?;
    let get = |key: &str| {
        let mut c: Command = cmd!(sh, "git config --get {key}").into();
        process::stdout(Kind::Usage, c.current_dir(repo)).map_err(|_| {
            Error::new(Kind::Usage, format!("git does not know your {key}"))
                .hint(format!("git config --global {key} …"))
        })
    };
    Ok(format!("{} <{}>", get("user.name")?, get("user.email")?))
}

/// The date of the cover letter, as mails write it.
pub(super) fn now() -> String {
    let ask = |sh: xshell::Shell| {
        process::stdout(Kind::Setup, &mut cmd!(sh, "date -R").env("LC_ALL", "C").into())
    };
    process::shell().and_then(ask).unwrap_or_default()
}

#[cfg(test)]
#[path = "export_tests.rs"]
pub(crate) mod tests;
