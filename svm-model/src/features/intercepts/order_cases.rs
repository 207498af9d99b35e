//! Table 15-7 crossed: each row with each exception that its instruction can raise, in each
//! mode of operation, at each CPL.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::order::{ALWAYS, Check, Rax, Row, table};
use crate::Feature;
use crate::arch::{cr0, cr4, dr, exit, flag};
use crate::case::draft::on;
use crate::case::mode::Mode;
use crate::case::{Case, Draft, Insn, Step, world};
use crate::cases::{Cases, random::tells};
use crate::cpu::CpuFeature;
use crate::features::debug::trap_cases::enabled;
use crate::vmcb::Field;

/// A case of the family, and the exit that the table says comes of it (15.9).
#[derive(Clone, Debug)]
pub struct Crossing {
    /// The row's name.
    pub row: &'static str,
    /// What is made to fail, if anything.
    pub check: Option<Check>,
    /// The mode.
    pub mode: Mode,
    /// The case.
    pub case: Case,
    /// The exit code, where the row's intercept is set.
    pub code: Option<u64>,
}

/// One experiment.
#[derive(Clone, Copy)]
struct Setting<'r> {
    row: &'r Row,
    mode: Mode,
    user: bool,
    check: Option<Check>,
}

/// A page of the window: the one that RBX points at, and one for the stack.
const OPERAND_PAGE: u64 = 0x30;
const STACK_PAGE: u64 = 0x40;
/// The entry of the page directories that maps L2's code.
const CODE_ENTRY: u64 = world::L2_CODE >> 21;
const NX_CODE: u64 = 1 << 63 | CODE_ENTRY << 21 | 0xe7;

pub(crate) fn cases(out: &mut Cases) {
    out.extend(crossings().into_iter().map(|crossing| crossing.case));
}

/// Every case of the family with what the table says of it (15.9).
pub fn crossings() -> Vec<Crossing> {
    let mut all = Vec::new();
    for row in table() {
        for mode in Mode::ALL {
            if row.long_only && mode != Mode::Long {
                continue;
            }
            let checks = ALWAYS.iter().chain(&row.before).chain(&row.after).map(|c| Some(*c));
            for check in [None].into_iter().chain(checks) {
                for user in [false, true] {
                    let setting = Setting { row: &row, mode, user, check };
                    if setting.possible() {
                        setting.write(&mut all);
                    }
                }
            }
        }
    }
    all
}

