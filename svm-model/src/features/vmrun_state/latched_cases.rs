//! A VMCB that L2 itself writes to: what VMRUN has read counts until #VMEXIT, and what is
//! there then counts for the next VMRUN.

use alloc::format;
use alloc::vec;

use crate::Feature::VmrunChecks;
use crate::arch::{int_ctl, intercept, msr};
use crate::case::draft::{Draft, on};
use crate::case::{Insn, Step, world};
use crate::cases::Cases;
use crate::vmcb::Field;

/// A permission map that has every bit set where it matters.
const ELSEWHERE: u64 = world::DATA + 0x1_0000;

pub(crate) fn cases(out: &mut Cases) {
    each_field(out);
    let out_80 = Insn::Out { size: 1, port: 0x80 };
    let efer = Insn::Rdmsr(msr::EFER);
    let cpuid = intercept::CPUID.mask() | intercept::SHUTDOWN.mask();
    let protections = intercept::IOIO_PROT.mask() | intercept::MSR_PROT.mask();
    let rows = [
        ("iopm", Field::IOPM_BASE_PA, ELSEWHERE, out_80.clone()),
        ("iopm-low", Field::IOPM_BASE_PA, ELSEWHERE | 0xfff, out_80.clone()),
        ("iopm-beyond", Field::IOPM_BASE_PA, 1 << 52, out_80),
        ("msrpm", Field::MSRPM_BASE_PA, ELSEWHERE, efer.clone()),
        ("msrpm-beyond", Field::MSRPM_BASE_PA, 1 << 52, efer),
        ("cpuid", Field::INTERCEPT_MISC1, cpuid, Insn::Cpuid),
        ("cr-read", Field::INTERCEPT_CR_READ, 1, Insn::ReadCr(0, 0)),
        ("exceptions", Field::INTERCEPT_EXCEPTIONS, 1 << 6, Insn::Ud2),
        ("asid", Field::GUEST_ASID, 0, Insn::Nop),
        ("vector", Field::INT_VECTOR, 0x51, Insn::Sti),
        ("n-cr3", Field::N_CR3, 0, Insn::Nop),
        ("nested-ctl", Field::NESTED_CTL, 0, Insn::Nop),
        ("virt-ext", Field::VIRT_EXT, 3, Insn::Nop),
        ("pause-count", Field::PAUSE_FILTER_COUNT, 0, Insn::Pause),
        ("rip", Field::RIP, 0, Insn::Nop),
        ("cr0", Field::CR0, 0, Insn::Nop),
    ];
    for (name, field, value, insn) in rows {
        for again in [false, true] {
            let write = Insn::Store(world::VMCB + (u64::from(field.offset()) & !7));
            let id = format!("read-once/{name},again={}", on(again));
            let place = 8 * (field.offset() % 8);
            let program = vec![Insn::Mov(0, value << place), write, insn.clone(), Insn::Nop];
            let case = Draft::new(VmrunChecks, id).program(&program);
            let full = |case: Draft, pa| case.step(Step::Mem { pa, width: 8, value: u64::MAX });
            let case = full(full(case, ELSEWHERE + 0x10), ELSEWHERE + 0x820);
            let pending = int_ctl::V_IRQ | int_ctl::V_IGN_TPR;
            let case = match name {
                "vector" => case.set(Field::INT_CTL, pending).set(Field::INT_VECTOR, 0x50),
                _ => case.also(Field::INTERCEPT_MISC1, protections),
            };
            // The second run begins behind the write, with the VMCB as it is then.
            let second = case.rip(2);
            let case = case.run();
            out.push(if again { case.set(Field::RIP, second).run().case() } else { case.case() });
        }
    }
}

/// Fields that #VMEXIT writes, or that say where VMRUN is to begin.
const WRITTEN: &[Field] = &[
    Field::INT_CTL,
    Field::INT_VECTOR,
    Field::INT_STATE,
    Field::EXITCODE,
    Field::EXITINFO1,
    Field::EXITINFO2,
    Field::EXITINTINFO,
    Field::EVENTINJ,
    Field::NRIP,
    Field::INSN_LEN,
    Field::INSN_BYTES_0,
    Field::INSN_BYTES_8,
    Field::BUS_LOCK_THRESHOLD,
];

/// L2 sets, or clears, every bit of each quadword of the control area, and does what the
/// controls are asked about.
fn each_field(out: &mut Cases) {
    let controls = Field::ALL.iter().filter(|f| f.offset() < crate::vmcb::SAVE);
    let mut last = u16::MAX;
    for field in controls.filter(|f| !WRITTEN.contains(f)) {
        let at = field.offset() & !7;
        if at == last || WRITTEN.iter().any(|w| w.offset() & !7 == at) {
            continue;
        }
        last = at;
        for value in [0, u64::MAX] {
            let id = format!("read-once/{},bits={}", field.name(), on(value != 0));
            let program = vec![
                Insn::Mov(0, value),
                Insn::Store(world::VMCB + u64::from(at)),
                Insn::Cpuid,
                Insn::Pause,
                Insn::ReadCr(0, 1),
                Insn::ReadDr(0, 1),
                Insn::Out { size: 1, port: 0x80 },
                Insn::Rdmsr(msr::EFER),
                Insn::Load(0, world::DATA),
                Insn::Sti,
                Insn::Wbinvd,
                Insn::Nop,
            ];
            let protections = intercept::IOIO_PROT.mask() | intercept::MSR_PROT.mask();
            let case = Draft::new(VmrunChecks, id).program(&program);
            out.push(case.also(Field::INTERCEPT_MISC1, protections).done());
        }
    }
}
