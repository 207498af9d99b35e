//! Exceptions that L2 raises: intercepted, and taken by L2 itself.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Intercepts;
use crate::arch::cr0;
use crate::case::listing::{
    CALL_RAX, DIVIDE_BY_ZERO, FLDCW_RSP, FNINIT, FWAIT, MOV_RAX_RSP, OUT_F0, PUSH_37B, PUSH_AT_RAX,
    PUSH_RAX, RET, STORE_AND_LOAD_ENV, raw,
};
use crate::case::{About, Draft, Insn, world};
use crate::rules as r;
use crate::vmcb::{Field, exit};

/// A page of the window, and L2's own entry for it.
const PAGE: u64 = world::DATA + 0x5000;
const ENTRY: u64 = world::l2pt::PT + 5 * 8;
/// MOV to CR4 of a reserved bit.
const BAD_CR4: [Insn; 2] = [Insn::Mov(0, 1 << 15), Insn::WriteCr(4, 0)];

const BP: u64 = exit::EXCP + 3;
const UD: u64 = exit::EXCP + 6;
const DF: u64 = exit::EXCP + 8;
const SS: u64 = exit::EXCP + 12;
const GP: u64 = exit::EXCP + 13;
const PF: u64 = exit::EXCP + 14;

fn draft(id: &str) -> Draft {
    Draft::new(Intercepts, format!("exceptions/{id}"))
}

pub(crate) fn cases() -> Vec<Draft> {
    [software(), faults(), stack(), branches(), page_faults(), beyond_the_idt(), x87()].concat()
}

/// INT3, INT n, ICEBP.
fn software() -> Vec<Draft> {
    let int3 = |id| draft(id).program(&[Insn::Int3]);
    let icebp = |id| draft(id).program(&[Insn::Icebp]);
    vec![
        int3("int3-intercepted")
            .about([r::intercepts::EXCP_BP_INT3, r::intercepts::EXCP_BP])
            .intercept(BP)
            .run()
            .exits(BP)
            .at(0),
        int3("int3-taken").about(r::intercepts::EXCP_BP).run().takes(3, 0, world::L2_CODE + 1),
        // INT3 is no INT n, and INT 3 is no INT3.
        int3("int3-is-no-int-n").about(r::intercepts::EXCP_BP).intercept(exit::SWINT).run().takes(
            3,
            0,
            world::L2_CODE + 1,
        ),
        draft("int-3-is-no-int3")
            .about(r::intercepts::SWINT_NOT_EXCEPTION)
            .program(&[Insn::Int(3)])
            .intercept(BP)
            .run()
            .takes(3, 0, world::L2_CODE + 2),
        draft("int-n-taken").about(r::intercepts::SWINT).program(&[Insn::Int(0x80)]).run().takes(
            0x80,
            0,
            world::L2_CODE + 2,
        ),
        icebp("icebp-intercepted")
            .about(r::intercepts::ICEBP)
            .intercept(exit::ICEBP)
            .run()
            .exits(exit::ICEBP)
            .at(0),
        icebp("icebp-taken").about(r::intercepts::ICEBP).run().takes(1, 0, world::L2_CODE + 1),
        // Neither INT n's intercept nor #DB's is its own.
        icebp("icebp-is-no-int-n").about(r::intercepts::ICEBP).intercept(exit::SWINT).run().takes(
            1,
            0,
            world::L2_CODE + 1,
        ),
        icebp("icebp-is-no-db")
            .about(r::intercepts::ICEBP_NOT_DB)
            .intercept(exit::EXCP + 1)
            .run()
            .takes(1, 0, world::L2_CODE + 1),
        draft("into-in-64-bit-mode")
            .about(r::intercepts::EXCP_UD)
            .program(&[Insn::Into])
            .intercept(exit::EXCP + 4)
            .run()
            .takes(6, 0, world::L2_CODE),
    ]
}

