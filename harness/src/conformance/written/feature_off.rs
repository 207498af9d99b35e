//! A feature that `-cpu …,-feature` switches off is as absent as on a CPU that
//! never had it: what would ask for it in the VMCB or an MSR means nothing, or
//! is refused. `vgif`, `npt`, `nrip-save` and `v-vmsave-vmload` have theirs in
//! the files of their features.

use svm_model::Feature;
use svm_model::case::{Event, Insn, Step, world};
use svm_model::cpu::CpuFeature;
use svm_model::outcome::Obs;
use svm_model::snapshot::HostReg;
use svm_model::vmcb::{Field, exit};

use super::draft::{Draft, GP};

const DEBUGCTL: u32 = 0x1d9;
const TSC_RATIO: u32 = 0xc000_0104;
const SPEC_CTRL: u32 = 0x48;
const SVM_KEY: u32 = 0xc001_0118;
/// V_NMI and V_NMI_ENABLE.
const V_NMI: u64 = 1 << 11 | 1 << 26;

pub(super) fn cases() -> Vec<Draft> {
    [exits(), branches(), tsc(), pause(), tlb(), events(), newer()].concat()
}

fn off(id: &str, feature: Feature, section: &'static str, cpu: CpuFeature) -> Draft {
    Draft::new(format!("feature-off/{id}"), feature, section).without(cpu)
}

fn exits() -> Vec<Draft> {
    let decode = |id: &str, insn: Insn, code: u64| {
        off(id, Feature::DecodeAssists, "15.8.1", CpuFeature::DecodeAssists)
            .program(&[insn])
            .intercept(code)
            .run()
            .exits(code)
            .at(0)
            .field(Field::EXITINFO1, 0)
    };
    vec![
        decode("decodeassists-mov-cr", Insn::ReadCr(3, 8), exit::CR_READ + 3),
        decode("decodeassists-mov-dr", Insn::ReadDr(3, 2), exit::DR_READ + 3),
        decode("decodeassists-int-n", Insn::Int(0x80), exit::SWINT),
        decode("decodeassists-invlpg", Insn::Invlpg(world::DATA), exit::INVLPG),
    ]
}

fn newer() -> Vec<Draft> {
    let locks = [Insn::LockNot(world::DATA + 0x3c)];
    let spec_ctrl = off("v-spec-ctrl", Feature::SpecCtrl, "15.37.1", CpuFeature::VirtSpecCtrl);
    let unknown = |id: &str, cpu: CpuFeature, insn: Insn, code: u64| {
        off(id, Feature::Intercepts, "15.9", cpu).program(&[insn]).intercept(code).run().takes(
            6,
            0,
            world::L2_CODE,
        )
    };
    vec![
        // Not intercepted, HLT executes, and ends with the interrupt.
        off("idle-hlt", Feature::IdleHlt, "15.9", CpuFeature::IdleHlt)
            .program(&[Insn::Hlt])
            .intercept(exit::IDLE_HLT)
            .set(Field::INT_STATE, 1)
            .set(Field::RFLAGS, 0x202)
            .l1(Insn::Clgi, 0)
            .raise(Event::Intr(0x61))
            .run()
            .takes(0x61, 0, world::L2_CODE + 1),
        off("bus-lock-threshold", Feature::BusLock, "15.14.5", CpuFeature::BusLockThreshold)
            .program(&locks)
            .intercept(exit::BUSLOCK)
            .run()
            .ends(),
        // The guest has no register of its own, but reads and writes the host's.
        spec_ctrl
            .needs(CpuFeature::Ibrs)
            .needs(CpuFeature::Ssbd)
            .program(&[Insn::Rdmsr(SPEC_CTRL), Insn::Wrmsr(SPEC_CTRL, 4)])
            .step(Step::Wrmsr(SPEC_CTRL, 1))
            .set(Field::SPEC_CTRL, 5)
            .run()
            .ends()
            .field(Field::SPEC_CTRL, 5)
            .step(Step::Rdmsr(SPEC_CTRL))
            .shows(Obs::Value(4)),
        // With it, the intercept would come before the #GP for the address.
        off("svme-addr-chk", Feature::VmloadVmsave, "15.9", CpuFeature::AddrChk)
            .program(&[Insn::Mov(0, 8), Insn::Vmload])
            .intercept(exit::VMLOAD)
            .run()
            .takes(13, 0, world::L2_CODE + 10),
        unknown("rdpru", CpuFeature::Rdpru, Insn::Rdpru, exit::RDPRU),
        unknown("invlpgb", CpuFeature::Invlpgb, Insn::Invlpgb, exit::INVLPGB),
        unknown("tlbsync", CpuFeature::Invlpgb, Insn::Tlbsync, exit::TLBSYNC),
        unknown("mcommit", CpuFeature::Mcommit, Insn::Mcommit, exit::MCOMMIT),
    ]
}

