//! The executor `model`: the specification itself.

use svm_model::case::Case;
use svm_model::coverage::FULL;
use svm_model::cpu::{CpuSet, Platform};
use svm_model::model;

use super::{Executor, Ran, platform_of};
use crate::Result;
use crate::host::interrupt;

/// The model, on a CPU that offers every feature.
#[derive(Clone, Copy, Debug, Default)]
pub struct Model;

impl Executor for Model {
    fn platform(&mut self, without: CpuSet) -> Result<Platform> {
        Ok(Platform { features: FULL.features.minus(without), ..FULL })
    }

    fn run(
        &mut self,
        cases: &[&Case],
        emit: &mut dyn FnMut(usize, Ran) -> Result<()>,
    ) -> Result<()> {
        for (n, case) in cases.iter().enumerate() {
            interrupt::check()?;
            let platform = platform_of(&FULL, case);
            emit(
                n,
                match case.cpu.needs.minus(platform.features) {
                    CpuSet::NONE => Ran::of(model::run(case, &platform)),
                    lacking => Ran::Skipped(lacking),
                },
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use svm_model::cpu::CpuFeature;

    use super::*;
    use crate::catalogue;

    #[test]
    fn every_written_case_runs_and_one_that_lacks_something_is_skipped() {
        let entries = catalogue::all();
        let mut cases: Vec<Case> = entries.into_iter().map(|e| e.case).collect();
        let npt = CpuSet::of(&[CpuFeature::Npt]);
        cases[0].cpu.needs = npt;
        cases[0].cpu.without = npt;
        let mut ran = vec![None; cases.len()];
        Model
            .run(&cases.iter().collect::<Vec<_>>(), &mut |n, what| {
                ran[n] = Some(what);
                Ok(())
            })
            .unwrap();
        assert_eq!(ran[0], Some(Ran::Skipped(npt)));
        assert!(ran[1..].iter().all(|r| matches!(r, Some(Ran::Outcome(_) | Ran::Open(_)))));
    }
}
