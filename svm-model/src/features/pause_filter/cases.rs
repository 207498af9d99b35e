//! The PAUSE filter: every small count against every number of PAUSEs.

use alloc::format;
use alloc::vec;

use crate::Feature::PauseFilter;
use crate::arch::intercept;
use crate::case::draft::{Draft, on};
use crate::case::{Insn, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    for count in [0u64, 1, 2, 3, 5, 0xffff] {
        for pauses in [0usize, 1, 2, 3, 4, 6] {
            for intercepted in [false, true] {
                for offered in [false, true] {
                    let id = format!(
                        "pause/count={count},pauses={pauses},intercept={},filter={}",
                        on(intercepted),
                        on(offered)
                    );
                    let feature = [CpuFeature::PauseFilter];
                    let case = Draft::new(PauseFilter, id).program(&vec![Insn::Pause; pauses]);
                    let case = if offered { case.needs(&feature) } else { case.without(&feature) };
                    let case = case.set(Field::PAUSE_FILTER_COUNT, count);
                    out.push(
                        case.also(Field::INTERCEPT_MISC1, u64::from(intercepted) << 23).done(),
                    );
                }
            }
        }
    }
    // Each VMRUN starts counting anew.
    let again = Draft::new(PauseFilter, "pause/again").needs(&[CpuFeature::PauseFilter]);
    let again = again.program(&vec![Insn::Pause; 6]).set(Field::PAUSE_FILTER_COUNT, 2);
    out.push(again.also(Field::INTERCEPT_MISC1, intercept::PAUSE.mask()).run().run().case());
    // A fault in between does not reset the count.
    let mixed = Draft::new(PauseFilter, "pause/mixed").needs(&[CpuFeature::PauseFilter]);
    let mixed =
        mixed.program(&[Insn::Pause, Insn::Nop, Insn::Pause, Insn::Nop, Insn::Pause, Insn::Pause]);
    out.push(
        mixed
            .set(Field::PAUSE_FILTER_COUNT, 2)
            .also(Field::INTERCEPT_MISC1, intercept::PAUSE.mask())
            .done(),
    );
    // A threshold, on a CPU that has one and on one that has not.
    for offered in [false, true] {
        let id = format!("pause/threshold={}", on(offered));
        let feature = [CpuFeature::PfThreshold];
        let case = Draft::new(PauseFilter, id).needs(&[CpuFeature::PauseFilter]);
        let case = if offered { case.needs(&feature) } else { case.without(&feature) };
        // Where there is one, nothing more is said than what is read here.
        let case = case.peek(world::DATA).program(&[Insn::Pause, Insn::Pause, Insn::Pause]);
        let case = case.set(Field::PAUSE_FILTER_COUNT, 2).set(Field::PAUSE_FILTER_THRESHOLD, 1);
        out.push(case.also(Field::INTERCEPT_MISC1, intercept::PAUSE.mask()).done());
    }
}
