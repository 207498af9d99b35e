//! The modes of operation that L2 can be in (APM vol. 2, 1.3), each with VMCB fields that put it
//! there, at the place of an instruction of its program.

use super::{Draft, world};
use crate::arch::{cr0, cr4, efer, flag};
use crate::vmcb::Field;

/// A mode of operation (APM vol. 2, 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 64-bit mode.
    Long,
    /// Compatibility mode, default sizes of 32 bits.
    Compatibility,
    /// Compatibility mode, default sizes of 16 bits.
    Compatibility16,
    /// Legacy protected mode with PAE paging, default sizes of 32 bits.
    Paged,
    /// Legacy protected mode without paging, default sizes of 32 bits.
    Protected,
    /// Legacy protected mode without paging, default sizes of 16 bits.
    Protected16,
    /// Real mode.
    Real,
    /// Virtual-8086 mode, without paging.
    Virtual8086,
}

/// The page-directory pointers of [`Mode::Paged`].
const PDPTES: u64 = world::DATA + 0x1f_f000;

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 8] = [
        Mode::Long,
        Mode::Compatibility,
        Mode::Compatibility16,
        Mode::Paged,
        Mode::Protected,
        Mode::Protected16,
        Mode::Real,
        Mode::Virtual8086,
    ];

    /// The name, for ids.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Long => "64-bit",
            Mode::Compatibility => "compatibility",
            Mode::Compatibility16 => "compatibility-16",
            Mode::Paged => "paged-32",
            Mode::Protected => "protected-32",
            Mode::Protected16 => "protected-16",
            Mode::Real => "real",
            Mode::Virtual8086 => "virtual-8086",
        }
    }

    /// Whether addresses and operands have 16 bits.
    pub fn narrow(self) -> bool {
        matches!(self, Mode::Compatibility16 | Mode::Protected16 | Mode::Real | Mode::Virtual8086)
    }

    /// Whether L2's own page tables are in use.
    pub fn paged(self) -> bool {
        matches!(self, Mode::Long | Mode::Compatibility | Mode::Compatibility16 | Mode::Paged)
    }

    /// Whether instructions of protected mode alone exist.
    pub fn protected(self) -> bool {
        !matches!(self, Mode::Real | Mode::Virtual8086)
    }

    /// Whether there are privilege levels to choose from.
    pub fn leveled(self) -> bool {
        self.protected()
    }

    /// CR0 in that mode.
    pub(crate) fn cr0(self) -> u64 {
        match self {
            Mode::Long | Mode::Compatibility | Mode::Compatibility16 | Mode::Paged => world::L1_CR0,
            Mode::Protected | Mode::Protected16 | Mode::Virtual8086 => cr0::ET | cr0::PE,
            Mode::Real => cr0::ET,
        }
    }

    /// CR4 in that mode.
    pub(crate) fn cr4(self) -> u64 {
        if self.paged() { cr4::PAE } else { 0 }
    }

    /// L2 in that mode, at CPL 0 where there is a choice, or at CPL 3, about to execute the
    /// instruction at `linear`.
    pub(crate) fn enter(self, draft: Draft, linear: u64, user: bool) -> Draft {
        let user = user && self.leveled();
        let draft = if user { draft.user() } else { draft };
        let dpl = if user || self == Mode::Virtual8086 { 0x60 } else { 0 };
        let sizes = match self {
            Mode::Long => return draft.set(Field::RIP, linear),
            Mode::Compatibility | Mode::Paged | Mode::Protected => 0xc9b,
            Mode::Compatibility16 | Mode::Protected16 => 0x89b,
            Mode::Real | Mode::Virtual8086 => 0x9b,
        };
        let draft = draft.set(Field::CS_ATTRIB, sizes | dpl);
        let draft = match self {
            Mode::Compatibility | Mode::Compatibility16 => return draft.set(Field::RIP, linear),
            Mode::Paged => draft
                .set(Field::EFER, efer::SVME | efer::NXE)
                .set(Field::CR3, PDPTES)
                .poke(PDPTES, (world::L2PT + 0x2000) | 1),
            _ => draft.set(Field::EFER, efer::SVME),
        };
        let draft = draft.set(Field::CR0, self.cr0()).set(Field::CR4, self.cr4());
        if self.protected() {
            return draft.set(Field::RIP, linear);
        }
        let page = linear & !0xfff;
        let draft = draft.set(Field::CS_BASE, page).set(Field::CS_LIMIT, 0xffff);
        let draft = draft.set(Field::RIP, linear - page);
        if self == Mode::Virtual8086 {
            draft.set(Field::RFLAGS, flag::FIXED | flag::VM)
        } else {
            draft
        }
    }
}
