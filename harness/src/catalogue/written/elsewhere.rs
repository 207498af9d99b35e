//! What the manual says of CPUs that TCG is not, and of what the model leaves open once a rule is
//! broken. The suite does not run these: no QEMU of ours could. They are held against the model
//! alone, whole and with each rule broken (`conform::mutate`).

use svm_model::Feature::{Intercepts, VmrunChecks};
use svm_model::case::{Insn, world};
use svm_model::cpu::CpuFeature;
use svm_model::vmcb::{Field, exit};

use super::draft::Draft;

/// A far jump to this selector is a task switch where the descriptor is a task-state segment's.
const TASK: u16 = 0x38;

pub(super) fn cases() -> Vec<Draft> {
    let exits = |name: &str, feature, insn: Insn, code| {
        Draft::new(format!("elsewhere/{name}"), Intercepts, "15.9")
            .needs(feature)
            .program(&[insn])
            .intercept(code)
            .run()
            .exits(code)
            .at(0)
    };
    let descriptor = 0x0000_e900_0000_0067 | (world::DATA & 0xff_ffff) << 16;
    vec![
        exits("invpcid", CpuFeature::Invpcid, Insn::Invpcid(2), exit::INVPCID),
        // There are types 0 to 3: #GP, which comes later.
        exits("invpcid-no-type", CpuFeature::Invpcid, Insn::Invpcid(4), exit::INVPCID),
        exits("invlpgb", CpuFeature::Invlpgb, Insn::Invlpgb, exit::INVLPGB),
        exits("tlbsync", CpuFeature::Invlpgb, Insn::Tlbsync, exit::TLBSYNC),
        Draft::new("elsewhere/cet-without-wp", VmrunChecks, "15.5.1")
            .needs(CpuFeature::ShadowStack)
            .also(Field::CR4, 1 << 23)
            .clear(Field::CR0, 1 << 16)
            .run()
            .exits(exit::INVALID),
        // Protected mode without paging.
        Draft::new("elsewhere/task-switch", Intercepts, "15.14.1")
            .program(&[Insn::TaskJump(TASK)])
            .set(Field::EFER, 0x1000)
            .set(Field::CR0, 0x33)
            .set(Field::CR4, 0)
            .set(Field::CS_ATTRIB, 0xc9b)
            .mem(world::L2_GDT + u64::from(TASK), descriptor)
            .intercept(exit::TASK_SWITCH)
            .run()
            .exits(exit::TASK_SWITCH)
            .field(Field::EXITINFO1, TASK.into()),
    ]
}
