//! What a file system is, and what is left of it.
//!
//! It must never refuse a file system on a guess: FUSE, for one, may be local or not.

use std::io;
use std::path::Path;

/// Says why a queue can't be kept in `directory`, if its file system is known not to be local.
///
/// # Errors
/// Whatever the system says about `directory`.
pub(super) fn unsuitable(directory: &Path) -> io::Result<Option<String>> {
    let network = network_filesystem(&rustix::fs::statfs(directory)?);
    Ok(network.map(|name| reason(directory, &name)))
}

/// Bytes that an ordinary user may still write in `directory`.
///
/// # Errors
/// Whatever the system says about `directory`.
pub(super) fn free_bytes(directory: &Path) -> io::Result<u64> {
    let filesystem = rustix::fs::statvfs(directory)?;
    Ok(filesystem.f_bavail.saturating_mul(filesystem.f_frsize))
}

fn reason(directory: &Path, name: &str) -> String {
    format!(
        "{} is on {name}, which other machines can reach: its locks and syncs do not survive a lost connection or a \
         restarted file server, so two processes could each believe that the file is theirs; put the file on a local \
         disk",
        directory.display(),
    )
}

#[cfg(not(target_vendor = "apple"))]
#[allow(clippy::unnecessary_cast, reason = "the field's type differs between machines")]
fn network_filesystem(filesystem: &rustix::fs::StatFs) -> Option<String> {
    // The identifiers have 32 bits; where the field is signed, the upper ones are only its sign.
    name_of(filesystem.f_type as u32).map(str::to_owned)
}

/// The name of a file system that is not local, by statfs(2)'s identifier. The classification is
/// that of GNU coreutils (`src/stat.c`); a FUSE mount tells nothing and is allowed.
#[cfg(not(target_vendor = "apple"))]
fn name_of(identifier: u32) -> Option<&'static str> {
    Some(match identifier {
        0x6969 => "NFS",
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        0x0102_1997 => "9P",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x564C => "NCP",
        0x00C3_6400 => "Ceph",
        0x0116_1970 => "GFS2",
        0x7461_636F => "OCFS2",
        0x0BD0_0BD0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0x786F_4256 => "a VirtualBox shared folder",
        0xBACB_ACBC => "a VMware shared folder",
        _ => return None,
    })
}

#[cfg(target_vendor = "apple")]
fn network_filesystem(filesystem: &rustix::fs::StatFs) -> Option<String> {
    if filesystem.f_flags & libc::MNT_LOCAL as u32 != 0 {
        return None;
    }
    let name = filesystem.f_fstypename.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte as u8));
    Some(format!("a network volume ({})", name.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_the_directory_and_the_way_out() {
        let reason = reason(Path::new("/srv/jobs"), "NFS");
        assert!(reason.starts_with("/srv/jobs is on NFS, "), "{reason}");
        assert!(reason.ends_with("put the file on a local disk"), "{reason}");
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        assert_eq!(unsuitable(&missing).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(free_bytes(&missing).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(not(target_vendor = "apple"))]
    #[test]
    fn network_file_systems_are_known_and_local_ones_allowed() {
        for (identifier, name) in [(0x6969, "NFS"), (0xFF53_4D42, "SMB"), (0x0102_1997, "9P")] {
            assert_eq!(name_of(identifier), Some(name));
        }
        let (ext4, xfs, btrfs, tmpfs, fuse) = (0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x6573_5546);
        for identifier in [ext4, xfs, btrfs, tmpfs, fuse] {
            assert_eq!(name_of(identifier), None);
        }
    }
}
