//! Brings the claims of `series.toml` in line with what was measured, and leaves
//! the rest of the file as it is.

use std::path::PathBuf;

use toml_edit::{Array, DocumentMut, Value};

use super::claim::Claim;
use super::verify::{Fault, Verified};
use super::{Entry, FILE, Series};
use crate::host::cache::write_atomic;
use crate::host::error::Context;
use crate::host::regular;
use crate::{Error, Kind, Result};

/// A list that fits on a line this long stays on one.
const WIDTH: usize = 100;

/// The text of `series.toml` with the claims of the patches in `verified` put
/// right: a claim that does not hold goes, a test that passes from a patch on is
/// named there. Patches that do not build keep theirs.
///
/// # Errors
/// Usage, when `text` is no such file.
pub fn claims(text: &str, entries: &[&Entry], verified: &[Verified]) -> Result<String> {
    let mut file: DocumentMut = text.parse().doing(Kind::Usage, || "reading series.toml".into())?;
    let tables = file.get_mut("patch").and_then(|item| item.as_array_of_tables_mut());
    let tables = tables.ok_or_else(|| Error::new(Kind::Usage, "series.toml has no [[patch]]"))?;
    for one in verified.iter().filter(|v| !broken(v)) {
        let (Some(table), Some(entry)) =
            (tables.get_mut(one.number - 1), entries.get(one.number - 1))
        else {
            continue;
        };
        let new = corrected(&entry.flips, one)?;
        if new != entry.flips {
            table["flips"] = toml_edit::value(array(&new));
        }
    }
    Ok(file.to_string())
}

/// Puts the claims in the file of `series` right; its path, if that changed it.
///
/// # Errors
/// As [`claims`]; Harness, when the file cannot be read or written.
pub fn save(series: &Series, verified: &[Verified]) -> Result<Option<PathBuf>> {
    let path = series.dir.join(FILE);
    let old = regular::read_to_string(&path)
        .map_err(|e| Error::new(Kind::Harness, format!("reading {}", path.display())).because(e))?;
    let entries: Vec<_> = series.patches.iter().map(|p| &p.entry).collect();
    let new = claims(&old, &entries, verified)?;
    if new == old {
        return Ok(None);
    }
    write_atomic(&path, new.as_bytes())?;
    Ok(Some(path))
}

fn broken(verified: &Verified) -> bool {
    verified.faults.iter().any(|f| matches!(f, Fault::Broken { .. }))
}

/// The claims that hold, in their order, and behind them the tests that none of
/// them means, sorted.
fn corrected(old: &[Claim], verified: &Verified) -> Result<Vec<Claim>> {
    let wrong = |claim: &&Claim| {
        let text = claim.to_string();
        verified.faults.iter().any(|fault| match fault {
            Fault::NotFlipped { claim, .. } | Fault::Early { claim } | Fault::Unknown { claim } => {
                *claim == text
            }
            _ => false,
        })
    };
    let mut new: Vec<Claim> = old.iter().filter(|c| !wrong(c)).cloned().collect();
    let flipped: Vec<Claim> =
        verified.flipped.iter().map(|t| Claim::parse(t)).collect::<Result<_>>()?;
    let mut missing: Vec<Claim> =
        flipped.into_iter().filter(|t| !new.iter().any(|c| c.includes(t))).collect();
    missing.sort();
    new.extend(missing);
    Ok(new)
}

/// On one line, or each on its own.
fn array(claims: &[Claim]) -> Array {
    let mut array: Array = claims.iter().map(Claim::to_string).collect();
    let length: usize = claims.iter().map(|c| c.to_string().len() + 4).sum();
    if length + "flips = []".len() > WIDTH {
        let own_line = |value: &mut Value| value.decor_mut().set_prefix("\n    ");
        array.iter_mut().for_each(own_line);
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    }
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# The series.\n\n[[patch]]\nfile = \"0001-a.patch\"\ntitle = \"a\"\n\
        features = [\"npt\"] # a remark\nflips = [\"kut/svm/a\", \"kut/svm/b*\"]\nreason = \"r\"\n\n\
        [[patch]]\nfile = \"0002-b.patch\"\ntitle = \"b\"\nfeatures = []\nflips = []\n";

    fn written(verified: &[Verified]) -> String {
        let entries = super::super::parse(FILE).unwrap();
        claims(FILE, &entries.iter().collect::<Vec<_>>(), verified).unwrap()
    }

    fn verified(number: usize, flipped: &[&str], faults: Vec<Fault>) -> Verified {
        let flipped = flipped.iter().map(|t| (*t).to_string()).collect();
        Verified { number, flipped, faults, ..Verified::default() }
    }

    #[test]
    fn what_is_true_stays_as_it_is_written() {
        let one = verified(1, &["kut/svm/a", "kut/svm/b1", "kut/svm/b2"], Vec::new());
        assert_eq!(written(&[one, verified(2, &[], Vec::new())]), FILE);
    }

    #[test]
    fn what_is_not_goes_and_what_was_seen_is_added() {
        let early = Fault::Early { claim: "kut/svm/a".into() };
        let unclaimed = Fault::Unclaimed { test: "conformance/npt/x".into() };
        let one = verified(1, &["conformance/npt/x", "kut/svm/b1"], vec![early, unclaimed]);
        let text = written(&[one]);
        assert!(text.contains("flips = [\"kut/svm/b*\", \"conformance/npt/x\"]\nreason"), "{text}");
        assert!(text.contains("# a remark"), "{text}");
    }

    #[test]
    fn members_of_a_family_that_does_not_hold_are_named() {
        let fault = Fault::NotFlipped {
            claim: "kut/svm/b*".into(),
            test: "kut/svm/b2".into(),
            verdict: crate::Verdict::Fail,
            why: None,
        };
        let text = written(&[verified(1, &["kut/svm/a", "kut/svm/b1"], vec![fault])]);
        assert!(text.contains("flips = [\"kut/svm/a\", \"kut/svm/b1\"]"), "{text}");
    }

    #[test]
    fn a_long_list_has_a_line_for_each_and_reads_back() {
        let tests: Vec<String> = (0..9).map(|n| format!("conformance/npt/case-{n}")).collect();
        let names: Vec<&str> = tests.iter().map(String::as_str).collect();
        let text = written(&[verified(2, &names, Vec::new())]);
        assert!(text.contains("flips = [\n    \"conformance/npt/case-0\",\n"), "{text}");
        assert!(text.ends_with("\"conformance/npt/case-8\",\n]\n"), "{text}");
        assert_eq!(super::super::parse(&text).unwrap()[1].flips.len(), 9);
    }

    #[test]
    fn a_patch_that_does_not_build_keeps_its_claims() {
        let fault = Fault::Broken { why: "no".into() };
        assert_eq!(written(&[verified(1, &[], vec![fault])]), FILE);
    }
}
