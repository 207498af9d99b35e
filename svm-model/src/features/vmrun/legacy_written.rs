//! L1 outside long mode: VMRUN from protected mode with PAE paging, with 32-bit
//! paging and with none, and what #VMEXIT brings back there.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::{Msr, Npt, VmrunChecks};
use crate::arch::msr;
use crate::arch::{cr4, pte, vm_cr};
use crate::case::code::{CS32, Code, STACK32, cleared};
use crate::case::listing::{VMRUN_EAX, raw};
use crate::case::{About, Draft, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::features::npt::written::FULL;
use crate::outcome::Obs;
use crate::rules as r;
use crate::rules::RuleId;
use crate::vmcb::{Field, exit};

const CODE: u64 = world::DATA + 0x2_0000;
/// What the code has found, in doublewords.
const FOUND: u64 = world::DATA + 0x3_0000;
/// L1's tables: a PDPT and its page directory, or one of 32-bit paging.
const PDPT: u64 = world::DATA + 0x5_0000;
const PD: u64 = world::DATA + 0x5_1000;
const PD32: u64 = world::DATA + 0x5_2000;
/// Another page directory, with which the second GiB leads to [`OTHER`].
const PD_OTHER: u64 = world::DATA + 0x5_3000;
const OTHER: u64 = world::DATA + 0x20_0000;
const GIB: u64 = 1 << 30;
/// 2 MiB of the second GiB.
const WINDOW: u64 = GIB + 5 * 0x20_0000;
/// The world ends there.
const END: u64 = 0x100_0000;

/// OSFXSR, as in 64-bit mode, so that a #VMEXIT that forgets CR4 shows.
const CR4: u64 = 1 << 9;
const EFER: u64 = world::L1_EFER & !0x500;

/// What #VMEXIT brings back.
const HOST: [RuleId; 7] = [
    r::vmexit::HOST_RSP_RIP,
    r::vmexit::HOST_CR0,
    r::vmexit::HOST_CR3,
    r::vmexit::HOST_CR4,
    r::vmexit::HOST_EFER,
    r::vmexit::HOST_RFLAGS,
    r::vmexit::HOST_RAX,
];

/// How L1 pages.
#[derive(Clone, Copy)]
enum Paging {
    Pae,
    Legacy,
    None,
}

impl Paging {
    const ALL: [(&str, Paging); 3] =
        [("pae-l1", Paging::Pae), ("32-bit-l1", Paging::Legacy), ("unpaged-l1", Paging::None)];

    fn cr0(self) -> u64 {
        match self {
            Paging::None => world::L1_CR0 & !(1 << 31),
            _ => world::L1_CR0,
        }
    }

    fn cr3(self) -> u64 {
        match self {
            Paging::Pae => PDPT,
            Paging::Legacy => PD32,
            Paging::None => world::L1PT,
        }
    }

    fn cr4(self) -> u64 {
        match self {
            Paging::Pae => CR4 | cr4::PAE,
            Paging::Legacy => CR4 | cr4::PSE,
            Paging::None => world::L1_CR4,
        }
    }

    /// To where it is in force.
    fn enter(self) -> Code {
        let code = Code::at(CODE).leave_long_mode();
        match self {
            Paging::None => code,
            _ => code.page(self.cr3(), self.cr4()),
        }
    }

    /// The tables, one to one as far as the world goes.
    fn tables(self, draft: Draft) -> Draft {
        let draft = cleared(draft, FOUND, 0x38);
        match self {
            Paging::Pae => pae(draft, PDPT, PD),
            Paging::Legacy => legacy(draft, PD32),
            Paging::None => draft,
        }
    }
}

/// A PDPT and a page directory that map the world one to one, as L1's or nested ones.
fn pae(draft: Draft, pdpt: u64, pd: u64) -> Draft {
    let pages = (0..END).step_by(2 << 20).zip((pd..).step_by(8));
    pages.fold(draft.poke(pdpt, pd | 1), |d, (page, at)| d.poke(at, page | FULL | pte::PS))
}

fn legacy(draft: Draft, pd: u64) -> Draft {
    let pages = (0..END).step_by(4 << 20).zip((pd..).step_by(4));
    pages.fold(draft, |d, (page, at)| {
        d.step(Step::Mem { pa: at, width: 4, value: page | FULL | pte::PS })
    })
}

/// L2 without nested paging, in 64-bit mode, with segments that a #VMEXIT must not leave.
fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(VmrunChecks, format!("legacy/{}", id.as_ref()))
        .set(Field::NESTED_CTL, 0)
        .set(Field::N_CR3, 0)
        .set(Field::SS_ATTRIB, 0x93)
        .set(Field::SS_LIMIT, 0xfff)
        .set(Field::DS_ATTRIB, 0x93)
        .set(Field::DS_LIMIT, 0xfff)
        .set(Field::ES_SELECTOR, 0)
}

