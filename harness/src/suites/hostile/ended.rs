//! What is wrong with a QEMU, and what is only its guest's doing.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde::{Deserialize, Serialize};

use crate::host::sanitizer;
use crate::{Error, Kind, Result};

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// It ended by itself: how, and its last words.
    Ended(String),
    /// A sanitizer said so.
    Report(String),
    /// It gave no answer to that.
    Deaf(String),
    /// It went on after SIGTERM.
    IgnoresTerm,
    /// A replay was not as the recording.
    Diverged(String),
}

impl What {
    /// What two findings of one cause have in common; addresses and the like are not in it.
    pub(super) fn kind(&self) -> String {
        match self {
            What::Ended(how) | What::Report(how) => {
                let first = how.lines().next().unwrap_or_default();
                first.chars().filter(|c| !c.is_ascii_digit()).collect()
            }
            What::Deaf(_) => "deaf".into(),
            What::IgnoresTerm => "ignores SIGTERM".into(),
            What::Diverged(_) => "diverged".into(),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Ended(how) => write!(f, "QEMU ended: {how}"),
            What::Report(report) => write!(f, "a sanitizer reports: {report}"),
            What::Deaf(to) => write!(f, "QEMU gives no answer: {to}"),
            What::IgnoresTerm => f.write_str("QEMU goes on after SIGTERM"),
            What::Diverged(how) => write!(f, "the replay is not as the recording: {how}"),
        }
    }
}

/// What QEMU wrote to its standard error.
pub(super) fn words(mut file: File) -> String {
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.take(1 << 20).read_to_end(&mut bytes));
    if read.is_ok() { String::from_utf8_lossy(&bytes).into_owned() } else { String::new() }
}

/// What is wrong with a QEMU that ended so; none of status is one that we killed.
///
/// A guest can end its QEMU: by the port of isa-debug-exit, which gives odd exit codes, or by
/// powering the machine down.
///
/// # Errors
/// Harness, when somebody else killed it.
pub(super) fn judge(status: Option<ExitStatus>, words: &str) -> Result<Option<What>> {
    if let Some(report) = sanitizer::report(words) {
        return Ok(Some(What::Report(report.to_owned())));
    }
    let Some(status) = status else { return Ok(None) };
    let said = words.lines().rfind(|l| !l.trim().is_empty()).unwrap_or_default().trim();
    match (status.code(), status.signal()) {
        (_, Some(signal @ (2 | 9 | 15))) => {
            let what = format!("QEMU was killed by signal {signal} from outside");
            Err(Error::new(Kind::Harness, what))
        }
        (Some(0), _) => Ok(None),
        (Some(code), _) if code % 2 == 1 && !said.starts_with("qemu") => Ok(None),
        _ if said.is_empty() => Ok(Some(What::Ended(status.to_string()))),
        _ => Ok(Some(What::Ended(format!("{status}: {said}")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(raw: i32, words: &str) -> Option<What> {
        judge(Some(ExitStatus::from_raw(raw)), words).unwrap()
    }

    #[test]
    fn a_guest_may_end_its_qemu_and_nothing_else_may() {
        let code = |code: i32| code << 8;
        for (raw, words) in [(code(0), ""), (code(33), ""), (code(1), ""), (code(255), "")] {
            assert_eq!(judged(raw, words), None, "{raw:#x}");
        }
        for (raw, words) in
            [(6, "assertion failed"), (11, ""), (code(1), "qemu: no"), (code(2), ""), (134, "")]
        {
            assert!(matches!(judged(raw, words), Some(What::Ended(_))), "{raw:#x}");
        }
        assert_eq!(judge(Some(ExitStatus::from_raw(9)), "").unwrap_err().kind(), Kind::Harness);
        assert_eq!(judge(None, "").unwrap(), None);
    }

    #[test]
    fn a_report_counts_however_it_ended() {
        let words = "x\n../a.c:3:7: runtime error: shift exponent 64 is too large\ny\n";
        assert!(matches!(judged(33 << 8, words), Some(What::Report(_))));
        assert!(matches!(judge(None, words).unwrap(), Some(What::Report(_))));
    }

    #[test]
    fn one_cause_is_one_kind_whatever_the_numbers_in_it() {
        let kind = |how: &str| What::Ended(how.into()).kind();
        assert_eq!(kind("signal: 6: x.c:10: a"), kind("signal: 6: x.c:12: a"));
        assert_ne!(kind("signal: 6: a"), kind("signal: 6: b"));
    }
}
