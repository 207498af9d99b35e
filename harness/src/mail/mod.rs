//! Patches as mails: what `git format-patch` writes and mailing lists carry.
//!
//! The rules are those of `git am`: bracketed prefixes go, an in-body `From:`
//! names the author, the commit message ends at `---`, a scissors line cuts off
//! what is above it.

mod body;
pub mod diff;
pub(crate) mod header;
mod mbox;
mod subject;

pub use body::Trailer;
pub use diff::{Diff, FileDiff, Hunk};
pub use mbox::split;
pub use subject::Subject;

use std::sync::LazyLock;

use mailparse::{MailHeaderMap, ParsedMail};
use regex::bytes::Regex;

use crate::host::visible;
use crate::{Error, Kind, Result};

/// One mail, read as a patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// Its subject.
    pub subject: Subject,
    /// The patch's author, `Name <address>`.
    pub author: String,
    /// Its `Date:`, as sent.
    pub date: String,
    /// Its `Message-Id:`.
    pub id: Option<String>,
    /// The commit message below the title.
    pub message: String,
    /// What is between `---` and the diff: remarks that are not committed.
    pub remarks: String,
    /// The diff, byte for byte; empty for a mail that is no patch.
    pub diff: Vec<u8>,
    /// What the diff changes.
    pub changes: Diff,
    /// What is out of the ordinary, in words.
    pub oddities: Vec<String>,
}

impl Mail {
    /// Reads one mail.
    ///
    /// # Errors
    /// Usage, when it is no mail at all or its diff is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let not = |why: String| Error::new(Kind::Usage, format!("reading a mail: {why}"));
        bounded(bytes).map_err(not)?;
        // What `git format-patch` and mbox put in front is no header.
        let bytes = match bytes.starts_with(b"From ") {
            true => &bytes[bytes.iter().position(|&b| b == b'\n').map_or(0, |n| n + 1)..],
            false => bytes,
        };
        let mail = mailparse::parse_mail(bytes).map_err(|e| not(e.to_string()))?;
        let header = |name: &str| mail.headers.get_first_value(name);
        let Some(subject) = header("Subject") else {
            return Err(not("it has no subject".into()));
        };
        for (name, most) in LINES {
            let value = header(name).unwrap_or_default();
            fits(&name.to_lowercase(), &value, most).map_err(not)?;
        }
        let subject = Subject::parse(&subject);
        let mut oddities = Vec::new();
        let (text, charset) = text(&mail, &mut oddities)?;
        let body = body::take_apart(&text, &charset, &mut oddities);
        fits("subject", body.title.as_deref().unwrap_or_default(), SUBJECT_MAX).map_err(not)?;
        fits("author", body.author.as_deref().unwrap_or_default(), SUBJECT_MAX).map_err(not)?;
        fits("message", &body.message, MESSAGE_MAX).map_err(not)?;
        let changes = diff::parse(&body.diff).map_err(|why| {
            not(format!("`{}`: {why}", subject.title)).hint(
                "the mail was cut off or its lines were wrapped; get it again, for example with b4",
            )
        })?;
        let mut diff = body.diff;
        diff.truncate(changes.length);
        if diff.last().is_some_and(|&b| b != b'\n') {
            // git takes a last line without its end for a damaged one.
            diff.push(b'\n');
        }
        let sender = header("From").unwrap_or_default();
        Ok(Mail {
            subject: body.title.map_or(subject.clone(), |title| Subject { title, ..subject }),
            author: visible::line(&body.author.unwrap_or(sender)),
            date: visible::line(&body.date.or_else(|| header("Date")).unwrap_or_default()),
            id: header("Message-Id").map(|id| visible::line(&id)),
            message: visible::lines(&body.message),
            remarks: visible::lines(&body.remarks),
            diff,
            changes,
            oddities,
        })
    }

    /// Whether it changes anything.
    pub fn is_patch(&self) -> bool {
        !self.changes.files.is_empty()
    }

    /// The paths that it changes, in order.
    pub fn paths(&self) -> Vec<&str> {
        self.changes.files.iter().map(FileDiff::path).collect()
    }

    /// `Name: value` lines at the end of the message.
    pub fn trailers(&self) -> Vec<Trailer> {
        body::trailers(&self.message)
    }

    /// The patch in the form that `git format-patch` writes, without what
    /// differs from one mail to the next.
    pub fn to_patch(&self) -> Vec<u8> {
        let zero = "0".repeat(40);
        let mut head = format!("From {zero} Mon Sep 17 00:00:00 2001\n");
        head += &format!("From: {}\n", one_line(&self.author));
        head += &format!("Date: {}\n", one_line(&self.date));
        head += "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n";
        head += "Content-Transfer-Encoding: 8bit\n";
        head += &format!("Subject: [PATCH] {}\n\n{}\n---\n\n", self.subject.title, self.message);
        let mut patch = head.into_bytes();
        patch.extend_from_slice(&self.diff);
        patch.extend_from_slice(b"-- \n");
        patch
    }
}