impl Setting<'_> {
    /// Whether there is such a setting, and it is not that of another check.
    fn possible(&self) -> bool {
        use Check::*;
        let (mode, user) = (self.mode, self.user);
        if user && !mode.leveled() {
            return false;
        }
        let Some(check) = self.check else {
            return !user || !self.row.before.contains(&Check::Iopl);
        };
        let outer = user || mode == Mode::Virtual8086;
        match check {
            Breakpoint | Lock | Absent(_) | FetchNested => !user,
            FetchPage => !user && mode.paged(),
            LegacyMode => !mode.protected(),
            Privilege | PrivilegeUd | Pce => mode == Mode::Virtual8086,
            Umip | Tsd | Iopl => outer,
            Ecx => !user,
            VmcbAddress | InvpcidType | Gate => !user,
            // With the CPL both apply, and neither is said to come first.
            DebugAlias | Detect => !outer,
            Value => !user && (self.value() >> 32 == 0 || mode == Mode::Long),
            OperandCanonical | StackCanonical => !user && mode == Mode::Long,
            OperandPage | StackPage => !user && mode.paged() && !mode.narrow(),
            OperandNested | StackNested => !user && !mode.narrow(),
            StackAligned => outer,
        }
    }

    /// Whether a check fails in this setting.
    fn fails(&self, check: Check) -> bool {
        let outer = self.user || self.mode == Mode::Virtual8086;
        match check {
            Check::LegacyMode => !self.mode.protected(),
            Check::Privilege | Check::PrivilegeUd | Check::Pce => outer,
            // With 16 bits RCX cannot be made zero.
            Check::Ecx => self.mode.narrow() || self.check == Some(check),
            _ => self.check == Some(check),
        }
    }

    /// The exit that the table says comes of it.
    fn code(&self) -> u64 {
        let mut before = ALWAYS.iter().chain(&self.row.before);
        before.find(|c| self.fails(**c)).map_or(self.row.code, |c| c.code())
    }

    /// What the register of the row cannot hold.
    fn value(&self) -> u64 {
        match self.row.insn {
            Insn::WriteCr(0, _) => self.mode.cr0() & !cr0::CD | cr0::NW,
            Insn::WriteCr(3, _) => 1 << 62,
            Insn::WriteCr(4, _) => self.mode.cr4() | 1 << 31,
            Insn::WriteCr(..) => 16,
            _ => 1 << 40,
        }
    }

    fn rax(&self) -> u64 {
        let cr3 = if self.mode == Mode::Paged { 0 } else { world::L2PT };
        match (self.check, self.row.rax) {
            (Some(Check::Value), _) => self.value(),
            (Some(Check::VmcbAddress), _) => 8,
            (Some(Check::InvpcidType), _) => 4,
            (Some(Check::OperandCanonical), _) => 1 << 62,
            (_, Rax::Any) => 0,
            (_, Rax::Is(value)) => value,
            (_, Rax::Cr(0)) => self.mode.cr0(),
            (_, Rax::Cr(3)) if self.mode.paged() => cr3,
            (_, Rax::Cr(4)) => self.cr4(),
            (_, Rax::Cr(_)) => 0,
            (_, Rax::Cr0Changed) => self.mode.cr0() ^ cr0::WP,
        }
    }

    fn cr4(&self) -> u64 {
        let more = match self.check {
            Some(Check::Umip) => cr4::UMIP,
            Some(Check::Tsd) => cr4::TSD,
            Some(Check::DebugAlias) => cr4::DE,
            _ => 0,
        };
        let xsave = if self.row.insn == Insn::Xsetbv { cr4::OSXSAVE } else { 0 };
        self.mode.cr4() | more | xsave
    }

    /// What goes in front of the instruction, which is without the loads of its operands.
    fn front(&self) -> Vec<Insn> {
        let zero = matches!(
            self.row.insn,
            Insn::Rdpmc | Insn::Monitor | Insn::Mwait | Insn::Xsetbv | Insn::Rdpru
        );
        let zero = zero && !self.mode.narrow() && self.check != Some(Check::Ecx);
        if zero { vec![Insn::Mov32(1, 0), Insn::Mov32(2, 0)] } else { Vec::new() }
    }

    fn write(&self, all: &mut Vec<Crossing>) {
        // What comes without the intercept shows that the check fails, and that nothing else does.
        let shown = matches!(self.mode, Mode::Long | Mode::Paged | Mode::Real);
        for intercepted in [true, false] {
            let draft = self.draft(intercepted);
            if intercepted || shown && tells(&draft.clone().case()) {
                let code = intercepted.then(|| self.code());
                all.push(self.crossing(draft, code));
            }
        }
        // Left to L2, which can take it in 64-bit mode.
        if self.mode == Mode::Long && self.code() != self.row.code && self.code() != exit::NPF {
            let case = self.draft(true).case();
            let taken = Draft::new(case.feature, format!("{},taken", case.id));
            let steps = case.steps.into_iter();
            let steps = steps.filter(|s| !matches!(s, Step::Vmcb(Field::INTERCEPT_EXCEPTIONS, _)));
            let taken = steps.fold(taken.program(&case.program), Draft::step);
            let taken = case.cpu.needs.iter().fold(taken, |d, f| d.needs(&[f]));
            let taken = case.cpu.without.iter().fold(taken, |d, f| d.without(&[f]));
            if tells(&taken.clone().case()) {
                all.push(self.crossing(taken, None));
            }
        }
    }

    fn crossing(&self, draft: Draft, code: Option<u64>) -> Crossing {
        let Setting { row, mode, check, .. } = *self;
        Crossing { row: row.name, check, mode, case: draft.case(), code }
    }

    fn id(&self, intercepted: bool) -> String {
        let check = match self.check {
            Some(Check::Absent(feature)) => format!("no-{}", feature.name()),
            Some(check) => format!("{check:?}").to_lowercase(),
            None => String::from("nothing"),
        };
        format!(
            "intercept-order/{},{},cpl={},{check},intercept={}",
            self.row.name,
            self.mode.name(),
            if self.user { 3 } else { 0 },
            on(intercepted)
        )
    }

    fn draft(&self, intercepted: bool) -> Draft {
        let row = self.row;
        let mut program = self.front();
        let front = !program.is_empty();
        let locked = self.check == Some(Check::Lock);
        let insn = row.insn.clone();
        program.push(if locked { Insn::Lock(insn.into()) } else { insn });
        let place = program.len() - 1;
        let draft = Draft::new(Feature::Intercepts, self.id(intercepted)).program(&program);
        let at = draft.rip(place);
        let draft = self.mode.enter(draft, if front { world::L2_CODE } else { at }, self.user);
        let draft =
            if self.cr4() == self.mode.cr4() { draft } else { draft.set(Field::CR4, self.cr4()) };
        let draft = draft.set(Field::RAX, self.rax());
        // What RBX points at is written, and must be put back behind the case.
        let stores = matches!(row.insn, Insn::Sidt | Insn::Sgdt);
        let operand = world::gpr(3);
        let draft = if stores { draft.poke(operand, 0).poke(operand + 8, 0) } else { draft };
        let draft = self.arrange(draft, at);
        let draft = self.features(draft);
        if !intercepted {
            let draft = draft.set(Field::INTERCEPT_EXCEPTIONS, 0xffff_fdfb);
            return draft.run();
        }
        let draft = match row.code {
            exit::IOIO => draft
                .step(Step::Mem { pa: world::IOPM, width: 8, value: !0 })
                .step(Step::Mem { pa: world::IOPM + 0x10, width: 8, value: !0 }),
            _ => draft,
        };
        let draft = draft.intercept(row.code);
        let code = self.code();
        let exception = (exit::EXCP..exit::INTR).contains(&code);
        // What comes too early shows as its own exit.
        let vectors = self.check.map(Check::code).into_iter().chain(exception.then_some(code));
        let vectors = vectors.filter(|c| (exit::EXCP..exit::INTR).contains(c));
        let bits = vectors.fold(0, |bits, c| bits | 1u64 << (c - exit::EXCP));
        if bits == 0 { draft.run() } else { draft.set(Field::INTERCEPT_EXCEPTIONS, bits).run() }
    }

    fn features(&self, draft: Draft) -> Draft {
        let absent = match self.check {
            Some(Check::Absent(feature)) => Some(feature),
            _ => None,
        };
        let needed = self.row.needs.iter().filter(|f| Some(**f) != absent);
        let draft = needed.fold(draft, |d, f| d.needs(&[*f]));
        match self.check {
            Some(Check::Absent(feature)) => draft.without(&[feature]),
            Some(Check::Umip) => draft.needs(&[CpuFeature::Umip]),
            Some(Check::VmcbAddress) => draft.without(&[CpuFeature::AddrChk]),
            Some(Check::FetchNested | Check::OperandNested | Check::StackNested) => {
                draft.needs(&[CpuFeature::Npt, CpuFeature::Nx])
            }
            _ => draft,
        }
    }

    /// Makes the check fail.
    fn arrange(&self, draft: Draft, at: u64) -> Draft {
        let Some(check) = self.check else { return draft };
        let stack = world::DATA + STACK_PAGE * 0x1000 + 0x800;
        match check {
            Check::Breakpoint => draft.step(Step::WriteDr(0, at)).set(Field::DR7, enabled(0, 0, 0)),
            Check::FetchPage => draft.poke(world::l2pt::PD + CODE_ENTRY * 8, NX_CODE),
            Check::FetchNested => draft.poke(world::npt::PD + CODE_ENTRY * 8, NX_CODE),
            Check::Iopl => {
                draft.step(Step::Mem { pa: world::L2_TSS + 0x66, width: 2, value: 0xffff })
            }
            Check::Detect => draft.set(Field::DR7, dr::DR7_ONES | dr::DR7_GD),
            Check::Gate => draft.set(Field::IDTR_LIMIT, 0),
            Check::OperandPage => draft.poke(world::l2pt::PT + OPERAND_PAGE * 8, 0),
            Check::OperandNested => draft.poke(world::npt::PT + OPERAND_PAGE * 8, 0),
            Check::StackCanonical => draft.set(Field::RSP, 1 << 50),
            Check::StackPage => {
                draft.set(Field::RSP, stack).poke(world::l2pt::PT + STACK_PAGE * 8, 0)
            }
            Check::StackNested => {
                draft.set(Field::RSP, stack).poke(world::npt::PT + STACK_PAGE * 8, 0)
            }
            Check::StackAligned => {
                let vm = if self.mode == Mode::Virtual8086 { flag::VM } else { 0 };
                draft
                    .set(Field::RSP, stack + 1)
                    .set(Field::CR0, self.mode.cr0() | cr0::AM)
                    .set(Field::RFLAGS, flag::FIXED | flag::AC | vm)
            }
            _ => draft,
        }
    }
}
