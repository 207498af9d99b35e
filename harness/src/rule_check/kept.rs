//! Kept cases: small ones that once told something, one file each, with what
//! must come of it. They run in the conformance suite on any QEMU, and the model
//! is held to them too.
//!
//! A file is RON: readable, with comments. `cargo xtask conform --keep` writes
//! one for each rule that differs, `--bless` takes the model's word for what
//! must come of those that are there.

use std::path::{Path, PathBuf};

use ron::ser::PrettyConfig;
use serde::{Deserialize, Serialize};
use svm_model::case::Case;
use svm_model::compare::What;
use svm_model::outcome::{Exit, Obs, Outcome};
use svm_model::snapshot::{HostReg, HostState, VmcbState};
use svm_model::vmcb::Field;
use svm_model::{model, rules};

use super::judge::Finding;
use super::shrink::Shrunk;
use crate::catalogue::{self, Entry};
use crate::host::cache;
use crate::host::error::Context;
use crate::host::regular;
use crate::{Error, Kind, Result};

/// Where they are, in the checkout.
pub const FOLDER: &str = "svm-model/kept";

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The rule that it is about.
    pub rule: String,
    /// Section of APM volume 2 that decides it.
    pub section: String,
    /// The case; its id is `kept/` and the file's name.
    pub case: Case,
    /// What must be seen; what is not named is not looked at.
    pub expect: Outcome,
}

/// What is always said of an exit, where it is not zero.
const SAID: [Field; 6] = [
    Field::EXITCODE,
    Field::EXITINFO1,
    Field::EXITINFO2,
    Field::EXITINTINFO,
    Field::EVENTINJ,
    Field::RIP,
];

impl Kept {
    /// A small case that differs, with the model's word for what must come of it.
    pub fn of(shrunk: &Shrunk) -> Option<Kept> {
        let rule = shrunk.finding.blame.rule?;
        let case = Case { id: format!("kept/{rule}"), ..shrunk.case.clone() };
        let expect = said(&shrunk.finding);
        Some(Kept { rule: rule.to_string(), section: rule.rule().section.into(), case, expect })
    }

    /// As an entry of the catalogue.
    ///
    /// # Errors
    /// Usage, when there is no such rule.
    pub fn entry(self) -> Result<Entry> {
        let (rule, _) = rules::named(&self.rule).ok_or_else(|| {
            let what = format!("{} is about {}, which is no rule", self.case.id, self.rule);
            Error::new(Kind::Usage, what).hint("`cargo xtask rules` lists them all")
        })?;
        Ok(Entry { case: self.case, written: Some((self.expect, rule.into())) })
    }

    /// The same, with what the model says now of what it names.
    fn blessed(&self) -> Kept {
        let now = model::run(&self.case, &catalogue::assumed(&self.case));
        Kept { expect: restricted(&now, &self.expect), ..self.clone() }
    }

    /// The file's text.
    ///
    /// # Errors
    /// Harness.
    pub fn text(&self) -> Result<String> {
        let config = PrettyConfig::new().struct_names(false).indentor("  ").compact_arrays(false);
        let text = ron::ser::to_string_pretty(self, config)
            .doing(Kind::Harness, || format!("writing {}", self.case.id))?;
        Ok(hexadecimal(&text) + "\n")
    }
}

/// What the model says of a finding, as far as one wants to see it.
fn said(finding: &Finding) -> Outcome {
    let of = |(index, obs): (usize, &Obs)| {
        let Obs::Exit(exit) = obs else { return obs.clone() };
        let mut small = Exit { l2_log: exit.l2_log.clone(), ..Exit::default() };
        for field in SAID {
            if let Some(value) = exit.vmcb.get(field).filter(|v| *v != 0) {
                small.vmcb.set(field, value);
            }
        }
        for difference in finding.differences.iter().filter(|d| d.index == index) {
            match difference.what {
                What::Vmcb(field) => copy(exit.vmcb.get(field), |v| small.vmcb.set(field, v)),
                What::Host(reg) => copy(exit.host.get(reg), |v| small.host.set(reg, v)),
                What::Observation | What::Value | What::L2Log => {}
            }
        }
        Obs::Exit(Box::new(small))
    };
    Outcome { obs: finding.expected.obs.iter().enumerate().map(of).collect() }
}

