//! The counts in `docs/features.md` are those of the cases.

use std::fmt::Write;
use std::path::Path;

use svm_model::Feature;
use svm_model::case::Case;
use svm_model::cases::{self, SEED};
use svm_model::cpu::CpuFeature;
use svm_model::written;

/// What cases are reported under that are about that CPU feature and nothing else.
fn reported(cpu: CpuFeature) -> Option<Feature> {
    Some(match cpu {
        CpuFeature::Npt => Feature::Npt,
        CpuFeature::Lbrv => Feature::Lbrv,
        CpuFeature::NripSave => Feature::Nrip,
        CpuFeature::TscScale => Feature::TscScale,
        CpuFeature::DecodeAssists => Feature::DecodeAssists,
        CpuFeature::PauseFilter => Feature::PauseFilter,
        CpuFeature::Vgif => Feature::Vgif,
        CpuFeature::Gmet => Feature::Gmet,
        CpuFeature::VirtSpecCtrl => Feature::SpecCtrl,
        CpuFeature::Vnmi => Feature::Vnmi,
        CpuFeature::BusLockThreshold => Feature::BusLock,
        CpuFeature::IdleHlt => Feature::IdleHlt,
        _ => return None,
    })
}

fn count<'a>(cpu: CpuFeature, cases: impl Iterator<Item = &'a Case>) -> usize {
    let about = |case: &&Case| {
        case.cpu.needs.has(cpu) || case.cpu.without.has(cpu) || reported(cpu) == Some(case.feature)
    };
    cases.filter(about).count()
}

#[test]
fn every_svm_feature_has_its_row_and_its_counts() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/features.md");
    let text = std::fs::read_to_string(path).expect("docs/features.md can be read");
    let (written, generated) = (written::all(), cases::all(SEED));
    let mut wrong = String::new();
    let features = CpuFeature::ALL.iter().filter(|f| f.cpuid().leaf == 0x8000_000a);
    for &feature in features {
        let expected = format!(
            "| {} | {} |",
            count(feature, written.iter().map(|w| &w.case)),
            count(feature, generated.iter())
        );
        let start = format!("| `{}` |", feature.name());
        match text.lines().find(|line| line.starts_with(&start)) {
            Some(row) if row.ends_with(&expected) => {}
            Some(_) => _ = writeln!(wrong, "{} {expected}", feature.name()),
            None => _ = writeln!(wrong, "{} has no row", feature.name()),
        }
    }
    assert!(wrong.is_empty(), "docs/features.md must say:\n{wrong}");
}

/// Each feature that can be switched off has a case in which it is.
#[test]
fn every_svm_feature_is_switched_off_by_a_written_case() {
    let written = written::all();
    let missing: Vec<&str> = CpuFeature::ALL
        .iter()
        .filter(|f| f.cpuid().leaf == 0x8000_000a)
        .filter(|f| !written.iter().any(|w| w.case.cpu.without.has(**f)))
        .map(|f| f.name())
        .collect();
    assert!(missing.is_empty(), "no written case switches off {missing:?}");
}
