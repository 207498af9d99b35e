//! Ordinary x86 that a hypervisor sees: opcodes that 64-bit mode lacks, the stack segment's
//! exception under segment overrides, and selectors in an LDT that VMLOAD has made absent.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::{Intercepts, VmloadVmsave};
use crate::arch::msr;
use crate::case::code::cleared;
use crate::case::listing::{
    CLEAR_RAX, LLDT, MOV_ES, MOV_RAX_RCX, RETF, SYSENTER, SYSEXIT, VERR_TO_EAX, joined, raw,
};
use crate::case::mode::Mode;
use crate::case::written::{GP, fault};
use crate::case::{About, Draft, Insn, Step, world};
use crate::outcome::Obs;
use crate::vmcb::{Field, exit};

const UD: u8 = 6;
const EXIT_UD: u64 = exit::EXCP + 6;
const EXIT_SS: u64 = exit::EXCP + 12;
const EXIT_GP: u64 = exit::EXCP + 13;

pub(crate) fn cases() -> Vec<Draft> {
    [absent_opcodes(), legacy_mode_only(), overrides(), override_order(), absent_ldt()].concat()
}

/// What 64-bit mode has no meaning for (APM vol. 3, table B-3), each #UD. Bytes, because no
/// assembler for 64-bit mode has them.
const ABSENT: &[(&str, &[u8])] = &[
    ("push-es", &[0x06]),
    ("pop-es", &[0x07]),
    ("push-cs", &[0x0e]),
    ("push-ss", &[0x16]),
    ("pop-ss", &[0x17]),
    ("push-ds", &[0x1e]),
    ("pop-ds", &[0x1f]),
    ("daa", &[0x27]),
    ("das", &[0x2f]),
    ("aaa", &[0x37]),
    ("aas", &[0x3f]),
    ("pusha", &[0x60]),
    ("popa", &[0x61]),
    ("bound", &[0x62, 0x03]),
    ("group-82", &[0x82, 0xc0, 0]),
    ("call-far-direct", &[0x9a, 0, 0, 0, 0, 0, 0]),
    ("into", &[0xce]),
    ("aam", &[0xd4, 0x0a]),
    ("aam-0", &[0xd4, 0]),
    ("aad", &[0xd5, 0x0a]),
    ("salc", &[0xd6]),
    ("jmp-far-direct", &[0xea, 0, 0, 0, 0, 0, 0]),
];

fn absent_opcodes() -> Vec<Draft> {
    let all = ABSENT.iter().flat_map(|(name, bytes)| {
        let new = |place: &str| {
            let id = format!("ordinary/absent-{name}-{place}");
            Draft::new(Intercepts, id).about(About::Section("15.12.7")).program(&[raw(bytes)])
        };
        [
            new("in-l1").l1(raw(bytes), 0).shows(fault(UD)),
            new("in-l2").run().takes(UD, 0, world::L2_CODE),
            new("in-l2-intercepted").intercept(EXIT_UD).run().exits(EXIT_UD).at(0),
        ]
    });
    all.collect()
}

/// SYSENTER and SYSEXIT are for legacy mode: #UD in 64-bit and in compatibility mode (6.1.2).
/// Where they exist, SYSENTER_CS, which is clear, makes them #GP.
fn legacy_mode_only() -> Vec<Draft> {
    let modes = [(Mode::Long, EXIT_UD), (Mode::Compatibility, EXIT_UD), (Mode::Protected, EXIT_GP)];
    let insns = [("sysenter", SYSENTER), ("sysexit", SYSEXIT)];
    let all = insns.iter().flat_map(|(name, code)| {
        modes.map(|(mode, exit)| {
            let d = Draft::new(Intercepts, format!("ordinary/{name}-{}", mode.name()))
                .about(About::Section("6.1.2"))
                .program(&[raw(code)]);
            let d = mode.enter(d, world::L2_CODE, false);
            d.intercept(EXIT_UD).intercept(EXIT_GP).run().exits(exit).at(0)
        })
    });
    all.collect()
}

