//! The registers that VMRUN and #VMEXIT neither save nor load (15.5.1, 15.6), and the control
//! bits that guard them, which must be in force from the first instruction behind either.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::{NM, Pku, UD, XCR0_ALL, Xsave, cleared, set_xcr0};
use crate::Feature::VmrunChecks;
use crate::arch::{cr0, cr4};
use crate::case::code::Code;
use crate::case::listing::{ADDPS, CLTS, FNOP, FWAIT, SET_TS_BY_ECX, STGI, VADDPS, VMRUN};
use crate::case::written::fault;
use crate::case::{About, Draft, Insn, Step, world};
use crate::outcome::Obs;
use crate::vmcb::{Field, exit};

/// Where RSI points: what L1 loads, and from [`SECOND`] on what L2 loads.
const GIVEN: u64 = world::gpr(6);
/// Where RDI points: what L2 has found, and from [`SECOND`] on what L1 has found.
const FOUND: u64 = world::gpr(7);
const SECOND: u64 = 0x40;
/// Where RBX and RBP point: the images of L1's registers and of L2's.
const L1_IMAGE: u64 = world::gpr(3);
const L2_IMAGE: u64 = world::gpr(5);
/// XMM7 and the upper half of YMM7 in such an image (APM vol. 2, 11.5).
const XMM7: u64 = 160 + 7 * 16;
const YMM7_HIGH: u64 = 576 + 7 * 16;

const L1: u64 = 0x1111_2222_3333_4444;
const L2: u64 = 0x5555_6666_7777_8888;

const SET_TS: &[u8] = SET_TS_BY_ECX;

pub(crate) fn cases() -> Vec<Draft> {
    let all = [untouched(), switched(), guarded(), behind_rsm()].concat();
    all.into_iter().map(|d| set_xcr0(d, 1)).collect()
}

/// MOV EAX, the VMCB; VMRUN; STGI.
pub(super) fn vmrun() -> Vec<u8> {
    Code::at(0).mov_eax(world::VMCB).put(VMRUN).put(STGI).bytes().to_vec()
}

fn draft(id: String) -> Draft {
    let new = Draft::new(VmrunChecks, format!("xstate/{id}"))
        .about(About::Section("15.5.1"))
        .needs(&[Xsave]);
    cleared(cleared(new, GIVEN, 0x80), FOUND, 0x80)
}

/// A register, and how it is moved from `[RSI + n]` and to `[RDI + n]`.
struct Register {
    name: &'static str,
    /// L1's value and L2's, and where in the operand they are.
    values: [u64; 2],
    at: u64,
    load: fn(u8) -> Vec<u8>,
    store: fn(u8) -> Vec<u8>,
}

const REGISTERS: &[Register] = &[
    Register {
        name: "st0",
        values: [0x3ff8_0000_0000_0000, 0xc004_0000_0000_0000],
        at: 0,
        load: |n| vec![0xdb, 0xe3, 0xdd, 0x46, n],
        store: |n| vec![0xdd, 0x57, n],
    },
    Register {
        name: "fcw",
        values: [0x77f, 0xb7f],
        at: 0,
        load: |n| vec![0xd9, 0x6e, n],
        store: |n| vec![0xd9, 0x7f, n],
    },
    Register {
        name: "mm7",
        values: [L1, L2],
        at: 0,
        load: |n| vec![0x0f, 0x6f, 0x7e, n],
        store: |n| vec![0x0f, 0x7f, 0x7f, n],
    },
    Register {
        name: "xmm7",
        values: [L1, L2],
        at: 0,
        load: |n| vec![0x0f, 0x10, 0x7e, n],
        store: |n| vec![0x0f, 0x11, 0x7f, n],
    },
    Register {
        name: "ymm7-high",
        values: [L1, L2],
        at: 16,
        load: |n| vec![0xc5, 0xfc, 0x10, 0x7e, n],
        store: |n| vec![0xc5, 0xfc, 0x11, 0x7f, n],
    },
    Register {
        name: "mxcsr",
        values: [0x3f80, 0x5f80],
        at: 0,
        load: |n| vec![0x0f, 0xae, 0x56, n],
        store: |n| vec![0x0f, 0xae, 0x5f, n],
    },
    Register {
        name: "xcr0",
        values: [3, XCR0_ALL],
        at: 0,
        // MOV EAX, [RSI + n]; XOR ECX, ECX; XOR EDX, EDX; XSETBV.
        load: |n| vec![0x8b, 0x46, n, 0x31, 0xc9, 0x31, 0xd2, 0x0f, 0x01, 0xd1],
        store: |n| vec![0x31, 0xc9, 0x0f, 0x01, 0xd0, 0x89, 0x47, n],
    },
    Register {
        name: "pkru",
        // Of keys that no page has.
        values: [4, 8],
        at: 0,
        load: |n| vec![0x8b, 0x46, n, 0x31, 0xc9, 0x31, 0xd2, 0x0f, 0x01, 0xef],
        store: |n| vec![0x31, 0xc9, 0x0f, 0x01, 0xee, 0x89, 0x47, n],
    },
];

