//! What no guest may do to its processor: end it, or stop it for good.
//!
//! Each case is about an event, an access or a page table walk at a place where
//! few happen. What must come of it is ordinary; that it comes to an end is the point.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::{Debug, Intercepts, Npt};
use crate::arch::{cr0, cr4, dr, efer, event, fault, flag, int_ctl, int_state, pte};
use crate::case::code::Code;
use crate::case::listing::{MOV_CR4_RSP, raw};
use crate::case::{About, Draft, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::features::npt::written::{FULL, PAGE};
use crate::rules as r;
use crate::vmcb::{Field, exit};

const IF: u64 = flag::FIXED | flag::IF;
const DB: u64 = exit::EXCP + 1;
const NP: u64 = exit::EXCP + 11;
const GP: u64 = exit::EXCP + 13;
const PF: u64 = exit::EXCP + 14;
/// #DB that is being delivered.
const DB_IN_FLIGHT: u64 = event::V | event::EXCEPTION | 1;
/// A fault in the final translation.
const FINAL_U: u64 = fault::FINAL | fault::U;
/// The entry of the nested tables, and of L2's own, for [`PAGE`].
const NESTED_ENTRY: u64 = world::npt::PT + 5 * 8;
const L2_ENTRY: u64 = world::l2pt::PT + 5 * 8;

pub(crate) fn cases() -> Vec<Draft> {
    [
        halted_with_tf(),
        breakpoints(),
        straddling(),
        tables_in_devices(),
        tables_of_32_bits(),
        watched_stack(),
    ]
    .concat()
}

/// A HLT with TF traps when an interrupt ends it. What the delivery of that trap
/// meets is for L2, or for L1, like any other exception.
fn halted_with_tf() -> Vec<Draft> {
    /// A V_IRQ of vector 50h.
    const V_IRQ: u64 = int_ctl::V_IRQ | 1 << 16;
    let halted = |id: &str| {
        Draft::new(Intercepts, format!("aborts/hlt-tf-{id}"))
            .about([r::event_injection::FAULT_SETS_EXITINTINFO, r::debug::TF_TRAP])
            .program(&[Insn::Hlt])
            .set(Field::RFLAGS, IF | flag::TF)
            // The shadow lets L2 come to its HLT.
            .set(Field::INT_STATE, int_state::SHADOW)
            .set(Field::INT_CTL, V_IRQ)
            .set(Field::INT_VECTOR, 0x50)
    };
    let met = |d: Draft, code, info1| {
        let behind = world::L2_CODE + 1;
        d.run()
            .exits(code)
            .field(Field::RIP, behind)
            .field(Field::EXITINFO1, info1)
            .field(Field::EXITINTINFO, DB_IN_FLIGHT)
            .field(Field::DR6, dr::DR6_ONES | dr::DR6_BS)
    };
    /// Entry 1 of an IDT, and its error code where the entry is at fault.
    const GATE: u64 = 16;
    const ENTRY_1: u64 = 1 << 3 | 2;
    let idt = |id| halted(id).set(Field::IDTR_BASE, PAGE);
    let stack = |id| halted(id).set(Field::RSP, PAGE + 0x800);
    vec![
        halted("taken")
            .about([r::debug::TF_TRAP, r::virq::HLT_WAKES])
            .run()
            .takes(1, 0, world::L2_CODE + 1)
            .field(Field::DR6, dr::DR6_ONES | dr::DR6_BS)
            .field(Field::INT_CTL, V_IRQ),
        met(idt("idt-nested-fault").poke(NESTED_ENTRY, 0), exit::NPF, FINAL_U)
            .needs(&[CpuFeature::Npt])
            .field(Field::EXITINFO2, PAGE + GATE),
        met(idt("idt-page-fault").poke(L2_ENTRY, 0).intercept(PF), PF, 0)
            .field(Field::EXITINFO2, PAGE + GATE),
        met(idt("no-gate").intercept(GP), GP, ENTRY_1),
        met(halted("beyond-idt").set(Field::IDTR_LIMIT, 15).intercept(GP), GP, ENTRY_1),
        met(
            halted("gate-not-present")
                .poke(world::L2_IDT + GATE, (world::L2_CS as u64) << 16 | 0x6e << 40)
                .intercept(NP),
            NP,
            ENTRY_1,
        ),
        met(stack("stack-nested-fault").poke(NESTED_ENTRY, 0), exit::NPF, FINAL_U | fault::W)
            .needs(&[CpuFeature::Npt])
            .field(Field::EXITINFO2, PAGE + 0x7f8),
        met(stack("stack-page-fault").poke(L2_ENTRY, 0).intercept(PF), PF, 2)
            .field(Field::EXITINFO2, PAGE + 0x7f8),
    ]
}

/// An instruction breakpoint is a linear address, and rIP is an offset.
fn breakpoints() -> Vec<Draft> {
    const G0: u64 = dr::DR7_ONES | 2;
    const NOPS: [Insn; 2] = [Insn::Nop, Insn::Nop];
    let at = |id: &str, base: u64, ip: u64, dr0: u64| {
        Draft::new(Debug, format!("aborts/breakpoint-{id}"))
            .about(r::debug::EXEC_BREAKPOINT)
            .program(&NOPS)
            .set(Field::CS_BASE, base)
            .set(Field::RIP, ip)
            .step(Step::WriteDr(0, dr0))
            .set(Field::DR7, G0)
            .intercept(DB)
    };
    let real = |d: Draft| {
        d.set(Field::EFER, efer::SVME)
            .set(Field::CR0, cr0::ET)
            .set(Field::CR4, 0)
            .set(Field::CS_ATTRIB, 0x9b)
            .set(Field::CS_LIMIT, 0xffff)
    };
    // Protected mode without paging, with a default operand size of 32 bits, or of 16.
    let protected = |d: Draft, attributes| {
        d.set(Field::EFER, efer::SVME)
            .set(Field::CR0, cr0::ET | cr0::PE)
            .set(Field::CR4, 0)
            .set(Field::CS_ATTRIB, attributes)
    };
    // Long mode, in a code segment that is none of 64-bit mode.
    let compatibility = |d: Draft| d.set(Field::CS_ATTRIB, 0xc9b);
    let hit = |d: Draft, rip| {
        d.run().exits(DB).field(Field::RIP, rip).field(Field::DR6, dr::DR6_ONES | dr::DR6_B0)
    };
    const CODE: u64 = world::L2_CODE;
    vec![
        hit(real(at("real-mode", CODE, 0, CODE)), 0),
        hit(real(at("real-mode-second", CODE - 0x100, 0x100, CODE + 1)), 0x101),
        hit(protected(at("32-bit", CODE - 0x2000, 0x2000, CODE), 0xc9b), 0x2000),
        hit(protected(at("16-bit", CODE - 0x2000, 0x2000, CODE + 1), 0x9b), 0x2001),
        hit(protected(at("32-bit-wraps", CODE + 0x1000, 0xffff_f000, CODE), 0xc9b), 0xffff_f000),
        hit(compatibility(at("compatibility-mode", CODE - 0x2000, 0x2000, CODE)), 0x2000),
        // In 64-bit mode CS has no base.
        hit(at("64-bit", 0x1000, CODE, CODE), CODE),
        // The offset alone is no address: single-stepping must not report it either.
        real(at("offset-only", CODE, 0, 1))
            .about(r::debug::TF_TRAP)
            .set(Field::RFLAGS, flag::FIXED | flag::TF)
            .run()
            .exits(DB)
            .field(Field::RIP, 1)
            .field(Field::DR6, dr::DR6_ONES | dr::DR6_BS),
        real(at("and-step", CODE, 0, CODE + 1))
            .about(r::debug::TF_TRAP)
            .set(Field::RFLAGS, flag::FIXED | flag::TF)
            .run()
            .exits(DB)
            .field(Field::RIP, 1)
            // The bit of the breakpoint in front can be set beside BS (13.1.1.3), or not yet.
            .field_open(Field::DR6),
    ]
}

/// An instruction that begins at the end of a page that holds code, where the
/// walk for the next one writes to the first.
fn straddling() -> Vec<Draft> {
    /// A page that holds both, seen at [`V`], and what stands behind it.
    const BOTH: u64 = world::DATA + 0x7000;
    const NEXT: u64 = world::DATA + 0x8000;
    const V: u64 = world::DATA + 0x20_0000;
    const FRESH: u64 = FULL & !pte::A & !pte::D;
    const RIP_BEHIND: u64 = V + 0x1002;
    // NOPs; MOV EAX, 11223344h from the 3rd last byte on; VMMCALL.
    let code = |d: Draft, page: u64| {
        d.poke(page + 0xff0, 0x9090_9090_9090_9090)
            .poke(page + 0xff8, 0x3344_b890_9090_9090)
            .poke(NEXT, 0x00d9_010f_1122)
    };
    let draft = |id: &str| {
        code(
            Draft::new(Npt, format!("aborts/straddles-{id}")).about(About::Section("15.25.6")),
            BOTH,
        )
        .program(&[Insn::Jump(V + 0xff0)])
        .poke(world::l2pt::PD + (V >> 21) * 8, BOTH | FULL)
        .poke(BOTH, BOTH | FULL)
    };
    let ends = |d: Draft| {
        d.run().exits(exit::VMMCALL).field(Field::RIP, RIP_BEHIND).field(Field::RAX, 0x1122_3344)
    };
    let no_npt = |d: Draft| d.set(Field::NESTED_CTL, 0).set(Field::N_CR3, 0);
    let faults = |d: Draft, entry| d.poke(BOTH + 8, entry).intercept(PF).run().exits(PF);
    // The nested table for what is behind the window, in the page itself.
    let nested = |id| {
        code(
            Draft::new(Npt, format!("aborts/straddles-{id}")).about(About::Section("15.25.6")),
            BOTH,
        )
        .needs(&[CpuFeature::Npt])
        .program(&[Insn::Jump(V + 0xff0)])
        .poke(world::l2pt::PD + (V >> 21) * 8, (world::DATA + 0x9000) | FULL)
        .poke(world::DATA + 0x9000, V | FULL)
        .poke(world::DATA + 0x9008, (V + 0x1000) | FULL)
        .poke(world::npt::PD + (V >> 21) * 8, BOTH | FULL)
        .poke(BOTH, BOTH | FULL)
    };
    vec![
        ends(draft("own-entry").poke(BOTH + 8, NEXT | FULL)),
        ends(draft("own-entry-fresh").poke(BOTH + 8, NEXT | FRESH))
            .peek(BOTH + 8)
            .value(NEXT | FRESH | pte::A),
        ends(no_npt(draft("unnested")).poke(BOTH + 8, NEXT | FULL)),
        ends(no_npt(draft("unnested-fresh")).poke(BOTH + 8, NEXT | FRESH))
            .peek(BOTH + 8)
            .value(NEXT | FRESH | pte::A),
        ends(nested("nested-entry").poke(BOTH + 8, NEXT | FULL)),
        ends(nested("nested-entry-fresh").poke(BOTH + 8, NEXT | FRESH))
            .peek(BOTH + 8)
            .value(NEXT | FRESH | pte::A),
        faults(draft("page-fault"), 0)
            .about(r::intercepts::EXCP_PF)
            .field(Field::RIP, V + 0xffd)
            .field(Field::EXITINFO2, V + 0x1000),
        // The walk fails, and it is the VMCB that holds the code.
        code(Draft::new(Npt, "aborts/straddles-vmcb").about(r::npt::PRESENT), world::VMCB)
            .needs(&[CpuFeature::Npt])
            .program(&[Insn::Jump(PAGE + 0xff0)])
            .poke(L2_ENTRY, world::VMCB | FULL)
            .poke(world::npt::PT + 6 * 8, 0)
            .run()
            .exits(exit::NPF)
            .field(Field::RIP, PAGE + 0xffd)
            .field(Field::EXITINFO1, FINAL_U | fault::I)
            .field(Field::EXITINFO2, PAGE + 0x1000)
            .poke(world::VMCB + 0xff0, 0)
            .poke(world::VMCB + 0xff8, 0),
    ]
}

/// Nested tables in the page of the local APIC, whose registers are read as entries
/// that are not present.
fn tables_in_devices() -> Vec<Draft> {
    const APIC: u64 = 0xfee0_0000;
    /// The APIC's ID, zero, as the entry with that number.
    const ID: u64 = 4;
    let apic = APIC | FULL;
    let draft = |id: &str, gpa: u64| {
        Draft::new(Npt, format!("aborts/device-{id}"))
            .about(r::npt::PRESENT)
            .needs(&[CpuFeature::Npt])
            .poke(L2_ENTRY, gpa | FULL)
    };
    let faults = |d: Draft, info1, gpa| {
        d.run()
            .exits(exit::NPF)
            .field(Field::EXITINFO1, FINAL_U | info1)
            .field(Field::EXITINFO2, gpa)
    };
    const PT: u64 = 511 << 21 | ID << 12;
    const PD: u64 = 1 << 30 | ID << 21;
    const PDPT: u64 = 1 << 39 | ID << 30;
    let pt = |id| draft(id, PT).poke(world::npt::PD + 511 * 8, apic);
    let load = [Insn::Load(0, PAGE), Insn::Nop, Insn::Nop];
    let store = [Insn::Store(PAGE), Insn::Nop, Insn::Nop];
    let stack = |id| pt(id).set(Field::RSP, PAGE + 0x800);
    vec![
        faults(pt("load").program(&load), 0, PT).at(0),
        faults(pt("store").program(&store), fault::W, PT).at(0),
        faults(pt("fetch").program(&[Insn::Jump(PAGE)]), fault::I, PT).field(Field::RIP, PAGE),
        faults(stack("push").program(&[Insn::Pushf, Insn::Nop]), fault::W, PT + 0x7f8).at(0),
        faults(
            stack("event")
                .about([r::event_injection::FAULT_SETS_EXITINTINFO, r::npt::PRESENT])
                .program(&[Insn::Ud2]),
            fault::W,
            PT + 0x7f8,
        )
        .at(0)
        .field(Field::EXITINTINFO, event::V | event::EXCEPTION | 6),
        faults(draft("pd", PD).poke(world::npt::PDPT + 8, apic).program(&load), 0, PD).at(0),
        faults(draft("pdpt", PDPT).poke(world::npt::PML4 + 8, apic).program(&load), 0, PDPT).at(0),
        // L2's own table, by way of the nested ones.
        pt("own-table")
            .about(r::intercepts::EXCP_PF)
            .program(&[Insn::Load(0, world::DATA + 0x20_0000 + (ID << 12)), Insn::Nop])
            .poke(world::npt::PD + 511 * 8, APIC | FULL | pte::PS)
            .poke(world::npt::PD + 511 * 8, (world::DATA + 0x9000) | FULL)
            .poke(world::DATA + 0x9000 + ID * 8, apic)
            .poke(world::l2pt::PD + ((world::DATA >> 21) + 1) * 8, PT | FULL)
            .intercept(PF)
            .run()
            .exits(PF)
            .at(0)
            .field(Field::EXITINFO1, 0),
    ]
}

/// Page tables of 32-bit paging: one without the page, and one in the local APIC, where the
/// entry is the timer's initial count, whose Accessed bit the walk sets.
fn tables_of_32_bits() -> Vec<Draft> {
    const APIC: u32 = 0xfee0_0000;
    const TIMER: u32 = APIC + 0x380;
    const DIRECTORY: u64 = world::DATA + 0x9000;
    const EMPTY: u64 = world::DATA + 0xa000;
    /// By entry 380h / 4 of the directory, and of the table.
    const LINEAR: u32 = 0xe0 << 22 | 0xe0 << 12;
    const ENTRY: u32 = (PAGE | pte::P | pte::W | pte::U) as u32;
    let entry = |d: Draft, address: u64, value| {
        d.step(Step::Mem { pa: DIRECTORY + (address >> 22) * 4, width: 4, value })
    };
    let large = |d: Draft, address: u64| entry(d, address, address & !0x3f_ffff | FULL | pte::PS);
    let timer = |value: u32| raw(Code::at(0).store(TIMER.into(), value).bytes());
    let load = |address: u32| raw(Code::at(0).load_eax(address.into()).bytes());
    let new = |id: &str, program: &[Insn]| {
        let new = Draft::new(Npt, format!("aborts/32-bit-{id}"))
            .about(About::Section("15.5.1"))
            .program(program)
            .set(Field::NESTED_CTL, 0)
            .set(Field::N_CR3, 0)
            .set(Field::EFER, efer::SVME)
            .set(Field::CR4, cr4::PSE)
            .set(Field::CR3, DIRECTORY)
            .set(Field::CS_ATTRIB, 0xc9b);
        large(large(large(new, world::L2_CODE), world::DATA), APIC.into())
    };
    let in_device = [timer(ENTRY), load(LINEAR), load(TIMER), timer(0)];
    vec![
        entry(new("absent", &[load(LINEAR)]), LINEAR.into(), EMPTY | FULL)
            .poke(EMPTY + 0x380, 0)
            .intercept(PF)
            .run()
            .exits(PF)
            .at(0)
            .field(Field::EXITINFO1, 0)
            .field(Field::EXITINFO2, LINEAR.into()),
        entry(new("accessed-in-device", &in_device), LINEAR.into(), u64::from(APIC) | FULL)
            .run()
            .ends()
            .field(Field::RAX, u64::from(ENTRY) | pte::A),
    ]
}

/// A data breakpoint on what the delivery of an event pushes: the trap comes
/// before the handler's first instruction.
fn watched_stack() -> Vec<Draft> {
    /// Breakpoint 0, on writes of 8 bytes.
    const WRITES: u64 = dr::DR7_ONES | 2 | 0b1001 << 16;
    let stub = |vector: u64| world::L2_STUBS + 32 * vector;
    let watched = |id: &str, insn: Insn| {
        Draft::new(Debug, format!("aborts/watched-stack-{id}"))
            .about(r::debug::DATA_BREAKPOINT)
            .program(&[insn])
            .step(Step::WriteDr(0, world::L2_STACK - 8))
            .set(Field::DR7, WRITES)
    };
    let hit = |d: Draft, handler| {
        d.intercept(DB)
            .run()
            .exits(DB)
            .field(Field::RIP, handler)
            .field(Field::DR6, dr::DR6_ONES | dr::DR6_B0)
    };
    vec![
        hit(watched("exception", Insn::Ud2), stub(6)),
        hit(watched("interrupt", Insn::Int(0x80)), stub(0x80)),
        hit(watched("error-code", raw(MOV_CR4_RSP)).set(Field::RSP, world::L2_STACK), stub(13)),
        hit(
            watched("v-irq", Insn::Nop)
                .set(Field::RFLAGS, IF)
                .set(Field::INT_CTL, int_ctl::V_IRQ | 1 << 16)
                .set(Field::INT_VECTOR, 0x50),
            stub(0x50),
        ),
        hit(
            watched("injected", Insn::Nop).set(Field::EVENTINJ, event::V | event::EXCEPTION | 6),
            stub(6),
        ),
        watched("taken", Insn::Ud2)
            .run()
            .takes(1, 0, stub(6))
            .field(Field::DR6, dr::DR6_ONES | dr::DR6_B0)
            .field(Field::RSP, world::L2_STACK - 88),
        // It goes with the guest: L1 does not get a trap of L2's.
        watched("and-nested-fault", Insn::Ud2)
            .about(r::event_injection::FAULT_SETS_EXITINTINFO)
            .needs(&[CpuFeature::Npt])
            .set(Field::RSP, PAGE + 0x1008)
            .step(Step::WriteDr(0, PAGE + 0x1000))
            .poke(NESTED_ENTRY, 0)
            .run()
            .exits(exit::NPF)
            .at(0)
            .field(Field::EXITINFO2, PAGE + 0xff8)
            .field(Field::EXITINTINFO, event::V | event::EXCEPTION | 6),
    ]
}
