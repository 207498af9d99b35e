//! What VMRUN accepts, and a hypervisor hardly means.

use svm_model::arch::{efer, event, flag, int_ctl, intercept, nested_ctl, tlb_control, virt_ext};
use svm_model::cpu::{CpuFeature, Platform};
use svm_model::vmcb::{Field, Image};

use super::{Suspicion, event as named, exits};

/// Intercepts without which L2 can do what is L1's, and what that is.
const NEEDED: &[(intercept::Bit, &str, &str)] = &[
    (intercept::SHUTDOWN, "15.14.3", "a triple fault of L2 resets the machine"),
    (intercept::INTR, "15.13.1", "interrupts for L1 go through L2's IDT"),
    (intercept::NMI, "15.13.2", "NMIs for L1 go through L2's IDT"),
    (intercept::MSR_PROT, "15.11", "L2 writes every MSR, EFER and VM_HSAVE_PA among them"),
    (intercept::IOIO_PROT, "15.10.1", "L2 reaches every port"),
    (intercept::INVLPGA, "15.16.2", "L2 invalidates translations of other ASIDs"),
    (intercept::STGI, "15.17", "L2 sets the physical GIF"),
    (intercept::CLGI, "15.17", "L2 clears the physical GIF, and holds L1's interrupts"),
    (intercept::VMLOAD, "15.5.2", "L2 loads state from any address of physical memory"),
    (intercept::VMSAVE, "15.5.2", "L2 writes state to any address of physical memory"),
    (intercept::SKINIT, "15.27", "L2 starts a secure loader instead of L1"),
];

/// Collects suspicions.
struct Looked<'a> {
    image: &'a Image,
    cpu: &'a Platform,
    found: Vec<Suspicion>,
}

/// All of them. `ram` says whether there is memory at an address, where that is known.
pub(super) fn all(
    image: &Image,
    cpu: &Platform,
    ram: &mut dyn FnMut(u64) -> Option<bool>,
) -> Vec<Suspicion> {
    let mut looked = Looked { image, cpu, found: Vec::new() };
    looked.intercepts();
    looked.shadow_paging();
    looked.addresses(ram);
    looked.translations();
    looked.clean_bits();
    looked.segments();
    looked.injection();
    looked.asked_in_vain();
    looked.next_rip();
    looked.found
}