fn copy(value: Option<u64>, set: impl FnOnce(u64)) {
    if let Some(value) = value {
        set(value);
    }
}

/// `now`, with nothing said that `like` does not speak of.
fn restricted(now: &Outcome, like: &Outcome) -> Outcome {
    let of = |(index, obs): (usize, &Obs)| match (obs, like.obs.get(index)) {
        (Obs::Exit(exit), Some(Obs::Exit(old))) => {
            let (mut vmcb, mut host) = (VmcbState::default(), HostState::default());
            for (field, _) in old.vmcb.iter() {
                copy(exit.vmcb.get(field), |v| vmcb.set(field, v));
            }
            for (reg, _) in old.host.iter() {
                copy(exit.host.get(reg), |v: u64| host.set(reg as HostReg, v));
            }
            Obs::Exit(Box::new(Exit { vmcb, host, l2_log: exit.l2_log.clone() }))
        }
        (obs, _) => obs.clone(),
    };
    Outcome { obs: now.obs.iter().enumerate().map(of).collect() }
}

/// Numbers of two digits and more in hexadecimal, but none inside quotes.
fn hexadecimal(text: &str) -> String {
    let number = regex::Regex::new(r"\b[0-9]{2,20}\b").expect("a fixed pattern");
    let mut out = String::with_capacity(text.len());
    for (n, part) in text.split('"').enumerate() {
        if n > 0 {
            out.push('"');
        }
        if n % 2 == 1 {
            out.push_str(part);
            continue;
        }
        let hex = |found: &regex::Captures<'_>| {
            found[0].parse::<u64>().map_or_else(|_| found[0].to_owned(), |v| format!("{v:#x}"))
        };
        out += &number.replace_all(part, hex);
    }
    out
}

/// Every file of the checkout `repo`, by name.
///
/// # Errors
/// Usage, for a file that makes no sense.
pub fn load(repo: &Path) -> Result<Vec<(PathBuf, Kept)>> {
    let folder = repo.join(FOLDER);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e).doing(Kind::Harness, || format!("listing {}", folder.display())),
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "ron"));
    paths.sort();
    paths.into_iter().map(|p| Ok((p.clone(), read(&p)?))).collect()
}

fn read(path: &Path) -> Result<Kept> {
    let doing = || format!("reading {}", path.display());
    let text = regular::read_to_string(path).doing(Kind::Harness, doing)?;
    ron::from_str(&text).doing(Kind::Usage, doing)
}

/// Writes the files of small cases that differ; those that are there stay.
///
/// # Errors
/// Harness.
pub fn keep<'a>(repo: &Path, small: impl Iterator<Item = &'a Shrunk>) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for kept in small.filter_map(Kept::of) {
        let path = repo.join(FOLDER).join(format!("{}.ron", kept.rule));
        if !path.exists() {
            cache::write_atomic(&path, kept.text()?.as_bytes())?;
            written.push(path);
        }
    }
    Ok(written)
}

/// Takes the model's word for every file; those that changed.
///
/// # Errors
/// As [`load`]; Harness.
pub fn bless(repo: &Path) -> Result<Vec<PathBuf>> {
    let mut changed = Vec::new();
    for (path, kept) in load(repo)? {
        let blessed = kept.blessed();
        if blessed != kept {
            cache::write_atomic(&path, blessed.text()?.as_bytes())?;
            changed.push(path);
        }
    }
    Ok(changed)
}

/// The case of that id: kept, written or generated, from any seed.
///
/// # Errors
/// As [`entry`].
pub fn find(repo: &Path, id: &str) -> Result<Case> {
    Ok(entry(repo, id)?.case)
}

