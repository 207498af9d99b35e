//! Port I/O against the permission map: every port at the map's edges, every
//! size, every bit around.

use alloc::format;

use crate::Feature::Intercepts;
use crate::arch::intercept;
use crate::case::draft::{Draft, on};
use crate::case::{Insn, Step, world};
use crate::cases::Cases;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    ports(out);
    sizes(out);
    strings(out);
    privilege(out);
    for low in [1, 0x7e, 0xfff] {
        let case = draft(format!("base-low={low:#x}")).program(&[io(false, 1, 0x7e)]);
        let case = case
            .also(Field::INTERCEPT_MISC1, intercept::IOIO_PROT.mask())
            .set(Field::IOPM_BASE_PA, world::IOPM | low);
        out.push(bit(case, 0x7e).done());
    }
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Intercepts, format!("io/{}", id.as_ref()))
}

fn io(input: bool, size: u8, port: u16) -> Insn {
    if input { Insn::In { size, port } } else { Insn::Out { size, port } }
}

/// Sets one bit of the map.
fn bit(draft: Draft, port: u64) -> Draft {
    let byte = world::IOPM + port / 8;
    draft.step(Step::Mem { pa: byte, width: 1, value: 1 << (port % 8) })
}

/// The bit of a port itself, at ports whose bits lie at edges of bytes and pages.
fn ports(out: &mut Cases) {
    for port in [
        0x10, 0x17, 0x18, 0x7e, 0xe0, 0xfe, 0xff, 0x1f0, 0x2f9, 0x7fff, 0x8000, 0x8001, 0xfffe,
        0xffff,
    ] {
        for input in [false, true] {
            for set in [false, true] {
                let name = if input { "in" } else { "out" };
                let id = format!("{name},port={port:#x},bit={}", on(set));
                if input && !set {
                    continue;
                }
                let case = draft(id)
                    .program(&[io(input, 1, port)])
                    .also(Field::INTERCEPT_MISC1, intercept::IOIO_PROT.mask());
                out.push(if set { bit(case, port.into()) } else { case }.done());
            }
            let name = if input { "in" } else { "out" };
            let case =
                draft(format!("{name},port={port:#x},no-prot")).program(&[io(false, 1, 0x7e)]);
            if !input {
                out.push(bit(case.program(&[io(input, 1, 0x7e)]), 0x7e).done());
            }
        }
    }
}

/// Each size, with one bit set from one below the port to four above it.
fn sizes(out: &mut Cases) {
    for port in [0x7eu16, 0x1ffd, 0x2f7, 0x7ffe, 0xfffc, 0xfffd, 0xfffe, 0xffff] {
        for size in [1u8, 2, 4] {
            for offset in -1i64..5 {
                for input in [false, true] {
                    let at = (i64::from(port) + offset) as u64;
                    let hit = offset >= 0 && offset < i64::from(size);
                    if input && !hit {
                        continue;
                    }
                    let name = if input { "in" } else { "out" };
                    let id = format!("{name},port={port:#x},size={size},offset={offset}");
                    let case = draft(id).program(&[io(input, size, port)]);
                    out.push(
                        bit(case.also(Field::INTERCEPT_MISC1, intercept::IOIO_PROT.mask()), at)
                            .done(),
                    );
                }
            }
        }
    }
}

fn strings(out: &mut Cases) {
    for port in [0x7eu16, 0x2f8, 0xffff] {
        for size in [1u8, 2, 4] {
            for input in [false, true] {
                for count in [None, Some(1), Some(7)] {
                    let name = if input { "ins" } else { "outs" };
                    let rep = count.map_or(0, |n| n);
                    let id = format!("{name},port={port:#x},size={size},rep={rep}");
                    let insn = Insn::StringIo { input, size, port, count };
                    let case = draft(id)
                        .program(&[insn])
                        .also(Field::INTERCEPT_MISC1, intercept::IOIO_PROT.mask());
                    out.push(bit(case, port.into()).done());
                }
            }
        }
    }
}

/// IOPL against CPL, before the map is asked.
fn privilege(out: &mut Cases) {
    for iopl in 0..4u64 {
        for set in [false, true] {
            let id = format!("cpl=3,iopl={iopl},bit={}", on(set));
            let case = draft(id).user().program(&[io(false, 1, 0x7e)]);
            let case = case.set(Field::RFLAGS, 2 | iopl << 12);
            let case = case.also(Field::INTERCEPT_MISC1, intercept::IOIO_PROT.mask());
            out.push(if set { bit(case, 0x7e) } else { case }.done());
        }
    }
    // The same with a task-state segment that has no I/O map, or one with the port's bit set.
    let base = (world::L2_TSS + 0x66, 2, 0x68);
    let byte = (world::L2_TSS + 0x7e / 8, 1, 1 << (0x7e % 8));
    for (name, (pa, width, value)) in [("none", base), ("set", byte)] {
        for iopl in [0u64, 3] {
            for set in [false, true] {
                let id = format!("cpl=3,iopl={iopl},bit={},tss-map={name}", on(set));
                let case = draft(id).user().program(&[io(false, 1, 0x7e)]);
                let case = case.set(Field::RFLAGS, 2 | iopl << 12);
                let case = case.step(Step::Mem { pa, width, value });
                let case = case.also(Field::INTERCEPT_MISC1, intercept::IOIO_PROT.mask());
                out.push(if set { bit(case, 0x7e) } else { case }.done());
            }
        }
    }
}
