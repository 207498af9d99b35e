//! Instruction intercepts: one case an instruction, and what it does without.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Intercepts;
use crate::arch::cr4;
use crate::case::{Draft, Insn, world};
use crate::cpu::CpuFeature;
use crate::rules::RuleId;
use crate::rules::intercepts as i;
use crate::vmcb::{Field, exit};

/// What is intercepted wherever there is SVM.
const INTERCEPTED: [(&str, Insn, u64, RuleId); 26] = [
    ("cpuid", Insn::Cpuid, exit::CPUID, i::CPUID),
    ("hlt", Insn::Hlt, exit::HLT, i::HLT),
    ("pause", Insn::Pause, exit::PAUSE, i::PAUSE),
    ("rdtsc", Insn::Rdtsc, exit::RDTSC, i::RDTSC),
    ("pushf", Insn::Pushf, exit::PUSHF, i::PUSHF),
    ("popf", Insn::Popf, exit::POPF, i::POPF),
    ("iret", Insn::Iret, exit::IRET, i::IRET),
    ("rsm", Insn::Rsm, exit::RSM, i::RSM),
    ("int-n", Insn::Int(0x80), exit::SWINT, i::SWINT),
    ("invd", Insn::Invd, exit::INVD, i::INVD),
    ("wbinvd", Insn::Wbinvd, exit::WBINVD, i::WBINVD),
    ("invlpg", Insn::Invlpg(world::DATA), exit::INVLPG, i::INVLPG),
    ("invlpga", Insn::Invlpga, exit::INVLPGA, i::INVLPGA),
    ("icebp", Insn::Icebp, exit::ICEBP, i::ICEBP),
    ("sidt", Insn::Sidt, exit::IDTR_READ, i::SIDT),
    ("sgdt", Insn::Sgdt, exit::IDTR_READ + 1, i::SGDT),
    ("sldt", Insn::Sldt(0), exit::IDTR_READ + 2, i::SLDT),
    ("str", Insn::Str(0), exit::IDTR_READ + 3, i::STR),
    ("lidt", Insn::Lidt, exit::IDTR_READ + 4, i::LIDT),
    ("lgdt", Insn::Lgdt, exit::IDTR_READ + 5, i::LGDT),
    ("lldt", Insn::Lldt(0), exit::IDTR_READ + 6, i::LLDT),
    ("ltr", Insn::Ltr(0), exit::IDTR_READ + 7, i::LTR),
    ("vmload", Insn::Vmload, exit::VMLOAD, i::VMLOAD),
    ("vmsave", Insn::Vmsave, exit::VMSAVE, i::VMSAVE),
    ("stgi", Insn::Stgi, exit::STGI, i::STGI),
    ("clgi", Insn::Clgi, exit::CLGI, i::CLGI),
];

/// What needs a feature of its own, without which it is #UD.
const OPTIONAL: [(&str, Insn, u64, RuleId, CpuFeature); 6] = [
    ("rdtscp", Insn::Rdtscp, exit::RDTSCP, i::RDTSCP, CpuFeature::Rdtscp),
    ("monitor", Insn::Monitor, exit::MONITOR, i::MONITOR, CpuFeature::Monitor),
    ("mwait", Insn::Mwait, exit::MWAIT, i::MWAIT, CpuFeature::Monitor),
    ("xsetbv", Insn::Xsetbv, exit::XSETBV, i::XSETBV, CpuFeature::Xsave),
    ("rdpru", Insn::Rdpru, exit::RDPRU, i::RDPRU, CpuFeature::Rdpru),
    ("skinit", Insn::Skinit, exit::SKINIT, i::SKINIT, CpuFeature::Skinit),
];

fn draft(id: String) -> Draft {
    Draft::new(Intercepts, id)
}

pub(crate) fn cases() -> Vec<Draft> {
    [intercepted(), optional(), not_intercepted(), counters(), mwait()].concat()
}