/// CR4 with all that the registers need.
fn enabled(draft: Draft, pke: u64) -> Draft {
    set_xcr0(draft, XCR0_ALL)
        .step(Step::WriteCr(4, world::L1_CR4 | cr4::OSXSAVE | pke))
        .set(Field::CR4, cr4::PAE | cr4::OSFXSR | cr4::OSXSAVE | pke)
}

/// L2 finds what L1 has left, and L1 what L2 has, whatever TS is on either side.
fn untouched() -> Vec<Draft> {
    let sides = [(false, false), (false, true), (true, false), (true, true)];
    let all = REGISTERS.iter().flat_map(|r| sides.map(|(l1, l2)| (r, l1, l2)));
    all.map(|(register, l1_ts, l2_ts)| {
        let ts = |yes: bool, code: &'static [u8]| if yes { code } else { &[] };
        let second = SECOND as u8;
        let l2 =
            [ts(l2_ts, CLTS), &(register.store)(0), &(register.load)(second), ts(l2_ts, SET_TS)]
                .concat();
        let l1 =
            [&(register.load)(0)[..], ts(l1_ts, SET_TS), &vmrun(), CLTS, &(register.store)(second)]
                .concat();
        let pku = register.name == "pkru";
        let [of_l1, of_l2] = register.values;
        let id = format!("kept-{},ts={}{}", register.name, u8::from(l1_ts), u8::from(l2_ts));
        let new = if pku { draft(id).needs(&[Pku]) } else { draft(id) };
        let new = enabled(new, if pku { cr4::PKE } else { 0 });
        new.program(&[Insn::Raw(l2)])
            .poke(GIVEN + register.at, of_l1)
            .poke(GIVEN + SECOND + register.at, of_l2)
            .also(Field::CR0, if l2_ts { cr0::TS } else { 0 })
            .l1(Insn::Raw(l1), 0)
            .peek_field(world::VMCB, Field::EXITCODE)
            .value(exit::VMMCALL)
            .peek(FOUND + register.at)
            .value(of_l1)
            .peek(FOUND + SECOND + register.at)
            .value(of_l2)
    })
    .collect()
}

/// The instructions that an L1 switches registers with: to and from `[RBX]` and `[RBP]`.
struct Switch {
    name: &'static str,
    save_l1: &'static [u8],
    load_l1: &'static [u8],
    save_l2: &'static [u8],
    load_l2: &'static [u8],
}

const SWITCHES: &[Switch] = &[
    Switch {
        name: "fxsave",
        save_l1: &[0x0f, 0xae, 0x03],
        load_l1: &[0x0f, 0xae, 0x0b],
        save_l2: &[0x0f, 0xae, 0x45, 0],
        load_l2: &[0x0f, 0xae, 0x4d, 0],
    },
    Switch {
        name: "xsave",
        save_l1: &[0x0f, 0xae, 0x23],
        load_l1: &[0x0f, 0xae, 0x2b],
        save_l2: &[0x0f, 0xae, 0x65, 0],
        load_l2: &[0x0f, 0xae, 0x6d, 0],
    },
    Switch {
        name: "xsaveopt",
        save_l1: &[0x0f, 0xae, 0x33],
        load_l1: &[0x0f, 0xae, 0x2b],
        save_l2: &[0x0f, 0xae, 0x75, 0],
        load_l2: &[0x0f, 0xae, 0x6d, 0],
    },
];

/// VMOVUPS YMM7, `[RSI + n]`, and VMOVUPS `[RDI + n]`, YMM7.
const LOAD_YMM7: [u8; 4] = [0xc5, 0xfc, 0x10, 0x7e];
const STORE_YMM7: [u8; 4] = [0xc5, 0xfc, 0x11, 0x7f];
/// MOV EAX, 7; XOR EDX, EDX: what XSAVE and XRSTOR are asked for.
const ALL: &[u8] = &[0xb8, 7, 0, 0, 0, 0x31, 0xd2];
/// AND byte `[RAX + CR0]`, ~TS, with RAX at the VMCB.
const VMCB_CLTS: [u8; 7] = [0x80, 0xa0, 0x58, 0x05, 0, 0, 0xf7];

