//! The I/O and MSR permission maps, and SVM's own MSRs.

use svm_model::Feature::{Intercepts, Msr};
use svm_model::case::{Insn, Step, world};
use svm_model::outcome::Obs;
use svm_model::vmcb::{Field, exit};

use super::Draft;
use super::draft::GP;

const EFER: u32 = 0xc000_0080;
const SYSENTER_CS: u32 = 0x174;
const IGNNE: u32 = 0xc001_0115;
const SMM_CTL: u32 = 0xc001_0116;
const VM_HSAVE_PA: u32 = 0xc001_0117;
/// EFER's two bits in the map: the vector of C000_0000 begins at byte 0x800.
const EFER_BYTE: u64 = world::MSRPM + 0x800 + 0x80 / 4;

const RCX: u8 = 1;

fn msr(id: &str) -> Draft {
    Draft::new(format!("msr/{id}"), Msr, "15.11")
}

fn io(id: &str) -> Draft {
    Draft::new(format!("io/{id}"), Intercepts, "15.10")
}

fn bits(draft: Draft, pa: u64, value: u64) -> Draft {
    draft.step(Step::Mem { pa, width: 1, value })
}

pub(super) fn cases() -> Vec<Draft> {
    [msrs(), ports(), own()].concat()
}

fn msrs() -> Vec<Draft> {
    let read = |id| msr(id).program(&[Insn::Rdmsr(EFER)]);
    let write = |id| msr(id).program(&[Insn::Wrmsr(EFER, 0x1d01)]);
    let exits = |d: Draft, info1| d.run().exits(exit::MSR).at(0).field(Field::EXITINFO1, info1);
    vec![
        exits(bits(read("read-intercepted"), EFER_BYTE, 1).intercept(exit::MSR), 0),
        exits(bits(write("write-intercepted"), EFER_BYTE, 2).intercept(exit::MSR), 1),
        bits(read("read-other-bit"), EFER_BYTE, 2).intercept(exit::MSR).run().ends(),
        bits(write("write-other-bit"), EFER_BYTE, 1).intercept(exit::MSR).run().ends(),
        bits(read("map-not-enabled"), EFER_BYTE, 3).run().ends(),
        // What the map does not cover is intercepted.
        exits(msr("beyond-map").program(&[Insn::Rdmsr(0xc002_0000)]).intercept(exit::MSR), 0),
        exits(msr("between-ranges").program(&[Insn::Rdmsr(0x2000)]).intercept(exit::MSR), 0),
        exits(
            bits(
                msr("last-of-low-range").program(&[Insn::Rdmsr(0x1fff)]),
                world::MSRPM + 0x7ff,
                0x40,
            )
            .intercept(exit::MSR),
            0,
        ),
        // RDMSR and WRMSR take ECX; what is above it in RCX selects nothing.
        exits_wide("read-rcx-above-32-bits", RDMSR, 0),
        exits_wide("write-rcx-above-32-bits", WRMSR, 1),
        exits(
            bits(
                msr("last-of-high-range").program(&[Insn::Rdmsr(0xc001_1fff)]),
                world::MSRPM + 0x17ff,
                0x40,
            )
            .intercept(exit::MSR),
            0,
        ),
    ]
}

const RDMSR: [u8; 2] = [0x0f, 0x32];
const WRMSR: [u8; 2] = [0x0f, 0x30];

/// An access to SYSENTER_CS with a bit set in the upper half of RCX.
fn exits_wide(id: &str, access: [u8; 2], info1: u64) -> Draft {
    bits(msr(id), world::MSRPM + u64::from(SYSENTER_CS) / 4, 1 << info1)
        .program(&[Insn::Mov(RCX, 1 << 32 | u64::from(SYSENTER_CS)), Insn::Raw(access.to_vec())])
        .intercept(exit::MSR)
        .run()
        .exits(exit::MSR)
        .at(1)
        .field(Field::EXITINFO1, info1)
}

fn ports() -> Vec<Draft> {
    let out = |id, size, port| io(id).program(&[Insn::Out { size, port }]).intercept(exit::IOIO);
    let exits = |d: Draft| {
        let behind = d.rip(1);
        d.run().exits(exit::IOIO).at(0).field(Field::EXITINFO2, behind)
    };
    let map = |port: u64| world::IOPM + port / 8;
    vec![
        exits(bits(out("out-intercepted", 1, 0x80), map(0x80), 1)),
        exits(
            bits(io("in-intercepted").program(&[Insn::In { size: 1, port: 0x80 }]), map(0x80), 1)
                .intercept(exit::IOIO),
        ),
        bits(out("other-port", 1, 0x80), map(0x80), 0xfe).run().ends(),
        bits(io("map-not-enabled").program(&[Insn::Out { size: 1, port: 0x80 }]), map(0x80), 0xff)
            .run()
            .ends(),
        // Every byte of an access counts, also where the map's bytes and pages end.
        exits(bits(out("word-second-byte", 2, 0x80), map(0x80), 2)),
        exits(bits(out("word-across-bytes", 2, 0x87), map(0x88), 1)),
        exits(bits(out("dword-last-byte", 4, 0x80), map(0x80), 8)),
        exits(bits(out("word-across-pages", 2, 0x7fff), map(0x8000), 1)),
        exits(bits(out("word-beyond-last-port", 2, 0xffff), map(0x1_0000), 1)),
    ]
}

/// VM_HSAVE_PA, IGNNE and SMM_CTL.
fn own() -> Vec<Draft> {
    let hsave = |id, value| {
        Draft::new(format!("msr/{id}"), Msr, "15.30.4").step(Step::Wrmsr(VM_HSAVE_PA, value))
    };
    vec![
        hsave("hsave-misaligned", world::HSAVE + 8).shows(GP),
        hsave("hsave-beyond-physical-memory", 1 << 52).shows(GP),
        hsave("hsave-moved", world::HSAVE + 0x1000).run().ends(),
        Draft::new("msr/ignne", Msr, "15.30.2")
            .step(Step::Wrmsr(IGNNE, 1))
            .step(Step::Rdmsr(IGNNE))
            .shows(Obs::Value(1))
            .step(Step::Wrmsr(IGNNE, 0))
            .step(Step::Rdmsr(IGNNE))
            .shows(Obs::Value(0)),
        Draft::new("msr/smm-ctl-read", Msr, "15.30.3").step(Step::Rdmsr(SMM_CTL)).shows(GP),
    ]
}
