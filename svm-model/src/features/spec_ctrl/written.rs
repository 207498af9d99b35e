//! SPEC_CTRL of host and guest, and a CPU that has one for both.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::SpecCtrl;
use crate::arch::msr::SPEC_CTRL;
use crate::case::written::GP;
use crate::case::{Draft, Insn, Step};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::vmcb::Field;

pub(crate) fn cases() -> Vec<Draft> {
    let own = |id: &str| {
        Draft::new(SpecCtrl, format!("spec-ctrl/{id}")).needs(&[
            CpuFeature::VirtSpecCtrl,
            CpuFeature::Ibrs,
            CpuFeature::Stibp,
            CpuFeature::Ssbd,
        ])
    };
    vec![
        own("guest-reads-its-own")
            .about([r::spec_ctrl::LOAD, r::spec_ctrl::HOST])
            .program(&[Insn::Rdmsr(SPEC_CTRL)])
            .step(Step::Wrmsr(SPEC_CTRL, 1))
            .set(Field::SPEC_CTRL, 6)
            .run()
            .ends()
            .field(Field::RAX, 6)
            .field(Field::SPEC_CTRL, 6)
            .step(Step::Rdmsr(SPEC_CTRL))
            .value(1),
        own("guest-writes-its-own")
            .about([r::spec_ctrl::SAVE, r::spec_ctrl::HOST])
            .program(&[Insn::Wrmsr(SPEC_CTRL, 4)])
            .step(Step::Wrmsr(SPEC_CTRL, 1))
            .run()
            .ends()
            .field(Field::SPEC_CTRL, 4)
            .step(Step::Rdmsr(SPEC_CTRL))
            .value(1),
        own("reserved")
            .about(r::spec_ctrl::RESERVED)
            .step(Step::Wrmsr(SPEC_CTRL, 1 << 3))
            .shows(GP),
    ]
}

/// The guest has no register of its own, but reads and writes the host's.
pub(crate) fn off() -> Vec<Draft> {
    vec![
        Draft::new(SpecCtrl, "feature-off/v-spec-ctrl")
            .about(r::spec_ctrl::SUPPORTED)
            .without(&[CpuFeature::VirtSpecCtrl])
            .needs(&[CpuFeature::Ibrs, CpuFeature::Ssbd])
            .program(&[Insn::Rdmsr(SPEC_CTRL), Insn::Wrmsr(SPEC_CTRL, 4)])
            .step(Step::Wrmsr(SPEC_CTRL, 1))
            .set(Field::SPEC_CTRL, 5)
            .run()
            .ends()
            .field(Field::SPEC_CTRL, 5)
            .step(Step::Rdmsr(SPEC_CTRL))
            .value(4),
    ]
}
