//! Instruction intercepts: one case an instruction, and what it does without.

use svm_model::Feature::{self, Intercepts, Nrip};
use svm_model::case::{Insn, encode, world};
use svm_model::cpu::CpuFeature;
use svm_model::vmcb::{Field, exit};

use super::Draft;

/// What is intercepted wherever there is SVM.
const INTERCEPTED: [(&str, Insn, u64); 26] = [
    ("cpuid", Insn::Cpuid, exit::CPUID),
    ("hlt", Insn::Hlt, exit::HLT),
    ("pause", Insn::Pause, exit::PAUSE),
    ("rdtsc", Insn::Rdtsc, exit::RDTSC),
    ("pushf", Insn::Pushf, exit::PUSHF),
    ("popf", Insn::Popf, exit::POPF),
    ("iret", Insn::Iret, exit::IRET),
    ("rsm", Insn::Rsm, exit::RSM),
    ("int-n", Insn::Int(0x80), exit::SWINT),
    ("invd", Insn::Invd, exit::INVD),
    ("wbinvd", Insn::Wbinvd, exit::WBINVD),
    ("invlpg", Insn::Invlpg(world::DATA), exit::INVLPG),
    ("invlpga", Insn::Invlpga, exit::INVLPGA),
    ("icebp", Insn::Icebp, exit::ICEBP),
    ("sidt", Insn::Sidt, exit::IDTR_READ),
    ("sgdt", Insn::Sgdt, exit::IDTR_READ + 1),
    ("sldt", Insn::Sldt(0), exit::IDTR_READ + 2),
    ("str", Insn::Str(0), exit::IDTR_READ + 3),
    ("lidt", Insn::Lidt, exit::IDTR_READ + 4),
    ("lgdt", Insn::Lgdt, exit::IDTR_READ + 5),
    ("lldt", Insn::Lldt(0), exit::IDTR_READ + 6),
    ("ltr", Insn::Ltr(0), exit::IDTR_READ + 7),
    ("vmload", Insn::Vmload, exit::VMLOAD),
    ("vmsave", Insn::Vmsave, exit::VMSAVE),
    ("stgi", Insn::Stgi, exit::STGI),
    ("clgi", Insn::Clgi, exit::CLGI),
];

/// What needs a feature of its own, without which it is #UD.
const OPTIONAL: [(&str, Insn, u64, CpuFeature); 6] = [
    ("rdtscp", Insn::Rdtscp, exit::RDTSCP, CpuFeature::Rdtscp),
    ("monitor", Insn::Monitor, exit::MONITOR, CpuFeature::Monitor),
    ("mwait", Insn::Mwait, exit::MWAIT, CpuFeature::Monitor),
    ("xsetbv", Insn::Xsetbv, exit::XSETBV, CpuFeature::Xsave),
    ("rdpru", Insn::Rdpru, exit::RDPRU, CpuFeature::Rdpru),
    ("skinit", Insn::Skinit, exit::SKINIT, CpuFeature::Skinit),
];

const CR4_OSXSAVE: u64 = 1 << 18;

fn draft(id: String) -> Draft {
    Draft::new(id, Intercepts, "15.9")
}

pub(super) fn cases() -> Vec<Draft> {
    [intercepted(), optional(), not_intercepted(), counters(), mwait(), next_rip()].concat()
}

fn intercepted() -> Vec<Draft> {
    let case = |(name, insn, code): (&str, Insn, u64)| {
        draft(format!("instructions/{name}"))
            .program(&[Insn::Nop, insn])
            .set(Field::RAX, world::VMCB2)
            .intercept(code)
            .run()
            .exits(code)
            .at(1)
    };
    INTERCEPTED.map(case).into()
}

fn optional() -> Vec<Draft> {
    let mut cases = Vec::new();
    for (name, insn, code, feature) in OPTIONAL {
        let ready = |id: String| {
            draft(id)
                .program(&[Insn::Mov(1, 0), Insn::Mov(2, 0), insn.clone()])
                .set(Field::CR4, 0x20 | if name == "xsetbv" { CR4_OSXSAVE } else { 0 })
                .intercept(code)
        };
        cases.push(ready(format!("instructions/{name}")).needs(feature).run().exits(code).at(2));
        let absent =
            ready(format!("instructions/{name}-absent")).set(Field::CR4, 0x20).without(feature);
        let rip = absent.rip(2);
        cases.push(absent.run().takes(6, 0, rip));
    }
    cases
}

