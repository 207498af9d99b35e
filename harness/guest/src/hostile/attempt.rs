//! One attempt: changes drawn, made, and VMRUN as often as the exits allow.

mod l2;

use core::arch::asm;

use crate::apic::{self, mode};
use crate::draw::{Changes, Draw};
use crate::layout::{DATA, IOPM, L2_CODE, L2_IDT, L2_TSS, L2PT, MSRPM, NPT, VMCB, VMCB2, gpr};
use crate::protocol::{EXITS, bin, flag, header, kind};
use crate::run::{self, what};
use crate::{code, cpu, mailbox, places, trap, world};

/// Most VMRUNs of one attempt.
const TIMES: u64 = 6;
/// Most changes outside of the VMCB.
const UNDO: usize = 8;

/// Offsets in the VMCB that this file uses.
mod at {
    pub(super) const EXCEPTIONS: u64 = 0x08;
    pub(super) const MISC1: u64 = 0x0c;
    pub(super) const MISC2: u64 = 0x10;
    pub(super) const IOPM: u64 = 0x40;
    pub(super) const MSRPM: u64 = 0x48;
    pub(super) const TLB: u64 = 0x5c;
    pub(super) const VIRQ: u64 = 0x60;
    pub(super) const SHADOW: u64 = 0x68;
    pub(super) const EXIT: u64 = 0x70;
    pub(super) const EXITINTINFO: u64 = 0x88;
    pub(super) const NP: u64 = 0x90;
    pub(super) const EVENTINJ: u64 = 0xa8;
    pub(super) const NCR3: u64 = 0xb0;
    pub(super) const LBR: u64 = 0xb8;
    pub(super) const CLEAN: u64 = 0xc0;
    pub(super) const NRIP: u64 = 0xc8;
    pub(super) const CPL: u64 = 0x4cb;
    pub(super) const EFER: u64 = 0x4d0;
    pub(super) const CR4: u64 = 0x548;
    pub(super) const CR3: u64 = 0x550;
    pub(super) const CR0: u64 = 0x558;
    pub(super) const DR7: u64 = 0x560;
    pub(super) const RFLAGS: u64 = 0x570;
    pub(super) const RIP: u64 = 0x578;
    pub(super) const RSP: u64 = 0x5d8;
}

/// What an attempt does besides writing to memory; the harness shows these as they are.
mod note {
    pub(super) const VMCB_ADDRESS: u64 = 1;
    pub(super) const HSAVE: u64 = 2;
    pub(super) const REGISTER: u64 = 0x10;
    pub(super) const DEBUG: u64 = 0x20;
    pub(super) const SEND: u64 = 0x30;
    pub(super) const VMLOAD: u64 = 0x31;
    pub(super) const VMSAVE: u64 = 0x32;
    pub(super) const UNFORCED: u64 = 0x40;
}

/// Everything about the attempt that is not in memory.
struct Attempt {
    draw: Draw,
    changes: Changes,
    ram: u64,
    /// Where VMRUN is told that the VMCB is.
    vmcb: u64,
    registers: [u64; 16],
    /// Whether L2 has to leave when the timer says so.
    forced: bool,
    /// What the CPU gets right before VMRUN.
    send: Option<u32>,
    /// What was in memory outside of the VMCB before it was changed: addresses and quadwords.
    before: [(u64, u64); UNDO],
    changed: usize,
    /// Whether VMRUN has saved L1 elsewhere.
    moved: bool,
}

/// Makes attempt `n`.
pub(crate) fn make(seed: u64, n: u64, flags: u64) {
    let mut a = Attempt {
        draw: Draw::new(seed, n),
        changes: Changes::new(flags),
        ram: mailbox::get(header::RAM),
        vmcb: VMCB,
        registers: [0; 16],
        forced: true,
        send: None,
        before: [(0, 0); UNDO],
        changed: 0,
        moved: false,
    };
    match a.kind(flags) {
        kind::RANDOM => a.random(),
        kind::FLIPPED => {
            a.mode();
            a.program();
            a.flip();
        }
        kind::PLACES => {
            a.mode();
            a.program();
            a.places();
        }
        _ => {
            a.mode();
            a.program();
            a.events();
        }
    }
    a.force();
    a.run();
    let [faults, events] = trap::counts();
    mailbox::set(header::FAULTS, faults);
    mailbox::set(header::EVENTS, events);
    a.undo();
    world::tidy(n, a.moved);
}

