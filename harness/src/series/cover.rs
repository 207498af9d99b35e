//! The cover letter.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Series;
use super::export::{MIME, Recipients, Request, git_version, now, place};
use crate::host::git::Git;
use crate::host::regular;
use crate::qemu::Side;
use crate::qemu::build::{self, patch::Patch};
use crate::qemu::source::Source;
use crate::record::results::ResultSet;
use crate::report::matrix;
use crate::{Result, mail::Mail, mail::header};

/// The file beside the patches with the letter's title, an empty line, and its
/// text.
const FILE: &str = "cover.txt";

/// What the letter is about.
pub(super) struct About<'a> {
    pub(super) series: &'a Series,
    pub(super) source: &'a Source,
    pub(super) results: &'a [ResultSet],
    pub(super) request: &'a Request,
    pub(super) recipients: &'a Recipients,
    pub(super) changes: Option<String>,
}

/// The letter as a mail.
pub(super) fn letter(about: &About<'_>) -> Result<Vec<u8>> {
    let About { series, source, request, .. } = about;
    let total = series.patches.len();
    let (title, text) = words(series);
    let mut out = format!("From {} Mon Sep 17 00:00:00 2001\n", "0".repeat(40));
    let _ = writeln!(out, "From: {}\nDate: {}", header::people("From", [&*request.sender]), now());
    let subject = format!("{} {title}", place(request.version, 0, total));
    let _ = writeln!(out, "Subject: {}", header::text("Subject", &subject));
    out += &about.recipients.headers();
    let _ = writeln!(out, "{MIME}\n{text}\n");
    if let Some(changes) = &about.changes {
        let _ = writeln!(out, "{changes}");
    }
    out += &results(about);
    let _ = writeln!(out, "The series is based on QEMU {}.\n", source.version);
    out += &shortlog(series);
    let _ = writeln!(out, "\n{}\n", stat(series, source)?);
    let _ = writeln!(out, "-- \n{}\n", git_version());
    Ok(out.into_bytes())
}

fn words(series: &Series) -> (String, String) {
    let text = regular::read_to_string(&series.dir.join(FILE)).unwrap_or_default();
    match text.trim().split_once("\n\n") {
        Some((title, text)) => (title.trim().to_string(), text.trim().to_string()),
        None => {
            let title = format!("target/i386: svm: {} changes", series.patches.len());
            (title, "*** say what the series is for ***".into())
        }
    }
}

/// What was measured for this series and for its base.
fn results(about: &About<'_>) -> String {
    let version = &about.source.version;
    let mine = |set: &&ResultSet| set.build.qemu.split_whitespace().next() == Some(version);
    let mut sets: Vec<&ResultSet> = about.results.iter().filter(mine).collect();
    sets.sort_by_key(|set| set.build.side == Side::Patched);
    if sets.is_empty() {
        return String::new();
    }
    let mut suites: Vec<&str> = sets.iter().map(|s| s.suite.name.as_str()).collect();
    suites.dedup();
    suites.sort_unstable();
    suites.dedup();
    format!("Tests by feature ({}), before and after:\n\n{}\n", suites.join(", "), matrix(&sets))
}

/// Titles by author, as `git shortlog` lists them.
fn shortlog(series: &Series) -> String {
    let mut authors: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Mail { author, subject, .. } in series.patches.iter().map(|p| &p.mail) {
        let name = author.split('<').next().unwrap_or(author).trim();
        authors.entry(name).or_default().push(&subject.title);
    }
    let mut out = String::new();
    for (author, titles) in authors {
        let _ = writeln!(out, "{author} ({}):", titles.len());
        for title in titles {
            let _ = writeln!(out, "  {title}");
        }
    }
    out
}

/// The whole series' diffstat.
fn stat(series: &Series, source: &Source) -> Result<String> {
    let patches: Vec<Patch> =
        series.patches.iter().map(|p| Patch::read(&p.path)).collect::<Result<_>>()?;
    let applied = build::apply::apply(source, &patches)?;
    let git = Git::new(&source.git);
    git.run(["diff", "--stat=76", "--summary", &applied.base, applied.tip()])
}
