//! Two things wrong at once, and one thing wrong next to an event to inject or
//! an interrupt to take: the outcome must still be one VMEXIT_INVALID.

use alloc::format;

use crate::Feature::VmrunChecks;
use crate::case::draft::{Draft, baseline};
use crate::case::{Event, Insn, Step, world};
use crate::cases::Cases;
use crate::vmcb::Field;

/// One thing that VMRUN refuses.
const WRONG: &[(&str, Field, u64)] = &[
    ("intercept", Field::INTERCEPT_MISC2, 2),
    ("asid", Field::GUEST_ASID, 0),
    ("svme", Field::EFER, 0xd00),
    ("efer-mbz", Field::EFER, 0x1d00 | 1 << 40),
    ("cd-nw", Field::CR0, 0xa001_0033),
    ("cr0-high", Field::CR0, 0x1_8001_0033),
    ("cr3-mbz", Field::CR3, world::L2PT | 1 << 55),
    ("cr4-mbz", Field::CR4, 0x20 | 1 << 40),
    ("pae", Field::CR4, 0),
    ("dr6", Field::DR6, 1 << 32),
    ("dr7", Field::DR7, 1 << 32),
    ("msrpm", Field::MSRPM_BASE_PA, 0x000f_ffff_ffff_f000),
    ("iopm", Field::IOPM_BASE_PA, 0x000f_ffff_ffff_f000),
    ("l-d", Field::CS_ATTRIB, 0xe9b),
    ("inject-type", Field::EVENTINJ, 0x8000_0120),
    ("inject-vector", Field::EVENTINJ, 0x8000_0302),
    ("g-pat", Field::G_PAT, 2),
    ("n-cr3", Field::N_CR3, 1 << 60),
];

pub(crate) fn cases(out: &mut Cases) {
    for (n, first) in WRONG.iter().enumerate() {
        for second in &WRONG[n + 1..] {
            if first.1 != second.1 {
                let id = format!("{}+{}", first.0, second.0);
                out.push(wrong(wrong(draft(&id), first), second).done());
            }
        }
        beside(out, first);
    }
}

fn draft(id: &str) -> Draft {
    Draft::new(VmrunChecks, format!("vmrun-pairs/{id}"))
}

fn wrong(draft: Draft, (_, field, value): &(&str, Field, u64)) -> Draft {
    draft.set(*field, *value)
}

/// The refused VMRUN changes nothing else, and what is pending stays.
fn beside(out: &mut Cases, thing: &(&str, Field, u64)) {
    let (name, field, _) = thing;
    let case = |suffix: &str| wrong(draft(&format!("{name}+{suffix}")), thing);
    out.push(
        case("state")
            .set_all(&[(Field::RAX, 0x1234), (Field::RSP, 0x5678), (Field::CR2, 0x9abc)])
            .done(),
    );
    out.push(case("exitintinfo").set(Field::EXITINTINFO, 0x8000_0320).done());
    out.push(case("shadow").set(Field::INT_STATE, 1).done());
    out.push(case("v-irq").set(Field::INT_CTL, 0x0f0_0100).set(Field::INT_VECTOR, 0x40).done());
    if *field != Field::EVENTINJ {
        out.push(case("inject").set(Field::EVENTINJ, 0x8000_0020).done());
    }
    let interrupt = case("intr").step(Step::Raise(Event::Intr(0x50))).run();
    out.push(interrupt.stgi().step(Step::Window).case());
    // Put right again, the same VMCB runs.
    let again = case("again").run().set(*field, baseline(*field)).program(&[Insn::Nop]);
    out.push(again.run().case());
}
