//! The exclusive lock over a whole file.
//!
//! It must never use a lock that belongs to the process (`F_SETLK`): closing *any* descriptor of the
//! file anywhere in the process, by a library or by the user's own code, would drop it. A lock of an
//! open file description lives as long as that description. Nor may it use `flock`: SQLite locks
//! ranges with `fcntl`, and only a lock of that family, over the whole file, keeps it out.
#![allow(unsafe_code, reason = "rustix has no call for these locks")]
#![allow(clippy::unnecessary_cast, reason = "some constants are wider on Linux than on macOS")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Takes a write lock over all of `file`, to its end wherever that moves; `false` if another open
/// file has a lock on any part of it. It never waits. A second call for the same open file answers
/// `true` again.
///
/// # Errors
/// Whatever the system says, such as a file system without locks.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    loop {
        let Err(error) = set(file, libc::F_WRLCK as libc::c_short) else { return Ok(true) };
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            // POSIX allows either answer for a lock that is held.
            Some(libc::EAGAIN | libc::EACCES) => return Ok(false),
            _ => return Err(error),
        }
    }
}

/// Gives the lock back, also for copies of the descriptor in other processes.
///
/// # Errors
/// Whatever the system says.
pub(super) fn unlock(file: &File) -> io::Result<()> {
    set(file, libc::F_UNLCK as libc::c_short)
}

fn set(file: &File, kind: libc::c_short) -> io::Result<()> {
    let whole = libc::flock {
        l_type: kind,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        // Zero is "to the end, however the file grows".
        l_len: 0,
        // The kernel demands zero here: no process owns such a lock.
        l_pid: 0,
    };
    // SAFETY: the descriptor is open as long as `file` is borrowed; the command takes a pointer to
    // one `flock`, which lives across the call; the kernel only reads it and keeps no reference.
    let answer = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const whole) };
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
