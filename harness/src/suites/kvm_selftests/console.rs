//! What L1 says, as it comes: which test begins, what it prints, how it ends.

use crate::linux::said;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

/// A test, and what it and the kernel said meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Its name.
    pub(super) test: String,
    /// The lines of the console.
    pub(super) lines: Vec<String>,
}

/// The console of one boot.
#[derive(Debug, Default)]
pub(super) struct Console {
    /// The begin of a line whose end has not come yet.
    partial: Vec<u8>,
    /// The test that has begun and not ended.
    running: Option<Block>,
    /// What was said before the first test, or between two.
    between: Vec<String>,
    /// Why our program does not go on.
    gave_up: Option<String>,
}

impl Console {
    /// Takes in the next bytes: the tests that ended with them, and whether any began
    /// or ended.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (Vec<(Block, How)>, bool) {
        self.partial.extend_from_slice(bytes);
        let Some(end) = self.partial.iter().rposition(|&byte| byte == b'\n') else {
            return (Vec::new(), false);
        };
        let rest = self.partial.split_off(end + 1);
        let whole = std::mem::replace(&mut self.partial, rest);
        let (mut ended, mut news) = (Vec::new(), false);
        for line in String::from_utf8_lossy(&whole).lines() {
            let line = line.trim_end_matches('\r');
            news |= self.line(line, &mut ended);
        }
        (ended, news)
    }

    /// Takes in one line; true when it says that a test begins or ends.
    fn line(&mut self, line: &str, ended: &mut Vec<(Block, How)>) -> bool {
        let word = said::word(line).unwrap_or_default();
        if let Some(test) = word.strip_prefix("begin ") {
            self.running = Some(Block { test: test.into(), lines: Vec::new() });
            return true;
        }
        if let Some((test, how)) = word.strip_prefix("end ").and_then(end) {
            if let Some(block) = self.running.take_if(|block| block.test == test) {
                ended.push((block, how));
            }
            return true;
        }
        if let Some(why) = word.strip_prefix("failed: ") {
            self.gave_up = Some(why.into());
        }
        let lines = self.running.as_mut().map_or(&mut self.between, |block| &mut block.lines);
        lines.push(line.to_owned());
        false
    }

    /// What was going on when the machine ended: the test, and what was said.
    pub(super) fn finish(mut self) -> Last {
        let partial = String::from_utf8_lossy(&self.partial).into_owned();
        if !partial.is_empty() {
            self.line(&partial, &mut Vec::new());
        }
        Last { running: self.running, between: self.between, gave_up: self.gave_up }
    }
}

/// The end of a console.
#[derive(Debug)]
pub(super) struct Last {
    /// The test that had begun and not ended.
    pub(super) running: Option<Block>,
    /// What was said outside of tests.
    pub(super) between: Vec<String>,
    /// Why our program did not go on.
    pub(super) gave_up: Option<String>,
}

impl Last {
    /// The line that tells most: a panic's, or the last.
    pub(super) fn line(&self) -> &str {
        let lines = self.running.as_ref().map_or(&self.between, |block| &block.lines);
        let panic = lines.iter().find(|line| line.contains("Kernel panic"));
        let last = || lines.iter().rev().find(|line| !line.trim().is_empty());
        panic.or_else(last).map_or("nothing was printed", |line| line.trim())
    }
}

/// `TEST exited CODE` or `TEST signalled NUMBER`.
fn end(word: &str) -> Option<(&str, How)> {
    let mut words = word.split(' ');
    let (test, how, number) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
    match how {
        "exited" => Some((test, How::Exited(number))),
        "signalled" => Some((test, How::Signalled(number))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[    0.0] Linux\r\nsvm-bench: begin a_test\r\nRandom seed: 1\r\n\
        svm-bench: end a_test exited 0\r\nsvm-bench: begin b_test\r\n\
        ok 1svm-bench: end b_test signalled 11\r\nsvm-bench: begin c_test\r\nstuck";

    #[test]
    fn tests_end_as_they_say_however_the_bytes_come() {
        for size in [1, 7, TEXT.len()] {
            let mut console = Console::default();
            let (mut ended, mut news) = (Vec::new(), 0);
            for bytes in TEXT.as_bytes().chunks(size) {
                let (now, any) = console.take(bytes);
                ended.extend(now);
                news += u32::from(any);
            }
            let hows: Vec<_> = ended.iter().map(|(b, how)| (b.test.as_str(), *how)).collect();
            assert_eq!(hows, [("a_test", How::Exited(0)), ("b_test", How::Signalled(11))]);
            assert_eq!(ended[0].0.lines, ["Random seed: 1"]);
            assert_eq!(news, if size == TEXT.len() { 1 } else { 5 });
            let last = console.finish();
            assert_eq!(last.running.as_ref().unwrap().test, "c_test");
            assert_eq!(last.line(), "stuck");
        }
    }

    #[test]
    fn a_program_that_gives_up_and_a_kernel_that_panics_say_why() {
        let mut console = Console::default();
        console.take(b"svm-bench: failed: loading kvm-amd: no\n");
        assert_eq!(console.finish().gave_up.as_deref(), Some("loading kvm-amd: no"));
        let mut console = Console::default();
        console.take(b"[ 1.0] Kernel panic - not syncing: x\n[ 1.1] Rebooting\n");
        assert!(console.finish().line().contains("not syncing"));
        assert_eq!(Console::default().finish().line(), "nothing was printed");
    }

    #[test]
    fn an_end_of_another_test_ends_none() {
        let mut console = Console::default();
        let (ended, _) = console.take(b"svm-bench: begin a\nsvm-bench: end b exited 0\n");
        assert!(ended.is_empty() && console.finish().running.is_some());
    }
}
