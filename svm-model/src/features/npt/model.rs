//! The nested walk and its faults (15.25).

use crate::arch::cpu::CpuFeature;
use crate::arch::vmcb::Field;
use crate::arch::{cr0, efer, exit, fault, pte};
use crate::features::gmet::model::gmet_refuses;
use crate::features::nrip::model::NextRip;
use crate::features::vmexit::model::Reason;
use crate::machine::delivery::Event;
use crate::machine::paging::Access;
use crate::machine::{Flow, Machine, Scene};
use crate::rules::{Trace, npt};

/// A guest-physical access.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NestedAccess {
    write: bool,
    pub(crate) exec: bool,
    /// The guest made it at CPL 3.
    pub(crate) guest_user: bool,
    /// A guest page-table walk made it.
    table: bool,
    /// On behalf of an instruction fetch.
    fetching: bool,
}

impl NestedAccess {
    /// The access that the guest wanted, after its own translation.
    pub(crate) fn last(access: Access, user: bool) -> NestedAccess {
        NestedAccess {
            write: access.write,
            exec: access.exec,
            guest_user: user,
            table: false,
            fetching: access.exec,
        }
    }

    /// An access to one of the guest's page tables.
    pub(crate) fn table(access: Access) -> NestedAccess {
        NestedAccess {
            write: true,
            exec: false,
            guest_user: false,
            table: true,
            fetching: access.exec,
        }
    }
}

/// What a nested walk has gathered, or the fault bits it ended with.
pub(crate) struct Walked {
    entry: u64,
    entry_pa: u64,
    shift: u32,
    writable: bool,
    pub(crate) user: bool,
    nx: bool,
}

/// What makes bits of an entry reserved, other than its level.
struct Limits {
    /// Address bits that the processor lacks.
    beyond: u64,
    no_gigabyte: bool,
    nx_off: bool,
}

impl Limits {
    /// Whether the entry of that level has a reserved bit set.
    fn reserve(&self, t: &mut Trace, entry: u64, shift: u32, leaf: bool) -> bool {
        let root = shift == 39 && t.rule(npt::RESERVED_ROOT, entry & 0x180 != 0);
        let large = leaf && shift > 12 && {
            let low = ((1u64 << shift) - 1) & !0x1fff;
            t.rule(npt::RESERVED_LARGE, entry & low != 0)
        };
        let no_gigabyte = leaf && shift == 30 && t.rule(npt::RESERVED_1G, self.no_gigabyte);
        let high = t.rule(npt::RESERVED_PHYS, entry & self.beyond != 0);
        let nx = entry & pte::NX != 0 && t.rule(npt::NX_DISABLED, self.nx_off);
        t.rule(npt::RESERVED, root | large | no_gigabyte | high | nx)
    }
}

