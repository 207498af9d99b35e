//! A far CALL from CPL 3 through a gate to CPL 0: the stack comes from the TSS as for an
//! event, and nothing is being delivered.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::tables::{self, CALL_GATE, Shape, handler};
use crate::Feature::Intercepts;
use crate::case::{About, Draft, Insn, world};
use crate::vmcb::{Field, exit};

/// Where it leads: no event has that vector here.
const TO: u8 = 1;
/// RCX points to the far pointer, in 64-bit mode.
const POINTER: u64 = world::gpr(1);

pub(super) fn cases() -> Vec<Draft> {
    let mut all = Vec::new();
    for shape in [Shape::Legacy, Shape::Long] {
        all.push(
            draft("good", shape, shape.code())
                .run()
                .exits(exit::VMMCALL)
                .field(Field::RIP, handler(TO))
                .field(Field::RSP, tables::INNER - 4 * WORD[shape as usize])
                .field(Field::CPL, 0),
        );
        for stack in tables::STACKS {
            if !stack.shapes.contains(&shape) || stack.tss.ist != 0 {
                continue;
            }
            let new = tables::with_tss(draft(stack.name, shape, shape.code()), shape, &stack.tss);
            all.push(raises(new, stack.raises, stack.selector));
        }
        let absent = [tables::CODE_ABSENT, tables::CODE64_ABSENT][shape as usize];
        all.push(raises(draft("cs-absent", shape, absent), super::NP, absent));
        all.push(raises(draft("cs-is-data", shape, tables::DATA0), super::GP, tables::DATA0));
        all.push(raises(draft("null-cs", shape, 0), super::GP, 0));
    }
    all
}

const WORD: [u64; 2] = [4, 8];

fn draft(id: &str, shape: Shape, to: u16) -> Draft {
    let selector = CALL_GATE as u8;
    let call = match shape {
        // CALL far, an immediate pointer.
        Shape::Legacy => vec![0x9a, 0, 0, 0, 0, selector, 0],
        // CALL far [RCX].
        Shape::Long => vec![0xff, 0x19],
    };
    let new = Draft::new(Intercepts, format!("gates/{}-call-{id}", shape.name()))
        .about(About::Section("8.2.11"))
        .program(&[Insn::Raw(call)])
        .poke(POINTER, u64::from(selector) << 32)
        .poke(handler(TO), 0x00d9_010f);
    let new = tables::call_gate(tables::laid_out(new, shape), shape, to, handler(TO));
    shape.mode().enter(new, world::L2_CODE, true)
}

fn raises(draft: Draft, vector: u8, selector: u16) -> Draft {
    let code = exit::EXCP + u64::from(vector);
    draft.intercept(code).run().exits(code).at(0).field(Field::EXITINFO1, selector.into())
}
