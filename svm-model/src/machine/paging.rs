//! The guest's own page tables (vol. 2, chapter 5), each of whose entries is
//! itself read through the nested tables (15.25).

use crate::arch::{cr0, cr4, efer, fault, flag, pte};
use crate::case::world;
use crate::features::npt::model::NestedAccess;
use crate::machine::delivery::Event;
use crate::machine::registers::Regs;
use crate::machine::{Flow, Machine, Stop};
use crate::rules::npt;

/// How memory is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) write: bool,
    pub(crate) exec: bool,
    /// Made by the processor itself (descriptor tables, stack switch): always supervisor.
    pub(crate) implicit: bool,
}

impl Access {
    pub(crate) const READ: Access = Access { write: false, exec: false, implicit: false };
    pub(crate) const WRITE: Access = Access { write: true, exec: false, implicit: false };
    pub(crate) const FETCH: Access = Access { write: false, exec: true, implicit: false };
    pub(crate) const SYSTEM_READ: Access = Access { write: false, exec: false, implicit: true };
    pub(crate) const SYSTEM_WRITE: Access = Access { write: true, exec: false, implicit: true };
}

/// The shape of one level of a walk.
#[derive(Clone, Copy)]
struct Level {
    /// Lowest address bit that the level's index uses.
    shift: u32,
    /// Index bits.
    bits: u32,
    /// Bytes of an entry.
    size: u8,
    /// Whether PS makes an entry a leaf here.
    large: bool,
}

const fn level(shift: u32, bits: u32, size: u8, large: bool) -> Level {
    Level { shift, bits, size, large }
}

const LONG5: [Level; 5] = [
    level(48, 9, 8, false),
    level(39, 9, 8, false),
    level(30, 9, 8, true),
    level(21, 9, 8, true),
    level(12, 9, 8, false),
];
const PAE: [Level; 3] = [level(30, 2, 8, false), level(21, 9, 8, true), level(12, 9, 8, false)];
const LEGACY: [Level; 2] = [level(22, 10, 4, true), level(12, 10, 4, false)];

/// What a walk depends on, its guest and the access apart.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Space {
    memory: u32,
    cr0: u64,
    cr3: u64,
    cr4: u64,
    efer: u64,
    ac: bool,
}

/// A page, how it is accessed, and whether as a user.
type Wanted = (u64, Access, bool);

/// The last walks of a guest that wrote nothing: made again, they end at the same page
/// and mark the same rules. Not a TLB: whatever changes, they are forgotten.
pub(crate) struct Walks {
    space: Option<Space>,
    made: [Option<(Wanted, u64)>; 4],
}

impl Walks {
    pub(crate) const NONE: Walks = Walks { space: None, made: [None; 4] };

    fn place((page, access, _): Wanted) -> usize {
        ((page >> 12) as usize + 2 * usize::from(access.exec)) % 4
    }

    fn find(&self, space: &Space, wanted: Wanted) -> Option<u64> {
        let (made, page) = self.made[Walks::place(wanted)]?;
        (made == wanted && self.space == Some(*space)).then_some(page)
    }

    fn keep(&mut self, space: Space, wanted: Wanted, page: u64) {
        if self.space != Some(space) {
            *self = Walks { space: Some(space), ..Walks::NONE };
        }
        self.made[Walks::place(wanted)] = Some((wanted, page));
    }
}

/// What a walk has gathered.
struct Walked {
    entry: u64,
    entry_pa: u64,
    shift: u32,
    writable: bool,
    user: bool,
    nx: bool,
}

