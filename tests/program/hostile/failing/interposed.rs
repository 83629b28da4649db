//! A library that stands between a program and its C library (`LD_PRELOAD`): it counts the calls on files below a folder, writes them
//! into a log, and lets those fail that it is told to. `mod.rs` compiles it by itself.
//!
//! `FAILING_CALLS` is a list such as `7=28,9=half,20+=5`: call 7 fails with error 28, call 9 reads or writes the first half only, and
//! call 20 and all behind it fail with error 5. `FAILING_BELOW` is the folder and `FAILING_LOG` the log.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn __errno_location() -> *mut c_int;
    fn readlink(path: *const c_char, to: *mut c_char, length: usize) -> isize;
}

/// The next definition of a symbol behind this library's own.
const NEXT: *mut c_void = -1_isize as *mut c_void;
const WRITES: c_int = 0o3;
const APPEND_NEW: c_int = 0o2101;

/// What a call is made to do.
#[derive(Clone, Copy)]
enum Fault {
    Error(c_int),
    Half,
}

/// What the environment asks for.
struct Told {
    below: Vec<u8>,
    log: c_int,
    faults: Vec<(usize, bool, Fault)>,
}

static CALLS: AtomicUsize = AtomicUsize::new(0);
/// Nothing is counted while the environment is read.
static IS_STARTING: AtomicBool = AtomicBool::new(false);

fn told() -> Option<&'static Told> {
    static TOLD: OnceLock<Option<Told>> = OnceLock::new();
    if IS_STARTING.load(Ordering::Acquire) && TOLD.get().is_none() {
        return None;
    }
    IS_STARTING.store(true, Ordering::Release);
    TOLD.get_or_init(|| {
        let below = std::env::var("FAILING_BELOW").ok()?.into_bytes();
        let path = std::ffi::CString::new(std::env::var("FAILING_LOG").ok()?).ok()?;
        let log = unsafe { real_open(c"open64")(path.as_ptr(), APPEND_NEW, 0o600) };
        let faults = std::env::var("FAILING_CALLS").unwrap_or_default();
        let faults = faults.split(',').filter_map(|word| {
            let (call, fault) = word.split_once('=')?;
            let number = call.trim_end_matches('+').parse().ok()?;
            let fault = fault.parse().map_or(Fault::Half, Fault::Error);
            Some((number, call.ends_with('+'), fault))
        });
        Some(Told { below, log, faults: faults.collect() })
    })
    .as_ref()
}

/// The path of an open descriptor, in a buffer.
fn path_of(descriptor: c_int, buffer: &mut [u8; 4096]) -> &[u8] {
    let name = format!("/proc/self/fd/{descriptor}\0");
    let length = unsafe { readlink(name.as_ptr().cast(), buffer.as_mut_ptr().cast(), buffer.len()) };
    &buffer[..length.max(0) as usize]
}

/// Counts a call on a file below the folder; what it is made to do.
fn count(name: &str, path: &[u8]) -> Option<Fault> {
    let told = told()?;
    if !path.starts_with(&told.below) {
        return None;
    }
    let number = CALLS.fetch_add(1, Ordering::Relaxed);
    let fault = told.faults.iter().find(|(at, on, _)| *at == number || *on && number > *at).map(|(_, _, fault)| *fault);
    let said = match fault {
        None => String::new(),
        Some(Fault::Half) => " half".into(),
        Some(Fault::Error(error)) => format!(" error {error}"),
    };
    let line = format!("{number} {name}{said} {}\n", String::from_utf8_lossy(&path[told.below.len()..]));
    unsafe { real_write()(told.log, line.as_ptr().cast(), line.len()) };
    fault
}

fn failed(error: c_int) -> c_int {
    unsafe { *__errno_location() = error };
    -1
}

type Open = unsafe extern "C" fn(*const c_char, c_int, c_uint) -> c_int;
type Write = unsafe extern "C" fn(c_int, *const c_void, usize) -> isize;
type Read = unsafe extern "C" fn(c_int, *mut c_void, usize) -> isize;

/// A function of the C library.
unsafe fn real<T: Copy>(name: &CStr) -> T {
    let found = unsafe { dlsym(NEXT, name.as_ptr()) };
    assert!(!found.is_null());
    unsafe { std::mem::transmute_copy(&found) }
}

fn real_open(name: &CStr) -> Open {
    unsafe { real(name) }
}