/// The case of that id with what is written down of it.
///
/// # Errors
/// As [`load`] and [`catalogue::find`]; Usage, for a lasting id of a case that is made no more.
pub fn entry(repo: &Path, id: &str) -> Result<Entry> {
    let seeded = |case| Entry { case, written: None };
    if let Some((plain, _)) = id.split_once('@') {
        let made = svm_model::cases::of_seed(plain);
        let same = made.filter(|case| svm_model::cases::lasting_id(case) == id);
        return same.map(seeded).ok_or_else(|| {
            Error::new(Kind::Usage, format!("`{id}` is not made any more"))
                .hint(format!("its families have changed since; `{plain}` is what they make now"))
        });
    }
    match load(repo)?.into_iter().find(|(_, kept)| kept.case.id == id) {
        Some((_, kept)) => kept.entry(),
        None => {
            svm_model::cases::of_seed(id).map_or_else(|| catalogue::find(id), |c| Ok(seeded(c)))
        }
    }
}

#[cfg(test)]
mod tests {
    use svm_model::compare;

    use super::*;

    fn repo() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("harness lies in the checkout")
    }

    #[test]
    fn the_model_agrees_with_every_kept_case() {
        let all = load(repo()).unwrap_or_else(|e| panic!("{e}"));
        for (path, kept) in &all {
            assert!(rules::named(&kept.rule).is_some(), "{}", path.display());
            let name = path.file_stem().unwrap().to_string_lossy();
            assert_eq!(kept.case.id, format!("kept/{name}"));
            let now = model::run(&kept.case, &catalogue::assumed(&kept.case));
            assert_eq!(compare(&kept.expect, &now), [], "{}", path.display());
        }
    }

    #[test]
    fn a_lasting_id_finds_that_case_or_none() {
        let case = svm_model::cases::of_seed("crossed/0x7-3").unwrap();
        let id = svm_model::cases::lasting_id(&case);
        assert_eq!(find(repo(), &id).unwrap(), case);
        assert_eq!(find(repo(), "crossed/0x7-3").unwrap(), case);
        let other = find(repo(), "crossed/0x7-3@abcdef").unwrap_err();
        assert_eq!(other.kind(), Kind::Usage);
        assert!(other.to_string().contains("not made any more"), "{other}");
        let written = catalogue::all().swap_remove(0).case;
        assert_eq!(svm_model::cases::lasting_id(&written), written.id);
    }

    #[test]
    fn what_is_written_is_read_again_in_hexadecimal() {
        let entry = catalogue::all().swap_remove(3);
        let kept = Kept {
            rule: "gif.stgi".into(),
            section: "15.17".into(),
            expect: model::run(&entry.case, &catalogue::assumed(&entry.case)),
            case: entry.case,
        };
        let text = kept.text().unwrap_or_else(|e| panic!("{e}"));
        assert!(text.contains("0x800000"), "{text}");
        assert_eq!(ron::from_str::<Kept>(&text).unwrap(), kept);
        assert_eq!(hexadecimal("a 16 \"b-16\" 9 x16"), "a 0x10 \"b-16\" 9 x16");
    }

    #[test]
    fn blessing_says_no_more_than_the_file_did() {
        let entry = catalogue::all().swap_remove(0);
        let mut exit = Exit::default();
        exit.vmcb.set(Field::EXITCODE, 0x1234);
        let kept = Kept {
            rule: "gif.stgi".into(),
            section: "15.17".into(),
            expect: Outcome { obs: vec![Obs::Exit(Box::new(exit))] },
            case: entry.case,
        };
        let blessed = kept.blessed();
        let [Obs::Exit(exit)] = blessed.expect.obs.as_slice() else { panic!() };
        assert_eq!(exit.vmcb.iter().count(), 1);
        assert_eq!(exit.vmcb.get(Field::EXITCODE), Some(0x81));
    }
}
