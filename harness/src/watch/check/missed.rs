//! What an intercept that was set did not catch, as far as two looks at the VMCB can tell: what
//! has changed, or was being delivered, though L2 could not without an exit (15.8, 15.9, 15.12).

use svm_model::arch::{cr0, event, int_ctl, intercept};
use svm_model::vmcb::{Field, exit};

use super::intercept::{rule, set};
use super::{Ran, in_words};

/// What a MOV to DR7 alone changes: not GD, which each #DB clears, nor the local enables, which a
/// task switch clears.
const DR7: u64 = 0xffff_02aa;

impl Ran<'_> {
    pub(super) fn missed(&mut self) {
        if self.exit.code == exit::SHUTDOWN {
            return;
        }
        self.registers();
        self.tables();
        self.delivered();
        self.virtual_interrupt();
    }

    /// A register has changed that L2 cannot write without an exit.
    fn unwritten(&mut self, code: u64, field: Field, mask: u64) {
        let same = !self.changed(field, mask);
        self.holds(rule(code), same, |ran| {
            let (was, is) = (ran.was(field), ran.is(field));
            format!("writes are intercepted, but {field} was {was:#x}, and is {is:#x}")
        });
    }

    fn writes(&self, code: u64) -> bool {
        let (field, first) = match code {
            exit::CR_WRITE..exit::DR_READ => (Field::INTERCEPT_CR_WRITE, exit::CR_WRITE),
            _ => (Field::INTERCEPT_DR_WRITE, exit::DR_WRITE),
        };
        self.was(field) >> (code - first) & 1 == 1
    }

    fn registers(&mut self) {
        let switches = !set(self, intercept::TASK_SWITCH);
        let cr = |n: u64| exit::CR_WRITE + n;
        let cr0 = cr0::WRITABLE & !cr0::ET;
        if self.writes(cr(0)) {
            let by_switch = if switches { cr0::TS } else { 0 };
            self.unwritten(cr(0), Field::CR0, cr0 & !by_switch);
        } else if set(self, intercept::CR0_SEL_WRITE) {
            self.unwritten(exit::CR0_SEL_WRITE, Field::CR0, cr0 & !(cr0::TS | cr0::MP));
        }
        if self.writes(cr(3)) && !switches {
            self.unwritten(cr(3), Field::CR3, u64::MAX);
        }
        if self.writes(cr(4)) {
            self.unwritten(cr(4), Field::CR4, u64::MAX);
        }
        if self.writes(cr(8)) && self.was(Field::INT_CTL) & int_ctl::V_INTR_MASKING != 0 {
            self.unwritten(cr(8), Field::INT_CTL, int_ctl::V_TPR);
        }
        if self.writes(exit::DR_WRITE + 7) {
            self.unwritten(exit::DR_WRITE + 7, Field::DR7, DR7);
        }
        let page_faults = self.was(Field::INTERCEPT_EXCEPTIONS) >> 14 & 1 == 1;
        if self.writes(cr(2)) && page_faults {
            self.keeps("intercept.pf-cr2", Field::CR2, u64::MAX);
        }
    }

    fn tables(&mut self) {
        let (lgdt, lidt) = (exit::IDTR_READ + 5, exit::IDTR_READ + 4);
        if set(self, intercept::LGDT) {
            self.unwritten(lgdt, Field::GDTR_BASE, u64::MAX);
            self.unwritten(lgdt, Field::GDTR_LIMIT, 0xffff);
        }
        if set(self, intercept::LIDT) {
            self.unwritten(lidt, Field::IDTR_BASE, u64::MAX);
            self.unwritten(lidt, Field::IDTR_LIMIT, 0xffff);
        }
    }

    /// What was injected is not asked for again.
    pub(super) fn was_injected(&self, delivering: u64) -> bool {
        let asked = self.was(Field::EVENTINJ);
        let same = if delivering & 0x700 == event::NMI { 0x700 } else { 0x7ff };
        asked & event::V != 0 && (asked ^ delivering) & same & !event::EV == 0
    }

    /// An event was being delivered that should have exited instead.
    fn delivered(&mut self) {
        let delivering = self.is(Field::EXITINTINFO);
        if delivering & event::V == 0 || self.was_injected(delivering) {
            return;
        }
        let vector = delivering & 0xff;
        let int_ctl = self.was(Field::INT_CTL);
        let code = match delivering & 0x700 {
            event::INTR if int_ctl & int_ctl::V_IRQ == 0 => exit::INTR,
            event::INTR => exit::VINTR,
            event::NMI if int_ctl & int_ctl::V_NMI_ENABLE == 0 => exit::NMI,
            event::SOFTWARE => exit::SWINT,
            // INT1 is none that the intercept of #DB catches.
            event::EXCEPTION if vector < 32 && !matches!(vector, 1 | 2) => exit::EXCP + vector,
            _ => return,
        };
        let super::intercept::Needs::Bit(field, bit) = super::intercept::needs(code) else {
            return;
        };
        // Of two that are pending, it may be the one that is not intercepted.
        let either = code == exit::VINTR && !set(self, intercept::INTR);
        let so = self.was(field) & bit == 0 || either;
        self.holds(rule(code), so, |_| {
            format!("it is intercepted, but L2 was taking {}", in_words(delivering))
        });
    }

    /// With its intercept set a virtual interrupt is never taken.
    fn virtual_interrupt(&mut self) {
        let (was, is) = (self.was(Field::INT_CTL), self.is(Field::INT_CTL));
        let taken = was & int_ctl::V_IRQ != 0 && is & int_ctl::V_IRQ == 0;
        let so = !(taken && set(self, intercept::VINTR));
        self.holds("virq.vintr-intercept", so, |_| {
            "virtual interrupts are intercepted, but V_IRQ was set, and is clear".into()
        });
    }
}
