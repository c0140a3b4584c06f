//! Randomness from the kernel.
//!
//! It must never fall back to anything weaker: nonces that another process can guess would let it
//! forge a lease.

use std::io;

/// Fills `bytes` from the kernel's generator. At boot it waits until that is seeded.
///
/// # Errors
/// The kernel has no such call, or a sandbox forbids it.
#[cfg(not(target_vendor = "apple"))]
pub(super) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    use rustix::rand::{GetRandomFlags, getrandom};

    let mut filled = 0;
    while filled < bytes.len() {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            // Large requests, and any request before the generator is seeded, can be interrupted.
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Fills `bytes` from the kernel's generator.
///
/// # Errors
/// A sandbox forbids the call.
#[cfg(target_vendor = "apple")]
#[allow(unsafe_code, reason = "rustix has no call for randomness here")]
pub(super) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    /// `getentropy` refuses more than this at once.
    const BYTES_MAX: usize = 256;

    for chunk in bytes.chunks_mut(BYTES_MAX) {
        // SAFETY: the pointer and the length are those of one live, exclusively borrowed slice, and
        // `getentropy` writes within them and keeps neither.
        if unsafe { libc::getentropy(chunk.as_mut_ptr().cast(), chunk.len()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn a_long_buffer_is_filled_to_its_end() {
        let mut bytes = vec![0; 100_000];
        fill(&mut bytes).unwrap();
        // 32 bytes of a good generator are all zero once in 2^256 fills.
        assert!(bytes[..32].iter().any(|byte| *byte != 0));
        assert!(bytes[99_968..].iter().any(|byte| *byte != 0));
    }
}
