//! `results/series-VERSION.json`: which patches were built and verified, as
//! they were then. What is recorded for a patch holds for it and all before it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Series;
use super::verify::Verified;
use crate::host::cache::write_atomic;
use crate::host::error::Context;
use crate::host::regular;
use crate::qemu::build::patch::{Patch, series_hash};
use crate::{Error, Kind, Result};

/// The version of the file's form.
const SCHEMA: u32 = 1;

/// What was verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    schema: u32,
    /// The base's version.
    pub base: String,
    /// The suites that ran, with their versions.
    pub suites: Vec<String>,
    /// One entry a patch, in order.
    pub patches: Vec<Step>,
}

/// One patch as it was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its file.
    pub file: String,
    /// A hash of what it and all before it change.
    pub changes: String,
    /// Tests that passed from there on.
    pub flipped: Vec<String>,
}

/// Where the record of `major_minor` is.
pub fn path(results: &Path, major_minor: &str) -> PathBuf {
    results.join(format!("series-{major_minor}.json"))
}

impl Record {
    /// A record of a walk along the whole of `series` that found no fault.
    ///
    /// # Errors
    /// Usage, when a patch cannot be read.
    pub fn of(
        series: &Series,
        verified: &[Verified],
        base: &str,
        suites: Vec<String>,
    ) -> Result<Self> {
        let steps = hashes(series)?.into_iter().zip(verified).map(|(changes, v)| Step {
            file: v.file.clone(),
            changes,
            flipped: v.flipped.clone(),
        });
        Ok(Record { schema: SCHEMA, base: base.into(), suites, patches: steps.collect() })
    }

    /// Reads a record; none where there is no file.
    ///
    /// # Errors
    /// Harness, when it cannot be read or has another schema.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let text = match regular::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).doing(Kind::Harness, || format!("reading {}", path.display())),
        };
        let record: Record = serde_json::from_str(&text)
            .doing(Kind::Harness, || format!("reading {}", path.display()))?;
        if record.schema != SCHEMA {
            let what = format!("{} has schema {}, not {SCHEMA}", path.display(), record.schema);
            return Err(Error::new(Kind::Harness, what)
                .hint("write it again: cargo xtask series verify --record"));
        }
        Ok(Some(record))
    }

    /// Writes it, one patch a line.
    ///
    /// # Errors
    /// Harness; the old file is still there then.
    pub fn save(&self, path: &Path) -> Result<()> {
        let steps: Vec<String> = self.patches.iter().map(json).collect::<Result<_>>()?;
        let text = format!(
            "{{\n\"schema\": {},\n\"base\": {},\n\"suites\": {},\n\"patches\": [\n{}\n]\n}}\n",
            self.schema,
            json(&self.base)?,
            json(&self.suites)?,
            steps.join(",\n")
        );
        write_atomic(path, text.as_bytes())
    }

    /// The files of `series` that are not as they were verified.
    ///
    /// # Errors
    /// Usage, when a patch cannot be read.
    pub fn outdated(&self, series: &Series) -> Result<Vec<String>> {
        let hashes = hashes(series)?;
        let known = |hash: &String| self.patches.iter().any(|s| s.changes == *hash);
        let files = series.patches.iter().zip(&hashes).filter(|(_, hash)| !known(hash));
        Ok(files.map(|(p, _)| p.entry.file.clone()).collect())
    }
}

/// For each patch, the hash of it and all before it.
fn hashes(series: &Series) -> Result<Vec<String>> {
    let patches: Vec<Patch> =
        series.patches.iter().map(|p| Patch::read(&p.path)).collect::<Result<_>>()?;
    Ok((1..=patches.len()).map(|n| series_hash(&patches[..n])).collect())
}

fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).doing(Kind::Harness, || "writing a record".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::tests::{entry, patch_text, write_series};

    fn verified(number: usize, file: &str) -> Verified {
        let flipped = vec!["kut/svm/a".into()];
        Verified { number, file: file.into(), flipped, ..Verified::default() }
    }

    #[test]
    fn a_change_makes_its_patch_and_all_behind_it_outdated() {
        let dir = tempfile::tempdir().unwrap();
        let toml = entry("0001-a.patch", "x: a") + &entry("0002-b.patch", "x: b");
        let (a, b) = (patch_text("x: a", "x.c"), patch_text("x: b", "y.c"));
        write_series(dir.path(), &toml, &[("0001-a.patch", &a), ("0002-b.patch", &b)]);
        let series = Series::load(dir.path()).unwrap();
        let walked = [verified(1, "0001-a.patch"), verified(2, "0002-b.patch")];
        let record = Record::of(&series, &walked, "10.2.2", vec!["s v1".into()]).unwrap();
        let file = path(dir.path(), "10.2");
        record.save(&file).unwrap();
        let record = Record::load(&file).unwrap().unwrap();
        assert_eq!(record.outdated(&series).unwrap(), [""; 0]);
        std::fs::write(dir.path().join("0002-b.patch"), b.replace("+int b", "+int c")).unwrap();
        assert_eq!(record.outdated(&series).unwrap(), ["0002-b.patch"]);
        std::fs::write(dir.path().join("0001-a.patch"), a.replace("+int b", "+int c")).unwrap();
        assert_eq!(record.outdated(&series).unwrap().len(), 2);
        let reworded = b.replace("QEMU did not", "QEMU does not");
        std::fs::write(dir.path().join("0001-a.patch"), &a).unwrap();
        std::fs::write(dir.path().join("0002-b.patch"), reworded).unwrap();
        assert_eq!(record.outdated(&series).unwrap(), [""; 0]);
    }

    #[test]
    fn no_file_is_no_record_and_another_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = path(dir.path(), "10.2");
        assert_eq!(Record::load(&file).unwrap(), None);
        let other = "{\"schema\": 9, \"base\": \"\", \"suites\": [], \"patches\": []}";
        std::fs::write(&file, other).unwrap();
        assert!(Record::load(&file).unwrap_err().to_string().contains("schema 9"));
    }
}
