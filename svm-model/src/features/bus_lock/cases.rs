//! The bus lock threshold: every small count against every number of bus locks,
//! and what is one.

use alloc::format;
use alloc::vec;

use crate::Feature::BusLock;
use crate::arch::intercept;
use crate::case::draft::{Draft, on};
use crate::case::{Insn, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

/// Four bytes before the end of a cache line.
const SPLIT: u64 = world::DATA + 0x13c;

fn draft(id: &str, enabled: bool, offered: bool) -> Draft {
    let id = format!("bus-lock/{id},enable={},threshold={}", on(enabled), on(offered));
    let feature = [CpuFeature::BusLockThreshold];
    let enable = if enabled { intercept::BUS_LOCK.mask() } else { 0 };
    let draft = Draft::new(BusLock, id).set(Field::INTERCEPT_MISC3, enable);
    if offered { draft.needs(&feature) } else { draft.without(&feature) }
}

pub(crate) fn cases(out: &mut Cases) {
    for enabled in [false, true] {
        for offered in [false, true] {
            for count in [0u64, 1, 2, 3, 0xffff] {
                for locks in [0usize, 1, 2, 3, 5] {
                    let id = format!("count={count},locks={locks}");
                    let case = draft(&id, enabled, offered);
                    let case = case.program(&vec![Insn::LockNot(SPLIT); locks]);
                    let case = case.set(Field::BUS_LOCK_THRESHOLD, count).run();
                    out.push(case.peek(SPLIT).case());
                }
            }
        }
    }
    places(out);
    what_goes_on(out);
}

/// Where in its line the access is, and whether it is locked.
fn places(out: &mut Cases) {
    for offset in (0..0x48).chain([0xff0, 0xff7, 0xff8]) {
        let at = world::DATA + 0x2000 + offset;
        for insn in [Insn::LockNot(at), Insn::Xchg(at), Insn::Store(at)] {
            let name = match insn {
                Insn::LockNot(_) => "lock",
                Insn::Xchg(_) => "xchg",
                _ => "store",
            };
            let case = draft(&format!("{name},offset={offset:#x}"), true, true);
            out.push(case.program(&[insn, Insn::Nop]).run().peek(at).case());
        }
    }
}

fn what_goes_on(out: &mut Cases) {
    let locks = vec![Insn::LockNot(SPLIT); 4];
    let counted = |id: &str, count: u64| {
        draft(id, true, true).program(&locks).set(Field::BUS_LOCK_THRESHOLD, count)
    };
    // Entered again, the guest has what is left, and exits at the same place.
    out.push(counted("again", 2).run().run().peek(SPLIT).case());
    // One more, as L1 would grant it.
    let one_more = counted("one-more", 2).run().set(Field::BUS_LOCK_THRESHOLD, 1);
    out.push(one_more.run().peek(SPLIT).case());
    // Another exit in between saves what is left.
    let program = [Insn::LockNot(SPLIT), Insn::Cpuid, Insn::LockNot(SPLIT)];
    let between = draft("between", true, true).program(&program);
    let between = between.set(Field::BUS_LOCK_THRESHOLD, 7);
    out.push(between.also(Field::INTERCEPT_MISC1, intercept::CPUID.mask()).done());
    let user = counted("cpl=3", 1).user();
    out.push(user.done());
    // XCHG that exits has exchanged nothing.
    let program = [Insn::Mov(0, 0x1234), Insn::Xchg(SPLIT)];
    let xchg = draft("xchg-exits", true, true).program(&program);
    out.push(xchg.run().peek(SPLIT).case());
}
