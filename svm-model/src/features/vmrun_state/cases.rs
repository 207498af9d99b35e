//! What VMRUN loads, seen from inside the guest and in what #VMEXIT saves.

use alloc::format;

use crate::Feature::VmrunChecks;
use crate::arch::{cr0, msr};
use crate::case::draft::Draft;
use crate::case::{Insn, Step, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    fields(out);
    from_inside(out);
    segments(out);
    privilege(out);
    not_loaded(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(VmrunChecks, format!("vmrun-load/{}", id.as_ref()))
}

fn fields(out: &mut Cases) {
    for value in [0, 1, 0xffff_ffff, 0x8000_0000_0000_0000, u64::MAX, 0x1234_5678_9abc_def0] {
        for field in [Field::RAX, Field::CR2] {
            out.push(draft(format!("{field}={value:#x}")).set(field, value).done());
        }
    }
    for rsp in [0, 8, 0x7fff_ffff_fff8, !7] {
        out.push(draft(format!("rsp={rsp:#x}")).set(Field::RSP, rsp).done());
    }
    for bit in (0..22).filter(|b| !matches!(b, 8 | 17)) {
        let id = format!("rflags,bit={bit}");
        out.push(draft(id).set(Field::RFLAGS, 2 ^ (1 << bit)).done());
    }
    for limit in [0, 0x3f, 0xffff] {
        for base in [0, world::L2_GDT, 0xffff_8000_0000_0000, 0x7fff_ffff_f000, 1 << 63 | 0x1000] {
            let id = |t: &str| format!("{t},limit={limit:#x},base={base:#x}");
            let gdtr = [(Field::GDTR_LIMIT, limit), (Field::GDTR_BASE, base)];
            let idtr = [(Field::IDTR_LIMIT, limit), (Field::IDTR_BASE, base)];
            out.push(draft(id("gdtr")).set_all(&gdtr).done());
            out.push(draft(id("idtr")).set_all(&idtr).done());
        }
    }
    for offset in [0, 1, 3, 7, 0x10, 0xff] {
        let id = format!("rip,nops={offset}");
        let nops = alloc::vec![Insn::Nop; 0x100];
        out.push(draft(id).program(&nops).set(Field::RIP, world::L2_CODE + offset).done());
    }
}

fn from_inside(out: &mut Cases) {
    let et = draft("cr0-et-clear").program(&[Insn::ReadCr(0, 0)]);
    out.push(et.set(Field::CR0, world::L1_CR0 & !cr0::ET).done());
    for n in [0, 2, 3, 4, 8] {
        let case = draft(format!("read-cr{n}")).program(&[Insn::ReadCr(n, 0)]);
        out.push(case.set(Field::CR2, 0xdead_b000).set(Field::CR4, 0x6a0).done());
    }
    for n in [6, 7] {
        let case = draft(format!("read-dr{n}")).program(&[Insn::ReadDr(n, 0)]);
        out.push(case.set_all(&[(Field::DR6, 0xffff_4ff1), (Field::DR7, 0x700)]).done());
    }
    for (name, msr) in [("efer", msr::EFER), ("pat", 0x277)] {
        let case = draft(format!("rdmsr-{name}")).program(&[Insn::Rdmsr(msr)]);
        let case = case.set(Field::G_PAT, 0x0606_0606_0606_0606).set(Field::EFER, 0x1d01);
        out.push(case.done());
    }
    out.push(draft("sgdt").program(&[Insn::Sgdt, Insn::Load(0, world::SCRATCH)]).done());
    out.push(draft("sidt").program(&[Insn::Sidt, Insn::Load(0, world::SCRATCH)]).done());
    let flags = draft("pushf").program(&[Insn::Pushf, Insn::Load(0, world::L2_STACK - 8)]);
    out.push(flags.set(Field::RFLAGS, 0x0cd7).done());
}

fn segments(out: &mut Cases) {
    let groups = [
        ("es", Field::ES_SELECTOR, Field::ES_ATTRIB, Field::ES_LIMIT, Field::ES_BASE),
        ("ds", Field::DS_SELECTOR, Field::DS_ATTRIB, Field::DS_LIMIT, Field::DS_BASE),
        ("ss", Field::SS_SELECTOR, Field::SS_ATTRIB, Field::SS_LIMIT, Field::SS_BASE),
        ("cs", Field::CS_SELECTOR, Field::CS_ATTRIB, Field::CS_LIMIT, Field::CS_BASE),
    ];
    for (name, selector, attrib, limit, base) in groups {
        for value in [0x08, 0x10, 0x40, 0xfff8] {
            let id = format!("{name},selector={value:#x}");
            out.push(draft(id).set(selector, value).done());
        }
        for value in [0x1000, 0x1234_5000, 0x7fff_ffff_f000, 0xffff_8000_0000_0000] {
            out.push(draft(format!("{name},base={value:#x}")).set(base, value).done());
        }
        for value in [0x0000_8000_0000_0000, 0x1234_8000_0000_1000, 0x8000_0000_0000_0000] {
            out.push(draft(format!("{name},base={value:#x}")).set(base, value).done());
        }
        for value in [0xfff, 0xf_ffff] {
            out.push(draft(format!("{name},limit={value:#x}")).set(limit, value).done());
        }
        let attribs: &[u64] =
            if name == "cs" { &[0xa99, 0xa9b, 0xa9f] } else { &[0xc93, 0xc97, 0x493, 0x893] };
        for value in attribs {
            out.push(draft(format!("{name},attrib={value:#x}")).set(attrib, *value).done());
        }
    }
}

fn privilege(out: &mut Cases) {
    for cpl in 0..4 {
        // Real mode, code found through CS.
        let case = draft(format!("real-mode,cpl={cpl}")).set_all(&[
            (Field::EFER, 0x1000),
            (Field::CR0, 0x10),
            (Field::CR4, 0),
            (Field::CR3, 0),
            (Field::CS_ATTRIB, 0x09b),
            (Field::CS_BASE, world::L2_CODE),
            (Field::RIP, 0),
            (Field::CPL, cpl),
        ]);
        out.push(case.done());
    }
    for cpl in 0..4 {
        let case = draft(format!("v86,cpl={cpl}")).set_all(&[
            (Field::EFER, 0x1000),
            (Field::CR0, 0x11),
            (Field::CR4, 0),
            (Field::CR3, 0),
            (Field::RFLAGS, 0x2_0002),
            (Field::CS_ATTRIB, 0x0f3),
            (Field::CS_BASE, world::L2_CODE),
            (Field::RIP, 0),
            (Field::CPL, cpl),
        ]);
        out.push(case.done());
    }
    // Paged real mode: legacy tables of 4 MiB pages in the window.
    let tables = (0..4).fold(draft("paged-real-mode"), |case, n| {
        case.poke(world::DATA + 8 * n, (2 * n) << 22 | 0xe7 | ((2 * n + 1) << 22 | 0xe7) << 32)
    });
    let paged = tables.set_all(&[
        (Field::EFER, 0x1000),
        (Field::CR0, 0x8001_0010),
        (Field::CR4, 0x10),
        (Field::CR3, world::DATA),
        (Field::CS_ATTRIB, 0x09b),
        (Field::CS_BASE, world::L2_CODE),
        (Field::RIP, 0),
    ]);
    out.push(paged.done());
    for insn in [Insn::Ud2, Insn::Hlt, Insn::Invd, Insn::Nop] {
        let name = format!("{insn:?}").to_lowercase();
        out.push(draft(format!("cpl=3,{name}")).user().program(&[insn]).done());
    }
    // The CPL field alone decides, not the selectors.
    let odd = draft("cpl-field").program(&[Insn::Invd, Insn::Nop]);
    out.push(odd.set(Field::CS_SELECTOR, world::L2_USER_CS.into()).done());
}

fn not_loaded(out: &mut Cases) {
    let hidden = [
        (msr::KERNEL_GS_BASE, Field::KERNEL_GS_BASE),
        (msr::STAR, Field::STAR),
        (msr::LSTAR, Field::LSTAR),
        (msr::CSTAR, Field::CSTAR),
        (msr::SFMASK, Field::SFMASK),
        (msr::FS_BASE, Field::FS_BASE),
        (msr::GS_BASE, Field::GS_BASE),
    ];
    for (msr, field) in hidden {
        let case = draft(format!("not-loaded,{field}")).set(field, 0x1234_5678);
        out.push(case.program(&[Insn::Rdmsr(msr)]).run().step(Step::Rdmsr(msr)).case());
        // What the guest writes stays with the host.
        let case = draft(format!("guest-writes,{field}"));
        let case = case.program(&[Insn::Wrmsr(msr, 0x5555_0000)]).run();
        out.push(case.step(Step::Rdmsr(msr)).case());
    }
    for (name, insn, field) in
        [("str", Insn::Str(0), Field::TR_SELECTOR), ("sldt", Insn::Sldt(0), Field::LDTR_SELECTOR)]
    {
        let case = draft(format!("not-loaded,{name}")).set(field, 0x40);
        out.push(case.program(&[insn]).done());
    }
    for n in 0..4 {
        let case =
            draft(format!("not-loaded,dr{n}")).step(Step::WriteDr(n, 0x1111 * (u64::from(n) + 1)));
        let case = case.program(&[Insn::ReadDr(n, 0), Insn::Mov(3, 0x77), Insn::WriteDr(n, 3)]);
        out.push(case.run().step(Step::ReadDr(n)).case());
    }
    let case = draft("gprs").program(&[Insn::Mov(1, 0x11), Insn::Mov(2, 0x22)]);
    out.push(case.needs(&[CpuFeature::Svm]).done());
}