/// Writes down L1's registers.
fn registers(code: Code) -> Code {
    let code = code.store_eax(FOUND); // EAX, which is the VMCB's address again
    let code = [0, 3, 4]
        .iter()
        .zip(1..)
        .fold(code, |code, (&n, place)| code.read_cr(n).store_eax(FOUND + 4 * place));
    code.read_efer()
        .store_eax(FOUND + 0x10)
        // PUSHF, with what SS then is; POP EAX.
        .put(&[0x9c, 0x58])
        .store_eax(FOUND + 0x14)
        // MOV EAX, CS; SS; DS; ES.
        .put(&[0x8c, 0xc8])
        .store_eax(FOUND + 0x18)
        .put(&[0x8c, 0xd0])
        .store_eax(FOUND + 0x1c)
        .put(&[0x8c, 0xd8])
        .store_eax(FOUND + 0x20)
        .put(&[0x8c, 0xc0])
        .store_eax(FOUND + 0x24)
        // MOV EAX, ESP.
        .put(&[0x89, 0xe0])
        .store_eax(FOUND + 0x28)
}

/// What [`registers`] must have found.
fn found(draft: Draft, paging: Paging) -> Draft {
    let data: u64 = world::L2_DS.into();
    let values = [
        world::VMCB,
        paging.cr0(),
        paging.cr3(),
        paging.cr4(),
        EFER,
        world::L1_RFLAGS,
        CS32.into(),
        data,
        data,
        data,
        STACK32,
    ];
    let draft = (FOUND..).step_by(4).zip(values).fold(draft, |d, (pa, value)| {
        d.step(Step::Peek { pa, width: 4 }).value(value & 0xffff_ffff)
    });
    // PUSHF has used L1's stack.
    draft.step(Step::Peek { pa: STACK32 - 4, width: 4 }).value(world::L1_RFLAGS)
}

fn exited(draft: Draft, code: u64) -> Draft {
    draft.peek_field(world::VMCB, Field::EXITCODE).value(code)
}

pub(crate) fn cases() -> Vec<Draft> {
    [round_trips(), nested(), pdptes(), narrow(), a20(), others()].concat()
}

/// VMRUN and back, with guests in other modes than L1's.
fn round_trips() -> Vec<Draft> {
    let mut cases = Vec::new();
    for (name, paging) in Paging::ALL {
        let code = registers(paging.enter().vmrun(world::VMCB)).return_to_long_mode();
        let guest =
            |mode: &str| code.placed(paging.tables(draft(format!("{name},{mode}-l2")).about(HOST)));
        let pae_l2 = guest("pae")
            .set(Field::EFER, 0x1800)
            .set(Field::CS_ATTRIB, 0xc9b)
            .set(Field::CR3, world::DATA + 0x6_0000);
        let legacy_l2 = guest("32-bit")
            .set(Field::EFER, 0x1000)
            .set(Field::CS_ATTRIB, 0xc9b)
            .set(Field::CR4, cr4::PSE)
            .set(Field::CR3, world::DATA + 0x6_0000);
        let real_l2 = guest("real-mode")
            .set(Field::EFER, 0x1000)
            .set(Field::CR0, 0x10)
            .set(Field::CR4, 0)
            .set(Field::CS_ATTRIB, 0x9b)
            .set(Field::CS_BASE, world::L2_CODE)
            .set(Field::RIP, 0);
        for d in [
            guest("64-bit"),
            pae(pae_l2, world::DATA + 0x6_0000, world::DATA + 0x6_1000),
            legacy(legacy_l2, world::DATA + 0x6_0000),
            real_l2,
        ] {
            cases.push(found(exited(code.called(d), exit::VMMCALL), paging));
        }
        // A VMCB that is refused brings L1 back as well.
        let refused = guest("refused").about(r::vmrun::INVALID_EXIT).set(Field::GUEST_ASID, 0);
        cases.push(found(exited(code.called(refused), exit::INVALID), paging));
    }
    cases
}

