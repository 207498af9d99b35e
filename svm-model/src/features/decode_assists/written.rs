//! The bytes of instructions that fault on their stack, and decode assists on a CPU without
//! them.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::DecodeAssists;
use crate::case::listing::{CALL_FAR_RCX, ENTER_16, LEAVE, POP_RAX, PUSH_RAX, raw};
use crate::case::{Draft, Insn, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::rules::RuleId;
use crate::vmcb::{Field, exit};

/// A page of the window, and its nested entry.
const PAGE: u64 = world::DATA + 0x5000;
const NESTED_ENTRY: u64 = world::npt::PT + 5 * 8;

/// What they would say is not said.
pub(crate) fn cases() -> Vec<Draft> {
    let off = |id: &str, rule: RuleId, insn: Insn, code: u64| {
        Draft::new(DecodeAssists, format!("feature-off/decodeassists-{id}"))
            .about(rule)
            .without(&[CpuFeature::DecodeAssists])
            .program(&[insn])
            .intercept(code)
            .run()
            .exits(code)
            .at(0)
            .field(Field::EXITINFO1, 0)
    };
    vec![
        off("mov-cr", r::decode_assists::CR_GPR, Insn::ReadCr(3, 8), exit::CR_READ + 3),
        off("mov-dr", r::decode_assists::DR_GPR, Insn::ReadDr(3, 2), exit::DR_READ + 3),
        off("int-n", r::decode_assists::SWINT, Insn::Int(0x80), exit::SWINT),
        off("invlpg", r::decode_assists::INVLPG, Insn::Invlpg(world::DATA), exit::INVLPG),
        Draft::new(DecodeAssists, "feature-off/decodeassists-npf")
            .about(r::npt::PRESENT)
            .needs(&[CpuFeature::Npt])
            .without(&[CpuFeature::DecodeAssists])
            .program(&[Insn::Load(0, PAGE)])
            .poke(NESTED_ENTRY, 0)
            .set(Field::INSN_LEN, 0)
            .run()
            .exits(exit::NPF)
            .at(0)
            .field(Field::INSN_LEN, 0),
    ]
}

/// Instructions that use the stack without naming it.
pub(crate) fn stacks() -> Vec<Draft> {
    const NOPS: [Insn; 16] = [const { Insn::Nop }; 16];
    const RBP_PAGE: u64 = world::gpr(5);
    let faults = |id: &str, bytes: &[u8]| {
        Draft::new(DecodeAssists, format!("decode-assists/bytes-{id}"))
            .about([r::decode_assists::BYTES, r::npt::PRESENT])
            .needs(&[CpuFeature::Npt, CpuFeature::DecodeAssists])
            .program(&[raw(bytes)])
            .program(&NOPS)
            .set(Field::RSP, PAGE + 0x800)
            .poke(NESTED_ENTRY, 0)
            .poke(world::npt::PT + (RBP_PAGE - world::DATA) / 0x1000 * 8, 0)
    };
    let exits = |draft: Draft, bytes: &[u8]| {
        let mut all = [0x90; 8];
        all[..bytes.len()].copy_from_slice(bytes);
        draft
            .run()
            .exits(exit::NPF)
            .at(0)
            .field(Field::INSN_LEN, 15)
            .field(Field::INSN_BYTES_0, u64::from_le_bytes(all))
    };
    let rows: [(&str, &[u8], u64); 5] = [
        ("enter", ENTER_16, PAGE + 0x7f8),
        ("leave", LEAVE, RBP_PAGE),
        ("far-call", CALL_FAR_RCX, PAGE + 0x7fc),
        ("push", PUSH_RAX, PAGE + 0x7f8),
        ("pop", POP_RAX, PAGE + 0x800),
    ];
    rows.into_iter()
        .map(|(id, bytes, at)| {
            let pointer = world::L2_CODE | u64::from(world::L2_CS) << 32;
            exits(faults(id, bytes).poke(world::gpr(1), pointer), bytes).field(Field::EXITINFO2, at)
        })
        .collect()
}
