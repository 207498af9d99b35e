//! A task switch by IRET, which a back link in the task-state segment calls for.

use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Intercepts;
use crate::arch::{cr0, efer, flag};
use crate::case::listing::{IRETD, raw};
use crate::case::{About, Draft, Insn, world};
use crate::vmcb::{Field, exit};

/// The segment that is running, in L1's TR and the window.
const TSS: u64 = world::DATA + 0x2000;
/// The selector in its back link, of a busy task.
const LINK: u16 = 0x38;
/// Of EXITINFO2: the switch was made by IRET (15.14.1).
const BY_IRET: u64 = 1 << 36;

pub(crate) fn cases() -> Vec<Draft> {
    let tr = [
        (Field::TR_SELECTOR, u64::from(world::L2_TR)),
        (Field::TR_ATTRIB, 0x8b),
        (Field::TR_LIMIT, 0x67),
        (Field::TR_BASE, TSS),
    ];
    let draft = |id: &str| {
        let new = Draft::new(Intercepts, id)
            .about(About::Section("15.14.1"))
            .program(&[raw(IRETD)])
            .set(Field::EFER, efer::SVME)
            .set(Field::CR0, cr0::ET | cr0::PE)
            .set(Field::CR4, 0)
            .set(Field::CS_ATTRIB, 0xc9b)
            .set(Field::RFLAGS, flag::FIXED | flag::NT)
            .poke(TSS, LINK.into());
        let new = tr.iter().fold(new, |d, (f, v)| d.poke_field(world::VMCB2, *f, *v));
        new.l1(Insn::Vmload, world::VMCB2)
    };
    let busy = 0x0000_8b00_0000_0067 | (world::DATA & 0xff_ffff) << 16;
    let available = busy & !(2 << 40);
    let entry = world::L2_GDT + u64::from(LINK);
    const TS: u64 = exit::EXCP + 10;
    vec![
        draft("task-switch/iret")
            .poke(entry, busy)
            .intercept(exit::TASK_SWITCH)
            .run()
            .exits(exit::TASK_SWITCH)
            .at(0)
            .field(Field::EXITINFO1, LINK.into())
            .field(Field::EXITINFO2, BY_IRET),
        // Its own IRET intercept comes first.
        draft("task-switch/iret-intercepted")
            .poke(entry, busy)
            .intercept(exit::TASK_SWITCH)
            .intercept(exit::IRET)
            .run()
            .exits(exit::IRET)
            .at(0),
        // A task that is not busy is not one to return to.
        draft("task-switch/iret-not-busy")
            .poke(entry, available)
            .intercept(exit::TASK_SWITCH)
            .intercept(TS)
            .run()
            .exits(TS)
            .at(0)
            .field(Field::EXITINFO1, LINK.into()),
    ]
}
