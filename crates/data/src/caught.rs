//! Panics of the readers of Parquet and MIDI, given a damaged file, as errors. The engine has the same for drivers; neither package knows
//! the other.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static ARE_ERRORS: Cell<bool> = const { Cell::new(false) };
}

/// Runs code that may panic; none if it did.
pub fn catch_panic<T>(run: impl FnOnce() -> T) -> Option<T> {
    let before = ARE_ERRORS.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(run));
    ARE_ERRORS.set(before);
    outcome.ok()
}

/// Whether a panic of this thread becomes an error, so that a panic hook need not print it.
pub fn panics_are_errors() -> bool {
    ARE_ERRORS.get()
}
