//! The modes that L2 can be in.

use super::{Attempt, at};
use crate::layout::{L2_CODE, L2PT, VMCB};
use crate::mailbox;

impl Attempt {
    /// A mode that processors have.
    pub(super) fn mode(&mut self) {
        const ES: u64 = 0x400;
        const CS: u64 = 0x410;
        const SS: u64 = 0x420;
        const DS: u64 = 0x430;
        match self.draw.below(9) {
            0 => {
                self.segment(CS, 0x2b, 0xafb, 0xffff_ffff, 0);
                for segment in [ES, SS, DS] {
                    self.segment(segment, 0x33, 0xcf3, 0xffff_ffff, 0);
                }
                self.put(at::CPL, 1, 3);
            }
            1 => self.segment(CS, 0x08, 0xc9b, 0xffff_ffff, 0),
            2 => self.protected(0x31, 0, L2PT),
            3 => self.protected(0x8000_0031, 0x20, L2PT + 0x4000),
            4 => self.protected(0x8000_0031, 0x10, L2PT + 0x5000),
            5 => {
                self.protected(0x10, 0, 0);
                self.segment(CS, 0x1000, 0x9b, 0xffff, L2_CODE);
                self.segment(SS, 0, 0x93, 0xffff, 0);
                self.put(at::RSP, 8, 0x7000);
                self.put(0x480, 8, 0x3ff << 32);
                self.put(0x488, 8, 0);
            }
            6 => {
                self.protected(0x31, 0, 0);
                self.segment(CS, 0x1000, 0xf3, 0xffff, L2_CODE);
                for segment in [ES, SS, DS] {
                    self.segment(segment, 0x1000, 0xf3, 0xffff, 0x1_0000);
                }
                self.put(at::CPL, 1, 3);
                let vme = self.draw.next() & 3;
                self.put(at::CR4, 8, vme);
                let flags = self.draw.next() & 0x7200;
                self.put(at::RFLAGS, 8, 0x2_0002 | flags);
            }
            _ => {}
        }
        if self.draw.one_in(3) {
            let flags = self.draw.next() & 0x25_7fd5 | 2;
            let machine = mailbox::read(VMCB + at::RFLAGS) & 0x2_0000;
            self.put(at::RFLAGS, 8, flags | machine);
        }
    }

    fn protected(&mut self, cr0: u64, cr4: u64, cr3: u64) {
        self.put(at::EFER, 8, 0x1000);
        self.put(at::CR0, 8, cr0);
        self.put(at::CR4, 8, cr4);
        self.put(at::CR3, 8, cr3);
        self.segment(0x410, 0x08, 0xc9b, 0xffff_ffff, 0);
    }

    fn segment(&mut self, offset: u64, selector: u64, attrib: u64, limit: u64, base: u64) {
        self.put(offset, 8, selector | attrib << 16 | limit << 32);
        self.put(offset + 8, 8, base);
    }
}
