//! A far jump to a task-state segment: with what selector and flags. They are of the family
//! `instructions`.

use alloc::format;

use crate::arch::intercept;
use crate::case::{Insn, world};
use crate::cases::Cases;
use crate::features::intercepts::cases::draft;
use crate::vmcb::Field;

/// A far jump to a task-state segment in protected mode without paging.
pub(crate) fn cases(out: &mut Cases) {
    for selector in [0x38u16, 0x3b] {
        for flags in [2u64, 0x1_0002] {
            let id = format!("task-switch,selector={selector:#x},rflags={flags:#x}");
            let case = draft(id).program(&[Insn::TaskJump(selector)]).set_all(&[
                (Field::EFER, 0x1000),
                (Field::CR0, 0x33),
                (Field::CR4, 0),
                (Field::CS_ATTRIB, 0xc9b),
                (Field::RFLAGS, flags),
            ]);
            // DPL 3, so that the jump may come with any RPL.
            let tss = 0x0000_e900_0000_0067 | (world::DATA & 0xff_ffff) << 16;
            let case = case.poke(world::L2_GDT + 0x38, tss);
            out.push(case.also(Field::INTERCEPT_MISC1, intercept::TASK_SWITCH.mask()).done());
        }
    }
}
