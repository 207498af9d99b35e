//! VMLOAD and VMSAVE in L1 and in the guest: every field, every operand that
//! faults, and their virtualisation.

use alloc::format;

use crate::Feature::VmloadVmsave;
use crate::arch::msr;
use crate::case::draft::{Draft, on};
use crate::case::{Insn, Step, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

/// Where cases save to: a page of the window.
const TARGET: u64 = world::DATA + 0x10_0000;

/// Every field that VMLOAD loads, with a value that reads back as it is.
const FIELDS: &[(Field, u64)] = &[
    (Field::FS_SELECTOR, 0x10),
    (Field::FS_ATTRIB, 0xc93),
    (Field::FS_LIMIT, 0x1_2fff),
    (Field::FS_BASE, 0x1111_2222_3000),
    (Field::GS_SELECTOR, 0x10),
    (Field::GS_ATTRIB, 0xc93),
    (Field::GS_LIMIT, 0x1_3fff),
    (Field::GS_BASE, 0xffff_9111_2222_3000),
    (Field::TR_SELECTOR, 0x18),
    (Field::TR_ATTRIB, 0x8b),
    (Field::TR_LIMIT, 0x2067),
    (Field::TR_BASE, 0xffff_8000_1234_5000),
    (Field::LDTR_SELECTOR, 0x30),
    (Field::LDTR_ATTRIB, 0x82),
    (Field::LDTR_LIMIT, 0x7fff),
    (Field::LDTR_BASE, 0x7654_3210_0000),
    (Field::KERNEL_GS_BASE, 0xffff_a000_0000_1000),
    (Field::STAR, 0x0023_0010_1234_5678),
    (Field::LSTAR, 0xffff_ffff_8100_0000),
    (Field::CSTAR, 0xffff_ffff_8200_0000),
    (Field::SFMASK, 0x4_7700),
    (Field::SYSENTER_CS, 0x10),
    (Field::SYSENTER_ESP, 0xffff_8000_1234_5678),
    (Field::SYSENTER_EIP, 0xffff_8000_8765_4321),
];

pub(crate) fn cases(out: &mut Cases) {
    round_trips(out);
    single_fields(out);
    operands(out);
    canonical(out);
    guest(out);
    virtualised(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(VmloadVmsave, format!("vmload/{}", id.as_ref()))
}

fn fill(draft: Draft, pa: u64, fields: &[(Field, u64)]) -> Draft {
    fields.iter().fold(draft, |draft, (field, value)| {
        let pa = pa + u64::from(field.offset());
        draft.step(Step::Mem { pa, width: field.width(), value: *value })
    })
}

fn look(draft: Draft, pa: u64) -> Draft {
    FIELDS.iter().fold(draft, |draft, (field, _)| {
        draft.step(Step::Peek { pa: pa + u64::from(field.offset()), width: field.width() })
    })
}

fn round_trips(out: &mut Cases) {
    let case = fill(draft("l1,round-trip"), world::VMCB2, FIELDS);
    out.push(look(case.l1(Insn::Vmload, world::VMCB2).l1(Insn::Vmsave, TARGET), TARGET).case());
    // VMSAVE writes nothing but its own fields.
    let case = fill(
        draft("l1,vmsave-alone"),
        TARGET,
        &[(Field::RIP, 0x1234), (Field::CR3, 0x5678), (Field::ES_BASE, 0x99)],
    );
    let case = case.l1(Insn::Vmsave, TARGET);
    let left = [Field::RIP, Field::CR3, Field::ES_BASE, Field::EXITCODE, Field::CS_ATTRIB];
    let case = left.iter().fold(case, |c, f| {
        c.step(Step::Peek { pa: TARGET + u64::from(f.offset()), width: f.width() })
    });
    out.push(case.case());
    // Over a world switch: VMRUN and #VMEXIT leave it all alone.
    let case = fill(draft("l1,over-vmrun"), world::VMCB2, FIELDS).l1(Insn::Vmload, world::VMCB2);
    out.push(look(case.run().l1(Insn::Vmsave, TARGET), TARGET).case());
    for (msr, field) in [
        (msr::STAR, Field::STAR),
        (msr::LSTAR, Field::LSTAR),
        (msr::CSTAR, Field::CSTAR),
        (msr::SFMASK, Field::SFMASK),
        (msr::KERNEL_GS_BASE, Field::KERNEL_GS_BASE),
        (msr::FS_BASE, Field::FS_BASE),
        (msr::GS_BASE, Field::GS_BASE),
        (0x174, Field::SYSENTER_CS),
        (0x175, Field::SYSENTER_ESP),
        (0x176, Field::SYSENTER_EIP),
    ] {
        let case = fill(draft(format!("l1,rdmsr-{field}")), world::VMCB2, FIELDS);
        out.push(case.l1(Insn::Vmload, world::VMCB2).step(Step::Rdmsr(msr)).case());
    }
}

fn single_fields(out: &mut Cases) {
    for (field, value) in FIELDS {
        let case = fill(draft(format!("l1,only-{field}")), world::VMCB2, &[(*field, *value)]);
        out.push(look(case.l1(Insn::Vmload, world::VMCB2).l1(Insn::Vmsave, TARGET), TARGET).case());
    }
    let selectors =
        [Field::FS_SELECTOR, Field::GS_SELECTOR, Field::TR_SELECTOR, Field::LDTR_SELECTOR];
    for field in selectors {
        for value in [0, 8, 0x2b, 0xffff] {
            let case =
                fill(draft(format!("l1,{field}={value:#x}")), world::VMCB2, &[(field, value)]);
            out.push(
                look(case.l1(Insn::Vmload, world::VMCB2).l1(Insn::Vmsave, TARGET), TARGET).case(),
            );
        }
    }
    let attributes = [Field::FS_ATTRIB, Field::GS_ATTRIB];
    for field in attributes {
        for value in [0, 0x93, 0x493, 0xc91, 0xcf3, 0xa9b, 0x293] {
            let case =
                fill(draft(format!("l1,{field}={value:#x}")), world::VMCB2, &[(field, value)]);
            out.push(
                look(case.l1(Insn::Vmload, world::VMCB2).l1(Insn::Vmsave, TARGET), TARGET).case(),
            );
        }
    }
}

fn operands(out: &mut Cases) {
    for (name, insn) in [("vmload", Insn::Vmload), ("vmsave", Insn::Vmsave)] {
        for bit in (0..12).chain(40..64) {
            let id = format!("l1,{name},bit={bit}");
            out.push(draft(id).l1(insn.clone(), world::VMCB2 | 1 << bit).case());
        }
    }
}

/// Bases beyond 48 bits are sign-extended.
fn canonical(out: &mut Cases) {
    for field in
        [Field::FS_BASE, Field::GS_BASE, Field::TR_BASE, Field::LDTR_BASE, Field::KERNEL_GS_BASE]
    {
        for value in [
            0x0000_8000_0000_0000,
            0x1234_7fff_ffff_f000,
            0x8000_0000_0000_1000,
            0xfffe_8000_0000_0000,
        ] {
            let case =
                fill(draft(format!("l1,{field}={value:#x}")), world::VMCB2, &[(field, value)]);
            out.push(
                look(case.l1(Insn::Vmload, world::VMCB2).l1(Insn::Vmsave, TARGET), TARGET).case(),
            );
        }
    }
}

/// In the guest: system-physical unless virtualised.
fn guest(out: &mut Cases) {
    for (name, insn, bit) in [("vmload", Insn::Vmload, 2), ("vmsave", Insn::Vmsave, 3)] {
        for mask in 0..16u64 {
            let flag = |n: u64| mask >> n & 1 == 1;
            let (intercepted, vls, nested, offered) = (flag(0), flag(1), flag(2), flag(3));
            let id = format!(
                "guest,{name},intercept={},enable={},nested={},vls={}",
                on(intercepted),
                on(vls),
                on(nested),
                on(offered)
            );
            let case = fill(draft(id), world::VMCB2, FIELDS)
                .program(&[Insn::Mov(0, world::VMCB2), insn.clone()]);
            let feature = [CpuFeature::VirtVmload];
            let case = if offered { case.needs(&feature) } else { case.without(&feature) };
            let case = if nested {
                case.needs(&[CpuFeature::Npt])
            } else {
                case.set(Field::NESTED_CTL, 0)
            };
            let case = case.set(Field::VIRT_EXT, u64::from(vls) << 1);
            let case = case.also(Field::INTERCEPT_MISC2, u64::from(intercepted) << bit);
            out.push(
                case.run()
                    .l1(Insn::Vmsave, TARGET)
                    .peek(TARGET + 0x620)
                    .peek(world::VMCB2 + 0x620)
                    .case(),
            );
        }
        for rax in [8, 0x801, 1 << 45, 1 << 60] {
            let case = draft(format!("guest,{name},rax={rax:#x}"))
                .program(&[Insn::Mov(0, rax), insn.clone()]);
            out.push(case.done());
        }
        out.push(
            draft(format!("guest,{name},cpl=3"))
                .user()
                .program(&[Insn::Mov(0, world::VMCB2), insn.clone()])
                .done(),
        );
    }
}

/// Virtualised, with nested tables that point elsewhere or forbid.
fn virtualised(out: &mut Cases) {
    let gpa = world::DATA + 0x20_0000 - 0x1000;
    let entry = world::npt::PT + 0x1ff * 8;
    let cases = [
        ("moved", TARGET | 0x67),
        ("absent", TARGET | 0x66),
        ("read-only", TARGET | 0x65),
        ("supervisor", TARGET | 0x63),
        ("not-dirty", TARGET | 0x07),
        ("reserved", TARGET | 0x67 | 1 << 51),
    ];
    for (what, value) in cases {
        for (name, insn) in [("vmload", Insn::Vmload), ("vmsave", Insn::Vmsave)] {
            let case = fill(draft(format!("vls,{name},{what}")), TARGET, FIELDS);
            let case = case.needs(&[CpuFeature::VirtVmload, CpuFeature::Npt]).poke(entry, value);
            let case = case.set(Field::VIRT_EXT, 2).program(&[Insn::Mov(0, gpa), insn]).run();
            out.push(
                case.peek(TARGET + 0x620).peek(entry).step(Step::Rdmsr(msr::KERNEL_GS_BASE)).case(),
            );
        }
    }
}
