//! TSC_OFFSET: the guest's time stamp counter is the host's plus the offset. A
//! machine that has just started counts below 2^48, so that the bits above are
//! the offset's.

use alloc::format;

use crate::Feature::TscScale;
use crate::case::Insn;
use crate::case::draft::{Draft, on};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    let instructions =
        [("rdtsc", Insn::Rdtsc), ("rdtscp", Insn::Rdtscp), ("rdmsr", Insn::Rdmsr(0x10))];
    for (name, insn) in instructions {
        for offset in [0u64, 1, 0x12, 0x7fff, 0x8000, 0xffff] {
            for user in [false, true] {
                if user && name == "rdmsr" {
                    continue;
                }
                let id = format!("tsc/{name},offset={offset:#x},user={}", on(user));
                let case = Draft::new(TscScale, id).program(&[insn.clone(), Insn::Shr(2, 16)]);
                let case = if name == "rdtscp" { case.needs(&[CpuFeature::Rdtscp]) } else { case };
                let case = case.set(Field::TSC_OFFSET, offset << 48);
                out.push(if user { case.user().done() } else { case.done() });
            }
        }
    }
}