/// Nested tables have the form of L1's own (15.25.3).
fn nested() -> Vec<Draft> {
    const TABLES: u64 = world::DATA + 0x6_0000;
    let mut cases = Vec::new();
    for (name, paging) in Paging::ALL {
        let code = registers(paging.enter().vmrun(world::VMCB)).return_to_long_mode();
        let nested = |id: &str, address: u64| {
            let d = Draft::new(Npt, format!("legacy/{name},{id}"))
                .about(About::Section("15.25.3"))
                .needs(&[CpuFeature::Npt])
                .program(&[Insn::Load(0, address)])
                .set(Field::N_CR3, TABLES)
                .poke(OTHER + 0x5000, 0x1111)
                .poke(world::VMCB + 0x5000, 0x2222);
            code.placed(paging.tables(d))
        };
        // What is behind the window leads to the page of the VMCB.
        let moved = match paging {
            Paging::Pae => pae(nested("nested-paging", OTHER + 0x5000), TABLES, TABLES + 0x1000)
                .poke(TABLES + 0x1000 + 6 * 8, world::VMCB | FULL | pte::PS),
            Paging::Legacy => {
                legacy(nested("nested-paging", OTHER + 0x5000), TABLES).step(Step::Mem {
                    pa: TABLES + 3 * 4,
                    width: 4,
                    value: world::VMCB | FULL | pte::PS,
                })
            }
            Paging::None => {
                let refused = code.called(nested("nested-paging", OTHER + 0x5000));
                cases.push(found(exited(refused, exit::INVALID), paging));
                continue;
            }
        };
        let ran = exited(code.called(moved), exit::VMMCALL);
        cases.push(found(ran.peek_field(world::VMCB, Field::RAX).value(0x2222), paging));
        // No page there.
        let gone = nested("nested-fault", WINDOW)
            .about([r::npt::CODE, r::npt::INFO2])
            .needs(&[CpuFeature::Pdpe1gb]);
        let gone = match paging {
            Paging::Pae => pae(gone, TABLES, TABLES + 0x1000),
            _ => legacy(gone, TABLES),
        };
        let gone = gone.poke(world::l2pt::PDPT + 8, GIB | FULL | pte::PS);
        let gone = exited(code.called(gone), exit::NPF)
            .peek_field(world::VMCB, Field::EXITINFO1)
            .value(0x1_0000_0004)
            .peek_field(world::VMCB, Field::EXITINFO2)
            .value(WINDOW);
        cases.push(found(gone, paging));
    }
    cases
}

/// #VMEXIT reads the page-directory pointers of a host in PAE mode anew (15.6).
fn pdptes() -> Vec<Draft> {
    // L2 writes one of L1's four.
    let case = |id: &str, entry: u64, value: u64, used: bool| {
        let code = registers(Paging::Pae.enter().vmrun(world::VMCB));
        let code = if used { code.load_eax(WINDOW).store_eax(FOUND + 0x30) } else { code };
        let code = code.return_to_long_mode();
        let d = draft(format!("host-pdpte-{id}"))
            .about(About::Section("15.6"))
            .program(&[Insn::Mov(0, value), Insn::Store(PDPT + 8 * entry)])
            .poke(OTHER, 0x2222)
            .poke(PD_OTHER + 5 * 8, OTHER | FULL | pte::PS);
        code.called(code.placed(Paging::Pae.tables(d)))
    };
    let goes_on = |d: Draft| found(exited(d, exit::VMMCALL), Paging::Pae);
    let stops = |bit: u64| {
        case(&format!("reserved-bit-{bit}"), 3, 1 << bit | 1, false).shows(Obs::L1Shutdown)
    };
    vec![
        goes_on(case("changed", 1, PD_OTHER | 1, true))
            .step(Step::Peek { pa: FOUND + 0x30, width: 4 })
            .value(0x2222),
        goes_on(case("not-present", 3, 1 << 1, false)),
        stops(1),
        stops(5),
        stops(63),
    ]
}