fn branches() -> Vec<Draft> {
    vec![
        off("lbrv", Feature::Lbrv, "15.23.1", CpuFeature::Lbrv)
            .program(&[Insn::Rdmsr(DEBUGCTL)])
            .set(Field::VIRT_EXT, 1)
            .set(Field::DBGCTL, 1)
            .set(Field::BR_FROM, 0x1111)
            .run()
            .ends()
            .host(HostReg::Rax, world::VMCB)
            .field(Field::RAX, 0)
            .field(Field::DBGCTL, 1)
            .field(Field::BR_FROM, 0x1111),
    ]
}

fn tsc() -> Vec<Draft> {
    let ratio = |id: &str| off(id, Feature::TscScale, "15.30.5", CpuFeature::TscScale);
    vec![
        ratio("tsc-scale-read").step(Step::Rdmsr(TSC_RATIO)).shows(GP),
        ratio("tsc-scale-write").step(Step::Wrmsr(TSC_RATIO, 1 << 32)).shows(GP),
        off("svm-lock-key", Feature::Msr, "15.30.4", CpuFeature::SvmLock)
            .step(Step::Wrmsr(SVM_KEY, 0x1234))
            .shows(GP),
    ]
}

fn pause() -> Vec<Draft> {
    let pauses = |id: &str, cpu: CpuFeature, threshold: u64| {
        off(id, Feature::PauseFilter, "15.14.4", cpu)
            .program(&[Insn::Pause, Insn::Pause, Insn::Pause, Insn::Pause])
            .set(Field::PAUSE_FILTER_COUNT, 2)
            .set(Field::PAUSE_FILTER_THRESHOLD, threshold)
            .intercept(exit::PAUSE)
            .run()
            .exits(exit::PAUSE)
    };
    vec![
        pauses("pause-filter", CpuFeature::PauseFilter, 0).at(0),
        // Every PAUSE comes later than one tick behind the last.
        pauses("pfthreshold", CpuFeature::PfThreshold, 1).at(2),
    ]
}

fn tlb() -> Vec<Draft> {
    // Reserved, of which the manual says no more: the guest runs.
    let by_asid = |id: &str, control: u64| {
        off(id, Feature::TlbAsid, "15.16.1", CpuFeature::FlushByAsid)
            .set(Field::TLB_CONTROL, control)
            .run()
            .ends()
            .field(Field::TLB_CONTROL, control)
    };
    vec![
        by_asid("flushbyasid-3", 3),
        by_asid("flushbyasid-7", 7),
        // Every field is read again, whatever the bits say.
        off("vmcb-clean", Feature::TlbAsid, "15.15.1", CpuFeature::VmcbClean)
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

fn events() -> Vec<Draft> {
    vec![
        // With GMET, supervisor code on user pages would not run.
        off("gmet", Feature::Gmet, "15.25.14", CpuFeature::Gmet)
            .needs(CpuFeature::Npt)
            .also(Field::NESTED_CTL, 8)
            .run()
            .ends(),
        off("vnmi", Feature::Vnmi, "15.21.10", CpuFeature::Vnmi)
            .program(&[Insn::Nop])
            .set(Field::INT_CTL, V_NMI)
            .intercept(exit::NMI)
            .run()
            .ends(),
        // Nor does it need the NMI intercept.
        off("vnmi-unintercepted", Feature::Vnmi, "15.21.10", CpuFeature::Vnmi)
            .set(Field::INT_CTL, V_NMI)
            .run()
            .ends(),
    ]
}