impl Attempt {
    fn kind(&mut self, flags: u64) -> u64 {
        let wanted = flags >> flag::KINDS & ((1 << kind::COUNT) - 1);
        loop {
            let kind = self.draw.below(kind::COUNT);
            if wanted == 0 || wanted >> kind & 1 == 1 {
                return kind;
            }
        }
    }

    fn put(&mut self, offset: u64, width: u64, value: u64) {
        self.changes.put(VMCB + offset, width, value);
    }

    /// Changes a quadword that is not the VMCB's, and is put back.
    fn change(&mut self, at: u64, value: u64) {
        if self.changed < UNDO {
            self.before[self.changed] = (at, mailbox::read(at));
            self.changed += 1;
            self.changes.put(at, 8, value);
        }
    }

    fn undo(&self) {
        for &(at, value) in self.before[..self.changed].iter().rev() {
            mailbox::write(at, value);
        }
    }

    /// Changes bits of a field of 4 bytes.
    fn set(&mut self, offset: u64, bits: u64) {
        let before = mailbox::read(VMCB + offset) & 0xffff_ffff;
        self.put(offset, 4, before | bits);
    }

    fn random(&mut self) {
        for offset in (0..0x700).step_by(8) {
            let value = self.draw.next();
            self.put(offset, 8, value);
        }
        // So random that some get past the checks.
        if self.draw.one_in(2) {
            for (offset, value) in [
                (0x58, 1),
                (at::EFER, 0x1000),
                (at::CR0, 0x10),
                (at::CR4, 0),
                (0x568, 0),
                (at::DR7, 0x400),
            ] {
                self.put(offset, 8, value);
            }
            let (iopm, msrpm) = (IOPM, MSRPM);
            self.put(at::IOPM, 8, iopm);
            self.put(at::MSRPM, 8, msrpm);
            self.put(at::NP, 8, 1);
            self.put(at::NCR3, 8, NPT);
            if self.draw.one_in(2) {
                self.program();
            }
        }
        self.registers();
    }

    /// Where L2 begins, with what in its registers.
    fn program(&mut self) {
        let entry = code::entry(&mut self.draw);
        let base = mailbox::read(VMCB + 0x418);
        self.put(at::RIP, 8, if base == L2_CODE { entry - L2_CODE } else { entry });
        self.registers();
    }

    fn registers(&mut self) {
        for n in 0..16 {
            let value = match self.draw.below(6) {
                // A counter: L2 is not to spend its time in REP.
                0..=3 if n == 1 => self.draw.next() & 0x1f,
                0 => self.draw.value(),
                1 => self.draw.next() & 0xffff,
                2 => L2_CODE + (self.draw.next() & 0xffff),
                3 => world::window(self.draw.next()),
                _ => gpr(n as u8),
            };
            if self.changes.note(note::REGISTER + n, value) {
                self.registers[n as usize] = value;
            }
        }
        if self.draw.one_in(4) {
            for n in 0..4 {
                let near = self.registers[n as usize + 4];
                let value = match self.draw.below(4) {
                    0 => near,
                    1 => L2_CODE + self.draw.below(0x1_0000),
                    2 => mailbox::read(VMCB + at::RSP).wrapping_sub(self.draw.below(0x40)),
                    _ => self.draw.of(&[L2_IDT, L2_TSS, 0, DATA, VMCB]) + self.draw.below(0x100),
                };
                if self.changes.note(note::DEBUG + n, value) {
                    debug_register(n, value);
                }
            }
            let dr7 = self.draw.next() & 0xffff_23ff | 0x400;
            self.put(at::DR7, 8, dr7);
        }
    }

