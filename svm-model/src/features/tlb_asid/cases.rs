//! ASIDs and TLB control: what each flush must make visible.

use alloc::format;

use crate::Feature::TlbAsid;
use crate::case::draft::Draft;
use crate::case::{Insn, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

const PAGE: u64 = world::DATA + 0xf000;
const OTHER: u64 = world::DATA + 0x1_0000;

pub(crate) fn cases(out: &mut Cases) {
    flushes(out);
    asids(out);
    invlpga(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(TlbAsid, format!("tlb/{}", id.as_ref()))
}

/// Two runs that read one page, its mapping changed between them.
fn remapped(draft: Draft, at: u64, between: impl Fn(Draft) -> Draft) -> Draft {
    let case = draft.poke(PAGE, 0x1111).poke(OTHER, 0x2222).program(&[Insn::Load(0, PAGE)]).run();
    let case = case.poke(at, OTHER | 0x67).set(Field::RIP, world::L2_CODE);
    between(case).run()
}

fn flushes(out: &mut Cases) {
    for (name, at) in [("nested", world::npt::PT + 0xf * 8), ("guest", world::l2pt::PT + 0xf * 8)] {
        // All, a reserved encoding, the guest's, and the guest's that are not global.
        for tlb in [1u64, 2, 3, 7] {
            let case = draft(format!("{name},control={tlb}")).needs(&[CpuFeature::Npt]);
            let case = if tlb < 3 { case } else { case.needs(&[CpuFeature::FlushByAsid]) };
            out.push(remapped(case, at, |c| c.set(Field::TLB_CONTROL, tlb)).case());
        }
        // Another ASID, no flush asked for.
        let case = draft(format!("{name},new-asid")).needs(&[CpuFeature::Npt]);
        out.push(
            remapped(case, at, |c| c.set(Field::TLB_CONTROL, 0).set(Field::GUEST_ASID, 9)).case(),
        );
    }
    for tlb in [3, 7] {
        for offered in [false, true] {
            let id = format!("control={tlb},offered={}", crate::case::draft::on(offered));
            let feature = [CpuFeature::FlushByAsid];
            let case =
                if offered { draft(id).needs(&feature) } else { draft(id).without(&feature) };
            out.push(case.set(Field::TLB_CONTROL, tlb).done());
        }
    }
}

fn asids(out: &mut Cases) {
    // The host's own translations are not the guest's.
    for asid in [1, 5, 15] {
        let case = draft(format!("host-unharmed,asid={asid}")).set(Field::GUEST_ASID, asid);
        let case = case.poke(PAGE, 0x3333).poke(world::l2pt::PT + 0xf * 8, OTHER | 0x67);
        let case = case.program(&[Insn::Load(0, PAGE)]).run();
        out.push(case.peek(PAGE).peek(OTHER).case());
    }
}

fn invlpga(out: &mut Cases) {
    for asid in [0u64, 1, 2, 0xffff_ffff] {
        for address in [0, PAGE, 0x7fff_ffff_f000, 1 << 50, u64::MAX] {
            let id = format!("invlpga,asid={asid:#x},address={address:#x}");
            let program = [Insn::Mov(0, address), Insn::Mov(1, asid), Insn::Invlpga, Insn::Nop];
            out.push(draft(id).program(&program).done());
        }
    }
    // The mapping is changed and dropped by the host: the guest sees the new one.
    let at = world::l2pt::PT + 0xf * 8;
    let case = remapped(draft("invlpga,host"), at, |c| {
        c.set(Field::TLB_CONTROL, 1).l1(Insn::Invlpga, PAGE)
    });
    out.push(case.case());
}