fn real_write() -> Write {
    static FOUND: OnceLock<Write> = OnceLock::new();
    *FOUND.get_or_init(|| unsafe { real(c"write") })
}

fn bytes<'a>(path: *const c_char) -> &'a [u8] {
    unsafe { CStr::from_ptr(path) }.to_bytes()
}

fn opened(name: &CStr, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let kind = if flags & WRITES == 0 { "open" } else { "create" };
    match count(kind, bytes(path)) {
        Some(Fault::Error(error)) => failed(error),
        _ => unsafe { real_open(name)(path, flags, mode) },
    }
}

// Without the list of arguments of any length that C has here: the mode is in the same register.
#[unsafe(no_mangle)]
extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    opened(c"open", path, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    opened(c"open64", path, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn write(descriptor: c_int, from: *const c_void, length: usize) -> isize {
    let mut buffer = [0; 4096];
    match count("write", path_of(descriptor, &mut buffer)) {
        Some(Fault::Error(error)) => failed(error) as isize,
        Some(Fault::Half) => unsafe { real_write()(descriptor, from, length.div_ceil(2)) },
        None => unsafe { real_write()(descriptor, from, length) },
    }
}

#[unsafe(no_mangle)]
extern "C" fn read(descriptor: c_int, to: *mut c_void, length: usize) -> isize {
    static FOUND: OnceLock<Read> = OnceLock::new();
    let real = *FOUND.get_or_init(|| unsafe { real(c"read") });
    let mut buffer = [0; 4096];
    match count("read", path_of(descriptor, &mut buffer)) {
        Some(Fault::Error(error)) => failed(error) as isize,
        Some(Fault::Half) => unsafe { real(descriptor, to, length.div_ceil(2)) },
        None => unsafe { real(descriptor, to, length) },
    }
}

#[unsafe(no_mangle)]
extern "C" fn statx(folder: c_int, path: *const c_char, flags: c_int, mask: c_uint, to: *mut c_void) -> c_int {
    type Statx = unsafe extern "C" fn(c_int, *const c_char, c_int, c_uint, *mut c_void) -> c_int;
    let mut buffer = [0; 4096];
    let counted = match path.is_null() {
        true => None,
        false if bytes(path).is_empty() => count("statx", path_of(folder, &mut buffer)),
        false => count("statx", bytes(path)),
    };
    match counted {
        Some(Fault::Error(error)) => failed(error),
        _ => unsafe { real::<Statx>(c"statx")(folder, path, flags, mask, to) },
    }
}

#[unsafe(no_mangle)]
extern "C" fn opendir(path: *const c_char) -> *mut c_void {
    match count("opendir", bytes(path)) {
        Some(Fault::Error(error)) => {
            failed(error);
            std::ptr::null_mut()
        }
        _ => unsafe { real::<unsafe extern "C" fn(*const c_char) -> *mut c_void>(c"opendir")(path) },
    }
}

macro_rules! of_path {
    ($($name:ident: $symbol:literal ($($other:ident: $kind:ty),*);)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(path: *const c_char $(, $other: $kind)*) -> c_int {
            match count(stringify!($name), bytes(path)) {
                Some(Fault::Error(error)) => failed(error),
                _ => unsafe { real::<unsafe extern "C" fn(*const c_char $(, $kind)*) -> c_int>($symbol)(path $(, $other)*) },
            }
        }
    )*};
}

of_path! {
    rename: c"rename" (to: *const c_char);
    unlink: c"unlink" ();
    rmdir: c"rmdir" ();
    mkdir: c"mkdir" (mode: c_uint);
}

macro_rules! of_descriptor {
    ($($name:ident: $symbol:literal ($($other:ident: $kind:ty),*);)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(descriptor: c_int $(, $other: $kind)*) -> c_int {
            let mut buffer = [0; 4096];
            match count(stringify!($name), path_of(descriptor, &mut buffer)) {
                Some(Fault::Error(error)) => failed(error),
                _ => unsafe { real::<unsafe extern "C" fn(c_int $(, $kind)*) -> c_int>($symbol)(descriptor $(, $other)*) },
            }
        }
    )*};
}

of_descriptor! {
    fsync: c"fsync" ();
    fdatasync: c"fdatasync" ();
    fchmod: c"fchmod" (mode: c_uint);
    unlinkat: c"unlinkat" (path: *const c_char, flags: c_int);
}
