//! Parses the command line, runs the command, prints its error and sets the exit code.

use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use mimalloc::MiMalloc;

mod cli;

use cli::{Exit, Typed, is_reader_gone};

// Recording a step makes many small allocations: it takes the host 32 us with this allocator, 39 us without.
#[global_allocator]
static ALLOCATOR: OrEnd = OrEnd;

/// Ends the program where the system gives no memory: it is said in a sentence, as other errors are, and not by an abort.
struct OrEnd;

/// Bytes that are asked for by mistake, such as those of a damaged file: whoever does so is told no.
const MISTAKEN: usize = 1 << 40;

/// Whether errors are told as JSON.
static IS_JSON: AtomicBool = AtomicBool::new(false);

impl OrEnd {
    fn given(at: *mut u8, size: usize) -> *mut u8 {
        if at.is_null() && size != 0 && size < MISTAKEN {
            Self::end(size);
        }
        at
    }

    /// Nothing here may take memory.
    #[cold]
    fn end(size: usize) -> ! {
        let mut digits = [0; 20];
        let mut first = digits.len();
        let mut mebibytes = size.div_ceil(1 << 20);
        while mebibytes > 0 || first == digits.len() {
            first -= 1;
            digits[first] = b'0' + (mebibytes % 10) as u8;
            mebibytes /= 10;
        }
        let is_json = IS_JSON.load(Ordering::Relaxed);
        let [begin, end]: [&[u8]; 2] = match is_json {
            true => [b"{\"error\":\"", b"\",\"exit_code\":6}\n"],
            false => [b"wgvae: ", b"\n"],
        };
        let why = b"there is too little memory: the system refused ";
        let advice = b" MiB more; use fewer rows at a time (--limit, --batch), a smaller model, or a larger machine";
        let mut stderr = std::io::stderr();
        for part in [begin, why, &digits[first..], advice, end] {
            let _ = stderr.write_all(part);
        }
        #[cfg(unix)]
        // SAFETY: it only ends the process, at once.
        #[expect(unsafe_code)]
        unsafe {
            libc::_exit(6)
        }
        #[cfg(not(unix))]
        std::process::exit(6)
    }
}

#[expect(unsafe_code)]
// SAFETY: all of it is mimalloc's.
unsafe impl GlobalAlloc for OrEnd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        Self::given(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { MiMalloc.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        Self::given(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        Self::given(unsafe { MiMalloc.realloc(at, layout, size) }, size)
    }
}

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
        if !wgvae_engine::exec::panics_are_errors() && !wgvae_data::panics_are_errors() {
            let _ = writeln!(std::io::stderr(), "wgvae: this is a bug, please report it: {panic}");
        }
    }));
    let typed = Typed::of(std::env::args_os());
    IS_JSON.store(typed.is_json(), Ordering::Relaxed);
    let cli = match cli::parse() {
        Ok(cli) => cli,
        // The help and the version are results too, which may not arrive.
        Err(told) => match typed.print_usage(&told) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return ExitCode::FAILURE,
            _ => return ExitCode::from(told.exit_code() as u8),
        },
    };
    match cli::run(cli) {
        Ok(()) => ExitCode::from(Exit::Done.code()),
        // The reader closed the pipe, which is not an error.
        Err(error) if is_reader_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Where stderr cannot be written to, the exit code is all there is.
            let _ = typed.print(&error);
            ExitCode::from(cli::exit_code(&error).code())
        }
    }
}
