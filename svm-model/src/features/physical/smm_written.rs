//! System-management mode: memory that only it sees, and a handler that is
//! called while L2 runs.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::{Intercepts, TlbAsid};
use crate::arch::int_ctl::V_INTR_MASKING;
use crate::arch::pte;
use crate::arch::{dr, flag};
use crate::case::code::{Code, cleared};
use crate::case::listing::{MOV_RAX_CR8, raw};
use crate::case::{About, Draft, Event, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::features::npt::written::FULL;
use crate::outcome::Obs;
use crate::rules as r;
use crate::snapshot::HostReg;
use crate::vmcb::{Field, exit};

const CODE: u64 = world::DATA + 0x2_0000;
pub(super) const SETUP: u64 = world::DATA + 0x2_1000;
pub(super) const CLEANUP: u64 = world::DATA + 0x2_2000;
/// What the code has found.
pub(super) const FOUND: u64 = world::DATA + 0x3_0000;
/// Where the handler begins (10.2.1: SMBASE is 3_0000h after reset).
const HANDLER: u64 = 0x3_8000;
/// The guest's own: INC dword `[0x500]`, which it counts SMIs by; RSM.
const COUNT_AND_LEAVE: [u8; 7] = [0x66, 0xff, 0x06, 0x00, 0x05, 0x0f, 0xaa];
/// A doubleword of the range that chipsets keep for SMM (10.2.5, ASeg).
const SMRAM: u64 = 0xa_1000;
const SECRET: u32 = 0x5ec4_e700;
/// SMRAM register of the 440FX: the range as it is after reset, enabled for
/// SMM, and open to all.
const SMRAM_CONTROL: u8 = 0x72;
const SMRAM_OFF: u8 = 0x02;
const SMRAM_ON: u8 = 0x0a;
const SMRAM_OPEN: u8 = 0x4a;
/// The device whose memory is in the range for all others: its number, and the
/// registers of its first BAR and of what it answers to.
const DEVICE: u32 = 8;
const BAR: u8 = 0x10;
const COMMAND: u8 = 4;
const COMMAND_MEMORY: u8 = 2;

const APIC_ID: u64 = 0xfee0_0020;
const ICR_LOW: u64 = 0xfee0_0300;
const ICR_HIGH: u64 = 0xfee0_0310;
/// SMI, level asserted.
const ICR_SMI: u32 = 0x4200;

const IF: u64 = flag::FIXED | flag::IF;

pub(crate) fn cases() -> Vec<Draft> {
    [memory(), controls()].concat()
}

/// Writes a handler that begins with these bytes.
pub(super) fn handler(code: Code, first: &[u8]) -> Code {
    code.write(HANDLER, &[first, &COUNT_AND_LEAVE].concat())
}

/// A handler that reads SMRAM, in which the secret is, and tells.
fn set_up(code: Code) -> Code {
    // MOV EAX, [SMRAM]; MOV [FOUND], EAX, in 16-bit mode.
    let mut reads = vec![0x66, 0x67, 0xa1];
    reads.extend((SMRAM as u32).to_le_bytes());
    reads.extend([0x66, 0x67, 0xa3]);
    reads.extend((FOUND as u32).to_le_bytes());
    let code = code
        .configure_word(DEVICE, BAR, SMRAM as u32)
        .configure(DEVICE, COMMAND, COMMAND_MEMORY)
        .configure(0, SMRAM_CONTROL, SMRAM_OPEN)
        .store(SMRAM, SECRET);
    handler(code.configure(0, SMRAM_CONTROL, SMRAM_ON), &reads)
}

pub(super) fn clean_up(code: Code) -> Code {
    handler(code, &[]).configure(DEVICE, COMMAND, 0).configure(0, SMRAM_CONTROL, SMRAM_OFF)
}

/// CMP EAX, the secret; SETE AL; MOVZX EAX, AL.
fn compared() -> Vec<u8> {
    let mut code = vec![0x3d];
    code.extend(SECRET.to_le_bytes());
    code.extend([0x0f, 0x94, 0xc0, 0x0f, 0xb6, 0xc0]);
    code
}

/// What is behind the range for all others is none of the secret.
fn memory() -> Vec<Draft> {
    let draft = |id: &str| {
        let d = Draft::new(TlbAsid, format!("smm/{id}"))
            .about(About::Section("10.2.5"))
            .on_large_board();
        cleared(d, FOUND, 0x10)
    };
    let found =
        |d: Draft, pa: u64, value: u32| d.step(Step::Peek { pa, width: 4 }).value(value.into());

    // Real mode, which is what SMM looks like: no control register changes on the way.
    let l1 = set_up(Code::at(CODE).leave_long_mode())
        .leave_protected_mode()
        .load_eax(SMRAM)
        .put(&compared())
        .store_eax(FOUND + 4)
        .load_eax(APIC_ID)
        .store_eax(ICR_HIGH)
        .store(ICR_LOW, ICR_SMI)
        // MOV ECX, 16; DEC ECX; JNZ.
        .op(&[0xb9], 16)
        .put(&[0x49, 0x75, 0xfd])
        .load_eax(SMRAM)
        .put(&compared())
        .store_eax(FOUND + 8);
    let l1 = clean_up(l1).return_to_long_mode();
    let in_l1 = l1.called(l1.placed(draft("smram-and-l1"))).shows(Obs::L1Smi);
    let in_l1 = found(found(found(in_l1, FOUND, SECRET), FOUND + 4, 0), FOUND + 8, 0);

    // L2 is in protected mode without paging.
    let setup = set_up(Code::at(SETUP).leave_long_mode()).return_to_long_mode();
    let cleanup = clean_up(Code::at(CLEANUP).leave_long_mode()).return_to_long_mode();
    let reads = Code::at(0).load_eax(SMRAM).put(&compared());
    let l2 = [true, false].map(|nested| {
        let d = draft(if nested { "smram-and-l2" } else { "smram-and-l2,no-npt" });
        let d = if nested {
            d.needs(&[CpuFeature::Npt])
        } else {
            d.set(Field::NESTED_CTL, 0).set(Field::N_CR3, 0)
        };
        let d = d
            .program(&[raw(reads.bytes())])
            .set(Field::EFER, 0x1000)
            .set(Field::CR0, 0x33)
            .set(Field::CR4, 0)
            .set(Field::CS_ATTRIB, 0xc9b);
        let d = setup.called(cleanup.placed(setup.placed(d)));
        let d = d.run().ends().field(Field::RAX, 0);
        let d = d
            .set(Field::TLB_CONTROL, 0)
            .set(Field::RIP, world::L2_CODE)
            .raise(Event::Smi)
            .run()
            .shows(Obs::L1Smi)
            .ends()
            .field(Field::RAX, 0);
        cleanup.called(found(d, FOUND, SECRET))
    });
    [vec![in_l1], l2.to_vec()].concat()
}

/// With an interrupt that is masked in the handler, whatever L1's IF is, and comes behind it.
fn interrupted(draft: Draft) -> Draft {
    draft
        .raise(Event::Intr(0x40))
        .set(Field::INT_CTL, V_INTR_MASKING)
        .intercept(exit::INTR)
        .step(Step::Rflags(IF))
        .run()
        .shows(Obs::L1Smi)
        .exits(exit::INTR)
        .at(0)
        .host(HostReg::Rflags, IF)
        .stgi()
        .shows(Obs::L1Interrupt(0x40))
}

/// The handler of an SMI that is not intercepted runs outside of the guest.
fn controls() -> Vec<Draft> {
    let draft = |id: &str| {
        Draft::new(Intercepts, format!("smm/{id}"))
            .about(r::physical::SMI)
            .program(&[Insn::Nop])
            .clgi()
            .raise(Event::Smi)
    };
    // CPUID, in a handler of its own.
    let setup = handler(Code::at(SETUP).leave_long_mode(), &[0x0f, 0xa2]).return_to_long_mode();
    let cleanup = clean_up(Code::at(CLEANUP).leave_long_mode()).return_to_long_mode();
    let cpuid = Draft::new(Intercepts, "smm/intercepts-of-others")
        .about(r::physical::SMI)
        .program(&[Insn::Nop]);
    let cpuid = setup.called(cleanup.placed(setup.placed(cpuid)));
    let cpuid =
        cpuid.clgi().raise(Event::Smi).intercept(exit::CPUID).run().shows(Obs::L1Smi).ends();
    // MOV EAX, CR0; XOR EAX, NE; MOV CR0, EAX.
    let write = [0x0f, 0x20, 0xc0, 0x66, 0x83, 0xf0, 0x20, 0x0f, 0x22, 0xc0];
    let setup = handler(Code::at(SETUP).leave_long_mode(), &write).return_to_long_mode();
    let cr0 = Draft::new(Intercepts, "smm/selective-cr0-write")
        .about(r::physical::SMI)
        .program(&[Insn::Nop]);
    let cr0 = setup
        .called(cleanup.placed(setup.placed(cr0)))
        .clgi()
        .raise(Event::Smi)
        .intercept(exit::CR0_SEL_WRITE)
        .run()
        .shows(Obs::L1Smi)
        .ends()
        .field(Field::CR0, world::L1_CR0);
    // MOV EAX, 5; LOCK MOV CR0, EAX, which is CR8 (vol. 3, MOV CRn); and 0 again.
    let tpr =
        [0x66, 0xb8, 5, 0, 0, 0, 0xf0, 0x0f, 0x22, 0xc0, 0x66, 0x31, 0xc0, 0xf0, 0x0f, 0x22, 0xc0];
    let setup = handler(Code::at(SETUP).leave_long_mode(), &tpr).return_to_long_mode();
    let tpr = |id: &str, program: &[Insn]| {
        let d =
            Draft::new(Intercepts, format!("smm/{id}")).about(r::physical::SMI).program(program);
        setup.called(cleanup.placed(setup.placed(d))).clgi().raise(Event::Smi)
    };
    let tpr_of_l2 = tpr("tpr-of-l2", &[raw(MOV_RAX_CR8)])
        .about([r::virq::CR8_READ, r::physical::SMI])
        .set(Field::INT_CTL, V_INTR_MASKING | 3)
        .run()
        .shows(Obs::L1Smi)
        .ends()
        .field(Field::RAX, 3);
    // The write of CR8 gives the interrupt an occasion, which L1's IF would take.
    let interrupt_in_handler = interrupted(tpr("interrupt-in-handler", &[Insn::Nop]))
        .about([r::virq::MASKING, r::physical::SMI]);
    // The first 2 MiB lead to where nothing is.
    let nowhere = world::DATA + 0x20_0000;
    vec![
        draft("not-intercepted").run().shows(Obs::L1Smi).ends(),
        draft("rsm-intercept").intercept(exit::RSM).run().shows(Obs::L1Smi).ends(),
        cleanup.called(cpuid),
        cleanup.called(cr0),
        cleanup.called(tpr_of_l2),
        cleanup.called(interrupt_in_handler),
        draft("nested-tables")
            .needs(&[CpuFeature::Npt])
            .poke(world::npt::PD, nowhere | FULL | pte::PS)
            .run()
            .shows(Obs::L1Smi)
            .ends(),
        // Neither the SMI nor RSM is a MOV to a debug register (10.3.1, 13.1.1.4).
        draft("general-detect")
            .set(Field::DR7, dr::DR7_GD | dr::DR7_ONES)
            .run()
            .shows(Obs::L1Smi)
            .ends()
            .field(Field::DR7, dr::DR7_GD | dr::DR7_ONES),
        interrupted(draft("interrupt-behind")).about([r::physical::INTR, r::physical::SMI]),
    ]
}
