//! GIF, virtual GIF, STGI and CLGI, with physical events pending in every order.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::Feature::Vgif;
use crate::arch::int_ctl::{V_GIF, V_GIF_ENABLE, V_INTR_MASKING};
use crate::arch::msr;
use crate::case::draft::{Draft, on};
use crate::case::{Event, Insn, Step};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    host_scripts(out);
    guest_instructions(out);
    windows(out);
    physical(out);
    saved(out);
    refused(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Vgif, format!("gif/{}", id.as_ref()))
}

/// What a step of a script adds to a case.
type Act = fn(Draft) -> Draft;

/// One thing that L1 can do to GIF, or under it.
const HOST: &[(&str, Act)] = &[
    ("clgi", |d| d.clgi()),
    ("stgi", |d| d.stgi()),
    ("intr", |d| d.raise(Event::Intr(0x51))),
    ("nmi", |d| d.raise(Event::Nmi)),
    ("window", |d| d.step(Step::Window)),
    ("run", |d| d.run()),
];

/// Every script of up to four of them.
fn host_scripts(out: &mut Cases) {
    let mut scripts: Vec<Vec<usize>> = alloc::vec![Vec::new()];
    let mut frontier = scripts.clone();
    for _ in 0..4 {
        frontier = frontier
            .iter()
            .flat_map(|s| (0..HOST.len()).map(|n| s.iter().copied().chain([n]).collect()))
            .collect();
        scripts.extend(frontier.clone());
    }
    for script in scripts.iter().filter(|s| !s.is_empty()) {
        // One of each event is enough, and at most two runs.
        let count = |n: usize| script.iter().filter(|s| **s == n).count();
        if count(2) > 1 || count(3) > 1 || count(5) > 2 || script.windows(2).any(|w| w[0] == w[1]) {
            continue;
        }
        let id: Vec<&str> = script.iter().map(|n| HOST[*n].0).collect();
        let start = draft(format!("host,{}", id.join("-")));
        let case = script.iter().fold(start, |case, n| HOST[*n].1(case));
        out.push(case.stgi().step(Step::Window).case());
    }
}

/// STGI and CLGI in the guest: intercepted or not, virtual or not.
fn guest_instructions(out: &mut Cases) {
    for (name, insn, bit) in [("stgi", Insn::Stgi, 4), ("clgi", Insn::Clgi, 5)] {
        for intercepted in [false, true] {
            for enable in [0, V_GIF_ENABLE] {
                for v_gif in [0, V_GIF] {
                    for offered in [false, true] {
                        let id = format!(
                            "guest-{name},intercept={},enable={},v-gif={},vgif={}",
                            on(intercepted),
                            on(enable != 0),
                            on(v_gif != 0),
                            on(offered)
                        );
                        let case = draft(id).program(&[insn.clone(), Insn::Nop]);
                        let case = if offered {
                            case.needs(&[CpuFeature::Vgif])
                        } else {
                            case.without(&[CpuFeature::Vgif])
                        };
                        let case = case.set(Field::INT_CTL, enable | v_gif);
                        out.push(
                            case.also(Field::INTERCEPT_MISC2, u64::from(intercepted) << bit).done(),
                        );
                    }
                }
            }
        }
    }
    // Sequences end with V_GIF as the last one left it.
    for sequence in 0..16u32 {
        let insns: Vec<Insn> =
            (0..4).map(|n| if sequence >> n & 1 == 1 { Insn::Stgi } else { Insn::Clgi }).collect();
        let names: String =
            (0..4).map(|n| if sequence >> n & 1 == 1 { 's' } else { 'c' }).collect();
        let case = draft(format!("guest,{names}")).needs(&[CpuFeature::Vgif]).program(&insns);
        out.push(case.set(Field::INT_CTL, V_GIF_ENABLE).done());
    }
}