fn faults() -> Vec<Draft> {
    vec![
        draft("ud-intercepted")
            .about(r::intercepts::EXCP_UD)
            .program(&[Insn::Ud2])
            .intercept(UD)
            .run()
            .exits(UD)
            .at(0),
        // XCHG is locked, and an access like others.
        draft("ac-xchg")
            .about(r::intercepts::EXCP_AC)
            .program(&[Insn::Xchg(world::DATA + 1)])
            .user()
            .set(Field::CR0, 0x8005_0033)
            .set(Field::RFLAGS, 0x4_0002)
            .intercept(exit::EXCP + 17)
            .run()
            .exits(exit::EXCP + 17)
            .at(0),
        draft("ud-taken").about(r::intercepts::EXCP_UD).program(&[Insn::Ud2]).run().takes(
            6,
            0,
            world::L2_CODE,
        ),
        draft("gp-intercepted")
            .about([r::intercepts::EXCP_GP, r::intercepts::EXCP_ERROR])
            .program(&BAD_CR4)
            .intercept(GP)
            .run()
            .exits(GP)
            .at(1)
            .field(Field::EXITINFO1, 0),
        draft("gp-taken").about(r::intercepts::EXCP_GP).program(&BAD_CR4).run().takes(
            13,
            0,
            world::L2_CODE + 10,
        ),
        // The exceptions of a write to CR4 come before its intercept.
        draft("gp-before-cr4-write")
            .about(r::intercepts::CR_GP_FIRST)
            .program(&BAD_CR4)
            .intercept(exit::CR_WRITE + 4)
            .intercept(GP)
            .run()
            .exits(GP)
            .at(1),
        draft("gp-selector-error-code")
            .about([r::intercepts::EXCP_ERROR, r::intercepts::EXCP_GP])
            .program(&[Insn::Mov(0, 0x7f0), Insn::Ltr(0)])
            .intercept(GP)
            .run()
            .exits(GP)
            .at(1)
            .field(Field::EXITINFO1, 0x7f0),
    ]
}

/// An address that is not canonical is #SS where it is a stack reference.
fn stack() -> Vec<Draft> {
    const BAD: u64 = 1 << 50;
    let both = |id: &str, insns: &[Insn]| {
        draft(&format!("{id}-not-canonical")).program(insns).intercept(GP).intercept(SS)
    };
    let stack = |id: &str, insn| both(id, &[insn]).set(Field::RSP, BAD).run().exits(SS);
    // Loads are at the stack pointer, here also through a general operand.
    let load_rsp = raw(MOV_RAX_RSP);
    // PUSH of [RAX] whose load, not its store, is the one at fault.
    let push_mem = [Insn::Mov(0, BAD), raw(PUSH_AT_RAX)];
    vec![
        stack("ss-push", Insn::Pushf)
            .about(r::intercepts::EXCP_SS)
            .at(0)
            .field(Field::EXITINFO1, 0),
        stack("ss-pop", Insn::Popf).about(r::intercepts::EXCP_SS).at(0).field(Field::EXITINFO1, 0),
        stack("ss-operand", load_rsp)
            .about(r::intercepts::EXCP_SS)
            .at(0)
            .field(Field::EXITINFO1, 0),
        stack("ss-event", Insn::Ud2)
            .about([r::intercepts::EXCP_SS, r::event_injection::FAULT_SETS_EXITINTINFO])
            .at(0)
            .field(Field::EXITINFO1, 0)
            .field(Field::EXITINTINFO, 1 << 31 | 3 << 8 | 6),
        both("gp-load", &[Insn::Load(0, BAD)]).about(r::intercepts::EXCP_GP).run().exits(GP).at(0),
        both("gp-push-operand", &push_mem).about(r::intercepts::EXCP_GP).run().exits(GP).at(1),
    ]
}

/// A near branch to a target that is not canonical does not get there.
fn branches() -> Vec<Draft> {
    const TARGET: u64 = 1 << 50;
    const RSP: u64 = world::L2_STACK;
    let branch = |id: &str, insns: &[Insn]| {
        draft(&format!("gp-{id}-not-canonical")).program(insns).intercept(GP)
    };
    let ret = [Insn::Mov(0, TARGET), raw(PUSH_RAX), raw(RET)];
    let call = [Insn::Mov(0, TARGET), raw(CALL_RAX)];
    vec![
        branch("jmp", &[Insn::Jump(TARGET)])
            .about(r::intercepts::EXCP_GP)
            .run()
            .exits(GP)
            .at(0)
            .field(Field::EXITINFO1, 0),
        branch("call", &call)
            .about(r::intercepts::EXCP_GP)
            .run()
            .exits(GP)
            .at(1)
            .field(Field::RSP, RSP),
        branch("ret", &ret)
            .about(r::intercepts::EXCP_GP)
            .run()
            .exits(GP)
            .at(2)
            .field(Field::RSP, RSP - 8),
    ]
}

