//! Table 15-7: which exceptions come before an intercept. The rows that the other
//! files do not have.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::{Debug, Intercepts};
use crate::arch::{cr4, dr};
use crate::case::mode::Mode;
use crate::case::{Draft, Event, Insn, world};
use crate::cpu::CpuFeature;
use crate::outcome::Obs;
use crate::rules as r;
use crate::rules::RuleId;
use crate::vmcb::{Field, exit};

const RCX: u8 = 1;
const DB: u64 = exit::EXCP + 1;
const PAGE: u64 = world::DATA + 0xf000;
const OWN_ENTRY: u64 = world::l2pt::PT + 0xf * 8;
const NESTED_ENTRY: u64 = world::npt::PT + 0xf * 8;

fn draft(id: impl AsRef<str>, about: RuleId) -> Draft {
    Draft::new(Intercepts, format!("priority/{}", id.as_ref())).about(about)
}

pub(crate) fn cases() -> Vec<Draft> {
    [rdpmc(), general_detect(), monitor(), smi(), virtual_8086()].concat()
}

/// All exceptions come first: there are four counters.
fn rdpmc() -> Vec<Draft> {
    let read = |id: String, ecx: u64| {
        draft(id, r::intercepts::RDPMC_COUNTER_FIRST)
            .program(&[Insn::Mov(RCX, ecx), Insn::Rdpmc])
            .intercept(exit::RDPMC)
    };
    let mut cases = Vec::new();
    for ecx in [4u64, 5, 0x1000, 0x4000_0000, 0xffff_ffff] {
        let id = |name: &str| format!("rdpmc,{name},ecx={ecx:#x}");
        let at = world::L2_CODE + 10;
        cases.push(read(id("intercepted"), ecx).run().takes(13, 0, at));
        cases.push(
            read(id("cpl-3"), ecx)
                .user()
                .set(Field::CR4, cr4::PAE | cr4::PCE)
                .run()
                .takes(13, 0, at),
        );
    }
    for ecx in [0u64, 3, 1 << 32] {
        let d = read(format!("rdpmc,exits,ecx={ecx:#x}"), ecx).about(r::intercepts::RDPMC);
        cases.push(d.run().exits(exit::RDPMC).at(1));
    }
    cases
}

/// #DB for DR7.GD is an exception of MOV DRn.
fn general_detect() -> Vec<Draft> {
    let accesses = [
        ("read", Insn::ReadDr(0, 0), exit::DR_READ),
        ("read-dr7", Insn::ReadDr(7, 0), exit::DR_READ + 7),
        ("write", Insn::WriteDr(3, 0), exit::DR_WRITE + 3),
        ("write-dr7", Insn::WriteDr(7, 2), exit::DR_WRITE + 7),
    ];
    let mut cases = Vec::new();
    for (name, insn, code) in accesses {
        let detected = |id: &str| {
            Draft::new(Debug, format!("priority/gd,{name}{id}"))
                .about([r::debug::GD, r::debug::GD_FIRST])
                .program(&[Insn::Mov(2, 0), insn.clone()])
                .set(Field::RAX, dr::DR7_ONES)
                .set(Field::DR7, dr::DR7_ONES | dr::DR7_GD)
                .intercept(code)
        };
        let at = world::L2_CODE + 10;
        cases.push(detected("").run().takes(1, 0, at).field(Field::DR6, dr::DR6_ONES | dr::DR6_BD));
        let both = detected(",db-intercepted").intercept(DB).run().exits(DB);
        cases.push(both.field(Field::RIP, at).field(Field::DR6, dr::DR6_ONES | dr::DR6_BD));
    }
    cases
}

/// MONITOR loads a byte, as far as exceptions go.
fn monitor() -> Vec<Draft> {
    let looks = |id: &str, rax: u64| {
        draft(format!("monitor,{id}"), r::intercepts::MONITOR_MEMORY_FIRST)
            .needs(&[CpuFeature::Monitor])
            .program(&[Insn::Mov(RCX, 0), Insn::Mov(2, 0), Insn::Mov(0, rax), Insn::Monitor])
    };
    let at = world::L2_CODE + 30;
    let mut cases = Vec::new();
    for intercepted in [true, false] {
        let d = |id: &str, rax: u64| {
            let id = format!("{id}{}", if intercepted { ",intercepted" } else { "" });
            let d = looks(&id, rax);
            if intercepted { d.intercept(exit::MONITOR) } else { d }
        };
        cases.push(d("page-fault", PAGE).poke(OWN_ENTRY, 0).run().takes(14, 0, at));
        cases.push(d("not-canonical", 1 << 63).run().takes(13, 0, at));
        cases.push(
            d("nested-page-fault", PAGE)
                .needs(&[CpuFeature::Npt])
                .poke(NESTED_ENTRY, 0)
                .run()
                .exits(exit::NPF)
                .field(Field::RIP, at)
                .field(Field::EXITINFO2, PAGE),
        );
    }
    cases
}

/// SVM's instructions are #UD where protected mode's are not known, and not #GP for the CPL.
fn virtual_8086() -> Vec<Draft> {
    let rows = [
        ("vmrun", Insn::Vmrun, exit::VMRUN),
        ("vmload", Insn::Vmload, exit::VMLOAD),
        ("vmsave", Insn::Vmsave, exit::VMSAVE),
        ("stgi", Insn::Stgi, exit::STGI),
        ("clgi", Insn::Clgi, exit::CLGI),
        ("invlpga", Insn::Invlpga, exit::INVLPGA),
    ];
    const UD: u64 = exit::EXCP + 6;
    const GP: u64 = exit::EXCP + 13;
    rows.map(|(name, insn, code)| {
        let d = draft(format!("virtual-8086,{name}"), r::intercepts::PROTECTED_FIRST);
        let d = d.program(&[insn]).set(Field::RAX, world::VMCB2);
        let d = Mode::Virtual8086.enter(d, world::L2_CODE, false);
        d.intercept(code).intercept(UD).intercept(GP).run().exits(UD).field(Field::RIP, 0)
    })
    .into()
}

/// EXITINFO1 of an SMI that comes from outside (15.13.3).
fn smi() -> Vec<Draft> {
    vec![
        Draft::new(Intercepts, "priority/smi-is-external")
            .about([r::physical::SMI_EXTERNAL, r::physical::SMI])
            .program(&[Insn::Nop])
            .clgi()
            .raise(Event::Smi)
            .intercept(exit::SMI)
            .run()
            .exits(exit::SMI)
            .at(0)
            .field(Field::EXITINFO1, 1)
            .stgi()
            .shows(Obs::L1Smi),
    ]
}
