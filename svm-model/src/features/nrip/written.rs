//! The next RIP, which #VMEXIT saves.

use alloc::format;
use alloc::vec::Vec;

use crate::Feature::Nrip;
use crate::case::{Draft, Insn, encode, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::rules::RuleId;
use crate::vmcb::{Field, exit};

/// The address of the next instruction, where the CPU saves it.
pub(crate) fn cases() -> Vec<Draft> {
    let saved = [
        ("cpuid", Insn::Cpuid, exit::CPUID, r::nrip::INSTRUCTION),
        ("hlt", Insn::Hlt, exit::HLT, r::nrip::INSTRUCTION),
        ("invlpg", Insn::Invlpg(world::DATA), exit::INVLPG, r::nrip::INSTRUCTION),
        ("int-n", Insn::Int(0x80), exit::SWINT, r::nrip::INSTRUCTION),
        ("icebp", Insn::Icebp, exit::ICEBP, r::nrip::INSTRUCTION),
        ("rdmsr", Insn::Rdmsr(0xc002_0000), exit::MSR, r::nrip::MSR_IO),
        ("mov-from-cr3", Insn::ReadCr(3, 8), exit::CR_READ + 3, r::nrip::CR_DR),
        ("mov-to-cr3", Insn::WriteCr(3, 8), exit::CR_WRITE + 3, r::nrip::CR_DR),
        ("vmmcall", Insn::Vmmcall, exit::VMMCALL, r::nrip::INSTRUCTION),
    ];
    let case = |(name, insn, code, rule): (&str, Insn, u64, RuleId)| {
        let behind = world::L2_CODE + encode::length(&insn).total() as u64;
        Draft::new(Nrip, format!("nrip/{name}"))
            .about(rule)
            .needs(&[CpuFeature::NripSave])
            .program(&[insn])
            .intercept(code)
            .run()
            .exits(code)
            .at(0)
            .field(Field::NRIP, behind)
    };
    let mut cases: Vec<Draft> = saved.map(case).into();
    cases.push(
        Draft::new(Nrip, "nrip/feature-off")
            .about(r::nrip::SUPPORTED)
            .without(&[CpuFeature::NripSave])
            .run()
            .ends()
            .field(Field::NRIP, 0),
    );
    cases
}
