//! A VMCB in a device's memory: what VMSAVE does not store stays as it is, and is not stored as it
//! was read, which the device would act on.

use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::VmloadVmsave;
use crate::case::{About, Draft, Event, Insn, Step};
use crate::outcome::Obs;

/// The local APIC's page: offset 300h of it sends interrupts, and VMSAVE stores from 440h on.
const APIC: u64 = 0xfee0_0000;
const VECTOR: u8 = 0x50;

pub(crate) fn cases() -> Vec<Draft> {
    vec![
        Draft::new(VmloadVmsave, "vmsave/device")
            .about(About::Section("15.5.2"))
            .raise(Event::Intr(VECTOR))
            .step(Step::Window)
            .shows(Obs::L1Interrupt(VECTOR))
            .l1(Insn::Vmsave, APIC)
            .step(Step::Window),
    ]
}
