//! Translations that a world has used, changed and dropped: what each flush must
//! make visible. What is not dropped may be used or not, so no case asks for it.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::TlbAsid;
use crate::arch::msr::EFER;
use crate::arch::{cr0, cr4, efer};
use crate::arch::{fault, pte};
use crate::case::listing::{WRPKRU, joined, raw};
use crate::case::{About, Draft, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::features::npt::written::{FULL, PAGE};
use crate::outcome::Obs;
use crate::rules as r;
use crate::vmcb::{Field, exit};

/// The page that takes the place of [`PAGE`].
const OTHER: u64 = world::DATA + 0x6000;
/// 2 MiB that take the place of the window, and the page in it.
const BIG: u64 = world::DATA + 0x20_0000;
const OTHER_BIG: u64 = BIG + (PAGE - world::DATA);
/// The second GiB, where nothing else is mapped.
const GIB: u64 = 1 << 30;
const OLD: u64 = 0x1111;
const NEW: u64 = 0x2222;

/// L2's CR0, CR4 and EFER in the baseline.
const CR0: u64 = 0x8001_0033;
const CR4: u64 = 0x20;
const L2_EFER: u64 = 0x1d00;

/// What flushes translations whether there is SVM or not: the model has no TLB, and no rule for it.
const FLUSHED: About = About::Section("15.16.1");

/// An entry of a table, before and after, and what a read that uses it then does.
struct Map {
    name: &'static str,
    nested_paging: bool,
    /// What L2 reads.
    va: u64,
    at: u64,
    before: u64,
    after: u64,
    then: Then,
}

enum Then {
    /// Reads [`NEW`].
    Reads,
    /// Finds no page in its own tables.
    Faults,
    /// Finds none in the nested tables.
    Exits,
}

fn maps() -> [Map; 9] {
    use world::{l2pt, npt};
    let large = FULL | pte::PS;
    let map = |name, nested_paging, va, (at, before, after), then| Map {
        name,
        nested_paging,
        va,
        at,
        before,
        after,
        then,
    };
    let small = |pt| (pt + 5 * 8, PAGE | FULL, OTHER | FULL);
    let middle = |pd| (pd + 5 * 8, world::DATA | large, BIG | large);
    let big = |pdpt| (pdpt + 8, large, 0);
    [
        map("guest-4k", true, PAGE, small(l2pt::PT), Then::Reads),
        map("guest-2m", true, PAGE, middle(l2pt::PD), Then::Reads),
        map("guest-1g", true, GIB | PAGE, big(l2pt::PDPT), Then::Faults),
        map("shadow-4k", false, PAGE, small(l2pt::PT), Then::Reads),
        map("shadow-2m", false, PAGE, middle(l2pt::PD), Then::Reads),
        map("shadow-1g", false, GIB | PAGE, big(l2pt::PDPT), Then::Faults),
        map("nested-4k", true, PAGE, small(npt::PT), Then::Reads),
        map("nested-2m", true, PAGE, middle(npt::PD), Then::Reads),
        map("nested-1g", true, PAGE, big(npt::PDPT), Then::Exits),
    ]
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(TlbAsid, format!("tlb/{}", id.as_ref()))
        .poke(PAGE, OLD)
        .poke(OTHER, NEW)
        .poke(OTHER_BIG, NEW)
}

pub(crate) fn cases() -> Vec<Draft> {
    [vmrun(), invlpga(), asids(), guest(), guest_permissions(), host()].concat()
}

impl Map {
    /// L2 has read through the entry, which then changes; L2 is to do it again.
    fn changed(&self, how: &str) -> Draft {
        let mut d = draft(format!("{},{how}", self.name))
            .program(&[Insn::Load(0, self.va)])
            .poke(self.at, self.before);
        if self.nested_paging {
            d = d.needs(&[CpuFeature::Npt]);
        } else {
            d = d.set(Field::NESTED_CTL, 0).set(Field::N_CR3, 0);
        }
        if !matches!(self.then, Then::Reads) {
            d = d.needs(&[CpuFeature::Pdpe1gb]);
        }
        if matches!(self.then, Then::Exits) {
            d = d.poke(world::l2pt::PT + 5 * 8, GIB | PAGE | FULL);
        }
        let d = d.run().ends().field(Field::RAX, OLD);
        again(d.poke(self.at, self.after))
    }

    /// L2 runs and must find the entry as it is now.
    fn seen(&self, d: Draft) -> Draft {
        let d = d.run();
        match self.then {
            Then::Reads => d.ends().field(Field::RAX, NEW),
            Then::Faults => {
                let rip = d.rip(0);
                d.takes(14, 0, rip).field(Field::CR2, self.va)
            }
            Then::Exits => d
                .exits(exit::NPF)
                .field(Field::EXITINFO1, fault::FINAL | fault::U)
                .field(Field::EXITINFO2, GIB | PAGE),
        }
    }
}

/// The program once more, with what the TLB holds.
fn again(d: Draft) -> Draft {
    d.set(Field::TLB_CONTROL, 0).set(Field::RIP, world::L2_CODE)
}

/// What VMRUN drops.
fn vmrun() -> Vec<Draft> {
    let mut cases = Vec::new();
    for map in &maps() {
        let changed = |how| map.changed(how);
        for (how, control) in [("control-1", 1), ("control-3", 3), ("control-7", 7)] {
            let d = if control == 1 {
                changed(how)
            } else {
                changed(how).needs(&[CpuFeature::FlushByAsid])
            };
            let rule = if control == 1 { r::tlb_asid::FLUSH_ALL } else { r::tlb_asid::FLUSH_ASID };
            cases.push(map.seen(d.about(rule).set(Field::TLB_CONTROL, control)));
        }
        cases.push(
            map.seen(changed("new-asid").about(r::tlb_asid::NEW_ASID).set(Field::GUEST_ASID, 2)),
        );
    }
    cases
}

/// MOV ECX, asid; INVLPGA.
fn invlpga_of(asid: u8) -> Insn {
    joined(&[Insn::Mov32(1, asid.into()), Insn::Invlpga])
}

/// What L1 drops for the guest, page by page; not for nested tables.
fn invlpga() -> Vec<Draft> {
    let maps = maps();
    let own = maps.iter().filter(|map| !map.name.starts_with("nested"));
    own.map(|map| {
        map.seen(map.changed("invlpga").about(r::tlb_asid::INVLPGA_OK).l1(invlpga_of(1), map.va))
    })
    .collect()
}

/// Guests that come and go.
fn asids() -> Vec<Draft> {
    let reads = |d: Draft, value| again(d).run().ends().field(Field::RAX, value);
    let mut cases = Vec::new();
    for map in &maps()[..] {
        let Then::Reads = map.then else { continue };
        // Unflushed, either will do; an ASID that is used again is flushed.
        let d = map
            .changed("asid-reused")
            .about(r::tlb_asid::FLUSH_ASID)
            .needs(&[CpuFeature::FlushByAsid]);
        let d = d.run().ends().field_open(Field::RAX);
        let d = reads(d.set(Field::GUEST_ASID, 2), NEW);
        let d =
            d.poke(map.at, map.before).set(Field::GUEST_ASID, 1).set(Field::RIP, world::L2_CODE);
        cases.push(d.set(Field::TLB_CONTROL, 3).run().ends().field(Field::RAX, OLD));
    }
    // Nested tables that differ in the window.
    const NPT2: u64 = world::DATA + 0x10_0000;
    let two = draft("two-guests")
        .about(r::tlb_asid::NEW_ASID)
        .needs(&[CpuFeature::Npt])
        .program(&[Insn::Load(0, PAGE)])
        .poke(NPT2, (NPT2 + 0x1000) | FULL)
        .poke(NPT2 + 0x1000, (NPT2 + 0x2000) | FULL)
        .poke(NPT2 + 0x2000 + 4 * 8, world::VMCB | FULL | pte::PS)
        .poke(NPT2 + 0x2000 + 5 * 8, BIG | FULL | pte::PS)
        .run()
        .ends()
        .field(Field::RAX, OLD);
    let two = reads(two.set(Field::GUEST_ASID, 2).set(Field::N_CR3, NPT2), NEW);
    let two = reads(two.set(Field::GUEST_ASID, 1).set(Field::N_CR3, world::NPT), OLD);
    cases.push(reads(two.set(Field::GUEST_ASID, 2).set(Field::N_CR3, NPT2), NEW));
    // A guest without nested paging between two runs of one with it.
    let off = draft("nested-off-between")
        .about(r::tlb_asid::NEW_ASID)
        .needs(&[CpuFeature::Npt])
        .program(&[Insn::Load(0, PAGE)])
        .poke(world::npt::PT + 5 * 8, OTHER | FULL)
        .run()
        .ends()
        .field(Field::RAX, NEW);
    let off = reads(off.set(Field::GUEST_ASID, 2).set(Field::NESTED_CTL, 0), OLD);
    cases.push(reads(off.set(Field::GUEST_ASID, 1).set(Field::NESTED_CTL, 1), NEW));
    cases
}

/// L2 changes an entry of its own tables and drops what came of the old one.
fn guest() -> Vec<Draft> {
    use world::l2pt;
    let small = (l2pt::PT + 5 * 8, OTHER | FULL);
    let middle = (l2pt::PD + 5 * 8, BIG | FULL | pte::PS);
    let case = |id: &str, (at, entry), flush: &[Insn]| {
        let change = [Insn::Load(0, PAGE), Insn::Mov(0, entry), Insn::Store(at)];
        let program = [&change[..], flush, &[Insn::Load(0, PAGE)]].concat();
        [true, false].map(|nested| {
            let name = format!("l2-{id}{}", if nested { "" } else { ",no-npt" });
            let d = draft(name).about(FLUSHED).program(&program);
            let d = if nested {
                d.needs(&[CpuFeature::Npt])
            } else {
                d.set(Field::NESTED_CTL, 0).set(Field::N_CR3, 0)
            };
            let d = if at == middle.0 { d.poke(at, world::DATA | FULL | pte::PS) } else { d };
            d.run().ends().field(Field::RAX, NEW)
        })
    };
    let cr4 = |bit| [Insn::Mov(0, CR4 | bit), Insn::WriteCr(4, 0)];
    [
        case("mov-cr3", small, &[Insn::ReadCr(3, 0), Insn::WriteCr(3, 0)]),
        case("mov-cr3-2m", middle, &[Insn::ReadCr(3, 0), Insn::WriteCr(3, 0)]),
        case("invlpg", small, &[Insn::Invlpg(PAGE)]),
        case("invlpg-2m", middle, &[Insn::Invlpg(PAGE)]),
        case("cr4-pge", small, &cr4(cr4::PGE)),
        case("cr4-pse", small, &cr4(cr4::PSE)),
    ]
    .concat()
}

/// L2, or L1 for it, changes what a page that has been used may be used for.
fn guest_permissions() -> Vec<Draft> {
    let entry = world::l2pt::PT + 5 * 8;
    let page_fault = exit::EXCP + 14;
    let wp = [
        Insn::Mov(0, CR0 & !cr0::WP),
        Insn::WriteCr(0, 0),
        Insn::Store(PAGE),
        Insn::Mov(0, CR0),
        Insn::WriteCr(0, 0),
        Insn::Store(PAGE),
    ];
    let wp = draft("l2-cr0-wp").about(FLUSHED).program(&wp).poke(entry, PAGE | FULL & !pte::W);
    let at = wp.rip(5);
    let wp = wp.run().takes(14, 3, at);

    // All of L2's pages are a user's, so the next instruction is not there.
    let smep = draft("l2-cr4-smep")
        .about(FLUSHED)
        .needs(&[CpuFeature::Smep])
        .program(&[Insn::Mov(0, CR4 | cr4::SMEP), Insn::WriteCr(4, 0), Insn::Nop])
        .intercept(page_fault)
        .run()
        .exits(page_fault)
        .at(2)
        .field(Field::EXITINFO1, 0x11);
    let smep_vmcb = draft("vmcb-cr4-smep")
        .about(r::vmrun_state::LOAD_CR4)
        .needs(&[CpuFeature::Smep])
        .program(&[Insn::Nop])
        .intercept(page_fault)
        .run()
        .ends();
    let smep_vmcb = again(smep_vmcb.set(Field::CR4, CR4 | cr4::SMEP))
        .run()
        .exits(page_fault)
        .at(0)
        .field(Field::EXITINFO1, 0x11);

    // Key 1 forbids every access; the page has it, and is a user's.
    let key = [Insn::Mov(0, 0xc), Insn::Mov(1, 0), Insn::Mov(2, 0), raw(WRPKRU)];
    let pke = [
        &key[..],
        &[Insn::Mov(0, CR4), Insn::WriteCr(4, 0), Insn::Load(0, PAGE)],
        &[Insn::Mov(0, CR4 | cr4::PKE), Insn::WriteCr(4, 0), Insn::Load(0, PAGE)],
    ];
    let pke = draft("l2-cr4-pke").about(FLUSHED).needs(&[CpuFeature::Pku]).program(&pke.concat());
    let at = pke.rip(9);
    let pke = pke
        .set(Field::CR4, CR4 | cr4::PKE)
        .poke(entry, PAGE | FULL | 1 << 59)
        .run()
        .takes(14, 0x21, at);

    // Without EFER.NXE the bit is reserved.
    let no_execute = PAGE | FULL | pte::NX;
    let off = Insn::Wrmsr(EFER, L2_EFER & !efer::NXE);
    let nxe = draft("l2-efer-nxe")
        .about(FLUSHED)
        .program(&[Insn::Load(0, PAGE), off, Insn::Load(0, PAGE)])
        .poke(entry, no_execute);
    let at = nxe.rip(2);
    let nxe = nxe.run().takes(14, 9, at);
    // In the nested tables it is the host's EFER that counts, with the next VMRUN.
    vec![wp, smep, smep_vmcb, pke, nxe]
}

/// L1's second GiB was mapped, and is no longer.
fn host() -> Vec<Draft> {
    const ENTRY: u64 = world::L1PT + 0x1000 + 8;
    // A page that no other of L1's is likely to push out of a TLB.
    const VA: u64 = GIB + 0x00fa_b000;
    let read = || Insn::Load(0, VA);
    let gone = |error| Obs::L1Exception { vector: 14, error: Some(error) };
    let case = |id: &str, about: About, entry, flush: &dyn Fn(Draft) -> Draft, error| {
        let d = draft(format!("l1-{id}")).about(about).needs(&[CpuFeature::Pdpe1gb]);
        let d = d.l1(read(), 0).poke(ENTRY, entry);
        flush(d).l1(read(), 0).shows(gone(error))
    };
    let pge = world::L1_CR4 | cr4::PGE;
    let all = |d: Draft| d.run().ends();
    let nx = draft("l1-efer-nxe")
        .about(FLUSHED)
        .needs(&[CpuFeature::Pdpe1gb])
        .poke(ENTRY, GIB | FULL | pte::PS | pte::NX)
        .l1(Insn::Invlpg(VA), 0)
        .l1(read(), 0)
        .step(Step::Wrmsr(EFER, world::L1_EFER & !efer::NXE))
        .l1(read(), 0)
        .shows(gone(9));
    vec![
        case("mov-cr3", FLUSHED, 0, &|d| d.step(Step::WriteCr(3, world::L1PT)), 0),
        case("invlpg", FLUSHED, 0, &|d| d.l1(Insn::Invlpg(VA), 0), 0),
        case("invlpga-0", r::tlb_asid::INVLPGA_OK.into(), 0, &|d| d.l1(invlpga_of(0), VA), 0),
        case("cr4-pge", FLUSHED, 0, &|d| d.step(Step::WriteCr(4, pge)), 0),
        case("vmrun-control-1", r::tlb_asid::FLUSH_ALL.into(), 0, &all, 0),
        nx,
    ]
}

/// TLB control and clean bits on a CPU that has not got them all.
pub(crate) fn off() -> Vec<Draft> {
    // Reserved, of which the manual says no more: the guest runs.
    let by_asid = |id: &str, control: u64| {
        Draft::new(TlbAsid, format!("feature-off/{id}"))
            .about(r::vmrun::TLB_CONTROL_RESERVED)
            .without(&[CpuFeature::FlushByAsid])
            .set(Field::TLB_CONTROL, control)
            .run()
            .ends()
            .field(Field::TLB_CONTROL, control)
    };
    vec![
        by_asid("flushbyasid-3", 3),
        by_asid("flushbyasid-7", 7),
        // Every field is read again, whatever the bits say.
        Draft::new(TlbAsid, "feature-off/vmcb-clean")
            .about(About::Section("15.15.1"))
            .without(&[CpuFeature::VmcbClean])
            .program(&[Insn::Cpuid])
            .run()
            .ends()
            .set(Field::RIP, world::L2_CODE)
            .set(Field::CLEAN, 0xffff_ffff)
            .intercept(exit::CPUID)
            .run()
            .exits(exit::CPUID)
            .at(0),
    ]
}