fn intercepted() -> Vec<Draft> {
    let case = |(name, insn, code, rule): (&str, Insn, u64, RuleId)| {
        draft(format!("instructions/{name}"))
            .about(rule)
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
    for (name, insn, code, rule, feature) in OPTIONAL {
        let ready = |id: String| {
            draft(id)
                .program(&[Insn::Mov(1, 0), Insn::Mov(2, 0), insn.clone()])
                .set(Field::CR4, 0x20 | if name == "xsetbv" { cr4::OSXSAVE } else { 0 })
                .intercept(code)
        };
        cases.push(
            ready(format!("instructions/{name}"))
                .about(rule)
                .needs(&[feature])
                .run()
                .exits(code)
                .at(2),
        );
        let absent =
            ready(format!("instructions/{name}-absent")).set(Field::CR4, 0x20).without(&[feature]);
        let rip = absent.rip(2);
        cases.push(absent.about(i::UD_FIRST).run().takes(6, 0, rip));
    }
    cases
}

/// Without the intercept, the instruction is executed.
fn not_intercepted() -> Vec<Draft> {
    let harmless = [
        ("cpuid", Insn::Cpuid, i::CPUID),
        ("pause", Insn::Pause, i::PAUSE),
        ("rdtsc", Insn::Rdtsc, i::RDTSC),
        ("pushf", Insn::Pushf, i::PUSHF),
        ("popf", Insn::Popf, i::POPF),
        ("wbinvd", Insn::Wbinvd, i::WBINVD),
        ("invlpg", Insn::Invlpg(world::DATA), i::INVLPG),
        ("sidt", Insn::Sidt, i::SIDT),
        ("sgdt", Insn::Sgdt, i::SGDT),
        ("sldt", Insn::Sldt(0), i::SLDT),
        ("str", Insn::Str(0), i::STR),
        ("lidt", Insn::Lidt, i::LIDT),
        ("lgdt", Insn::Lgdt, i::LGDT),
    ];
    let case = |(name, insn, rule): (&str, Insn, RuleId)| {
        draft(format!("instructions/{name}-not-intercepted"))
            .about(rule)
            .program(&[insn])
            .run()
            .ends()
    };
    harmless.map(case).into()
}

/// RDPMC of a counter that nothing has set going, and of one that is not there.
fn counters() -> Vec<Draft> {
    let rdpmc = |id: &str, counter| {
        draft(format!("instructions/{id}")).about(i::RDPMC).program(&[
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
        missing.about(i::RDPMC_COUNTER_FIRST).run().takes(13, 0, rip),
    ]
}

/// Whether the monitor is armed decides what MWAIT does, and which intercept is asked.
fn mwait() -> Vec<Draft> {
    const OPERANDS: [Insn; 3] = [Insn::Mov(0, world::DATA), Insn::Mov(1, 0), Insn::Mov(2, 0)];
    let waits = |id: &str, between: &[Insn]| {
        draft(format!("instructions/mwait-{id}"))
            .about(i::MWAIT_ARMED)
            .needs(&[CpuFeature::Monitor])
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

/// What CPUID does not offer is #UD, intercepted or not.
pub(crate) fn off() -> Vec<Draft> {
    let unknown = |id: &str, cpu: CpuFeature, insn: Insn, code: u64| {
        let draft = draft(format!("feature-off/{id}")).about(i::UD_FIRST).without(&[cpu]);
        draft.program(&[insn]).intercept(code).run().takes(6, 0, world::L2_CODE)
    };
    vec![
        unknown("rdpru", CpuFeature::Rdpru, Insn::Rdpru, exit::RDPRU),
        unknown("invlpgb", CpuFeature::Invlpgb, Insn::Invlpgb, exit::INVLPGB),
        unknown("tlbsync", CpuFeature::Invlpgb, Insn::Tlbsync, exit::TLBSYNC),
        unknown("mcommit", CpuFeature::Mcommit, Insn::Mcommit, exit::MCOMMIT),
    ]
}

/// Of CPUs that TCG is not.
pub(crate) fn elsewhere() -> Vec<Draft> {
    let exits = |name: &str, rule: RuleId, feature, insn: Insn, code| {
        draft(format!("elsewhere/{name}"))
            .about(rule)
            .needs(&[feature])
            .program(&[insn])
            .intercept(code)
            .run()
            .exits(code)
            .at(0)
    };
    vec![
        exits("invpcid", i::INVPCID, CpuFeature::Invpcid, Insn::Invpcid(2), exit::INVPCID),
        // There are types 0 to 3: #GP, which comes later.
        exits(
            "invpcid-no-type",
            i::INVPCID_FIRST,
            CpuFeature::Invpcid,
            Insn::Invpcid(4),
            exit::INVPCID,
        ),
        exits("invlpgb", i::INVLPGB, CpuFeature::Invlpgb, Insn::Invlpgb, exit::INVLPGB),
        exits("tlbsync", i::TLBSYNC, CpuFeature::Invlpgb, Insn::Tlbsync, exit::TLBSYNC),
    ]
}

/// A far jump to this selector is a task switch where the descriptor is a task-state segment's.
const TASK: u16 = 0x38;

/// Of what the model leaves open once its rule is broken.
pub(crate) fn task_switch() -> Vec<Draft> {
    let descriptor = 0x0000_e900_0000_0067 | (world::DATA & 0xff_ffff) << 16;
    vec![
        // Protected mode without paging.
        draft("elsewhere/task-switch".into())
            .about(crate::rules::task_switch::TASK_SWITCH)
            .program(&[Insn::TaskJump(TASK)])
            .set(Field::EFER, 0x1000)
            .set(Field::CR0, 0x33)
            .set(Field::CR4, 0)
            .set(Field::CS_ATTRIB, 0xc9b)
            .poke(world::L2_GDT + u64::from(TASK), descriptor)
            .intercept(exit::TASK_SWITCH)
            .run()
            .exits(exit::TASK_SWITCH)
            .field(Field::EXITINFO1, TASK.into()),
    ]
}
