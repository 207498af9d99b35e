//! The MSR permission map, and SVM's own MSRs.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Msr;
use crate::arch::msr::{EFER, FS_BASE, GS_BASE, IGNNE, SMM_CTL, SVM_KEY, SYSENTER_CS, VM_HSAVE_PA};
use crate::case::listing::{RDMSR, WRMSR, raw};
use crate::case::written::GP;
use crate::case::{About, Draft, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::rules::RuleId;
use crate::vmcb::{Field, exit};

/// EFER's two bits in the map: the vector of C000_0000 begins at byte 0x800.
const EFER_BYTE: u64 = world::MSRPM + 0x800 + 0x80 / 4;

const RCX: u8 = 1;

fn draft(id: &str, insn: Insn) -> Draft {
    Draft::new(Msr, format!("msr/{id}")).program(&[insn])
}

fn bits(draft: Draft, pa: u64, value: u64) -> Draft {
    draft.step(Step::Mem { pa, width: 1, value })
}

fn exits(draft: Draft, info1: u64) -> Draft {
    draft.intercept(exit::MSR).run().exits(exit::MSR).at(0).field(Field::EXITINFO1, info1)
}

/// The map.
pub(crate) fn map() -> Vec<Draft> {
    let read = |id, byte| bits(draft(id, Insn::Rdmsr(EFER)), EFER_BYTE, byte);
    let write = |id, byte| bits(draft(id, Insn::Wrmsr(EFER, 0x1d01)), EFER_BYTE, byte);
    let last = |id, msr, byte, range: RuleId| {
        exits(bits(draft(id, Insn::Rdmsr(msr)), world::MSRPM + byte, 0x40), 0).about(range)
    };
    vec![
        exits(read("read-intercepted", 1), 0).about([r::msr::MAP_READ, r::msr::INFO1]),
        exits(write("write-intercepted", 2), 1).about([r::msr::MAP_WRITE, r::msr::INFO1]),
        read("read-other-bit", 2).about(r::msr::MAP_READ).intercept(exit::MSR).run().ends(),
        write("write-other-bit", 1).about(r::msr::MAP_WRITE).intercept(exit::MSR).run().ends(),
        read("map-not-enabled", 3).about(r::msr::PROT).run().ends(),
        // What the map does not cover is intercepted.
        exits(draft("beyond-map", Insn::Rdmsr(0xc002_0000)), 0).about(r::msr::MAP_OUTSIDE),
        exits(draft("between-ranges", Insn::Rdmsr(0x2000)), 0).about(r::msr::MAP_OUTSIDE),
        last("last-of-low-range", 0x1fff, 0x7ff, r::msr::MAP_RANGE0),
        // RDMSR and WRMSR take ECX; what is above it in RCX selects nothing.
        wide("read-rcx-above-32-bits", r::msr::MAP_READ, RDMSR, 0),
        wide("write-rcx-above-32-bits", r::msr::MAP_WRITE, WRMSR, 1),
        last("last-of-high-range", 0xc001_1fff, 0x17ff, r::msr::MAP_RANGE2),
    ]
}

/// An access to SYSENTER_CS with a bit set in the upper half of RCX.
fn wide(id: &str, rule: RuleId, access: &[u8], info1: u64) -> Draft {
    let rcx = Insn::Mov(RCX, 1 << 32 | u64::from(SYSENTER_CS));
    bits(draft(id, rcx), world::MSRPM + u64::from(SYSENTER_CS) / 4, 1 << info1)
        .about([rule, r::msr::MAP_RANGE0])
        .program(&[raw(access)])
        .intercept(exit::MSR)
        .run()
        .exits(exit::MSR)
        .at(1)
        .field(Field::EXITINFO1, info1)
}

/// VM_HSAVE_PA, IGNNE and SMM_CTL.
pub(crate) fn own() -> Vec<Draft> {
    let own = |id| Draft::new(Msr, format!("msr/{id}"));
    let hsave = |id, value| own(id).step(Step::Wrmsr(VM_HSAVE_PA, value));
    vec![
        hsave("hsave-misaligned", world::HSAVE + 8).about(r::msr::HSAVE_ALIGNED).shows(GP),
        hsave("hsave-beyond-physical-memory", 1 << 52).about(r::msr::HSAVE_PHYS).shows(GP),
        hsave("hsave-moved", world::HSAVE + 0x1000)
            .about([r::msr::HSAVE_ALIGNED, r::msr::HSAVE_PHYS])
            .run()
            .ends(),
        own("ignne")
            .about(r::msr::IGNNE)
            .step(Step::Wrmsr(IGNNE, 1))
            .step(Step::Rdmsr(IGNNE))
            .value(1)
            .step(Step::Wrmsr(IGNNE, 0))
            .step(Step::Rdmsr(IGNNE))
            .value(0),
        // Bits 7:1 read as zero; it is no fault to write them (vol. 2, 3.1.7).
        own("efer-bits-7-to-1")
            .about(r::msr::EFER_RESERVED)
            .step(Step::Wrmsr(EFER, world::L1_EFER | 0xfe))
            .step(Step::Rdmsr(EFER))
            .value(world::L1_EFER),
        own("smm-ctl-read").about(r::msr::SMM_CTL).step(Step::Rdmsr(SMM_CTL)).shows(GP),
    ]
}

/// What cannot be written, or cannot be read.
pub(crate) fn refused() -> Vec<Draft> {
    // The records of branches are read-only (13.1.1.6).
    let records = (0x1dbu32..=0x1de).map(|msr| {
        Draft::new(Msr, format!("msr/write-{msr:#x}"))
            .about(About::Section("13.1.1"))
            .step(Step::Wrmsr(msr, 0))
            .shows(GP)
    });
    // What was written into the key is not seen again.
    let key = Draft::new(Msr, "msr/svm-key-read")
        .about(r::msr::SVM_KEY)
        .needs(&[CpuFeature::SvmLock])
        .step(Step::Rdmsr(SVM_KEY))
        .value(0);
    let bases = [("fs-base", FS_BASE), ("gs-base", GS_BASE)].into_iter().map(|(name, msr)| {
        Draft::new(Msr, format!("msr/{name}-not-canonical"))
            .about(About::Section("3.2"))
            .step(Step::Wrmsr(msr, 1 << 60))
            .shows(GP)
    });
    records.chain([key]).chain(bases).collect()
}

/// What is not there without its feature.
pub(crate) fn off() -> Vec<Draft> {
    vec![
        Draft::new(Msr, "feature-off/svm-lock-key")
            .about(r::msr::SVM_KEY)
            .without(&[CpuFeature::SvmLock])
            .step(Step::Wrmsr(SVM_KEY, 0x1234))
            .shows(GP),
    ]
}
