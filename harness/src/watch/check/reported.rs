//! What an exit reports: EXITINFO1 and 2, EXITINTINFO, nRIP and instruction bytes (15.7.1, 15.7.2,
//! 15.8, 15.10.2, 15.25.6). The model's table says what each code has.

use svm_model::arch::control::MOV_CR;
use svm_model::arch::{cr0, efer, event, fault, ioio};
use svm_model::cpu::CpuFeature;
use svm_model::features::vmexit::information::{self, Info, Next};
use svm_model::vmcb::{Field, exit};

use super::{Ran, in_words};
use crate::explain::{event as named, exits};

/// No instruction is longer.
const LONGEST: u64 = 15;
/// What EXITINFO1 of a nested fault can have: P, W, U, RSV, I/D, shadow stack, what it was, and
/// bits of SEV-SNP.
const FAULT: u64 = 0x7f | 1 << 31 | 0x3f << 32;

impl Ran<'_> {
    pub(super) fn reported(&mut self) {
        if self.exit.code == exit::SHUTDOWN {
            return;
        }
        self.information();
        match self.exit.code {
            exit::NPF => self.nested_fault(),
            exit::IOIO => self.port(),
            _ => {}
        }
        self.next_rip();
        self.event();
        self.bytes();
    }

    fn information(&mut self) {
        let Some(row) = information::row_of(self.exit.code) else { return };
        let (info1, info2) = (self.exit.info1, self.exit.info2);
        for (field, traced) in [(Field::EXITINFO1, info1), (Field::EXITINFO2, info2)] {
            let is = self.is(field);
            self.holds("vmexit.exitcode", is == traced, |_| {
                format!("{field} is {is:#x} in the VMCB, and was {traced:#x}")
            });
        }
        let rule = self.rule_of_information();
        for (name, info, value) in
            [("EXITINFO1", row.info1, info1), ("EXITINFO2", row.info2, info2)]
        {
            let so = self.possible(info, value);
            self.holds(rule, so, |_| format!("{name} is {value:#x}, and must be {info:?}"));
        }
    }

    /// Whether there can be such a value.
    fn possible(&self, info: Info, value: u64) -> bool {
        let decoded = self.has(CpuFeature::DecodeAssists);
        match info {
            Info::Open | Info::Address => true,
            Info::Is(only) => value == only,
            Info::UpTo(most) => value <= most,
            Info::Decoded(most) => !decoded || value <= most,
            Info::MovCr if !decoded => true,
            Info::MovCr if value & MOV_CR != 0 => value & !(MOV_CR | 15) == 0,
            // CLTS, LMSW and SMSW are of CR0.
            Info::MovCr => {
                let code = self.exit.code;
                value == 0 && matches!(code, exit::CR_READ | exit::CR_WRITE | exit::CR0_SEL_WRITE)
            }
            Info::ErrorCode => value <= 0xffff_ffff,
            Info::NextRip => !self.has(CpuFeature::NripSave) || value == self.is(Field::NRIP),
        }
    }

    fn rule_of_information(&self) -> &'static str {
        match self.exit.code {
            exit::CR_READ..exit::DR_READ | exit::CR0_SEL_WRITE => {
                if self.exit.info1 & MOV_CR != 0 {
                    "decode.cr-gpr"
                } else {
                    "decode.cr-other"
                }
            }
            exit::DR_READ..exit::EXCP => "decode.dr-gpr",
            exit::EXCP..exit::INTR => "intercept.exception-error-code",
            exit::SMI => "intercept.smi-external",
            exit::SWINT => "decode.swint",
            exit::IOIO if self.exit.info1 > 0xffff_ffff => "intercept.ioio-exitinfo1",
            exit::IOIO => "intercept.ioio-exitinfo2",
            exit::MSR => "msr.exitinfo1",
            exit::TASK_SWITCH => "intercept.task-switch-info",
            exit::BUSLOCK => "bus-lock.exitinfo",
            _ => "vmexit.exitcode",
        }
    }

    fn nested_fault(&mut self) {
        let info = self.exit.info1;
        let shown = |_: &Self| format!("EXITINFO1 is {info:#x}");
        let (last, walk) = (info & fault::FINAL != 0, info & fault::TABLE != 0);
        self.holds("npt.user", info & fault::U != 0, shown);
        self.holds("npt.final-walk", last != walk, shown);
        self.holds("npt.table-write", !walk || info & fault::W != 0, shown);
        self.holds("npt.reserved", info & fault::RSV == 0 || info & fault::P != 0, shown);
        self.holds("npt.fetch", info & fault::I == 0 || info & fault::W == 0 || walk, shown);
        self.holds("npt.exitcode", info & !FAULT == 0, shown);
    }

    fn port(&mut self) {
        let info = self.exit.info1;
        let one = |bits: u64| bits.count_ones() == 1;
        let sizes = one(info >> ioio::SIZE_SHIFT & 7) && one(info >> 7 & 7);
        // Bit 1 and bits 15:13 are reserved.
        let so = sizes && info & 0xe002 == 0;
        self.holds("intercept.ioio-exitinfo1", so, |_| format!("EXITINFO1 is {info:#x}"));
    }

    fn next_rip(&mut self) {
        if !self.has(CpuFeature::NripSave) {
            return self.keeps("nrip.supported", Field::NRIP, u64::MAX);
        }
        let Some(row) = information::row_of(self.exit.code) else { return };
        let (rip, next) = (self.is(Field::RIP), self.is(Field::NRIP));
        match row.next {
            Next::Zero => {
                self.holds("nrip.others-zero", next == 0, |_| format!("nrip is {next:#x}"));
            }
            Next::Instruction => {
                let length =
                    next.wrapping_sub(rip) & if self.long() { u64::MAX } else { 0xffff_ffff };
                let rule = match self.exit.code {
                    0..exit::EXCP | exit::CR0_SEL_WRITE => "nrip.cr-dr",
                    exit::IOIO | exit::MSR => "nrip.msr-io",
                    exit::EXCP..exit::INTR => "nrip.soft-exception",
                    _ => "nrip.instruction",
                };
                self.holds(rule, (1..=LONGEST).contains(&length), |_| {
                    format!("nrip is {next:#x}, and rip {rip:#x}")
                });
            }
            Next::Either => {}
        }
    }

    /// L2 runs 64-bit code.
    fn long(&self) -> bool {
        self.is(Field::EFER) & efer::LMA != 0 && self.is(Field::CS_ATTRIB) & 0x200 != 0
    }

    fn event(&mut self) {
        let info = self.is(Field::EXITINTINFO);
        if !self.delivering() {
            return;
        }
        // An instruction runs, and an interrupt is taken, when no event is on its way.
        let code = self.exit.code;
        let between = exits::instruction(code) || (exit::INTR..=exit::VINTR).contains(&code);
        self.holds("vmexit.exitintinfo-idle", !between, |_| {
            format!("exitintinfo has {}", in_words(info))
        });
        let shown = |_: &Self| format!("exitintinfo is {info:#x}: {}", in_words(info));
        let (kind, vector) = (info & 0x700, info & 0xff);
        let known = matches!(kind, event::INTR | event::NMI | event::EXCEPTION | event::SOFTWARE);
        // Bits 30:12 are reserved.
        self.holds("exitintinfo.delivery-fault", known && info & 0x7fff_f000 == 0, shown);
        self.holds("exitintinfo.type-nmi", kind != event::NMI || vector == 2, shown);
        let exception = kind == event::EXCEPTION;
        let real = vector < 32 && vector != 2;
        self.holds("exitintinfo.type-exception", !exception || real, shown);
        if self.was_injected(info) {
            let same = (self.was(Field::EVENTINJ) ^ info) & event::EV == 0;
            self.holds("exitintinfo.error-code", same, shown);
            return;
        }
        let protected = self.is(Field::CR0) & cr0::PE != 0;
        let coded = exception && protected && named::has_error_code(vector);
        self.holds("exitintinfo.error-code", coded == (info & event::EV != 0), shown);
    }

    fn bytes(&mut self) {
        if !self.has(CpuFeature::DecodeAssists) {
            return;
        }
        let (code, length) = (self.exit.code, self.is(Field::INSN_LEN));
        let shown = |_: &Self| format!("{length} instruction bytes");
        if !matches!(code, exit::NPF) && code != exit::EXCP + 14 {
            return self.holds("decode.bytes-others", length == 0, shown);
        }
        if self.exit.info1 & fault::I != 0 {
            return self.holds("decode.bytes-fetch", length == 0, shown);
        }
        self.holds("decode.bytes", length <= LONGEST, shown);
    }
}
