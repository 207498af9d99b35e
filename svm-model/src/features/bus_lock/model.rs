//! Locked accesses that cross a cache line, and how many of them pass (15.14.5).

use crate::arch::exit;
use crate::features::nrip::model::NextRip;
use crate::features::vmexit::model::Reason;
use crate::machine::{Flow, Machine};
use crate::rules::bus_lock;

/// Bytes of a cache line.
const CACHE_LINE: u64 = 64;

impl Machine<'_> {
    /// What becomes of an access of 8 bytes if it is a bus lock.
    pub(crate) fn bus_lock(&mut self, linear: u64, locked: bool) -> Flow {
        let Some(guest) = self.guest.as_mut().filter(|g| g.bus_lock) else { return Ok(()) };
        let split = self.t.rule(bus_lock::SPLIT, linear % CACHE_LINE > CACHE_LINE - 8);
        if !split || !self.t.rule(bus_lock::LOCKED, locked) {
            return Ok(());
        }
        if self.t.rule(bus_lock::COUNT, guest.bus_locks > 0) {
            guest.bus_locks = guest.bus_locks.saturating_sub(1);
            return Ok(());
        }
        let info = self.t.said(bus_lock::INFO, 0);
        let reason = Reason::new(exit::BUSLOCK, NextRip::None);
        if self.t.does(bus_lock::EXIT) {
            return self.exit(Reason { info1: Some(info), info2: Some(info), ..reason });
        }
        Ok(())
    }
}
