//! Whether the VMCB asked for the exit, and whether something comes before its intercept (15.7 to
//! 15.14; table 15-7).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use svm_model::arch::{cr0, cr4, flag, intercept, nested_ctl};
use svm_model::features::intercepts::order::{self, Check};
use svm_model::rules;
use svm_model::vmcb::{Field, exit};

use super::Ran;
use crate::explain::{event, exits};

/// What an exit of a code needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// That bit of that field.
    Bit(Field, u64),
    /// There is no such exit, whatever is intercepted.
    Never,
}

/// Codes whose bit is not where their number says: the bit stands at code minus first.
const RANGES: &[(u64, u64, Field)] = &[
    (exit::CR_READ, exit::CR_READ + 15, Field::INTERCEPT_CR_READ),
    (exit::CR_WRITE, exit::CR_WRITE + 15, Field::INTERCEPT_CR_WRITE),
    (exit::DR_READ, exit::DR_READ + 15, Field::INTERCEPT_DR_READ),
    (exit::DR_WRITE, exit::DR_WRITE + 15, Field::INTERCEPT_DR_WRITE),
    (exit::EXCP, exit::EXCP + 31, Field::INTERCEPT_EXCEPTIONS),
    (exit::INTR, exit::SHUTDOWN, Field::INTERCEPT_MISC1),
    (exit::VMRUN, exit::RDPRU, Field::INTERCEPT_MISC2),
    (exit::INVLPGB, exit::IDLE_HLT, Field::INTERCEPT_MISC3),
];

/// The codes of exception intercepts are one for each vector, but 2 is that of NMIs.
const NO_NMI: u64 = exit::EXCP + 2;
/// Between INVLPGB and INVPCID.
const RESERVED: u64 = exit::INVLPGB + 1;

/// What an exit of that code needs.
pub(super) fn needs(code: u64) -> Needs {
    if code == exit::NPF {
        return Needs::Bit(Field::NESTED_CTL, nested_ctl::NP_ENABLE);
    }
    // Bit 2 of the exception intercepts intercepts nothing; bit 1 of the last vector is reserved.
    if matches!(code, NO_NMI | RESERVED) {
        return Needs::Never;
    }
    let found = RANGES.iter().find(|(first, last, _)| (*first..=*last).contains(&code));
    // The write traps are not in the table: without SEV-ES they do nothing.
    found.map_or(Needs::Never, |(first, _, field)| Needs::Bit(*field, 1 << (code - first)))
}

/// The rule of the intercept behind an exit code; of a code without one, that of exit codes.
pub(super) fn rule(code: u64) -> &'static str {
    let own = match code {
        exit::NPF => "npt.enabled".into(),
        exit::MSR => "msr.prot".into(),
        exit::VINTR => "virq.vintr-intercept".into(),
        exit::CR0_SEL_WRITE => "intercept.cr0-sel".into(),
        exit::MWAIT_ARMED => "intercept.mwait-armed".into(),
        exit::BUSLOCK => "bus-lock.enabled".into(),
        exit::IDLE_HLT => "idle-hlt.exit".into(),
        exit::EFER_WRITE_TRAP => "intercept.efer-write-trap-inert".into(),
        exit::CR_WRITE_TRAP..exit::INVLPGB => "intercept.cr-write-trap-inert".into(),
        NO_NMI => "intercept.exception-2".into(),
        exit::EXCP..exit::INTR => {
            let name = event::exception(code - exit::EXCP);
            format!("intercept.exception-{}", name.trim_start_matches('#').to_lowercase())
        }
        _ => format!("intercept.{}", exits::name(code).to_lowercase().replace('_', "-")),
    };
    rules::named(&own).map_or("vmexit.exitcode", |(_, rule)| rule.id)
}

/// What every instruction with that exit code checks before its intercept.
static BEFORE: LazyLock<BTreeMap<u64, Vec<Check>>> = LazyLock::new(|| {
    let mut all = BTreeMap::<u64, Vec<Check>>::new();
    for row in order::table() {
        match all.get_mut(&row.code) {
            Some(checks) => checks.retain(|check| row.before.contains(check)),
            None => _ = all.insert(row.code, row.before),
        }
    }
    all
});

impl Ran<'_> {
    pub(super) fn intercepted(&mut self) {
        let code = self.exit.code;
        match needs(code) {
            Needs::Bit(field, bit) => {
                let asked = self.was(field) & bit != 0;
                self.holds(rule(code), asked, |ran| {
                    format!("not intercepted: {field} is {:#x}", ran.was(field))
                });
            }
            Needs::Never => self.holds(rule(code), false, |_| "there is no such exit".into()),
        }
        if code == exit::CR0_SEL_WRITE {
            let plain = self.was(Field::INTERCEPT_CR_WRITE) & 1 == 0;
            self.holds("intercept.cr0-sel-priority", plain, |_| {
                "all writes of CR0 are intercepted, which wins".into()
            });
        }
        // A shutdown leaves nothing of the guest that is defined.
        if code != exit::SHUTDOWN {
            for check in BEFORE.get(&code).into_iter().flatten() {
                self.before_it(*check);
            }
        }
        if code == exit::INTR && !self.masks_interrupts() {
            let on = self.is(Field::RFLAGS) & flag::IF != 0;
            self.holds("intercept.intr-if", on, |_| {
                "V_INTR_MASKING is clear, and so is L2's RFLAGS.IF, which governs then".into()
            });
        }
    }

    fn masks_interrupts(&self) -> bool {
        self.was(Field::INT_CTL) & svm_model::arch::int_ctl::V_INTR_MASKING != 0
    }

    /// The instruction has passed a check that comes before its intercept.
    fn before_it(&mut self, check: Check) {
        let user = self.is(Field::CPL) != 0;
        let (set, cr4) = (self.is(Field::CR0), self.is(Field::CR4));
        let v86 = self.is(Field::RFLAGS) & flag::VM != 0;
        let (rule, so, why) = match check {
            Check::Privilege | Check::PrivilegeUd => {
                ("intercept.cpl-first", !user, "CPL is not 0".to_owned())
            }
            Check::LegacyMode => (
                "intercept.protected-mode-first",
                set & cr0::PE != 0 && !v86,
                "L2 is in real or virtual-8086 mode".to_owned(),
            ),
            Check::Umip => (
                "intercept.umip-first",
                !(user && cr4 & cr4::UMIP != 0),
                "CPL is not 0 and CR4.UMIP is set".to_owned(),
            ),
            Check::Tsd => (
                "intercept.tsd-first",
                !(user && cr4 & cr4::TSD != 0),
                "CPL is not 0 and CR4.TSD is set".to_owned(),
            ),
            Check::Pce => (
                "intercept.pce-first",
                !(user && cr4 & cr4::PCE == 0),
                "CPL is not 0 and CR4.PCE is clear".to_owned(),
            ),
            Check::Absent(feature) => (
                "intercept.ud-first",
                self.has(feature),
                format!("CPUID does not offer {}", feature.name()),
            ),
            _ => return,
        };
        self.holds(rule, so, |_| format!("{why}, and the exception for it comes first"));
    }
}

/// Whether the VMCB has that intercept.
pub(super) fn set(ran: &Ran<'_>, bit: intercept::Bit) -> bool {
    ran.was(bit.field()) & bit.mask() != 0
}
