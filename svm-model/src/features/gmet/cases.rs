//! GMET against the nested user bit, for each kind of access. They are of the family `npt`.

use alloc::format;

use crate::Feature::Gmet;
use crate::case::draft::{Draft, on};
use crate::case::{Insn, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::features::npt::cases::{ACCESSES, PAGE, PT_ENTRY, fetchable};
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    matrix(out);
    user(out);
}

fn matrix(out: &mut Cases) {
    for enable in [false, true] {
        for offered in [false, true] {
            for us in [false, true] {
                for nx in [false, true] {
                    for (name, program) in ACCESSES {
                        let faults = nx || us == (enable && offered);
                        if !fetchable(name, faults) {
                            continue;
                        }
                        let id = format!(
                            "npt/gmet,enable={},offered={},us={},nx={},{name}",
                            on(enable),
                            on(offered),
                            on(us),
                            on(nx)
                        );
                        // The code's own page must be a supervisor page under GMET.
                        let case = Draft::new(Gmet, id).needs(&[CpuFeature::Npt]).program(program);
                        let feature = [CpuFeature::Gmet];
                        let case =
                            if offered { case.needs(&feature) } else { case.without(&feature) };
                        let entry = PAGE | 0x63 | u64::from(us) << 2 | u64::from(nx) << 63;
                        let case = case
                            .set(Field::NESTED_CTL, 1 | u64::from(enable) << 3)
                            .poke(PT_ENTRY, entry);
                        let case = if enable && offered { supervisor_code(case) } else { case };
                        out.push(case.done());
                    }
                }
            }
        }
    }
}

/// User code: the fetch needs the nested user bit, GMET or not.
fn user(out: &mut Cases) {
    for enable in [false, true] {
        for us in [false, true] {
            let id = format!("npt/gmet-user,enable={},us={}", on(enable), on(us));
            let case = Draft::new(Gmet, id).needs(&[CpuFeature::Npt, CpuFeature::Gmet]).user();
            let case =
                case.program(&[Insn::Nop]).set(Field::NESTED_CTL, 1 | u64::from(enable) << 3);
            let entry = 0x80_0000 | 0xe3 | u64::from(us) << 2;
            out.push(case.poke(world::npt::PD + 4 * 8, entry).done());
        }
    }
}

/// L2's code and what the processor executes for it, as nested supervisor pages.
fn supervisor_code(draft: Draft) -> Draft {
    draft.poke(world::npt::PD + 4 * 8, 0x80_0000 | 0xe3)
}