impl Machine<'_> {
    /// The system-physical address of a linear address; raises #PF, or exits
    /// with a nested page fault.
    pub(crate) fn translate(&mut self, linear: u64, access: Access) -> Flow<u64> {
        if self.identity(linear) {
            return Ok(linear);
        }
        let user = self.r.cpl == 3 && !access.implicit;
        let space = self.space();
        let wanted = (linear & !0xfff, access, user);
        if let Some(page) = self.walks.find(&space, wanted) {
            return Ok(page | linear & 0xfff);
        }
        let pa = self.translate_anew(linear, access, user)?;
        self.walks.keep(space, wanted, pa & !0xfff);
        Ok(pa)
    }

    /// What a walk depends on, its guest and the access apart.
    fn space(&self) -> Space {
        let Regs { cr0, cr3, cr4, efer, rflags, .. } = self.r;
        Space { memory: self.mem.version, cr0, cr3, cr4, efer, ac: rflags & flag::AC != 0 }
    }

    fn translate_anew(&mut self, linear: u64, access: Access, user: bool) -> Flow<u64> {
        let nested = NestedAccess::last(access, user);
        if !self.r.paging() {
            return self.translate_nested(linear & 0xffff_ffff, nested);
        }
        if !self.r.long_mode() && linear >> 32 != 0 {
            return Err(Stop::Open);
        }
        let walked = self.walk(linear, access, user)?;
        self.permit(linear, access, user, &walked)?;
        self.set_accessed(&walked, access.write);
        let offset = (1u64 << walked.shift) - 1;
        let gpa = walked.entry & pte::ADDRESS & !offset | linear & offset;
        self.translate_nested(gpa, nested)
    }

    /// Whether both tables are the baseline's, which map everything to itself.
    fn identity(&self, linear: u64) -> bool {
        const NEEDS_WALK: u64 = cr4::SMEP | cr4::SMAP | cr4::PKE | cr4::LA57;
        let nested = self.guest.as_ref().is_some_and(|g| {
            !g.nested || g.ctl.get(crate::vmcb::Field::N_CR3) == world::NPT && !g.gmet
        });
        self.mem.tables_clean
            && nested
            && linear < 1 << 30
            && self.r.cr3 == world::L2PT
            && self.r.mode64()
            && self.r.cr4 & NEEDS_WALK == 0
    }

    fn levels(&self) -> &'static [Level] {
        if self.r.long_mode() {
            if self.r.cr4 & cr4::LA57 != 0 { &LONG5 } else { &LONG5[1..] }
        } else if self.r.cr4 & cr4::PAE != 0 {
            &PAE
        } else {
            &LEGACY
        }
    }

    fn walk(&mut self, linear: u64, access: Access, user: bool) -> Flow<Walked> {
        let levels = self.levels();
        let pae = levels.len() == 3;
        let mut table = match levels.len() {
            3 => self.r.cr3 & 0xffff_ffe0,
            2 => self.r.cr3 & 0xffff_f000,
            _ => self.r.cr3 & pte::ADDRESS,
        };
        let (mut writable, mut is_user, mut nx) = (true, true, false);
        for (n, level) in levels.iter().enumerate() {
            let index = linear >> level.shift & ((1 << level.bits) - 1);
            let entry_gpa = table + index * u64::from(level.size);
            let mut entry_pa = entry_gpa;
            if self.t.does(npt::CR3_GPA) {
                entry_pa = self.translate_nested(entry_gpa, NestedAccess::table(access))?;
            }
            let entry = self.mem.entry(entry_pa, level.size);
            if entry & pte::P == 0 {
                return Err(self.page_fault(linear, access, user, 0));
            }
            let pdpte = pae && n == 0;
            let leaf = n + 1 == levels.len()
                || level.large && entry & pte::PS != 0 && self.large_allowed(level);
            if self.guest_reserved(entry, level, leaf, pdpte) {
                return Err(self.page_fault(linear, access, user, fault::P | fault::RSV));
            }
            if !pdpte {
                writable &= entry & pte::W != 0;
                is_user &= entry & pte::U != 0;
                nx |= level.size == 8 && entry & pte::NX != 0;
            }
            if leaf {
                return Ok(Walked {
                    entry,
                    entry_pa,
                    shift: level.shift,
                    writable,
                    user: is_user,
                    nx,
                });
            }
            if !pdpte && entry & pte::A == 0 && self.t.does(npt::GUEST_ACCESSED) {
                self.mem.write(entry_pa, level.size, entry | pte::A);
            }
            table = entry & pte::ADDRESS;
        }
        Err(Stop::Open)
    }

    /// 4 MiB pages need CR4.PSE.
    fn large_allowed(&self, level: &Level) -> bool {
        level.size == 8 || self.r.cr4 & cr4::PSE != 0
    }

    fn guest_reserved(&self, entry: u64, level: &Level, leaf: bool, pdpte: bool) -> bool {
        if level.size == 4 {
            return false;
        }
        let beyond = pte::ADDRESS & !((1u64 << self.platform.phys_bits.min(52)) - 1);
        let nx = if self.r.efer & efer::NXE == 0 || pdpte { pte::NX } else { 0 };
        let legacy_high = if self.r.long_mode() { 0 } else { 0x7ff << 52 };
        let low = if leaf && level.shift > 12 {
            ((1 << level.shift) - 1) & !0x1fff
        } else if pdpte {
            0x1e6
        } else if level.shift == 39 || level.shift == 48 {
            pte::PS | pte::G
        } else if level.shift == 30 && !leaf {
            pte::PS
        } else {
            0
        };
        entry & (beyond | nx | legacy_high | low) != 0
    }

    fn permit(&mut self, linear: u64, access: Access, user: bool, walked: &Walked) -> Flow {
        let write_ok = walked.writable || !user && self.r.cr0 & cr0::WP == 0;
        let smep = !user && walked.user && self.r.cr4 & cr4::SMEP != 0;
        let ac = self.r.rflags & flag::AC != 0 && !access.implicit;
        let smap = !user && walked.user && self.r.cr4 & cr4::SMAP != 0 && !ac;
        let nx = walked.nx && self.r.efer & efer::NXE != 0;
        let fetch_ok = !nx && !smep;
        let refused = user && !walked.user
            || access.write && !write_ok
            || access.exec && !fetch_ok
            || !access.exec && smap;
        if refused {
            return Err(self.page_fault(linear, access, user, fault::P));
        }
        Ok(())
    }

    fn set_accessed(&mut self, walked: &Walked, write: bool) {
        let wanted = pte::A | if write { pte::D } else { 0 };
        if walked.entry & wanted != wanted && self.t.does(npt::GUEST_ACCESSED) {
            // A and D are in the first byte.
            self.mem.write(walked.entry_pa, 1, (walked.entry | wanted) & 0xff);
        }
    }

    fn page_fault(&self, linear: u64, access: Access, user: bool, code: u64) -> Stop {
        let reports_fetch = self.r.efer & efer::NXE != 0
            && (self.r.long_mode() || self.r.cr4 & cr4::PAE != 0)
            || self.r.cr4 & cr4::SMEP != 0;
        let code = code
            | if access.write { fault::W } else { 0 }
            | if user { fault::U } else { 0 }
            | if access.exec && reports_fetch { fault::I } else { 0 };
        Stop::Raise(Event::page_fault(linear, code as u32, access.exec))
    }
}
