//! What is in the hostile guest's RAM when it starts.

use svm_model::case::world::{
    DATA, HSAVE, IOPM, L1PT, L2_STUBS, L2PT, MSRPM, NPT, VMCB, l2pt, npt,
};
use svm_model::vmcb::Field;

use super::protocol::{self, HEADER, KEEP, flag};
use crate::exec::world;

/// The guest's RAM.
pub(super) const RAM_SIZE: u64 = 128 << 20;
/// Present, writable, user, accessed, dirty.
const PAGE: u64 = 0x67;
/// The same of a page of 2 MiB.
const LARGE: u64 = 0xe7;
/// The same of a table.
const TABLE: u64 = 0x27;
/// Where L2 has its SMI handler's neighbours and the second processor's start.
const SMM: u64 = 0x3_0000;
const START: u64 = 0x8000;
/// Where every vector of real mode leads: behind the BIOS data area, where the SMI handler counts.
const REAL_STUB: u64 = 0x600;

/// RAM that is free for L2.
const FREE: [(u64, u64); 5] = [
    (REAL_STUB, START),
    (START + 0x1000, SMM),
    (SMM + 0x1_0000, 0xa_0000),
    (VMCB, L1PT),
    (L1PT + 0x1_0000, HEADER),
];

/// Which attempts the guest makes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The seed of all of them.
    pub seed: u64,
    /// The first one's number.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// The kinds that are drawn, one a bit; 0 is all.
    pub kinds: u64,
    /// The changes that are made, one a bit; none is all.
    pub keep: Option<Keep>,
}

/// Which changes of an attempt are made, one a bit.
pub type Keep = [u64; (protocol::CHANGES / 64) as usize];

/// Everything that is not zero, as (physical address, bytes); what comes later wins.
pub(super) fn memory(range: &Range, second: bool) -> Vec<(u64, Vec<u8>)> {
    // Where L2 gets lost it finds HLT, not zeros, which are instructions without an end.
    let halted = FREE.map(|(from, to)| (from, vec![0xf4; (to - from) as usize]));
    let mut memory = halted.to_vec();
    memory.extend(world::memory(true, true));
    let mut put = |at: u64, words: &[u64]| {
        memory.push((at, words.iter().flat_map(|w| w.to_le_bytes()).collect()));
    };
    for (at, words) in tables() {
        put(at, &words);
    }
    // Each stub is a VMMCALL: nothing is logged.
    for vector in 0..256 {
        put(L2_STUBS + vector * 32, &[0xd9_010f]);
    }
    put(0, &[REAL_STUB | REAL_STUB << 32; 128]);
    put(IOPM, &[u64::MAX; 3 * 512]);
    put(MSRPM, &[u64::MAX; 2 * 512]);
    let mut flags = range.kinds << flag::KINDS;
    if range.count == 1 {
        flags |= flag::LISTED;
    }
    if let Some(keep) = &range.keep {
        put(KEEP, keep);
        flags |= flag::MASKED;
    }
    if second {
        flags |= flag::SECOND;
    }
    let end = range.first + range.count;
    let words = [protocol::MAGIC, protocol::VERSION, range.seed, range.first, end, flags, RAM_SIZE];
    put(HEADER, &words);
    // A few MSRs are L2's: what it does with them matters.
    for msr in [0x800 + 0x80 / 4, 0x800 + 0x81 / 4, 0x1d9 / 4, 0x174 / 4, 0x10 / 4] {
        memory.push((MSRPM + msr, vec![0]));
    }
    // HLT, MSRs, ports and shutdown; VMRUN and VMMCALL are in the baseline.
    let misc1: u32 = 1 << 24 | 1 << 27 | 1 << 28 | 1 << 31;
    memory.push((VMCB + u64::from(Field::INTERCEPT_MISC1.offset()), misc1.to_le_bytes().into()));
    memory
}

/// The nested tables, in which L2 finds everything but what L1 stands on, and
/// L2's own for 32-bit paging: behind the baseline's, a PDPT and a directory.
fn tables() -> Vec<(u64, Vec<u64>)> {
    let small = |base: u64, hidden: &dyn Fn(u64) -> bool| -> Vec<u64> {
        let page = |at: u64| if hidden(at) { 0 } else { at | PAGE };
        (0..512).map(|n| page(base + n * 0x1000)).collect()
    };
    let mut directory = vec![0; 512];
    directory[0] = (npt::PT + 0x2000) | TABLE;
    directory[4] = (npt::PT + 0x1000) | TABLE;
    directory[5] = npt::PT | TABLE;
    for n in [6, 7] {
        directory[n as usize] = n << 21 | LARGE;
    }
    let own = |at: u64| at == HSAVE || (L1PT..L1PT + 0x1_0000).contains(&at);
    let low = |at: u64| at == START || (SMM..SMM + 0x1_0000).contains(&at) || at >= 0xa_0000;
    let legacy: Vec<u32> = (0..1024u32).map(|n| n << 22 | LARGE as u32).collect();
    let legacy = legacy.chunks_exact(2).map(|two| u64::from(two[0]) | u64::from(two[1]) << 32);
    vec![
        (npt::PD, directory),
        (npt::PT, small(DATA, &|_| false)),
        (npt::PT + 0x1000, small(VMCB, &own)),
        (npt::PT + 0x2000, small(0, &low)),
        (L2PT + 0x4000, vec![l2pt::PD | 1]),
        (L2PT + 0x5000, legacy.collect()),
        (NPT, vec![npt::PDPT | TABLE]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::ram::{self, Ram};

    fn written(range: &Range) -> Ram {
        let ram = Ram::new(RAM_SIZE, &ram::folders()).unwrap();
        for (at, bytes) in memory(range, true) {
            ram.write(at, &bytes).unwrap();
        }
        ram
    }

    #[test]
    fn l2_reaches_its_own_pages_and_none_that_l1_stands_on() {
        let range = Range { seed: 1, first: 2, count: 3, kinds: 0, keep: None };
        let ram = written(&range);
        let entry = |pa: u64| {
            let table = ram.u64(npt::PD + (pa >> 21) * 8).unwrap() & !0xfff;
            ram.u64(table + (pa >> 12 & 511) * 8).unwrap()
        };
        for pa in [VMCB, 0x90_0000, DATA, 0x1000, 0x9_f000] {
            assert_eq!(entry(pa), pa | PAGE, "{pa:#x}");
        }
        for pa in [HSAVE, L1PT, L1PT + 0x5000, SMM, START, 0x10_0000] {
            assert_eq!(entry(pa), 0, "{pa:#x}");
        }
        assert_eq!(ram.u64(npt::PD + (HEADER >> 21) * 8).unwrap(), 0);
    }

    #[test]
    fn the_header_says_which_attempts() {
        let range = Range { seed: 7, first: 10, count: 1, kinds: 0b10, keep: Some([5; 16]) };
        let ram = written(&range);
        let word = |n: u64| ram.u64(HEADER + n * 8).unwrap();
        assert_eq!((word(2), word(3), word(4)), (7, 10, 11));
        let flags = flag::SECOND | flag::MASKED | flag::LISTED | 0b10 << flag::KINDS;
        assert_eq!((word(5), ram.u64(KEEP + 8).unwrap()), (flags, 5));
    }
}