/// No canonical address.
const BAD: u64 = 1 << 50;

/// MOV RAX, `[base]`, with the register that is the base, and whether that is rSP or rBP.
const BASES: &[(&str, &[u8], u8, bool)] = &[
    ("rax", &[0x48, 0x8b, 0x00], 0, false),
    ("rcx", &[0x48, 0x8b, 0x01], 1, false),
    ("rsp", &[0x48, 0x8b, 0x04, 0x24], 4, true),
    ("rbp", &[0x48, 0x8b, 0x45, 0], 5, true),
    ("rbp-index", &[0x48, 0x8b, 0x44, 0x1d, 0], 5, true),
    ("rsi", &[0x48, 0x8b, 0x06], 6, false),
    // The same base numbers but for REX.B: these are no stack pointers.
    ("r12", &[0x49, 0x8b, 0x04, 0x24], 12, false),
    ("r13", &[0x49, 0x8b, 0x45, 0], 13, false),
];

const PREFIXES: &[(&str, &[u8])] = &[
    ("none", &[]),
    ("es", &[0x26]),
    ("cs", &[0x2e]),
    ("ss", &[0x36]),
    ("ds", &[0x3e]),
    ("fs", &[0x64]),
    ("gs", &[0x65]),
    // The last is ignored, and the one before it is not.
    ("fs-ds", &[0x64, 0x3e]),
    ("ds-fs", &[0x3e, 0x64]),
];

/// In 64-bit mode overrides to CS, DS, ES and SS are ignored (APM vol. 3, 1.2.4): the
/// default segment stays, which is SS for a base of rSP or rBP; one to FS or GS counts.
fn overrides() -> Vec<Draft> {
    let all = BASES.iter().flat_map(|base| PREFIXES.iter().map(move |prefix| (base, prefix)));
    all.flat_map(|((name, load, register, stack), (prefix, bytes))| {
        let through_ss = *stack && !bytes.iter().any(|b| matches!(b, 0x64 | 0x65));
        let insn = raw(&[bytes, *load].concat());
        let id = |place| format!("ordinary/base={name},override={prefix}-{place}");
        let in_l2 = Draft::new(Intercepts, id("in-l2"))
            .about(About::Section("15.12.13"))
            .program(&[Insn::Mov(*register, BAD), insn.clone()])
            .intercept(EXIT_SS)
            .intercept(EXIT_GP)
            .run()
            .exits(if through_ss { EXIT_SS } else { EXIT_GP })
            .at(1)
            .field(Field::EXITINFO1, 0);
        let in_l1 = Draft::new(Intercepts, id("in-l1"))
            .about(About::Section("15.12.13"))
            .l1(joined(&[Insn::Mov(*register, BAD), insn]), 0);
        let ss = Obs::L1Exception { vector: 12, error: Some(0) };
        [in_l2, in_l1.shows(if through_ss { ss } else { GP })]
    })
    .collect()
}

/// Which base is added, where there is more than one override.
fn override_order() -> Vec<Draft> {
    const WORD: u64 = world::DATA + 0x1000;
    let orders: [(&str, &[u8], u64); 6] = [
        ("fs", &[0x64], 0x100),
        ("gs", &[0x65], 0x200),
        ("fs-gs", &[0x64, 0x65], 0x200),
        ("fs-es", &[0x64, 0x26], 0x100),
        ("gs-cs", &[0x65, 0x2e], 0x200),
        ("ss", &[0x36], 0),
    ];
    let all = orders.into_iter().map(|(name, bytes, base)| {
        let load = raw(&[bytes, MOV_RAX_RCX].concat());
        Draft::new(Intercepts, format!("ordinary/override-order-{name}"))
            .about(About::Section("15.5.1"))
            .poke(WORD, 0)
            .poke(WORD + 0x100, 0x100)
            .poke(WORD + 0x200, 0x200)
            .program(&[Insn::Mov(1, WORD), load])
            .l1(Insn::Wrmsr(msr::FS_BASE, 0x100), 0)
            .l1(Insn::Wrmsr(msr::GS_BASE, 0x200), 0)
            .run()
            .ends()
            .field(Field::RAX, base)
    });
    all.collect()
}