fn move_ymm7(with: [u8; 4], n: u64) -> Vec<u8> {
    [&with[..], &[n as u8]].concat()
}

/// An L1 that has both images, and an L2 that reads YMM7 and changes it.
fn images(id: String, switch: &Switch) -> Draft {
    let xsave = switch.name != "fxsave";
    let new = enabled(cleared(cleared(draft(id), L1_IMAGE, 0x380), L2_IMAGE, 0x380), 0);
    let new = [L1_IMAGE, L2_IMAGE].iter().fold(new, |d, image| {
        // FCW, MXCSR, XSTATE_BV.
        let d = d.poke(*image, 0x37f).poke(image + 24, 0x1f80);
        if xsave { d.poke(image + 512, XCR0_ALL) } else { d }
    });
    new.program(&[Insn::Raw(move_ymm7(STORE_YMM7, 0)), Insn::Raw(move_ymm7(LOAD_YMM7, SECOND))])
        .poke(L2_IMAGE + XMM7, L2)
        .poke(L2_IMAGE + YMM7_HIGH, !L2)
        .poke(GIVEN, L1)
        .poke(GIVEN + 16, !L1)
        .poke(GIVEN + SECOND, L2 + 1)
        .poke(GIVEN + SECOND + 16, !(L2 + 1))
}

/// What must have become of both: L2 has found its own, and so has L1, and L2's
/// image has what L2 left. FXSAVE knows nothing of the upper half.
fn switched_right(draft: Draft, switch: &Switch) -> Draft {
    let draft = draft
        .peek(FOUND)
        .value(L2)
        .peek(L2_IMAGE + XMM7)
        .value(L2 + 1)
        .peek(FOUND + SECOND)
        .value(L1);
    if switch.name == "fxsave" {
        return draft;
    }
    draft
        .peek(FOUND + 16)
        .value(!L2)
        .peek(L2_IMAGE + YMM7_HIGH)
        .value(!(L2 + 1))
        .peek(FOUND + SECOND + 16)
        .value(!L1)
}

/// An L1 that switches registers at each VMRUN, and one that waits for #NM.
fn switched() -> Vec<Draft> {
    SWITCHES
        .iter()
        .flat_map(|s| [eager(s, false), eager(s, true), lazy(s, false), lazy(s, true)])
        .collect()
}

fn eager(switch: &Switch, l1_ts: bool) -> Draft {
    let ts: &[u8] = if l1_ts { SET_TS } else { &[] };
    let code = [
        &move_ymm7(LOAD_YMM7, 0)[..],
        ALL,
        switch.save_l1,
        switch.load_l2,
        ts,
        &vmrun(),
        CLTS,
        ALL,
        switch.save_l2,
        switch.load_l1,
        &move_ymm7(STORE_YMM7, SECOND),
    ]
    .concat();
    let id = format!("eager-{},ts={}", switch.name, u8::from(l1_ts));
    let draft = images(id, switch)
        .l1(Insn::Raw(code), 0)
        .peek_field(world::VMCB, Field::EXITCODE)
        .value(exit::VMMCALL);
    switched_right(draft, switch)
}

/// L2 runs with TS set until it touches a register. In the end TS is set in L1, and
/// saving the registers, which could be anyone's, is #NM and writes nothing.
fn lazy(switch: &Switch, l1_ts: bool) -> Draft {
    let ts: &[u8] = if l1_ts { SET_TS } else { &[] };
    let first = [&move_ymm7(LOAD_YMM7, 0)[..], ts, &vmrun(), CLTS].concat();
    let second = [
        &move_ymm7(LOAD_YMM7, 0)[..],
        ALL,
        switch.save_l1,
        switch.load_l2,
        Code::at(0).mov_eax(world::VMCB).bytes(),
        &VMCB_CLTS,
        ts,
        &vmrun(),
        CLTS,
        ALL,
        switch.save_l2,
        switch.load_l1,
        &move_ymm7(STORE_YMM7, SECOND),
        SET_TS,
    ]
    .concat();
    let id = format!("lazy-{},ts={}", switch.name, u8::from(l1_ts));
    let draft = images(id, switch)
        .also(Field::CR0, cr0::TS)
        .intercept(exit::EXCP + u64::from(NM))
        .l1(Insn::Raw(first), 0)
        .peek_field(world::VMCB, Field::EXITCODE)
        .value(exit::EXCP + u64::from(NM))
        .peek_field(world::VMCB, Field::RIP)
        .value(world::L2_CODE)
        .l1(Insn::Raw(second), 0)
        .peek_field(world::VMCB, Field::EXITCODE)
        .value(exit::VMMCALL);
    switched_right(draft, switch)
        .poke(L2_IMAGE + XMM7, 0)
        .l1(Insn::Raw(switch.save_l2.to_vec()), XCR0_ALL)
        .shows(fault(NM))
        .peek(L2_IMAGE + XMM7)
        .value(0)
        .l1(Insn::Raw(switch.load_l2.to_vec()), XCR0_ALL)
        .shows(fault(NM))
}

