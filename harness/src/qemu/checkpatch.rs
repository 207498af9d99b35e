//! QEMU's own `scripts/checkpatch.pl`, run from the tree that a patch is for.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use xshell::cmd;

use crate::host::cache::io_error;
use crate::host::process;
use crate::{Error, Kind, Result};

/// How bad checkpatch thinks it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// To be looked at.
    Warning,
    /// To be fixed.
    Error,
}

/// One thing that checkpatch has to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// How bad.
    pub severity: Severity,
    /// What.
    pub what: String,
    /// `FILE:LINE` after the patch; none where it is about the message.
    pub at: Option<String>,
}

static FIRST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(ERROR|WARNING): (.*)$").expect("the pattern is a constant"));
static PLACE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^#\d+: FILE: (.*?):?$").expect("the pattern is a constant"));

/// Checks one patch with the script of `tree`. A missing Signed-off-by is a
/// complaint only if `signed` asks for one.
///
/// # Errors
/// Setup, when the tree has no script or there is no perl; Harness, when the
/// script ends in a way that it should not.
pub fn check(tree: &Path, patch: &[u8], signed: bool) -> Result<Vec<Complaint>> {
    let script = tree.join("scripts/checkpatch.pl");
    if !script.is_file() {
        let what = format!("checking a patch: {} has no scripts/checkpatch.pl", tree.display());
        return Err(Error::new(Kind::Setup, what).hint("use the tree of a QEMU release"));
    }
    let scratch = tempfile::Builder::new().suffix(".patch").tempfile();
    let scratch = scratch.map_err(|e| io_error("writing", &std::env::temp_dir(), e))?;
    std::fs::write(scratch.path(), patch).map_err(|e| io_error("writing", scratch.path(), e))?;
    let (sh, patch) = (process::shell()?, scratch.path());
    let signoff = (!signed).then_some("--no-signoff");
    let c = cmd!(sh, "perl {script} --root={tree} --color=never --patch {signoff...} {patch}");
    let mut c: Command = c.into();
    let out = process::output(&mut c).map_err(|e| {
        Error::new(Kind::Setup, "running checkpatch").because(e).hint("is perl installed?")
    })?;
    // 0: nothing to say; 1: complaints. Warnings alone give 0.
    if !matches!(out.status.code(), Some(0 | 1)) {
        return Err(process::failed(Kind::Harness, &c, &out));
    }
    let mut complaints = parse(&String::from_utf8_lossy(&out.stdout));
    complaints.retain(|c| !of_the_opcode_tables(c));
    Ok(complaints)
}

/// Whether it is about the form that all lines of the opcode tables have in QEMU, `V,x, W,x` in
/// one long line each: a new line has it, too.
fn of_the_opcode_tables(complaint: &Complaint) -> bool {
    let at = complaint.at.as_deref().unwrap_or_default();
    let form = ["space required after that ','", "line over 80 characters"];
    at.starts_with("target/i386/tcg/decode-new.c.inc:")
        && form.iter().any(|what| complaint.what.starts_with(what))
}

fn parse(text: &str) -> Vec<Complaint> {
    let mut complaints: Vec<Complaint> = Vec::new();
    let mut fresh = false;
    for line in text.lines() {
        if let Some(m) = FIRST.captures(line) {
            let severity = if &m[1] == "ERROR" { Severity::Error } else { Severity::Warning };
            complaints.push(Complaint { severity, what: m[2].trim().to_string(), at: None });
            fresh = true;
        } else if let (true, Some(m)) = (fresh, PLACE.captures(line)) {
            if let Some(last) = complaints.last_mut() {
                last.at = Some(m[1].to_string());
            }
            fresh = false;
        } else {
            fresh = false;
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_read_with_their_place() {
        let text = "ERROR: trailing whitespace\n#14: FILE: target/i386/svm.h:3:\n+int a;  $\n\n\
                    WARNING: line over 80 characters\n#15: FILE: x.c:4:\n+ERROR: not one\n\n\
                    ERROR: Missing Signed-off-by: line(s)\n\ntotal: 2 errors, 1 warnings\n";
        let at = |s: &str| Some(s.to_string());
        let seen: Vec<_> = parse(text).into_iter().map(|c| (c.severity, c.what, c.at)).collect();
        let expected = [
            (Severity::Error, "trailing whitespace".into(), at("target/i386/svm.h:3")),
            (Severity::Warning, "line over 80 characters".into(), at("x.c:4")),
            (Severity::Error, "Missing Signed-off-by: line(s)".into(), None),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn lines_of_the_opcode_tables_look_like_those_that_are_there() {
        let text = "ERROR: space required after that ',' (ctx:VxV)\n\
                    #1: FILE: target/i386/tcg/decode-new.c.inc:490:\n\
                    ERROR: space required after that ',' (ctx:VxV)\n\
                    #2: FILE: target/i386/tcg/translate.c:3:\n\
                    ERROR: trailing whitespace\n#3: FILE: target/i386/tcg/decode-new.c.inc:1:\n";
        let left: Vec<_> = parse(text).into_iter().filter(|c| !of_the_opcode_tables(c)).collect();
        assert_eq!(left.len(), 2);
        assert!(left[0].at.as_deref().unwrap().starts_with("target/i386/tcg/translate.c"));
    }

    #[test]
    fn a_tree_without_the_script_is_a_matter_of_set_up() {
        let dir = tempfile::tempdir().unwrap();
        let e = check(dir.path(), b"", false).unwrap_err();
        assert_eq!(e.kind(), Kind::Setup);
        assert!(e.to_string().contains("scripts/checkpatch.pl"), "{e}");
    }

    #[test]
    fn a_script_that_dies_is_not_taken_for_a_clean_patch() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("scripts")).unwrap();
        let script = dir.path().join("scripts/checkpatch.pl");
        std::fs::write(&script, "print STDERR \"no tree\\n\"; exit 2;\n").unwrap();
        let e = check(dir.path(), b"", false).unwrap_err();
        assert_eq!(e.kind(), Kind::Harness);
        assert!(e.to_string().contains("no tree"), "{e}");
        std::fs::write(&script, "print \"ERROR: x\\n#1: FILE: a:2:\\n\"; exit 1;\n").unwrap();
        assert_eq!(check(dir.path(), b"", false).unwrap()[0].at.as_deref(), Some("a:2"));
    }
}
