//! Ctrl-C, SIGTERM and SIGHUP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a run may take to stop in order.
const PATIENCE: Duration = Duration::from_secs(4);

/// Whether there is something to save: steps are being trained.
#[derive(Debug, Clone, Default)]
pub struct Phase(Arc<AtomicBool>);

impl Phase {
    /// From here on a signal lets the run save itself.
    pub fn training(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// From here on there is nothing to lose any more.
    pub fn saved(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Ends the process as one that was interrupted.
fn end() -> ! {
    super::stdin::forget();
    std::process::exit(super::Exit::Interrupted.code().into())
}

/// A file that grows over the limit of its size (`ulimit -f`) is an error like a full disk, not the end of the process.
pub fn outlive_file_limits() {
    #[cfg(unix)]
    {
        // With a handler the write fails instead; nothing looks at the flag.
        let flag = Arc::new(AtomicBool::new(false));
        if let Err(error) = signal_hook::flag::register(libc::SIGXFSZ, flag) {
            warning!("files over the size limit will end the program: {error}");
        }
    }
}

/// The first signal while steps are trained stops the run in order; the second, or one at any other time, ends the process
/// at once. So does time: a run that does not stop is ended, as it would be by a kill, which every checkpoint survives.
pub fn install(stop: &Arc<AtomicBool>) -> Phase {
    let phase = Phase::default();
    let (stop, training) = (stop.clone(), phase.clone());
    let handler = ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::Relaxed) {
            end();
        }
        if !training.0.load(Ordering::Relaxed) {
            warning!("wgvae: interrupted");
            end();
        }
        std::thread::spawn(|| {
            std::thread::sleep(PATIENCE);
            warning!("wgvae: interrupted; the last checkpoint is what was saved before");
            end();
        });
    });
    if let Err(error) = handler {
        warning!("Ctrl-C will end the run without saving it: {error}");
    }
    phase
}