    /// A few fields with other values.
    fn flip(&mut self) {
        for _ in 0..=self.draw.below(8) {
            let (offset, width) = self.draw.of(places::FIELDS);
            let (offset, width) = (u64::from(offset), u64::from(width));
            let before = mailbox::read(VMCB + offset);
            let value = match self.draw.below(4) {
                0 => self.draw.value(),
                1 => before ^ (self.draw.next() & self.draw.next()),
                _ => before ^ 1 << self.draw.below(8 * width),
            };
            self.put(offset, width, value);
        }
        if self.draw.one_in(4) {
            let offset = self.draw.below(0xfff);
            let value = self.draw.next();
            self.put(offset, 1, value);
        }
        if self.draw.one_in(4) {
            self.events();
        }
    }

    /// A place for whatever has an address.
    fn place(&mut self) -> u64 {
        let (draw, ram) = (&mut self.draw, self.ram);
        if draw.one_in(3) { places::shared(draw) } else { places::nowhere(draw, ram) }
    }

    fn places(&mut self) {
        for _ in 0..=self.draw.below(3) {
            let place = self.place();
            match self.draw.below(16) {
                0 | 1 => {
                    if self.changes.note(note::VMCB_ADDRESS, place) {
                        self.vmcb = place;
                    }
                }
                2 | 3 => self.put(at::IOPM, 8, place),
                4 | 5 => self.put(at::MSRPM, 8, place),
                6..9 => self.put(at::NCR3, 8, place),
                9 => self.put(at::CR3, 8, place),
                10..13 => self.entry(place),
                13 => self.own(place),
                14 => {
                    // GDTR, IDTR, LDTR and TR have a base each.
                    let base = self.draw.of(&[0x468, 0x478, 0x488, 0x498, 0x418, 0x428]);
                    self.put(base, 8, place);
                }
                _ => {
                    let map = self.draw.of(&[IOPM, MSRPM]) + self.draw.below(0x2000) / 8 * 8;
                    let value = self.draw.value();
                    self.change(map, value);
                }
            }
        }
        if self.draw.one_in(4) {
            self.events();
        }
    }

    /// An entry of a nested table or one of L2's: another place, or a bit turned round.
    fn entry(&mut self, place: u64) {
        let table = self.draw.of(&[NPT, L2PT]) + self.draw.below(6) * 0x1000;
        let any = self.draw.below(512);
        let at = table + self.draw.of(&[0, 4, 5, 6, any]) * 8;
        let value = match self.draw.below(4) {
            0 => place & !0xfff | 0x67,
            1 => place & !0x1f_ffff | 0xe7,
            2 => self.draw.value(),
            _ => mailbox::read(at) ^ 1 << self.draw.below(64),
        };
        self.change(at, value);
    }

    /// The save area, VMLOAD and VMSAVE. What L1 comes back to may be spoilt, which costs a
    /// reset, so the first is rare.
    fn own(&mut self, place: u64) {
        if self.draw.one_in(32) {
            if self.changes.note(note::HSAVE, place) {
                self.moved = true;
                save_area(place, &self.registers);
            }
        } else if self.draw.one_in(2) {
            if self.changes.note(note::VMLOAD, place) {
                run::enter(place, &self.registers, what::VMLOAD);
            }
        } else {
            let place = self.draw.of(&[VMCB2, place | 0xfff, DATA, 1 << 52, 0xfee0_0000]);
            if self.changes.note(note::VMSAVE, place) {
                run::enter(place, &self.registers, what::VMSAVE);
            }
        }
    }