/// Bytes of the largest mail.
const MAIL_MAX: usize = 16 << 20;
/// Characters of the longest subject, or author.
const SUBJECT_MAX: usize = 1000;
/// Characters of the longest message.
const MESSAGE_MAX: usize = 1 << 20;
/// Parts within parts, at most; each has a boundary.
const PARTS_MAX: usize = 100;
/// Header lines that are used, and how long they may be.
const LINES: [(&str, usize); 4] =
    [("Subject", SUBJECT_MAX), ("From", SUBJECT_MAX), ("Date", 200), ("Message-Id", 1000)];

/// Refuses what would take long or nest deep before it is looked at.
fn bounded(bytes: &[u8]) -> Result<(), String> {
    static BOUNDARY: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("(?i)boundary[ \t]*=").expect("the pattern is a constant"));
    if bytes.len() > MAIL_MAX {
        let (size, most) = (bytes.len() >> 20, MAIL_MAX >> 20);
        return Err(format!("{size} MiB are too much: at most {most}"));
    }
    match BOUNDARY.find_iter(bytes).take(PARTS_MAX + 1).count() {
        n if n > PARTS_MAX => Err(format!("it has more than {PARTS_MAX} parts within parts")),
        _ => Ok(()),
    }
}

/// Refuses a value that git or a command line would not take.
fn fits(what: &str, value: &str, most: usize) -> Result<(), String> {
    if value.contains('\0') {
        return Err(format!("there is a NUL in its {what}"));
    }
    match value.chars().count() {
        n if n > most => Err(format!("its {what} of {n} characters is too long: at most {most}")),
        _ => Ok(()),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All plain text of a mail, its transfer encoding undone, and its charset. A
/// diff keeps its bytes: files need not be in the mail's charset.
fn text(mail: &ParsedMail<'_>, oddities: &mut Vec<String>) -> Result<(Vec<u8>, String)> {
    let mut text = Vec::new();
    let mut charset = None;
    for part in mail.parts() {
        let kind = &part.ctype;
        let plain = kind.mimetype.starts_with("text/") && kind.mimetype != "text/html";
        if !plain || !part.subparts.is_empty() {
            continue;
        }
        if kind.params.get("format").is_some_and(|f| f.eq_ignore_ascii_case("flowed")) {
            oddities.push("sent as format=flowed, which may wrap lines".into());
        }
        let raw = part.get_body_raw().map_err(|e| {
            Error::new(Kind::Usage, "undoing the transfer encoding of a mail").because(e)
        })?;
        text.extend(raw);
        charset.get_or_insert_with(|| kind.charset.clone());
    }
    if mail.subparts.len() > 1 {
        oddities.push("sent in several parts; all plain text was taken".into());
    }
    if text.contains(&b'\r') {
        // Mails travel with CR LF; base64 keeps it.
        text.retain(|&b| b != b'\r');
    }
    Ok((text, charset.unwrap_or_else(|| "us-ascii".into())))
}

#[cfg(test)]
mod tests;
