//! The lines of QEMU that a series touches.

use crate::host::git::Git;
use crate::mail::{FileDiff, diff};
use crate::qemu::build::apply::apply;
use crate::qemu::build::patch::Patch;
use crate::qemu::source::Source;
use crate::{Error, Kind, Result};

/// The lines of `folder` that `after` has and `before` has not, in the
/// numbering of `after`.
///
/// # Errors
/// Build, when the patches do not apply; Harness.
pub fn touched(
    source: &Source,
    before: &[Patch],
    after: &[Patch],
    folder: &str,
) -> Result<Vec<(String, Vec<u32>)>> {
    let (from, to) = (apply(source, before)?, apply(source, after)?);
    let args = ["diff", "--unified=0", "--no-color", "--no-ext-diff", "--no-renames"];
    let args = args.into_iter().chain([from.tip(), to.tip(), "--", folder]);
    parse(&Git::new(&source.git).run(args)?)
}

fn parse(diff: &str) -> Result<Vec<(String, Vec<u32>)>> {
    let read = diff::parse(diff.as_bytes())
        .map_err(|why| Error::new(Kind::Harness, format!("reading git's own diff: {why}")))?;
    let added = |file: &FileDiff| {
        let lines: Vec<u32> = file.added().map(|(line, _)| line).collect();
        (file.path().to_owned(), lines)
    };
    Ok(read.files.iter().map(added).filter(|(_, lines)| !lines.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_lines_are_those_of_the_new_file() {
        let diff = "diff --git a/target/i386/a.c b/target/i386/a.c\n--- a/target/i386/a.c\n\
                    +++ b/target/i386/a.c\n@@ -4,0 +5,3 @@ f()\n+a\n+b\n+c\n@@ -9 +12 @@\n-d\n+e\n\
                    @@ -20,2 +22,0 @@\n-f\n-g\n--- a/gone.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n";
        assert_eq!(parse(diff).unwrap(), [("target/i386/a.c".to_string(), vec![5, 6, 7, 12])]);
    }
}
