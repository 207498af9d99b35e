//! Statics of a machine with one CPU.

use core::cell::UnsafeCell;

/// A static that only one place touches at a time: there is one CPU, and trap
/// handlers touch only what the code that they interrupt leaves alone.
#[repr(transparent)]
pub(crate) struct Global<T>(UnsafeCell<T>);

// SAFETY: there is one CPU and no thread.
unsafe impl<T> Sync for Global<T> {}

impl<T> Global<T> {
    pub(crate) const fn new(value: T) -> Self {
        Global(UnsafeCell::new(value))
    }

    /// The value.
    ///
    /// # Safety
    /// No other reference to it may be alive.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn get(&self) -> &mut T {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.0.get() }
    }

    /// Its address.
    pub(crate) const fn ptr(&self) -> *mut T {
        self.0.get()
    }
}