impl Looked<'_> {
    fn get(&self, field: Field) -> u64 {
        self.image.get(field)
    }

    fn intercepts_one(&self, bit: intercept::Bit) -> bool {
        self.get(bit.field()) & bit.mask() != 0
    }

    fn on(&self, feature: CpuFeature, field: Field, bit: u64) -> bool {
        self.cpu.features.has(feature) && self.get(field) & bit != 0
    }

    fn nested(&self) -> bool {
        self.on(CpuFeature::Npt, Field::NESTED_CTL, nested_ctl::NP_ENABLE)
    }

    fn say(&mut self, field: Field, section: &'static str, what: impl Into<String>) {
        let value = self.get(field);
        self.found.push(Suspicion { field: field.name(), value, section, what: what.into() });
    }

    fn intercepts(&mut self) {
        let vgif = self.on(CpuFeature::Vgif, Field::INT_CTL, int_ctl::V_GIF_ENABLE);
        let vls = self.on(CpuFeature::VirtVmload, Field::VIRT_EXT, virt_ext::VMLOAD_VMSAVE);
        // Without EFER.SVME, which VMRUN wants, they would raise #UD; so L2 has them.
        for &(bit, section, then) in NEEDED {
            let own = match bit {
                intercept::STGI | intercept::CLGI => vgif,
                intercept::VMLOAD | intercept::VMSAVE => vls && self.nested(),
                intercept::SKINIT => !self.cpu.features.has(CpuFeature::Skinit),
                _ => false,
            };
            if !own && !self.intercepts_one(bit) {
                let name = intercept::ALL.iter().find(|(b, _)| *b == bit).map_or("", |(_, n)| n);
                self.say(bit.field(), section, format!("{name} is not intercepted: {then}"));
            }
        }
        if self.get(Field::INT_CTL) & int_ctl::V_INTR_MASKING == 0 {
            let what = "V_INTR_MASKING is clear: L2's RFLAGS.IF and CR8 hold L1's interrupts";
            self.say(Field::INT_CTL, "15.21.1", what);
        }
    }

    fn shadow_paging(&mut self) {
        if self.nested() {
            return;
        }
        let (write, faults) =
            (self.get(Field::INTERCEPT_CR_WRITE), self.get(Field::INTERCEPT_EXCEPTIONS));
        let mut missing = Vec::new();
        if write & 1 << 3 == 0 {
            missing.push("writes of CR3");
        }
        if faults & 1 << 14 == 0 {
            missing.push("#PF");
        }
        if !self.intercepts_one(intercept::INVLPG) {
            missing.push("INVLPG");
        }
        if !missing.is_empty() {
            let what = format!(
                "without nested paging L2's page tables are L1's to shadow, and not intercepted \
                 are: {}",
                missing.join(", ")
            );
            self.say(Field::NESTED_CTL, "15.25.1", what);
        }
    }

    fn addresses(&mut self, ram: &mut dyn FnMut(u64) -> Option<bool>) {
        let mut at = vec![];
        if self.nested() {
            at.push((Field::N_CR3, "the nested page tables"));
            if self.get(Field::G_PAT) == 0 {
                let what = "all of L2's memory is uncacheable: the guest PAT is zero";
                self.say(Field::G_PAT, "15.25.8", what);
            }
        }
        if self.intercepts_one(intercept::IOIO_PROT) {
            at.push((Field::IOPM_BASE_PA, "the I/O permission map"));
        }
        if self.intercepts_one(intercept::MSR_PROT) {
            at.push((Field::MSRPM_BASE_PA, "the MSR permission map"));
        }
        for (field, what) in at {
            let value = self.get(field);
            if value & 0xfff != 0 {
                let what = format!("bits 11:0 are ignored: {what} is at {:#x}", value & !0xfff);
                self.say(field, "15.10.1", what);
            }
            if value & !0xfff == 0 {
                self.say(field, "15.5.1", format!("{what} would be at address zero"));
            } else if ram(value & !0xfff) == Some(false) {
                self.say(field, "15.5.1", format!("there is no memory for {what}"));
            }
        }
    }

    fn translations(&mut self) {
        let (control, asid) = (self.get(Field::TLB_CONTROL), self.get(Field::GUEST_ASID));
        if asid >= u64::from(self.cpu.asids) {
            let what = format!("the processor has {} ASIDs", self.cpu.asids);
            self.say(Field::GUEST_ASID, "15.16", what);
        }
        let by_asid = matches!(control, tlb_control::GUEST | tlb_control::GUEST_NON_GLOBAL);
        if by_asid && !self.cpu.features.has(CpuFeature::FlushByAsid) {
            let what = "the processor cannot flush by ASID, so that the value is reserved";
            self.say(Field::TLB_CONTROL, "15.16.1", what);
        } else if !by_asid && control > tlb_control::ALL {
            self.say(Field::TLB_CONTROL, "15.16.1", "the value is reserved");
        }
        if control == tlb_control::NOTHING && asid != 0 && !exits::happened(self.image) {
            let what = format!(
                "nothing is flushed, and the page knows of no exit: if ASID {asid} had another \
                 guest before, its translations are used"
            );
            self.say(Field::TLB_CONTROL, "15.16.1", what);
        }
    }

    fn clean_bits(&mut self) {
        let clean = self.get(Field::CLEAN);
        if clean == 0 {
            return;
        }
        if !self.cpu.features.has(CpuFeature::VmcbClean) {
            self.say(Field::CLEAN, "15.15.1", "the processor has no clean bits, and ignores them");
        } else if !exits::happened(self.image) {
            let what = "the page knows of no exit, so that the processor has cached nothing of it: \
                        the first VMRUN wants zero";
            self.say(Field::CLEAN, "15.15.1", what);
        }
        // The highest is left to software.
        if clean >> 13 & !(1 << 18) != 0 {
            self.say(Field::CLEAN, "15.15.3", "bits 30:13 are reserved");
        }
    }

    fn segments(&mut self) {
        let (limit, attrib) = (self.get(Field::TR_LIMIT), self.get(Field::TR_ATTRIB));
        let least = match attrib & 0xf {
            1 | 3 => 0x2b,
            _ => 0x67,
        };
        if limit < least {
            let what = format!(
                "a TSS has at least {:#x} bytes; VMLOAD of this page, and L2 takes #TS where it \
                 changes stacks",
                least + 1
            );
            self.say(Field::TR_LIMIT, "vol. 2, 12.2.5", what);
        }
        let long = self.get(Field::EFER) & efer::LME != 0 && self.get(Field::CR0) >> 31 & 1 == 1;
        let real = self.get(Field::CR0) & 1 == 0;
        let (cpl, dpl) = (self.get(Field::CPL), self.get(Field::SS_ATTRIB) >> 5 & 3);
        let v86 = self.get(Field::RFLAGS) & flag::VM != 0;
        if !real && !v86 && cpl != dpl {
            self.say(Field::CPL, "15.5.1", format!("CPL is {cpl}, and SS has DPL {dpl}"));
        }
        let l = self.get(Field::CS_ATTRIB) & 0x200 != 0;
        if l && !long {
            let what = "CS.L is set, and L2 is not in long mode, where it is reserved";
            self.say(Field::CS_ATTRIB, "4.8.1", what);
        }
        if long && !l && self.get(Field::RIP) >> 32 != 0 {
            let what = "L2 is in compatibility mode, and uses the low half of RIP alone";
            self.say(Field::RIP, "15.5.1", what);
        }
        if self.get(Field::EFER) & efer::LMSLE != 0 {
            let what = "LMSLE: a processor without it refuses the VMCB";
            self.say(Field::EFER, "15.5.1", what);
        }
    }

    fn injection(&mut self) {
        let value = self.get(Field::EVENTINJ);
        if value & event::V == 0 {
            return;
        }
        let (vector, coded) = (value & 0xff, value & event::EV != 0);
        let exception = value & 0x700 == event::EXCEPTION;
        if exception && vector < 32 && coded != named::has_error_code(vector) {
            let name = named::exception(vector);
            let what = if coded {
                format!("{name} has no error code: L2's handler finds one word too many")
            } else {
                format!("{name} has an error code: L2's handler finds one word too few")
            };
            self.say(Field::EVENTINJ, "15.20", what);
        }
        if value & 0x700 == event::INTR && self.get(Field::RFLAGS) & flag::IF == 0 {
            let what = "an interrupt is injected whatever RFLAGS.IF says, which is clear";
            self.say(Field::EVENTINJ, "15.20", what);
        }
    }

    /// After an instruction L1 goes on at the next RIP, where one was saved.
    fn next_rip(&mut self) {
        let code = self.get(Field::EXITCODE);
        if exits::happened(self.image) && exits::instruction(code) && self.get(Field::NRIP) == 0 {
            let what = "no next RIP was saved, as without nrip-save: L1 must know how long the \
                        instruction is to go on behind it";
            self.say(Field::NRIP, "15.7.1", what);
        }
    }

    /// What the VMCB asks for, and the processor does not have.
    fn asked_in_vain(&mut self) {
        use CpuFeature::{BusLockThreshold, Gmet, IdleHlt, Lbrv, Npt, Vgif, VirtVmload, Vnmi};
        let asked = [
            (Npt, Field::NESTED_CTL, nested_ctl::NP_ENABLE),
            (Gmet, Field::NESTED_CTL, nested_ctl::GMET_ENABLE),
            (Lbrv, Field::VIRT_EXT, virt_ext::LBR),
            (VirtVmload, Field::VIRT_EXT, virt_ext::VMLOAD_VMSAVE),
            (Vgif, Field::INT_CTL, int_ctl::V_GIF_ENABLE),
            (Vnmi, Field::INT_CTL, int_ctl::V_NMI_ENABLE),
            (BusLockThreshold, intercept::BUS_LOCK.field(), intercept::BUS_LOCK.mask()),
            (IdleHlt, intercept::IDLE_HLT.field(), intercept::IDLE_HLT.mask()),
        ];
        for (feature, field, bit) in asked {
            if self.get(field) & bit != 0 && !self.cpu.features.has(feature) {
                let what = format!("{} is asked for, and the processor has it not", feature.name());
                self.say(field, "15.33", what);
            }
        }
        if self.get(Field::NESTED_CTL) & 0b110 != 0 {
            self.say(Field::NESTED_CTL, "15.34", "SEV is not looked at here");
        }
        if self.get(Field::INT_CTL) >> 30 != 0 {
            self.say(Field::INT_CTL, "15.29", "AVIC is not looked at here");
        }
    }
}
