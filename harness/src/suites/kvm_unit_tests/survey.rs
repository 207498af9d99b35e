//! What the tree holds of each unit: its image, its table, its conditions.

use super::Tree;
use super::cfg::Unit;
use super::params::{self, Params};
use super::table;
use crate::host::regular;
use crate::qemu::digest;
use crate::{Error, Kind, Result};

/// A unit and what was found of it.
#[derive(Clone, Debug)]
pub(super) struct Surveyed {
    /// The unit, as configured.
    pub(super) unit: Unit,
    /// Its `qemu_params`, word by word, as far as they are let through.
    pub(super) params: Vec<String>,
    /// Those that are not.
    pub(super) left_out: Vec<String>,
    /// The names in its table, if it has one.
    pub(super) table: Option<Vec<String>>,
    /// SHA-256 of its image; none when it is not built.
    pub(super) image: Option<String>,
    /// Why it cannot be run here, if it cannot.
    pub(super) unmet: Option<String>,
}

/// Looks at the tree and at the host.
///
/// # Errors
/// Usage, when the unit's arguments cannot be read; I/O.
pub(super) fn survey(tree: &Tree, unit: &Unit) -> Result<Surveyed> {
    let path = tree.root.join("x86").join(&unit.file);
    let image = path.is_file().then(|| digest(&path)).transpose()?;
    let params = shell_words::split(&unit.qemu_params).map_err(|e| {
        let what = format!("reading qemu_params of [{}] in x86/unittests.cfg", unit.name);
        Error::new(Kind::Usage, what).because(e)
    })?;
    let Params { kept, mut left_out } = params::sort(&params);
    let mut unit = unit.clone();
    if let Some(machine) = unit.machine.take_if(|m| !params::is_harmless(m)) {
        left_out.push(format!("machine = {machine}"));
    }
    let table = table_of(tree, &unit.file)?;
    let unmet = unmet(&unit, &tree.arch());
    Ok(Surveyed { unit, params: kept, left_out, table, image, unmet })
}

/// The table of `svm.flat` is in `svm_tests.c`, that of `svm_npt.flat` in
/// `svm_npt.c`; both are of `struct svm_test`.
fn table_of(tree: &Tree, file: &str) -> Result<Option<Vec<String>>> {
    let Some(stem) = file.strip_suffix(".flat") else { return Ok(None) };
    let kind = format!("{}_test", stem.split('_').next().unwrap_or(stem));
    for source in [format!("x86/{stem}_tests.c"), format!("x86/{stem}.c")] {
        if tree.root.join(&source).exists()
            && let Some(names) = table::names(&tree.read(&source)?, &kind)
        {
            return Ok(Some(names));
        }
    }
    Ok(None)
}

/// The first condition of the unit's that does not hold.
fn unmet(unit: &Unit, arch: &str) -> Option<String> {
    let shell = |text: &str| text.contains(['`', '$']);
    if unit.file.split('/').any(|part| part == "..") || unit.file.starts_with('/') {
        return Some(format!("its file {} is outside of x86/", unit.file));
    }
    if let Some(wanted) = unit.arch.as_ref().filter(|wanted| *wanted != arch) {
        return Some(format!("{wanted} only"));
    }
    if let Some(accel) = unit.accel.as_ref().filter(|a| *a != "tcg") {
        return Some(format!("{accel} only"));
    }
    if let Some(condition) = &unit.disabled_if {
        return Some(format!("disabled if {condition}, which is for a shell to say"));
    }
    if shell(&unit.qemu_params) || unit.test_args.as_deref().is_some_and(shell) {
        return Some("its arguments are for a shell to expand".into());
    }
    unit.check.iter().find_map(|(path, wanted)| {
        let found = regular::read_text(path.as_ref()).unwrap_or_default();
        (found.trim() != wanted).then(|| format!("{path} is not {wanted}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_is_named() {
        let reason = |unit: Unit| unmet(&unit, "x86_64");
        let unit = Unit::default;
        assert_eq!(reason(unit()), None);
        assert_eq!(reason(Unit { arch: Some("x86_64".into()), ..unit() }), None);
        let i386 = Unit { arch: Some("i386".into()), ..unit() };
        assert_eq!(reason(i386).as_deref(), Some("i386 only"));
        let kvm = Unit { accel: Some("kvm".into()), ..unit() };
        assert_eq!(reason(kvm).as_deref(), Some("kvm only"));
        let check = Unit { check: vec![("/nowhere/a".into(), "Y".into())], ..unit() };
        assert_eq!(reason(check).as_deref(), Some("/nowhere/a is not Y"));
        let shell = Unit { test_args: Some("`date`".into()), ..unit() };
        assert!(reason(shell).unwrap().contains("shell"));
    }
}
