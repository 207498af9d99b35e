//! Page-table entries and page-fault error codes (APM vol. 2, chapter 5: 5.3, 5.4, 8.4.2).

/// Bits of an entry, the same in the guest's and in the nested tables (APM vol. 2, 5.4).
pub mod pte {
    /// Present.
    pub const P: u64 = 1;
    /// Writable.
    pub const W: u64 = 1 << 1;
    /// For users.
    pub const U: u64 = 1 << 2;
    /// Accessed.
    pub const A: u64 = 1 << 5;
    /// Dirty.
    pub const D: u64 = 1 << 6;
    /// Page size: a leaf above the lowest level.
    pub const PS: u64 = 1 << 7;
    /// Global; in the entries of the two highest levels it must be zero.
    pub const G: u64 = 1 << 8;
    /// No execute.
    pub const NX: u64 = 1 << 63;
    /// Where the address is.
    pub const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
}

/// The error code of a page fault, and the low half of EXITINFO1 of a nested one (15.25.6).
pub mod fault {
    /// The page was present.
    pub const P: u64 = 1;
    /// A write.
    pub const W: u64 = 1 << 1;
    /// A user's access.
    pub const U: u64 = 1 << 2;
    /// Reserved bits were set.
    pub const RSV: u64 = 1 << 3;
    /// A fetch.
    pub const I: u64 = 1 << 4;
    /// EXITINFO1 of a nested fault: in the final translation.
    pub const FINAL: u64 = 1 << 32;
    /// EXITINFO1 of a nested fault: in a walk of the guest's tables.
    pub const TABLE: u64 = 1 << 33;
}
