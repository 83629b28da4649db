//! Runs groups of tasks, one group after the other, on several threads.
//!
//! Threads take the tasks of a group one by one; which thread runs a task changes nothing in what it computes. A group is
//! finished when its tasks are, not when all threads have come by, so a thread that the system holds back delays nobody
//! by more than the task that it has.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::job::Scratch;

/// Tries before a waiting thread gives its core to others: some 10 us.
const SPINS: u32 = 4000;

/// How far a group is. On cache lines of its own, so that groups do not disturb each other.
#[repr(align(128))]
#[derive(Default)]
struct Progress {
    taken: AtomicUsize,
    done: AtomicUsize,
}

/// Lets the other threads go when a task panics.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Release);
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
    let failed = AtomicBool::new(false);
    let thread = |scratch: &mut Scratch| {
        let _alarm = Alarm(&failed);
        for (group, (tasks, at)) in groups.iter().zip(&progress).enumerate() {
            loop {
                let task = at.taken.fetch_add(1, Ordering::Relaxed);
                if task >= *tasks {
                    break;
                }
                work(group, task, scratch);
                at.done.fetch_add(1, Ordering::Release);
            }
            let mut spins = 0;
            while at.done.load(Ordering::Acquire) < *tasks {
                if failed.load(Ordering::Acquire) {
                    return;
                }
                spins += 1;
                if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
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