impl Machine<'_> {
    /// The system-physical address of a guest-physical one.
    pub(crate) fn translate_nested(&mut self, gpa: u64, access: NestedAccess) -> Flow<u64> {
        let Some(guest) = self.guest.as_ref().filter(|g| g.nested) else { return Ok(gpa) };
        let root = guest.ctl.get(Field::N_CR3) & pte::ADDRESS;
        // Beyond the reach of the tables there is no entry that could be present.
        if gpa >> 48 != 0 && !self.t.rule(npt::PRESENT, false) {
            return self.nested_fault(gpa, access, 0);
        }
        let write = if access.table { self.t.said(npt::TABLE_WRITE, true) } else { access.write };
        let access = NestedAccess { write, ..access };
        let walked = match self.nested_walk(root, gpa) {
            Ok(walked) => walked,
            Err(code) => return self.nested_fault(gpa, access, code),
        };
        if self.nested_refuses(access, &walked) {
            return self.nested_fault(gpa, access, fault::P);
        }
        let mut wanted = pte::A;
        if access.write && self.t.does(npt::DIRTY) {
            wanted |= pte::D;
        }
        if walked.entry & wanted != wanted && self.t.does(npt::ACCESSED) {
            self.mem.write(walked.entry_pa, 1, (walked.entry | wanted) & 0xff);
        }
        let offset = (1u64 << walked.shift) - 1;
        Ok(walked.entry & pte::ADDRESS & !offset | gpa & offset)
    }

    fn nested_walk(&mut self, root: u64, gpa: u64) -> Result<Walked, u64> {
        let limits = self.nested_limits();
        let mut table = root;
        let (mut writable, mut user, mut nx) = (true, true, false);
        for shift in [39, 30, 21, 12] {
            let entry_pa = table + (gpa >> shift & 0x1ff) * 8;
            let entry = self.mem.entry(entry_pa, 8);
            if !self.t.rule(npt::PRESENT, entry & pte::P != 0) {
                return Err(0);
            }
            let leaf = shift == 12 || shift < 39 && entry & pte::PS != 0;
            if limits.reserve(self.t, entry, shift, leaf) {
                return Err(fault::P | fault::RSV);
            }
            writable &= entry & pte::W != 0;
            user &= entry & pte::U != 0;
            nx |= entry & pte::NX != 0;
            if leaf {
                // The page's offset bits: a broken rule takes large pages for small ones.
                let shift = if self.t.rule(npt::LEAF_SIZE, shift > 12) { shift } else { 12 };
                return Ok(Walked { entry, entry_pa, shift, writable, user, nx });
            }
            if entry & pte::A == 0 && self.t.does(npt::ACCESSED) {
                self.mem.write(entry_pa, 1, (entry | pte::A) & 0xff);
            }
            table = entry & pte::ADDRESS;
        }
        Err(0)
    }

    /// What reserves bits in the entries of this processor's nested tables.
    fn nested_limits(&self) -> Limits {
        Limits {
            beyond: pte::ADDRESS & !((1u64 << self.platform.phys_bits.min(52)) - 1),
            no_gigabyte: !self.supported(CpuFeature::Pdpe1gb),
            nx_off: !self.host_nx(),
        }
    }

    /// Whether the host's EFER.NXE gives nested entries an NX bit.
    fn host_nx(&self) -> bool {
        self.guest.as_ref().is_none_or(|g| g.host.efer & efer::NXE != 0)
    }

    fn nested_refuses(&mut self, access: NestedAccess, walked: &Walked) -> bool {
        let gmet = self.guest.as_ref().is_some_and(|g| g.gmet);
        let host_wp_clear = self.guest.as_ref().is_some_and(|g| g.host.cr0 & cr0::WP == 0);
        let t = &mut *self.t;
        let writable = walked.writable || host_wp_clear && t.said(npt::WP_HOST, false);
        let write = access.write && t.rule(npt::WRITE, !writable);
        let user =
            if gmet { gmet_refuses(t, access, walked) } else { t.rule(npt::USER, !walked.user) };
        let nx = access.exec && t.rule(npt::NX, walked.nx);
        write | user | nx
    }

    fn nested_fault<T>(&mut self, gpa: u64, access: NestedAccess, code: u64) -> Flow<T> {
        let gmet = self.guest.as_ref().is_some_and(|g| g.gmet);
        let fetch = access.exec && self.host_nx();
        let t = &mut *self.t;
        let present = t.rule(npt::FAULT_PRESENT, code & fault::P != 0);
        let last = t.rule(npt::FINAL, !access.table);
        let mut info1 = code & !fault::P
            | u64::from(present)
            | if access.write { fault::W } else { 0 }
            | fault::U
            | if t.rule(npt::FETCH, fetch) { fault::I } else { 0 };
        info1 |= if last { fault::FINAL } else { 0 };
        info1 |= if t.rule(npt::TABLE_WALK, access.table) { fault::TABLE } else { 0 };
        let event = Event::page_fault(gpa, info1 as u32, access.exec);
        self.leaves(npt::NOT_PF, Scene::Event(&event))?;
        let code = self.t.said(npt::CODE, exit::NPF);
        let info2 = self.t.said(npt::INFO2, gpa);
        // Erratum 1218 leaves the user bit open for supervisor fetches under GMET.
        let open = gmet && access.exec && !access.guest_user && code == exit::NPF;
        self.exit(Reason {
            info1: (!open).then_some(info1),
            info2: Some(info2),
            data_fault: !access.fetching,
            fetch_fault: access.fetching,
            ..Reason::new(code, NextRip::None)
        })
    }
}
