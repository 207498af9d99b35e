//! What #VMEXIT writes to the VMCB beside the reason, and what it must leave (15.6, 15.21).

use svm_model::arch::{cr0, efer, event, flag, int_ctl, int_state, nested_ctl, virt_ext};
use svm_model::cpu::CpuFeature;
use svm_model::vmcb::{Field, SAVE, exit};

use super::Ran;

/// Control fields that #VMEXIT writes, all of them or in part.
const WRITTEN: &[Field] = &[
    Field::INT_CTL,
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
    // With shadow stacks and SEV-ES, which are out of scope.
    Field::GHCB_PA,
];

/// What VMLOAD and VMSAVE move, and nothing else does.
const HIDDEN: &[Field] = &[
    Field::FS_SELECTOR,
    Field::FS_ATTRIB,
    Field::FS_LIMIT,
    Field::FS_BASE,
    Field::GS_SELECTOR,
    Field::GS_ATTRIB,
    Field::GS_LIMIT,
    Field::GS_BASE,
    Field::LDTR_SELECTOR,
    Field::LDTR_ATTRIB,
    Field::LDTR_LIMIT,
    Field::LDTR_BASE,
    Field::TR_SELECTOR,
    Field::TR_ATTRIB,
    Field::TR_LIMIT,
    Field::TR_BASE,
    Field::STAR,
    Field::LSTAR,
    Field::CSTAR,
    Field::SFMASK,
    Field::KERNEL_GS_BASE,
    Field::SYSENTER_CS,
    Field::SYSENTER_ESP,
    Field::SYSENTER_EIP,
];

/// The last-branch records.
const BRANCHES: &[Field] =
    &[Field::DBGCTL, Field::BR_FROM, Field::BR_TO, Field::LASTEXCPFROM, Field::LASTEXCPTO];

/// Bits of RFLAGS that are always 0, and the one that is always 1.
const RFLAGS_ZERO: u64 = !0x3f_7fd7;
const RFLAGS_ONE: u64 = 2;

impl Ran<'_> {
    pub(super) fn saved(&mut self) {
        self.exit_code();
        let injection = self.is(Field::EVENTINJ);
        self.holds("vmexit.clears-eventinj", injection == 0, |_| {
            format!("eventinj is {injection:#x}")
        });
        self.left_alone();
        self.interrupt_controls();
        if self.exit.code == exit::SHUTDOWN {
            return;
        }
        self.guest_state();
        if self.exit.code == exit::VINTR {
            self.virtual_interrupt_pending();
        }
    }

    pub(super) fn exit_code(&mut self) {
        let code = self.is(Field::EXITCODE);
        self.holds("vmexit.exitcode", code == self.exit.code, |_| format!("exitcode is {code:#x}"));
    }

    fn left_alone(&mut self) {
        for field in Field::ALL.iter().copied().filter(|field| field.offset() < SAVE) {
            let rule = match field {
                Field::TLB_CONTROL => "tlb.field-kept",
                Field::GUEST_ASID => "tlb.asid-kept",
                Field::PAUSE_FILTER_COUNT => "pause.loaded",
                _ if WRITTEN.contains(&field) => continue,
                _ => "vmexit.leaves-controls",
            };
            self.keeps(rule, field, u64::MAX);
        }
        for field in HIDDEN {
            self.keeps("vmexit.leaves-fs-gs-tr-ldtr", *field, u64::MAX);
        }
        if self.was(Field::NESTED_CTL) & nested_ctl::NP_ENABLE == 0 {
            self.keeps("npt.gpat-load", Field::G_PAT, u64::MAX);
        }
        let branches = self.has(CpuFeature::Lbrv) && self.was(Field::VIRT_EXT) & virt_ext::LBR != 0;
        if !branches {
            for field in BRANCHES {
                self.keeps("lbrv.shared", *field, u64::MAX);
            }
        }
    }

    fn vgif(&self) -> bool {
        self.has(CpuFeature::Vgif) && self.was(Field::INT_CTL) & int_ctl::V_GIF_ENABLE != 0
    }

    fn interrupt_controls(&mut self) {
        let mut written = int_ctl::V_TPR | int_ctl::V_IRQ;
        if self.vgif() {
            written |= int_ctl::V_GIF;
        }
        if self.has(CpuFeature::Vnmi) && self.was(Field::INT_CTL) & int_ctl::V_NMI_ENABLE != 0 {
            written |= int_ctl::V_NMI | int_ctl::V_NMI_MASK;
        }
        self.keeps("virq.int-ctl-kept", Field::INT_CTL, !written);
        let (was, is) = (self.was(Field::INT_CTL), self.is(Field::INT_CTL));
        let raised = was & int_ctl::V_IRQ == 0 && is & int_ctl::V_IRQ != 0;
        self.holds("virq.pending-saved", !raised, |_| {
            "V_IRQ was clear, and is set; L2 cannot set it".into()
        });
        let state = self.is(Field::INT_STATE);
        // What becomes of reserved bits is not said.
        let reserved = self.was(Field::INT_STATE) & !3 != 0;
        self.holds("vmexit.save-shadow", reserved || state & !3 == 0, |_| {
            format!("int_state is {state:#x}")
        });
    }

    fn guest_state(&mut self) {
        let rflags = self.is(Field::RFLAGS);
        let possible = rflags & RFLAGS_ZERO == 0 && rflags & RFLAGS_ONE != 0;
        self.holds("vmexit.save-rflags", possible, |_| format!("rflags is {rflags:#x}"));
        let (efer, cr0) = (self.is(Field::EFER), self.is(Field::CR0));
        let long = efer & efer::LME != 0 && cr0 & cr0::PG != 0;
        self.holds("vmexit.save-efer", long == (efer & efer::LMA != 0), |_| {
            format!("efer is {efer:#x}, cr0 {cr0:#x}: LMA is LME and paging")
        });
        let cpl = self.is(Field::CPL);
        self.holds("vmexit.save-cpl", cpl < 4, |_| format!("cpl is {cpl}"));
    }

    /// It was about to be taken.
    fn virtual_interrupt_pending(&mut self) {
        let int_ctl = self.is(Field::INT_CTL);
        let asked = self.was(Field::INT_CTL) & int_ctl::V_IRQ != 0;
        self.holds("virq.v-irq", asked, |_| "V_IRQ was clear".into());
        let kept = int_ctl & int_ctl::V_IRQ != 0;
        self.holds("virq.vintr-keeps-v-irq", kept || !asked, |_| "V_IRQ is clear".into());
        let on = self.is(Field::RFLAGS) & flag::IF != 0;
        self.holds("virq.guest-if", on, |_| "L2's RFLAGS.IF is clear".into());
        let shadow = self.is(Field::INT_STATE) & int_state::SHADOW != 0;
        self.holds("virq.shadow", !shadow, |_| "L2 is in an interrupt shadow".into());
        let priority = (int_ctl & int_ctl::V_INTR_PRIO) >> 16;
        let above = priority > int_ctl & 0xf || int_ctl & int_ctl::V_IGN_TPR != 0;
        self.holds("virq.priority", above, |_| {
            format!("int_ctl is {int_ctl:#x}: V_INTR_PRIO is not above V_TPR")
        });
        let held = self.vgif() && int_ctl & int_ctl::V_GIF == 0;
        self.holds("vgif.blocks-virq", !held, |_| "V_GIF is clear".into());
    }

    /// Whether an event was being delivered.
    pub(super) fn delivering(&self) -> bool {
        self.is(Field::EXITINTINFO) & event::V != 0
    }
}
