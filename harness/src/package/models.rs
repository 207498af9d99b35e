//! Which features of SVM each processor model offers, as the packed QEMU itself says.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use svm_model::cpu::{CpuFeature, CpuSet};

use crate::explain::running::Running;
use crate::host::{interrupt, process};
use crate::{Error, Kind, Result};

/// The models that README tells of: all with SVM that TCG can be.
pub const MODELS: [&str; 6] =
    ["max", "EPYC", "EPYC-Rome", "EPYC-Milan", "EPYC-Genoa", "EPYC-Turin"];

/// How long a QEMU may take until its monitor is there.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(50);

/// What each of [`MODELS`] offers with `+svm`.
///
/// # Errors
/// Harness, when a QEMU does not start, or does not say.
pub(super) fn ask(program: &Path) -> Result<Vec<CpuSet>> {
    MODELS.iter().map(|model| one(program, model)).collect()
}

fn one(program: &Path, model: &str) -> Result<CpuSet> {
    let scratch =
        tempfile::tempdir().map_err(|e| Error::new(Kind::Harness, "making a folder").because(e))?;
    let socket = scratch.path().join("qmp");
    let mut c = Command::new(program);
    c.args(["-nodefaults", "-no-user-config", "-display", "none", "-S", "-accel", "tcg"])
        .args(["-machine", "pc", "-cpu", &format!("{model},+svm"), "-qmp"])
        .arg(format!("unix:{},server=on,wait=off", socket.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut qemu = process::spawn(&mut c).map_err(|e| process::not_started(&c, e))?;
    let end = Instant::now() + PATIENCE;
    while !socket.exists() {
        let ended = qemu.wait_within(TICK).ok().flatten();
        if ended.is_some() || Instant::now() > end {
            let what = format!("{} does not start", process::show(&c));
            return Err(Error::new(Kind::Harness, what));
        }
        interrupt::check()?;
    }
    Ok(Running::stop(&socket, 0)?.platform()?.features)
}

/// The features, in the order of their bits, each with the models that offer it, as a table.
pub(super) fn table(offered: &[CpuSet]) -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut head = vec!["feature".to_owned()];
    head.extend(MODELS.map(str::to_owned));
    let mut text = row(head.clone()) + &row(head.iter().map(|_| "---".to_owned()).collect());
    for feature in CpuFeature::ALL.iter().filter(|f| f.cpuid().leaf == 0x8000_000a) {
        let mut cells = vec![format!("`{}`", feature.name())];
        cells.extend(offered.iter().map(|set| if set.has(*feature) { "yes" } else { "" }.into()));
        text += &row(cells);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_is_a_row_and_each_model_a_column() {
        let npt = CpuSet::of(&[CpuFeature::Npt]);
        let mut offered = vec![CpuSet::of(&[]); MODELS.len()];
        offered[1] = npt;
        let text = table(&offered);
        assert!(text.starts_with("| feature | max | EPYC | EPYC-Rome |"), "{text}");
        assert!(text.contains("| `npt` |  | yes |  |  |  |  |\n"), "{text}");
        assert!(text.contains("| `vnmi` |  |  |  |  |  |  |\n"), "{text}");
        let columns = |line: &str| line.matches('|').count();
        assert!(text.lines().all(|line| columns(line) == MODELS.len() + 2), "{text}");
    }

    #[test]
    fn a_program_that_has_no_monitor_is_named() {
        let e = one(Path::new("/bin/false"), "max").unwrap_err().to_string();
        assert!(e.contains("/bin/false") && e.contains("does not start"), "{e}");
        let e = one(Path::new("/no/such/qemu"), "max").unwrap_err();
        assert_eq!(e.kind(), Kind::Setup);
    }
}