/// Without the intercept, the instruction is executed.
fn not_intercepted() -> Vec<Draft> {
    let harmless = [
        ("cpuid", Insn::Cpuid),
        ("pause", Insn::Pause),
        ("rdtsc", Insn::Rdtsc),
        ("pushf", Insn::Pushf),
        ("popf", Insn::Popf),
        ("wbinvd", Insn::Wbinvd),
        ("invlpg", Insn::Invlpg(world::DATA)),
        ("sidt", Insn::Sidt),
        ("sgdt", Insn::Sgdt),
        ("sldt", Insn::Sldt(0)),
        ("str", Insn::Str(0)),
        ("lidt", Insn::Lidt),
        ("lgdt", Insn::Lgdt),
    ];
    let case = |(name, insn)| {
        draft(format!("instructions/{name}-not-intercepted")).program(&[insn]).run().ends()
    };
    harmless.map(case).into()
}

/// RDPMC of a counter that nothing has set going, and of one that is not there.
fn counters() -> Vec<Draft> {
    let rdpmc = |id: &str, counter| {
        draft(format!("instructions/{id}")).program(&[
            Insn::Mov(0, 1),
            Insn::Mov(1, counter),
            Insn::Rdpmc,
        ])
    };
    let missing = rdpmc("rdpmc-no-such-counter", 0x1000);
    let rip = missing.rip(2);
    vec![
        rdpmc("rdpmc", 0).intercept(exit::RDPMC).run().exits(exit::RDPMC).at(2),
        rdpmc("rdpmc-not-intercepted", 0).run().ends().field(Field::RAX, 0),
        missing.run().takes(13, 0, rip),
    ]
}

/// Whether the monitor is armed decides what MWAIT does, and which intercept is asked.
fn mwait() -> Vec<Draft> {
    const OPERANDS: [Insn; 3] = [Insn::Mov(0, world::DATA), Insn::Mov(1, 0), Insn::Mov(2, 0)];
    let waits = |id: &str, between: &[Insn]| {
        draft(format!("instructions/mwait-{id}"))
            .needs(CpuFeature::Monitor)
            .program(&[&OPERANDS, between, &[Insn::Mwait]].concat())
    };
    let armed = |id: &str| waits(id, &[Insn::Monitor]);
    let unarmed = |id: &str| waits(id, &[]);
    let across =
        waits("after-vmrun", &[Insn::Monitor, Insn::Vmmcall, Insn::Mov(1, 0), Insn::Mov(2, 0)]);
    let resumed = across.rip(5);
    vec![
        armed("armed").intercept(exit::MWAIT_ARMED).run().exits(exit::MWAIT_ARMED).at(4),
        armed("armed-both-intercepts")
            .intercept(exit::MWAIT)
            .intercept(exit::MWAIT_ARMED)
            .run()
            .exits(exit::MWAIT_ARMED)
            .at(4),
        armed("armed-plain-intercept").intercept(exit::MWAIT).run().exits(exit::MWAIT).at(4),
        unarmed("unarmed-both-intercepts")
            .intercept(exit::MWAIT)
            .intercept(exit::MWAIT_ARMED)
            .run()
            .exits(exit::MWAIT)
            .at(3),
        unarmed("unarmed-armed-intercept").intercept(exit::MWAIT_ARMED).run().ends(),
        unarmed("unarmed-goes-on").run().ends(),
        across
            .run()
            .exits(exit::VMMCALL)
            .at(4)
            .set(Field::RIP, resumed)
            .intercept(exit::MWAIT_ARMED)
            .run()
            .ends(),
    ]
}

/// The address of the next instruction, where the CPU saves it.
fn next_rip() -> Vec<Draft> {
    let saved = [
        ("cpuid", Insn::Cpuid, exit::CPUID),
        ("hlt", Insn::Hlt, exit::HLT),
        ("invlpg", Insn::Invlpg(world::DATA), exit::INVLPG),
        ("int-n", Insn::Int(0x80), exit::SWINT),
        ("icebp", Insn::Icebp, exit::ICEBP),
        ("rdmsr", Insn::Rdmsr(0xc002_0000), exit::MSR),
        ("mov-from-cr3", Insn::ReadCr(3, 8), exit::CR_READ + 3),
        ("mov-to-cr3", Insn::WriteCr(3, 8), exit::CR_WRITE + 3),
        ("vmmcall", Insn::Vmmcall, exit::VMMCALL),
    ];
    let case = |(name, insn, code): (&str, Insn, u64)| {
        let behind = world::L2_CODE + encode::length(&insn).total() as u64;
        Draft::new(format!("nrip/{name}"), Nrip, "15.7.1")
            .needs(CpuFeature::NripSave)
            .program(&[insn])
            .intercept(code)
            .run()
            .exits(code)
            .at(0)
            .field(Field::NRIP, behind)
    };
    let mut cases: Vec<Draft> = saved.map(case).into();
    cases.push(
        Draft::new("nrip/feature-off", Feature::Nrip, "15.7.1")
            .without(CpuFeature::NripSave)
            .run()
            .ends()
            .field(Field::NRIP, 0),
    );
    cases
}
