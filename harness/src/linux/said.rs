//! What our program says among the lines of a console.

use crate::host::launch::Finished;
use crate::{Error, Kind, Result};

/// How each of its lines begins (`harness/linux/src/report.rs`).
const MARK: &str = "svm-bench: ";
/// How a line begins that says why it cannot go on.
const FAILED: &str = "failed: ";

/// What it says in that line, if it is one of its. The kernel may have begun the
/// line with something of its own, and may cut in before its end.
pub fn word(line: &str) -> Option<&str> {
    let (_, word) = line.split_once(MARK)?;
    let cut = word.match_indices('[').find(|&(at, _)| is_stamp(&word[at + 1..]));
    Some(cut.map_or(word, |(at, _)| &word[..at]).trim_end())
}

/// Whether that is the rest of what a line of the kernel's begins with: `[    2.258460]`.
fn is_stamp(rest: &str) -> bool {
    let stamp = rest.split_once(']').and_then(|(stamp, _)| stamp.trim_start().split_once('.'));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    stamp.is_some_and(|(seconds, fraction)| digits(seconds) && digits(fraction))
}

/// Is that the last line worth waiting for: the word that is waited for, or a
/// failure?
pub fn ends(line: &str, last: &str) -> bool {
    word(line).is_some_and(|word| word == last || word.starts_with(FAILED))
}

/// The words in `ended`, each with the seconds since QEMU was started; the last is
/// `last`.
///
/// # Errors
/// Harness, when the program failed or the machine ended before that, with the
/// reason or the console's last line.
pub fn words<'a>(ended: &'a Finished, last: &str) -> Result<Vec<(f64, &'a str)>> {
    let said = ended.lines.iter().filter_map(|(at, line)| Some((*at, word(line)?)));
    let said: Vec<_> = said.collect();
    if let Some(why) = said.iter().find_map(|(_, word)| word.strip_prefix(FAILED)) {
        return Err(Error::new(Kind::Harness, format!("the guest says: {why}")));
    }
    if said.last().is_some_and(|&(_, word)| word == last) {
        return Ok(said);
    }
    let printed = ended.lines.iter().rev().map(|(_, line)| line.as_str());
    let line = printed.chain(ended.stderr.lines().rev()).find(|line| !line.trim().is_empty());
    let line = line.unwrap_or("nothing was printed");
    Err(Error::new(
        Kind::Harness,
        format!("the machine ended ({}) before the guest said {last:?}: {line}", ended.status),
    ))
}

/// A figure in words of the form `NAME NUMBER`, such as `exit-cpuid 105000`.
///
/// # Errors
/// Harness, when there is none of that name, or no number with it.
pub fn figure(said: &[(f64, &str)], name: &str) -> Result<f64> {
    let value = said.iter().find_map(|(_, word)| word.strip_prefix(name)?.strip_prefix(' '));
    let number = value.and_then(|value| value.parse().ok()).filter(|n: &f64| n.is_finite());
    number.ok_or_else(|| {
        let what = value.map_or_else(|| "said nothing".into(), |value| format!("said {value:?}"));
        Error::new(Kind::Harness, format!("the guest {what} for {name}"))
    })
}

/// When it said `word`, in seconds since QEMU was started.
///
/// # Errors
/// Harness, when it did not.
pub fn when(said: &[(f64, &str)], word: &str) -> Result<f64> {
    let found = said.iter().find(|(_, w)| *w == word).map(|(at, _)| *at);
    found.ok_or_else(|| Error::new(Kind::Harness, format!("the guest never said {word:?}")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn console(lines: &[&str], stderr: &str) -> Finished {
        Finished {
            status: ExitStatus::from_raw(0),
            usage: Default::default(),
            lines: lines.iter().enumerate().map(|(n, l)| (n as f64, l.to_string())).collect(),
            stderr: stderr.into(),
        }
    }

    #[test]
    fn words_are_found_among_the_kernels_lines_with_their_times() {
        let ended = console(
            &["[    0.0] Linux", "svm-bench: exit-cpuid 10500.5", "[ 1.0] x: svm-bench: up"],
            "",
        );
        let said = words(&ended, "up").unwrap();
        assert_eq!(said, [(1.0, "exit-cpuid 10500.5"), (2.0, "up")]);
        assert_eq!(figure(&said, "exit-cpuid").unwrap(), 10500.5);
        assert_eq!(when(&said, "up").unwrap(), 2.0);
        assert!(when(&said, "down").unwrap_err().to_string().contains("down"));
    }

    #[test]
    fn a_word_that_the_kernel_cuts_short_is_heard() {
        let line = "svm-bench: up[    2.258460] tsc: Refined TSC clocksource calibration";
        assert_eq!(word(line), Some("up"));
        assert!(ends(line, "up"));
        assert_eq!(
            word("svm-bench: failed: opening [a.b] and x[1]"),
            Some("failed: opening [a.b] and x[1]")
        );
    }

    #[test]
    fn a_figure_that_is_none_or_is_not_there_is_named() {
        let said = [(0.0, "exit-cpuid fast"), (0.0, "exit-cpuid-long 7"), (0.0, "exit-npf inf")];
        for (name, says) in [("exit-cpuid", "fast"), ("exit-out", "nothing"), ("exit-npf", "inf")] {
            let e = figure(&said, name).unwrap_err().to_string();
            assert!(e.contains(name) && e.contains(says), "{e}");
        }
        assert_eq!(figure(&said, "exit-cpuid-long").unwrap(), 7.0);
    }

    #[test]
    fn a_guest_that_gives_up_says_why() {
        assert!(ends("svm-bench: failed: no /dev/kvm", "up") && ends("svm-bench: up", "up"));
        assert!(!ends("svm-bench: upper", "up") && !ends("up", "up"));
        let ended = console(&["svm-bench: failed: no /dev/kvm"], "");
        assert!(words(&ended, "up").unwrap_err().to_string().contains("no /dev/kvm"));
    }

    #[test]
    fn a_machine_that_ends_early_shows_its_last_line() {
        let panic = console(&["[ 1.0] Kernel panic - not syncing: VFS", ""], "");
        let e = words(&panic, "up").unwrap_err().to_string();
        assert!(e.contains("Kernel panic") && e.contains("\"up\""), "{e}");
        let e = words(&console(&[], "qemu: no such CPU\n"), "up").unwrap_err().to_string();
        assert!(e.contains("no such CPU"), "{e}");
        assert!(words(&console(&[], ""), "up").unwrap_err().to_string().contains("nothing"));
    }
}
