//! Written cases of the processor around SVM, of which the model knows little or nothing: what
//! a hypervisor, or its guest, meets in the manual's other chapters.

pub(crate) mod aborts;
pub(crate) mod alignment;
pub(crate) mod branches;
pub(crate) mod caches;
pub(crate) mod ferr;
pub(crate) mod flags;
pub(crate) mod gates;
pub(crate) mod locked;
pub(crate) mod ordinary;
pub(crate) mod own_code;
pub(crate) mod pae;
pub(crate) mod shadow;
pub(crate) mod traps;
pub(crate) mod xstate;