/// Page faults of L2's own tables.
fn page_faults() -> Vec<Draft> {
    let loads = |id| draft(id).program(&[Insn::Load(0, PAGE)]).poke(ENTRY, 0);
    let stores = |id, entry| draft(id).program(&[Insn::Store(PAGE)]).poke(ENTRY, entry);
    vec![
        loads("pf-intercepted")
            .about([
                r::intercepts::EXCP_PF,
                r::intercepts::EXCP_PF_CR2,
                r::intercepts::EXCP_PF_CR2_KEPT,
            ])
            .intercept(PF)
            .run()
            .exits(PF)
            .at(0)
            .field(Field::EXITINFO1, 0)
            .field(Field::EXITINFO2, PAGE)
            // An intercepted #PF leaves CR2 alone.
            .field(Field::CR2, 0),
        loads("pf-taken")
            .about([r::intercepts::EXCP_PF, r::vmexit::SAVE_CR2])
            .run()
            .takes(14, 0, world::L2_CODE + 10)
            .field(Field::CR2, PAGE),
        stores("pf-write-intercepted", PAGE | 0x65)
            .about([r::intercepts::EXCP_ERROR, r::intercepts::EXCP_PF_CR2])
            .intercept(PF)
            .run()
            .exits(PF)
            .at(0)
            .field(Field::EXITINFO1, 3)
            .field(Field::EXITINFO2, PAGE),
        stores("pf-write-taken", PAGE | 0x65)
            .about(r::intercepts::EXCP_PF)
            .run()
            .takes(14, 3, world::L2_CODE + 10)
            .field(Field::CR2, PAGE),
        draft("pf-fetch-intercepted")
            .about([r::intercepts::EXCP_ERROR, r::intercepts::EXCP_PF_CR2])
            .program(&[Insn::Jump(PAGE)])
            .poke(ENTRY, 1 << 63 | PAGE | 0x67)
            .intercept(PF)
            .run()
            .exits(PF)
            .field(Field::RIP, PAGE)
            .field(Field::EXITINFO1, 0x11)
            .field(Field::EXITINFO2, PAGE),
        draft("pf-user-intercepted")
            .about([r::intercepts::EXCP_ERROR, r::intercepts::EXCP_PF_CR2])
            .program(&[Insn::Load(0, PAGE)])
            .poke(ENTRY, PAGE | 0x63)
            .user()
            .intercept(PF)
            .run()
            .exits(PF)
            .at(0)
            .field(Field::EXITINFO1, 5)
            .field(Field::EXITINFO2, PAGE),
    ]
}

/// An IDT that ends behind a vector: what is delivered becomes a fault itself.
fn beyond_the_idt() -> Vec<Draft> {
    let int80 = |id, limit| draft(id).program(&[Insn::Int(0x80)]).set(Field::IDTR_LIMIT, limit);
    // Up to and with #DF, and nothing at all.
    const TO_DF: u64 = 8 * 16 + 15;
    vec![
        int80("int-n-beyond-idt-gp", TO_DF)
            .about([r::event_injection::FAULT_SETS_EXITINTINFO, r::event_injection::TYPE_SOFT])
            .intercept(GP)
            .run()
            .exits(GP)
            .at(0)
            .field(Field::EXITINFO1, 0x80 << 3 | 2)
            .field(Field::EXITINTINFO, 0x8000_0480),
        int80("int-n-beyond-idt-df-intercepted", TO_DF)
            .about(r::intercepts::EXCP_DF)
            .intercept(DF)
            .run()
            .exits(DF)
            .field_open(Field::EXITINTINFO),
        int80("int-n-beyond-idt-df-taken", TO_DF).about(r::intercepts::EXCP_DF).run().takes(
            8,
            0,
            world::L2_CODE,
        ),
        int80("shutdown-intercepted", 0)
            .about(r::intercepts::SHUTDOWN)
            .run()
            .exits(exit::SHUTDOWN)
            .field_open(Field::EXITINTINFO),
    ]
}

/// An x87 exception that waits for the next x87 instruction.
fn x87() -> Vec<Draft> {
    const MF: u64 = exit::EXCP + 16;
    // The control word unmasks #ZE.
    let program = [FNINIT, PUSH_37B, FLDCW_RSP, DIVIDE_BY_ZERO, FWAIT].map(raw);
    let x87 = |id: &str| draft(id).program(&program);
    let after = |d: Draft| d.l1(raw(FNINIT), 0);
    // How FERR# is answered; behind FNINIT IGNNE# goes, and behind FLDENV QEMU lets it go.
    let answered = [OUT_F0, FNINIT, STORE_AND_LOAD_ENV].concat();
    vec![
        after(
            x87("mf-intercepted")
                .about(About::Section("15.12.16"))
                .intercept(MF)
                .run()
                .exits(MF)
                .at(4),
        ),
        after(
            x87("mf-is-no-freeze")
                .about(About::Section("15.14.2"))
                .intercept(exit::FERR_FREEZE)
                .intercept(MF)
                .run()
                .exits(MF)
                .at(4),
        ),
        x87("ferr-freeze")
            .about(About::Section("15.14.2"))
            .clear(Field::CR0, cr0::NE)
            .intercept(exit::FERR_FREEZE)
            .intercept(MF)
            .run()
            .exits(exit::FERR_FREEZE)
            .at(4)
            .l1(raw(&answered), 0),
    ]
}