/// The VMCB's address is as much of rAX as the address size takes (vol. 3, VMRUN,
/// VMLOAD, VMSAVE): with the prefix in 32-bit code, AX.
fn narrow() -> Vec<Draft> {
    /// Low memory, which the world leaves alone, and what EAX says there is.
    const AX: u64 = 0x8000;
    const EAX: u64 = 0x9_0000 | AX;
    /// Of VMLOAD and VMSAVE, as L1 had it, and as it has it.
    const HAD: u64 = 0x9_9000;
    const HAS: u64 = 0x9_a000;
    const VMRUN: [u8; 4] = [0x67, 0x0f, 0x01, 0xd8];
    const VMLOAD: [u8; 4] = [0x67, 0x0f, 0x01, 0xda];
    const VMSAVE: [u8; 4] = [0x67, 0x0f, 0x01, 0xdb];
    let enter = || Code::at(CODE).leave_long_mode();
    let star = |page: u64| page + u64::from(Field::STAR.offset());
    let exitcode = |page: u64| page + u64::from(Field::EXITCODE.offset());
    // MOV EAX, imm32; VMLOAD or VMSAVE.
    let vmload = |code: Code, page| code.mov_eax(page).put(&VMLOAD[1..]);
    let vmsave = |code: Code, page| code.mov_eax(page).put(&VMSAVE[1..]);
    // What is found there must be this.
    type Found<'a> = &'a [(u64, u64)];
    let finds_with =
        |id: &str, about: About, tables: &dyn Fn(Draft) -> Draft, code, found: Found| {
            let at = || (FOUND..).step_by(4).zip(found);
            let code =
                at().fold(code, |code: Code, (to, &(from, _))| code.load_eax(from).store_eax(to));
            let d = draft(format!("16-bit-address,{id}")).about(about);
            let code = code.return_to_long_mode();
            let d = code.called(code.placed(tables(cleared(d, FOUND, 8))));
            at().fold(d, |d, (pa, &(_, value))| d.step(Step::Peek { pa, width: 4 }).value(value))
        };
    let finds =
        |id: &str, about, code, found: &[(u64, u64)]| finds_with(id, about, &|d| d, code, found);

    // What is in EAX is no VMCB; what is in AX is a copy of the case's.
    let run = enter().copy(world::VMCB, AX, 0x200).store(exitcode(EAX), 0x5555);
    let run = run.put(&[0x6a, world::L1_RFLAGS as u8, 0x9d]).mov_eax(EAX).put(&VMRUN);
    let run = finds(
        "vmrun",
        r::vmrun_state::VMCB_OWN_PAGE.into(),
        run,
        &[(exitcode(AX), exit::VMMCALL), (exitcode(EAX), 0x5555)],
    );

    let pages = || vmsave(vmsave(vmsave(enter(), HAD), AX), EAX);
    let load = pages().store(star(AX), 0x1111).store(star(EAX), 0x2222);
    let load = vmsave(load.mov_eax(EAX).put(&VMLOAD), HAS);
    let load = finds("vmload", About::Section("15.5.2"), vmload(load, HAD), &[(star(HAS), 0x1111)]);

    let save = vmload(vmsave(pages(), HAS).store(star(HAS), 0x1111), HAS);
    let save = save.store(star(AX), 0x2222).store(star(EAX), 0x2222);
    let save = vmload(save.mov_eax(EAX).put(&VMSAVE), HAD);
    let save =
        finds("vmsave", About::Section("15.5.2"), save, &[(star(AX), 0x1111), (star(EAX), 0x2222)]);

    // AX is a page that L1 uses; no page is where EAX leads to.
    const PT: u64 = world::DATA + 0x5_4000;
    let entry = PT + 4 * (AX >> 12);
    let page = |pa: u64| pa | FULL;
    let flush = enter()
        .store(AX, 0x1111)
        .store(AX + 0x1000, 0x2222)
        .page(PD32, Paging::Legacy.cr4())
        .load_eax(AX)
        .store(entry, page(AX + 0x1000) as u32)
        // MOV ECX, 0; MOV EAX, imm32; INVLPGA.
        .op(&[0xb9], 0)
        .mov_eax(0x1234_0000 | AX)
        .put(&[0x67, 0x0f, 0x01, 0xdf]);
    let tables = |d: Draft| {
        let word = |pa, value| Step::Mem { pa, width: 4, value };
        legacy(d, PD32).step(word(PD32, page(PT))).step(word(entry, page(AX)))
    };
    let flush =
        finds_with("invlpga", r::tlb_asid::INVLPGA_OK.into(), &tables, flush, &[(AX, 0x2222)]);
    vec![run, load, save, flush]
}