    /// Events of all sorts, pending, injected or virtual, and intercepts.
    fn events(&mut self) {
        if self.draw.one_in(2) {
            let random = self.draw.next();
            let info = match self.draw.below(3) {
                0 => random,
                1 => {
                    0x8000_0000
                        | random & 0xffff_0000_0000
                        | self.draw.of(&[0, 2, 3, 4]) << 8
                        | random & 0x1f
                        | random & 0x800
                }
                _ => 0x8000_0000 | random & 0xfff,
            };
            self.put(at::EVENTINJ, 8, info);
        }
        if self.draw.one_in(2) {
            let bits = self.draw.next() & self.draw.next();
            self.put(at::EXCEPTIONS, 4, bits);
        }
        if self.draw.one_in(2) {
            let (one, two) =
                (self.draw.next() & self.draw.next(), self.draw.next() & self.draw.next());
            self.set(at::MISC1, one & 0xffff_ffff);
            self.set(at::MISC2, two & 0xffff_ffff);
        }
        if self.draw.one_in(2) {
            let value = self.draw.next() & 0xff_fbff_1fff;
            self.put(at::VIRQ, 8, value);
        }
        if self.draw.one_in(4) {
            let (shadow, lbr) = (self.draw.next() & 3, self.draw.next() & 3);
            self.put(at::SHADOW, 8, shadow);
            self.put(at::LBR, 8, lbr);
        }
        if self.draw.one_in(4) {
            let (clean, tlb) = (self.draw.next(), self.draw.next() & 7);
            self.put(at::CLEAN, 4, clean);
            self.put(at::TLB, 1, tlb);
        }
        if self.draw.one_in(16) {
            let vector = 0x20 | self.draw.next() as u32 & 0xdf;
            let usual = [mode::FIXED | vector, mode::FIXED | vector, mode::NMI, mode::SMI];
            let seldom = self.draw.one_in(64);
            let command = if seldom { mode::INIT } else { self.draw.of(&usual) };
            if self.changes.note(note::SEND, command.into()) {
                self.send = Some(command);
            }
        }
    }

    /// Sees to it that L2 ends when the timer says so; now and then it does not.
    fn force(&mut self) {
        if self.draw.one_in(2048) && self.changes.note(note::UNFORCED, 0) {
            self.forced = false;
        }
        self.forced();
    }

    /// INTR, NMI, INIT and shutdown are intercepted, and interrupts are L1's to mask.
    fn forced(&self) {
        if self.forced {
            let misc1 = (VMCB + at::MISC1) as *mut u32;
            let masking = (VMCB + at::VIRQ + 3) as *mut u8;
            // SAFETY: these are fields of the VMCB.
            unsafe {
                misc1.write_volatile(misc1.read_volatile() | 1 << 31 | 0b1011);
                masking.write_volatile(masking.read_volatile() | 1);
            }
        }
    }

    fn run(&mut self) {
        if let Some(command) = self.send {
            // SAFETY: GIF is set again behind VMRUN.
            unsafe { asm!("clgi", options(nostack)) };
            apic::send(apic::id(), command);
        }
        for _ in 0..TIMES {
            world::count_vmrun();
            run::enter(self.vmcb, &self.registers, what::VMRUN);
            let exit = mailbox::read(VMCB + at::EXIT);
            let place = EXITS + bin(exit) * 8;
            mailbox::write(place, mailbox::read(place) + 1);
            // Invalid, or shut down, or an L2 that takes its time or is lost.
            let over = exit > 0x403 || exit == 0x7f || self.vmcb != VMCB;
            if over || matches!(exit, 0x60 | 0x78) && !self.draw.one_in(8) {
                break;
            }
            self.again(exit);
        }
    }

    /// What a hypervisor might do about an exit: skip, or inject what was being delivered.
    fn again(&mut self, exit: u64) {
        // INTR, NMI and nested page faults leave RIP where it is.
        if !matches!(exit, 0x60..=0x63 | 0x400) {
            let (rip, next) = (mailbox::read(VMCB + at::RIP), mailbox::read(VMCB + at::NRIP));
            mailbox::write(VMCB + at::RIP, if next != 0 { next } else { rip + 1 });
        }
        if exit == 0x400 {
            mailbox::write(VMCB + at::RIP, code::entry(&mut self.draw));
        }
        let info = mailbox::read(VMCB + at::EXITINTINFO);
        mailbox::write(VMCB + at::EVENTINJ, if self.draw.one_in(2) { info } else { 0 });
        self.forced();
    }
}

fn debug_register(n: u64, value: u64) {
    match n {
        0 => cpu::restore_dr0(value),
        1 => cpu::restore_dr1(value),
        2 => cpu::restore_dr2(value),
        _ => cpu::restore_dr3(value),
    }
}

/// Has VMRUN save L1 elsewhere, if WRMSR takes the address.
fn save_area(place: u64, registers: &[u64; 16]) {
    let mut registers = *registers;
    registers[1] = cpu::VM_HSAVE_PA.into();
    registers[2] = place >> 32;
    run::enter(place & 0xffff_ffff, &registers, what::HSAVE);
}
