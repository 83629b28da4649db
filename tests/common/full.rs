//! A disk that is full.

use std::fs::{File, OpenOptions};
use std::io::Write;

/// A file that takes no byte more: `/dev/full`. Not every container has that device; a shell that writes to it there makes a file of
/// it, which takes everything. There it is memory that may not grow.
#[expect(unsafe_code)]
pub fn full() -> File {
    use std::os::fd::FromRawFd;
    let takes_nothing = |file: &File| {
        let mut file = file;
        file.write(b"x").is_err()
    };
    if let Some(device) = OpenOptions::new().write(true).open("/dev/full").ok().filter(takes_nothing) {
        return device;
    }
    // SAFETY: the name ends with a zero, and a descriptor that was made just now has no other owner.
    let sealed = unsafe {
        let descriptor = libc::memfd_create(c"full".as_ptr(), libc::MFD_ALLOW_SEALING);
        assert!(descriptor >= 0 && libc::fcntl(descriptor, libc::F_ADD_SEALS, libc::F_SEAL_GROW) == 0);
        File::from_raw_fd(descriptor)
    };
    assert!(takes_nothing(&sealed), "neither /dev/full nor sealed memory is full");
    sealed
}
