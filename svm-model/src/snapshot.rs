//! The VMCB's fields (APM vol. 2, appendix B) and L1's registers after #VMEXIT (15.6), as
//! register files in which a value may be unknown: arrays with a mask, read
//! and written by name only when they are printed or stored.

use alloc::collections::BTreeMap;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::vmcb::{FIELDS, Field};

/// Something with a place and a name: a VMCB field or a host register.
pub trait Slot: Copy + 'static {
    /// Every slot, in the order of their places.
    const ALL: &'static [Self];
    /// Place in [`Slot::ALL`].
    fn slot(self) -> usize;
    /// Stable name.
    fn slot_name(self) -> &'static str;
}

impl Slot for Field {
    const ALL: &'static [Field] = Field::ALL;
    fn slot(self) -> usize {
        self.index()
    }
    fn slot_name(self) -> &'static str {
        self.name()
    }
}

macro_rules! host_regs {
    ($($(#[$doc:meta])* $id:ident = $name:literal;)*) => {
        /// A register as L1 finds it right after #VMEXIT.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum HostReg { $($(#[$doc])* $id),* }

        impl Slot for HostReg {
            const ALL: &'static [HostReg] = &[$(HostReg::$id),*];
            fn slot(self) -> usize { self as usize }
            fn slot_name(self) -> &'static str {
                match self { $(HostReg::$id => $name),* }
            }
        }
    };
}

host_regs! {
    /// RAX, which #VMEXIT restores.
    Rax = "rax";
    /// RFLAGS.
    Rflags = "rflags";
    /// CR0.
    Cr0 = "cr0";
    /// CR2, which #VMEXIT leaves as L2 had it.
    Cr2 = "cr2";
    /// CR3.
    Cr3 = "cr3";
    /// CR4.
    Cr4 = "cr4";
    /// CR8, the TPR.
    Cr8 = "cr8";
    /// EFER.
    Efer = "efer";
    /// DR6.
    Dr6 = "dr6";
    /// DR7.
    Dr7 = "dr7";
    /// GIF, where the executor can see it.
    Gif = "gif";
    /// RBX as L2 left it.
    L2Rbx = "l2_rbx";
    /// RCX as L2 left it.
    L2Rcx = "l2_rcx";
    /// RDX as L2 left it.
    L2Rdx = "l2_rdx";
}

/// How many host registers there are.
pub const HOST_REGS: usize = <HostReg as Slot>::ALL.len();

/// Values by slot, each known or not. Unknown means that the manual leaves the
/// value open or that the executor cannot see it; it agrees with anything.
#[derive(Clone)]
pub struct Known<S, const N: usize> {
    values: [u64; N],
    known: u128,
    slots: core::marker::PhantomData<S>,
}

/// A VMCB's fields.
pub type VmcbState = Known<Field, FIELDS>;
/// L1's registers.
pub type HostState = Known<HostReg, HOST_REGS>;

impl<S: Slot, const N: usize> Known<S, N> {
    /// All values known.
    pub fn of(values: [u64; N]) -> Self {
        Known { values, known: u128::MAX >> (128 - N), slots: core::marker::PhantomData }
    }

    /// The value, where it is known.
    pub fn get(&self, slot: S) -> Option<u64> {
        (self.known >> slot.slot() & 1 == 1).then(|| self.values[slot.slot()])
    }

    /// Sets a value.
    pub fn set(&mut self, slot: S, value: u64) {
        self.values[slot.slot()] = value;
        self.known |= 1 << slot.slot();
    }

    /// Makes a value unknown.
    pub fn forget(&mut self, slot: S) {
        self.values[slot.slot()] = 0;
        self.known &= !(1 << slot.slot());
    }

    /// Makes the values at the places set in the mask unknown.
    pub fn forget_mask(&mut self, mask: u128) {
        let mut forgotten = self.known & mask;
        self.known &= !mask;
        while forgotten != 0 {
            self.values[forgotten.trailing_zeros() as usize] = 0;
            forgotten &= forgotten - 1;
        }
    }

    /// The known slots and their values.
    pub fn iter(&self) -> impl Iterator<Item = (S, u64)> + '_ {
        S::ALL.iter().filter_map(|&s| Some((s, self.get(s)?)))
    }

    /// The slots that both know and that differ: slot, ours, theirs.
    pub fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (S, u64, u64)> + 'a {
        let both = self.known & other.known;
        S::ALL.iter().filter_map(move |&s| {
            let (a, b) = (self.values[s.slot()], other.values[s.slot()]);
            (both >> s.slot() & 1 == 1 && a != b).then_some((s, a, b))
        })
    }
}

impl<S, const N: usize> Default for Known<S, N> {
    fn default() -> Self {
        Known { values: [0; N], known: 0, slots: core::marker::PhantomData }
    }
}

impl<S, const N: usize> PartialEq for Known<S, N> {
    fn eq(&self, other: &Self) -> bool {
        self.known == other.known && self.values == other.values
    }
}

impl<S, const N: usize> Eq for Known<S, N> {}

impl<S: Slot, const N: usize> fmt::Debug for Known<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (slot, value) in self.iter() {
            map.entry(&format_args!("{}", slot.slot_name()), &format_args!("{value:#x}"));
        }
        map.finish()
    }
}

impl<S: Slot, const N: usize> Serialize for Known<S, N> {
    fn serialize<Z: Serializer>(&self, s: Z) -> Result<Z::Ok, Z::Error> {
        s.collect_map(self.iter().map(|(slot, value)| (slot.slot_name(), value)))
    }
}

impl<'de, S: Slot, const N: usize> Deserialize<'de> for Known<S, N> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let named = BTreeMap::<alloc::string::String, u64>::deserialize(d)?;
        let mut known = Known::default();
        for (name, value) in named {
            let slot = S::ALL.iter().copied().find(|s| s.slot_name() == name);
            known.set(
                slot.ok_or_else(|| {
                    de::Error::custom(format_args!("no register is called {name}"))
                })?,
                value,
            );
        }
        Ok(known)
    }
}
