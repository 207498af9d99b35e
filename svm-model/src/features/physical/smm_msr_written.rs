//! The handler of an SMI that L2 is interrupted by: the MSRs that a guest has of its own are not
//! the handler's, which runs outside of the guest (15.22.3), and are the guest's again behind RSM.

use alloc::format;
use alloc::vec::Vec;

use super::smm_written::{CLEANUP, FOUND, SETUP, clean_up, handler};
use crate::Feature::Intercepts;
use crate::arch::msr::{DEBUGCTL, PAT, SPEC_CTRL};
use crate::arch::virt_ext::LBR;
use crate::case::code::{Code, cleared};
use crate::case::{Draft, Event, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::outcome::Obs;
use crate::rules as r;
use crate::snapshot::HostReg;
use crate::vmcb::Field;

/// An MSR, with what gives the guest one of its own, and what the two have.
struct Own {
    name: &'static str,
    msr: u32,
    needs: &'static [CpuFeature],
    enabled: &'static [(Field, u64)],
    field: Field,
    host: u64,
    guest: u64,
}

const OWN: [Own; 3] = [
    Own {
        name: "pat",
        msr: PAT,
        needs: &[CpuFeature::Npt],
        enabled: &[],
        field: Field::G_PAT,
        host: 0x0606_0606,
        guest: 0x0404_0404,
    },
    Own {
        name: "spec-ctrl",
        msr: SPEC_CTRL,
        needs: &[CpuFeature::VirtSpecCtrl, CpuFeature::Ibrs, CpuFeature::Stibp],
        enabled: &[],
        field: Field::SPEC_CTRL,
        host: 1,
        guest: 2,
    },
    Own {
        name: "debugctl",
        msr: DEBUGCTL,
        needs: &[CpuFeature::Lbrv],
        enabled: &[(Field::VIRT_EXT, LBR)],
        field: Field::DBGCTL,
        host: 0,
        guest: 1,
    },
];

pub(crate) fn cases() -> Vec<Draft> {
    OWN.iter().map(case).collect()
}

fn case(own: &Own) -> Draft {
    // MOV ECX, the MSR; RDMSR; MOV [FOUND], EAX, in 16-bit mode.
    let mut reads = [0x66, 0xb9].to_vec();
    reads.extend(own.msr.to_le_bytes());
    reads.extend([0x0f, 0x32, 0x66, 0x67, 0xa3]);
    reads.extend((FOUND as u32).to_le_bytes());
    let setup = handler(Code::at(SETUP).leave_long_mode(), &reads).return_to_long_mode();
    let cleanup = clean_up(Code::at(CLEANUP).leave_long_mode()).return_to_long_mode();

    let d = Draft::new(Intercepts, format!("smm/own-{}", own.name))
        .about(r::physical::SMI)
        .needs(own.needs)
        .program(&[Insn::Rdmsr(own.msr)])
        .set_all(own.enabled);
    let d = setup.called(cleanup.placed(setup.placed(cleared(d, FOUND, 0x10))));
    let d = d
        .step(Step::Wrmsr(own.msr, own.host))
        .set(own.field, own.guest)
        .clgi()
        .raise(Event::Smi)
        .run()
        .shows(Obs::L1Smi)
        .ends()
        .field(Field::RAX, own.guest)
        .field(own.field, own.guest)
        .host(HostReg::Rax, world::VMCB)
        .step(Step::Peek { pa: FOUND, width: 4 })
        .value(own.host)
        .step(Step::Rdmsr(own.msr))
        .value(own.host);
    let d = if own.name == "pat" { d.step(Step::Wrmsr(PAT, world::PAT)) } else { d };
    let d = if own.name == "spec-ctrl" { d.step(Step::Wrmsr(SPEC_CTRL, 0)) } else { d };
    cleanup.called(d)
}
