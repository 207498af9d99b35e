//! `results/hostile.json`: how much a QEMU has stood, as data.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::campaign::{Finding, Report};
use super::text;
use crate::host::cache;
use crate::host::error::Context;
use crate::host::regular;
use crate::qemu::BuildIdentity;
use crate::{Error, Kind, Result};

/// The version of the file's form. A reader refuses any other.
const SCHEMA: u32 = 1;
/// The file's name in `results/`.
const NAME: &str = "hostile.json";

/// Everything that is recorded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of the file's form.
    pub schema: u32,
    /// By build.
    pub builds: Vec<Build>,
}

/// One build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// Which; counts of another series under the same name are replaced.
    pub build: BuildIdentity,
    /// By way, sorted.
    pub ways: Vec<Counted>,
    /// What was found, with the command that shows it; empty is what is wanted.
    pub findings: Vec<String>,
}

/// What was done in one way; all campaigns added up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// The mode.
    pub mode: String,
    /// Processors.
    pub processors: u32,
    /// What was done beside.
    pub beside: String,
    /// Starts of QEMU.
    pub boots: u64,
    /// Attempts.
    pub attempts: u64,
    /// VMRUN instructions.
    pub vmruns: u64,
    /// Resets, of the machine or of its first processor.
    pub resets: u64,
    /// Exceptions in L1.
    pub faults: u64,
    /// Commands at the monitor and runs of single steps.
    pub deeds: u64,
    /// Resets by the harness, of a guest that went round in circles or slept for ever.
    pub revivals: u64,
    /// Wall time.
    pub seconds: u64,
}

impl Counted {
    fn way(&self) -> (&str, u32, &str) {
        (&self.mode, self.processors, &self.beside)
    }
}

/// Adds a campaign to what is recorded in the folder `results`.
///
/// # Errors
/// Harness, on I/O failures, or when what is there has another schema.
pub fn add(results: &Path, build: &BuildIdentity, report: &Report) -> Result<PathBuf> {
    let mut record = load(results)?;
    record.add(build, report);
    let path = results.join(NAME);
    cache::write_atomic(&path, record.text()?.as_bytes())?;
    Ok(path)
}

/// What is recorded; nothing, where there is no such file.
///
/// # Errors
/// As [`add`].
pub fn load(results: &Path) -> Result<Record> {
    let path = results.join(NAME);
    let doing = || format!("reading {}", path.display());
    let text = match regular::read_text(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Record { schema: SCHEMA, builds: Vec::new() });
        }
        Err(e) => return Err(e).doing(Kind::Harness, doing),
    };
    let record: Record = serde_json::from_str(&text).doing(Kind::Harness, doing)?;
    if record.schema != SCHEMA {
        let what = format!("{}: its schema is {}, and ours {SCHEMA}", doing(), record.schema);
        return Err(Error::new(Kind::Harness, what));
    }
    Ok(record)
}

impl Record {
    fn add(&mut self, build: &BuildIdentity, report: &Report) {
        self.builds.retain(|b| b.build.name != build.name || b.build == *build);
        if !self.builds.iter().any(|b| b.build == *build) {
            let new = Build { build: build.clone(), ways: Vec::new(), findings: Vec::new() };
            self.builds.push(new);
        }
        self.builds.sort_by(|a, b| a.build.name.cmp(&b.build.name));
        let Some(entry) = self.builds.iter_mut().find(|b| b.build == *build) else { return };
        for (way, done) in &report.done {
            let mut now = Counted {
                mode: way.mode.name().into(),
                processors: way.processors,
                beside: way.beside.name().into(),
                boots: done.boots,
                attempts: done.attempts,
                vmruns: done.vmruns,
                resets: done.resets,
                faults: done.faults,
                deeds: done.deeds,
                revivals: done.revivals,
                seconds: done.seconds.round() as u64,
            };
            if let Some(n) = entry.ways.iter().position(|c| c.way() == now.way()) {
                let before = entry.ways.remove(n);
                now.boots += before.boots;
                now.attempts += before.attempts;
                now.vmruns += before.vmruns;
                now.resets += before.resets;
                now.faults += before.faults;
                now.deeds += before.deeds;
                now.revivals += before.revivals;
                now.seconds += before.seconds;
            }
            entry.ways.push(now);
        }
        entry.ways.sort_by(|a, b| a.way().cmp(&b.way()));
        let on = format!("qemu:{}", build.side);
        let found = |f: &Finding| format!("{}; {}", f.what, text::command(f, &on));
        entry.findings.extend(report.findings.iter().map(found));
        entry.findings.sort();
        entry.findings.dedup();
    }

    /// The file's text: one way a line.
    fn text(&self) -> Result<String> {
        let json = |value: serde_json::Result<String>| {
            value.doing(Kind::Harness, || "writing the counts as JSON".into())
        };
        let mut builds = Vec::new();
        for build in &self.builds {
            let ways: Result<Vec<_>> =
                build.ways.iter().map(|w| json(serde_json::to_string(w))).collect();
            let findings: Result<Vec<_>> =
                build.findings.iter().map(|f| json(serde_json::to_string(f))).collect();
            builds.push(format!(
                "{{\n\"build\": {},\n\"ways\": [\n{}\n],\n\"findings\": [{}]\n}}",
                json(serde_json::to_string(&build.build))?,
                ways?.join(",\n"),
                findings?.join(",\n")
            ));
        }
        Ok(format!("{{\n\"schema\": {SCHEMA},\n\"builds\": [\n{}\n]\n}}\n", builds.join(",\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::beside::Beside;
    use super::super::campaign::{Done, Way};
    use super::super::mode::Mode;
    use super::*;
    use crate::qemu::testing::identity;

    fn report(vmruns: u64) -> Report {
        let way = Way { mode: Mode::Icount, processors: 2, beside: Beside::Gdb };
        let mut report = Report::default();
        report.done.insert(way, Done { vmruns, boots: 1, seconds: 1.6, ..Done::default() });
        report
    }

    #[test]
    fn campaigns_on_one_build_add_up_and_another_build_of_the_name_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let build = identity("patched-10.2.2");
        for vmruns in [10, 20] {
            add(dir.path(), &build, &report(vmruns)).unwrap();
        }
        let way = &load(dir.path()).unwrap().builds[0].ways[0];
        assert_eq!((way.vmruns, way.boots, way.seconds), (30, 2, 4));
        let other = BuildIdentity { compiler: Some("other".into()), ..build };
        add(dir.path(), &other, &report(5)).unwrap();
        let record = load(dir.path()).unwrap();
        assert_eq!((record.builds.len(), record.builds[0].ways[0].vmruns), (1, 5));
    }

    #[test]
    fn another_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(NAME), "{\"schema\": 9, \"builds\": []}").unwrap();
        assert!(load(dir.path()).unwrap_err().to_string().contains("schema is 9"));
    }
}
