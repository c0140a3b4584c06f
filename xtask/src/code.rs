//! Exit codes as data. A program's own code is passed on untouched; the few that `xtask` adds are
//! named here and nowhere else.

use std::process::{ExitCode, ExitStatus};

/// What a chore ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub u8);

impl Code {
    /// All is well.
    pub const GOOD: Code = Code(0);
    /// A check of xtask's own found something.
    pub const FOUND: Code = Code(1);
    /// The work could not be done: the number that cargo itself uses when a build fails.
    pub const COULD_NOT: Code = Code(101);

    /// Whether nothing was wrong.
    pub fn is_good(self) -> bool {
        self == Code::GOOD
    }
}

impl From<ExitStatus> for Code {
    /// A program that a signal ended counts as 128 plus the signal, as in a shell.
    fn from(status: ExitStatus) -> Code {
        let code = status.code().or_else(|| signal(status).map(|signal| 128 + signal));
        Code(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(Code::COULD_NOT.0))
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code.0)
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_programs_code_is_passed_on_and_a_signal_is_not_a_success() {
        // Raw wait statuses: the code in the second byte, the signal in the first.
        for (raw, code) in [(0, 0), (3 << 8, 3), (101 << 8, 101), (9, 137), (2, 130)] {
            assert_eq!(Code::from(ExitStatus::from_raw(raw)), Code(code), "{raw}");
        }
    }
}
