//! Parses the command line, runs the command, prints its error and sets the exit code.

use std::io::Write;
use std::process::ExitCode;

use wgvae::cli::{Typed, is_reader_gone};

// Recording a step makes many small allocations: it takes the host 32 us with this allocator, 39 us without.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Mesa's layer that sorts the adapters asks the desktop which one it uses. Where there is none it prints an error, twice, in
/// front of everything else; so it is left out there, unless it was told itself what to choose.
#[expect(unsafe_code)]
fn leave_out_device_select() {
    let is_set = |name| std::env::var_os(name).is_some();
    if !["WAYLAND_DISPLAY", "DISPLAY", "MESA_VK_DEVICE_SELECT", "NODEVICE_SELECT"].into_iter().any(is_set) {
        // SAFETY: there is no other thread yet that could read the environment meanwhile.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

fn main() -> ExitCode {
    leave_out_device_select();
    std::panic::set_hook(Box::new(|panic| {
        if !wgvae::panics_are_errors() {
            let _ = writeln!(std::io::stderr(), "wgvae: this is a bug, please report it: {panic}");
        }
    }));
    let typed = Typed::of(std::env::args_os());
    let cli = match wgvae::cli::parse() {
        Ok(cli) => cli,
        // The help and the version are results too, which may not arrive.
        Err(told) => match typed.tell_usage(&told) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return ExitCode::FAILURE,
            _ => return ExitCode::from(told.exit_code() as u8),
        },
    };
    match wgvae::cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader closed the pipe, which is not an error.
        Err(error) if is_reader_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Where stderr cannot be written to, the exit code is all there is.
            let _ = typed.tell(&error);
            ExitCode::from(wgvae::cli::exit_code(&error))
        }
    }
}
