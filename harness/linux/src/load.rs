//! A guest that computes and never ends: a checksum that has to come out the same
//! each time, and one round of every kind of [`crate::stress`].

use crate::report;
use crate::stress::{self, Failures, KINDS};

/// What the checksum is of.
const SIZE: usize = 1 << 20;

/// Tells after each round how many there were, and how many checksums and rounds of
/// each kind were wrong so far.
pub(crate) fn run() -> ! {
    let block: Vec<u8> = (0..SIZE).map(|n| (n as u64).wrapping_mul(0x9e37_79b9) as u8).collect();
    let right = checksum(&block);
    let mut wrong = 0_u64;
    let mut failures = Failures::default();
    for n in 1_u64.. {
        wrong += u64::from(checksum(std::hint::black_box(&block)) != right);
        stress::round(n, &mut failures);
        let kinds = KINDS.iter().zip(failures).map(|(kind, n)| format!(" {}={n}", kind.name));
        report::line(format_args!("load {n} checksum={wrong}{}", kinds.collect::<String>()));
    }
    unreachable!("the rounds do not end")
}

/// FNV-1a, 64 bits.
fn checksum(block: &[u8]) -> u64 {
    block.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
