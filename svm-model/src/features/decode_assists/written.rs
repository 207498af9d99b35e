//! Decode assists on a CPU without them.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::DecodeAssists;
use crate::case::{Draft, Insn, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::rules::RuleId;
use crate::vmcb::{Field, exit};

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
    ]
}