/// Virtual interrupts against V_GIF, and the window that the guest's STGI opens.
fn windows(out: &mut Cases) {
    for v_gif in [0, V_GIF] {
        for enable in [0, V_GIF_ENABLE] {
            for guest_if in [0u64, 0x200] {
                for vintr in [0u64, 1 << 4] {
                    for program in [0, 1, 2, 3] {
                        let insns: &[Insn] = match program {
                            0 => &[Insn::Nop],
                            1 => &[Insn::Nop, Insn::Stgi, Insn::Nop],
                            2 => &[Insn::Clgi, Insn::Nop, Insn::Stgi, Insn::Nop],
                            _ => &[Insn::Clgi, Insn::Sti, Insn::Nop, Insn::Nop],
                        };
                        let id = format!(
                            "v-irq,v-gif={},enable={},if={},vintr={},program={program}",
                            on(v_gif != 0),
                            on(enable != 0),
                            on(guest_if != 0),
                            on(vintr != 0)
                        );
                        let case = draft(id).needs(&[CpuFeature::Vgif]).program(insns);
                        let case =
                            case.set(Field::INT_CTL, v_gif | enable | V_INTR_MASKING | 0xf_0100);
                        let case =
                            case.set(Field::INT_VECTOR, 0x61).set(Field::RFLAGS, 2 | guest_if);
                        out.push(case.also(Field::INTERCEPT_MISC1, vintr).done());
                    }
                }
            }
        }
    }
}

/// A clear V_GIF, or a real CLGI, and a physical interrupt.
fn physical(out: &mut Cases) {
    for event in [Event::Intr(0x51), Event::Nmi] {
        let bit = if event == Event::Nmi { 2u64 } else { 1 };
        let name = if event == Event::Nmi { "nmi" } else { "intr" };
        for v_gif in [0, V_GIF] {
            for enable in [0, V_GIF_ENABLE] {
                for host_if in [2u64, 0x202] {
                    let id = format!(
                        "{name},v-gif={},enable={},host-if={}",
                        on(v_gif != 0),
                        on(enable != 0),
                        on(host_if != 2)
                    );
                    let case = draft(id)
                        .needs(&[CpuFeature::Vgif])
                        .program(&[Insn::Nop])
                        .clgi()
                        .raise(event);
                    let case = case
                        .step(Step::Rflags(host_if))
                        .set(Field::INT_CTL, v_gif | enable | V_INTR_MASKING);
                    let case = case.also(Field::INTERCEPT_MISC1, bit).run().step(Step::Rflags(2));
                    out.push(case.stgi().step(Step::Window).case());
                }
            }
        }
        // The guest's own CLGI, not intercepted and not virtual, holds it.
        for first in [Insn::Clgi, Insn::Nop] {
            // An interrupt in the shadow of STI: the manual does not say when it exits.
            if first == Insn::Nop && event != Event::Nmi {
                continue;
            }
            let id = format!("{name},guest-{first:?}").to_lowercase();
            let case = draft(id).program(&[
                first,
                Insn::Nop,
                Insn::Sti,
                Insn::Nop,
                Insn::Nop,
                Insn::Stgi,
                Insn::Nop,
            ]);
            let case = case.clgi().raise(event).also(Field::INTERCEPT_MISC1, bit);
            out.push(case.run().stgi().step(Step::Window).case());
        }
    }
}

/// Every combination of the bits of INT_CTL that #VMEXIT writes back or leaves.
fn saved(out: &mut Cases) {
    for mask in 0..64u64 {
        let bits = [1 << 8, V_GIF, 1 << 20, V_INTR_MASKING, V_GIF_ENABLE, 0x5_0003];
        let value = (0..6).filter(|n| mask >> n & 1 == 1).fold(0, |v, n| v | bits[n as usize]);
        let case = draft(format!("int-ctl={value:#x}")).program(&[Insn::Nop]);
        out.push(
            case.needs(&[CpuFeature::Vgif])
                .set(Field::INT_CTL, value)
                .set(Field::INT_VECTOR, 0x62)
                .done(),
        );
    }
}

/// A refused VMRUN clears GIF too: what comes then waits for STGI, behind a read.
fn refused(out: &mut Cases) {
    for event in [Event::Nmi, Event::Intr(0x51)] {
        let case = draft(format!("refused,{event:?}")).set(Field::GUEST_ASID, 0).run();
        let case = case.step(Step::Rflags(0x202)).raise(event).step(Step::Window);
        out.push(case.step(Step::Rdmsr(msr::VM_HSAVE_PA)).stgi().step(Step::Window).case());
    }
}
