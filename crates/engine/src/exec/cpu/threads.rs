//! Runs groups of tasks, one group after the other, on several threads.
//!
//! Threads take the tasks of a group one by one; which thread runs a task changes nothing in what it computes. A group is
//! finished when its tasks are, not when all threads have come by, so a thread that the system holds back delays nobody
//! by more than the task that it has.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use super::job::Scratch;

/// How often a waiting thread looks before it sleeps: some 1 us. Beside another busy process on two cores, a step of
/// the dense preset took 4.7 ms. It took 5.3 ms with ten times as many looks, and 7.2 ms with a hundred times as many.
/// Without the other process, all took 2.8 ms.
const SPINS: u32 = 400;

/// How far a group is. It has cache lines of its own, so that groups do not disturb each other.
#[repr(align(128))]
#[derive(Default)]
struct Progress {
    taken: AtomicUsize,
    done: AtomicUsize,
}

/// Threads that wait for a group to finish.
///
/// Each atomic here, and `Progress::done`, is in the one order of `SeqCst`: either a thread that is about to sleep sees that the group is
/// finished, or the one that finished it sees the sleeper and wakes it.
#[derive(Default)]
struct Waiting {
    failed: AtomicBool,
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    finished: Condvar,
}

impl Waiting {
    fn wake(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock());
            self.finished.notify_all();
        }
    }

    /// Waits until a group is finished, and returns false where a task has panicked. A thread sleeps soon, because the one it waits for
    /// may have lost its core to another process: then the system can move that one to the core which becomes free.
    fn wait(&self, is_finished: impl Fn() -> bool) -> bool {
        let failed = || self.failed.load(Ordering::SeqCst);
        for _ in 0..SPINS {
            if is_finished() || failed() {
                return !failed();
            }
            std::hint::spin_loop();
        }
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while !is_finished() && !failed() {
            held = self.finished.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        !failed()
    }
}

/// Lets the other threads go when a task panics.
struct Alarm<'a>(&'a Waiting);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed.store(true, Ordering::SeqCst);
            self.0.wake();
        }
    }
}

/// The threads of the machine, or as many as `RAYON_NUM_THREADS` says.
pub(super) fn available() -> usize {
    rayon::current_num_threads()
}

/// Runs `work(group, task)` for all tasks of each group, a group after those before it.
pub(super) fn run(scratch: &mut [Scratch], groups: &[usize], work: impl Fn(usize, usize, &mut Scratch) + Sync) {
    if let [alone] = scratch {
        for (group, tasks) in groups.iter().enumerate() {
            (0..*tasks).for_each(|task| work(group, task, alone));
        }
        return;
    }
    let progress: Vec<Progress> = groups.iter().map(|_| Progress::default()).collect();
    let waiting = Waiting::default();
    let thread = |scratch: &mut Scratch| {
        let _alarm = Alarm(&waiting);
        for (group, (tasks, at)) in groups.iter().zip(&progress).enumerate() {
            loop {
                let task = at.taken.fetch_add(1, Ordering::Relaxed);
                if task >= *tasks {
                    break;
                }
                work(group, task, scratch);
                if at.done.fetch_add(1, Ordering::SeqCst) + 1 == *tasks {
                    waiting.wake();
                }
            }
            if !waiting.wait(|| at.done.load(Ordering::SeqCst) >= *tasks) {
                return;
            }
        }
    };
    let [mine, others @ ..] = scratch else { return };
    std::thread::scope(|scope| {
        for other in others {
            scope.spawn(|| thread(other));
        }
        thread(mine);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_wait_for_each_other_with_any_number_of_threads() {
        for threads in [1, 2, 5] {
            let finished: Vec<AtomicUsize> = (0..50).map(|_| AtomicUsize::new(0)).collect();
            let groups: Vec<usize> = (0..50).map(|group| group % 7).collect();
            let mut scratch: Vec<Scratch> = (0..threads).map(|_| Scratch::default()).collect();
            run(&mut scratch, &groups, |group, _, _| {
                for (before, tasks) in finished.iter().zip(&groups).take(group) {
                    assert_eq!(before.load(Ordering::Acquire), *tasks);
                }
                finished[group].fetch_add(1, Ordering::Release);
            });
            assert!(finished.iter().zip(&groups).all(|(done, tasks)| done.load(Ordering::Acquire) == *tasks));
        }
    }

    #[test]
    fn a_panic_ends_all_threads() {
        let mut scratch: Vec<Scratch> = (0..3).map(|_| Scratch::default()).collect();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(&mut scratch, &[4, 4], |_, task, _| assert!(task != 2));
        }));
        assert!(caught.is_err());
    }
}
