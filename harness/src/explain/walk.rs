//! Where a walk of the nested tables ends, for a nested page fault (15.25.5).

use svm_model::arch::{fault, pte};
use svm_model::vmcb::{Field, Image};

/// What a walk for the address of the fault finds now, where memory is known. Four levels: with
/// an L1 in legacy modes, or with five, the tables are others.
pub(super) fn found(image: &Image, memory: &mut dyn FnMut(u64) -> Option<u64>) -> Option<String> {
    let address = image.get(Field::EXITINFO2);
    let info = image.get(Field::EXITINFO1);
    if address >> 48 != 0 {
        return None;
    }
    let mut table = image.get(Field::N_CR3) & pte::ADDRESS;
    for (level, shift) in [(4, 39), (3, 30), (2, 21), (1, 12)] {
        let at = table + (address >> shift & 0x1ff) * 8;
        let entry = memory(at)?;
        let place = format!("the entry of level {level} at {at:#x} is {entry:#x}");
        if entry & pte::P == 0 {
            return Some(format!("not present in the nested table at level {level}: {place}"));
        }
        if level == 1 || level < 4 && entry & pte::PS != 0 {
            let missing = [
                (info & fault::W != 0 && entry & pte::W == 0, "not writable"),
                (info & fault::I != 0 && entry & pte::NX != 0, "not executable"),
                (entry & pte::U == 0, "not for users"),
            ];
            let missing: Vec<_> = missing.iter().filter(|(is, _)| *is).map(|(_, w)| *w).collect();
            return Some(match missing.as_slice() {
                [] => format!("which the nested table permits by now: {place}"),
                all => format!("{} in the nested table: {place}", all.join(" and ")),
            });
        }
        table = entry & pte::ADDRESS;
    }
    None
}