/// VM_CR.DIS_A20M: the pin masks nothing (15.17, 15.30.1).
fn a20() -> Vec<Draft> {
    /// In an even MiB, as is the code, and what is there without its bit 20 masked.
    const EVEN: u64 = world::DATA + 0x7_0000;
    const ODD: u64 = EVEN | 1 << 20;
    // MOV ECX, VM_CR; MOV EAX, imm32; XOR EDX, EDX; WRMSR.
    let vm_cr = |code: Code, value: u8| {
        code.op(&[0xb9], u64::from(msr::VM_CR)).mov_eax(value.into()).put(&[0x31, 0xd2, 0x0f, 0x30])
    };
    // MOV AL, imm8; OUT 92h, AL.
    let pin = |code: Code, on: u8| code.put(&[0xb0, on << 1, 0xe6, 0x92]);
    let case = |id: &str, value: u8, found: u64| {
        let code = pin(vm_cr(Code::at(CODE).leave_long_mode(), value), 0);
        let code = pin(code.load_eax(ODD).store_eax(FOUND), 1);
        let code = vm_cr(code, 0).return_to_long_mode();
        let d = Draft::new(Msr, format!("legacy/a20-{id}")).about(About::Section("15.30.1"));
        let d = cleared(d, FOUND, 8).poke(EVEN, 0x1111).poke(ODD, 0x2222);
        code.called(code.placed(d)).step(Step::Peek { pa: FOUND, width: 4 }).value(found)
    };
    vec![case("masked", 0, 0x1111), case("not-masked", vm_cr::DIS_A20M as u8, 0x2222)]
}

fn others() -> Vec<Draft> {
    // The operand is as wide as addresses are.
    let narrow = raw(VMRUN_EAX);
    let narrow = draft("vmrun-eax-in-64-bit-mode")
        .about(r::vmrun_state::VMCB_OWN_PAGE)
        .step(Step::L1(narrow, 1 << 32 | world::VMCB));

    // Real mode has no VMRUN. Its #UD goes to where the handler lies, in low memory.
    const HANDLER: u64 = 0x1_0000;
    const VECTORS: u64 = 0x1_1000;
    const IDTR: u64 = FOUND + 8;
    let ud = VECTORS + 6 * 4;
    let tried = |handler: &[u8]| {
        Code::at(CODE)
            .leave_long_mode()
            .write(HANDLER, handler)
            .store(ud, (HANDLER as u32) << 12)
            .load_idt(IDTR)
            .leave_protected_mode()
            .vmrun(world::VMCB)
            .store(FOUND, 1)
            .return_to_protected_mode()
    };
    let handler = |back| {
        let handler = Code::at(0).store(FOUND, 6).return_to_protected_mode();
        handler.jump_far_to(CS32, back)
    };
    // Where it comes back to does not change how long it is.
    let back = tried(handler(0).bytes()).here();
    let code = tried(handler(back).bytes()).return_to_long_mode();
    let real = code.placed(cleared(
        draft("vmrun-in-real-mode").about(About::Section("15.5.1")),
        FOUND,
        0x10,
    ));
    let real = code
        .called(real.poke(IDTR, VECTORS << 16 | 0x3ff))
        .step(Step::Peek { pa: FOUND, width: 4 })
        .value(6);
    vec![exited(narrow, exit::VMMCALL), real]
}