/// A table of two descriptors, flat data and flat 64-bit code.
const LDT: u64 = world::DATA + 0x2000;
const SELECTOR: u16 = 0x0c;
const CODE_SELECTOR: u16 = 0x14;

/// LDTR, loaded by VMLOAD, is present or not. Everything else is as it was.
fn absent_ldt() -> Vec<Draft> {
    let present = |id: &str, yes: bool| {
        let new =
            Draft::new(VmloadVmsave, format!("ordinary/ldt-{id}")).about(About::Section("15.5.2"));
        let state = [
            (Field::TR_SELECTOR, u64::from(world::L2_TR)),
            (Field::TR_ATTRIB, 0x8b),
            (Field::TR_LIMIT, 0x67),
            (Field::TR_BASE, world::L2_TSS),
            (Field::LDTR_SELECTOR, 0x28),
            (Field::LDTR_ATTRIB, if yes { 0x82 } else { 0x02 }),
            (Field::LDTR_LIMIT, 0x1f),
            (Field::LDTR_BASE, LDT),
        ];
        let new = state.iter().fold(new, |d, (f, v)| d.poke_field(world::VMCB2, *f, *v));
        let new = cleared(new, LDT, 0x20);
        new.poke(LDT + 8, 0x00cf_9300_0000_ffff)
            .poke(LDT + 16, 0x00af_9b00_0000_ffff)
            .l1(Insn::Vmload, world::VMCB2)
    };
    let selector = || joined(&[Insn::Mov32(0, SELECTOR.into())]);
    let load = || joined(&[selector(), raw(MOV_ES)]);
    let test = || joined(&[selector(), raw(VERR_TO_EAX)]);
    // PUSH the code selector; PUSH 0; far RET.
    let leave = raw(&[&[0x6a, CODE_SELECTOR as u8, 0x6a, 0], RETF].concat());
    let gp = |selector: u16| Obs::L1Exception { vector: 13, error: Some(selector.into()) };
    let restore = joined(&[Insn::Mov32(0, world::L2_DS.into()), raw(MOV_ES)]);
    vec![
        present("present-load-in-l1", true).l1(load(), 0).l1(restore, 0),
        present("absent-load-in-l1", false).l1(load(), 0).shows(gp(SELECTOR)),
        present("absent-far-return-in-l1", false).l1(leave, 0).shows(gp(CODE_SELECTOR)),
        present("present-load-in-l2", true)
            .program(&[load()])
            .run()
            .ends()
            .field(Field::ES_SELECTOR, SELECTOR.into()),
        present("absent-load-in-l2", false)
            .program(&[selector(), raw(MOV_ES)])
            .intercept(EXIT_GP)
            .run()
            .exits(EXIT_GP)
            .at(1)
            .field(Field::EXITINFO1, SELECTOR.into()),
        present("absent-load-in-l2-taken", false).program(&[selector(), raw(MOV_ES)]).run().takes(
            13,
            SELECTOR.into(),
            world::L2_CODE + 5,
        ),
        present("present-verr", true).program(&[test()]).run().ends().field(Field::RAX, 1),
        present("absent-verr", false).program(&[test()]).run().ends().field(Field::RAX, 0),
        // LLDT of a null selector leaves none either.
        present("null-load-in-l1", true)
            .l1(raw(&[CLEAR_RAX, LLDT].concat()), 0)
            .step(Step::L1(load(), 0))
            .shows(gp(SELECTOR)),
    ]
}