/// A control bit, and an instruction that it makes raise an exception.
struct Guard {
    name: &'static str,
    /// Bits of CR0 to be set, and of CR4 to be cleared.
    cr0: u64,
    cr4: u64,
    insn: &'static [u8],
    vector: u8,
}

const GUARDS: &[Guard] = &[
    Guard { name: "ts", cr0: cr0::TS, cr4: 0, insn: ADDPS, vector: NM },
    Guard { name: "ts-fwait", cr0: cr0::TS, cr4: 0, insn: FWAIT, vector: NM },
    Guard { name: "em", cr0: cr0::EM, cr4: 0, insn: ADDPS, vector: UD },
    Guard { name: "em-fnop", cr0: cr0::EM, cr4: 0, insn: FNOP, vector: NM },
    Guard { name: "osfxsr", cr0: 0, cr4: cr4::OSFXSR, insn: ADDPS, vector: UD },
    Guard { name: "osxsave", cr0: 0, cr4: cr4::OSXSAVE, insn: VADDPS, vector: UD },
];

/// A bit that one side alone has set is in force there, and there alone.
fn guarded() -> Vec<Draft> {
    let all = GUARDS.iter().flat_map(|g| [(g, true), (g, false)]);
    all.map(|(guard, in_l1)| {
        let of = |yes: bool| if yes { (guard.cr0, guard.cr4) } else { (0, 0) };
        let ((l1_cr0, l1_cr4), (l2_cr0, l2_cr4)) = (of(in_l1), of(!in_l1));
        let side = if in_l1 { "l1" } else { "l2" };
        let new = enabled(draft(format!("guard-{}-in-{side}-alone", guard.name)), 0)
            .program(&[Insn::Raw(guard.insn.to_vec())])
            .intercept(exit::EXCP + u64::from(guard.vector))
            .also(Field::CR0, l2_cr0)
            .clear(Field::CR4, l2_cr4)
            .step(Step::WriteCr(4, (world::L1_CR4 | cr4::OSXSAVE) & !l1_cr4))
            .step(Step::WriteCr(0, world::L1_CR0 | l1_cr0))
            .l1(Insn::Raw([&vmrun()[..], guard.insn].concat()), 0);
        let code = if in_l1 { exit::VMMCALL } else { exit::EXCP + u64::from(guard.vector) };
        let new = if in_l1 { new.shows(fault(guard.vector)) } else { new };
        new.peek_field(world::VMCB, Field::EXITCODE).value(code)
    })
    .collect()
}

/// Writes to the local APIC an SMI for this CPU, and waits for it.
const SMI: &[u8] = &[
    0x41, 0xb8, 0x00, 0x00, 0xe0, 0xfe, // MOV R8D, FEE00000h
    0x41, 0x8b, 0x48, 0x20, // MOV ECX, [R8 + 20h]
    0x41, 0x89, 0x88, 0x10, 0x03, 0, 0, // MOV [R8 + 310h], ECX
    0x41, 0xc7, 0x80, 0x00, 0x03, 0, 0, 0x00, 0x42, 0, 0, // MOV dword [R8 + 300h], 4200h
    0xb9, 16, 0, 0, 0, 0xff, 0xc9, 0x75, 0xfc, // MOV ECX, 16; DEC ECX; JNZ
];

/// RSM brings the bits back (10.3.3).
fn behind_rsm() -> Vec<Draft> {
    let all = GUARDS.iter().map(|guard| {
        enabled(draft(format!("guard-{}-behind-rsm", guard.name)), 0)
            .step(Step::WriteCr(4, (world::L1_CR4 | cr4::OSXSAVE) & !guard.cr4))
            .step(Step::WriteCr(0, world::L1_CR0 | guard.cr0))
            .l1(Insn::Raw([SMI, guard.insn].concat()), 0)
            .shows(Obs::L1Smi)
            .shows(fault(guard.vector))
    });
    all.collect()
}
