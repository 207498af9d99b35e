//! The lines of a serial log that mean something.

/// What became of one assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `PASS`: it holds.
    Pass,
    /// `FAIL`: it does not hold.
    Fail,
    /// `XPASS`: it holds, and the suite expected that it would not.
    UnexpectedPass,
    /// `XFAIL`: it does not hold, as the suite expected.
    ExpectedFail,
    /// `KFAIL`: it does not hold, and the suite knows.
    KnownFail,
    /// `SKIP`: it does not apply.
    Skip,
    /// `ABORT`: the suite gave up here.
    Abort,
}

/// One reported assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// What became of it.
    pub outcome: Outcome,
    /// The named test that it belongs to, as far as the log says.
    pub test: Option<String>,
    /// The message, as printed.
    pub message: String,
}

/// The counts that a unit prints at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Assertions, including silent ones.
    pub tests: u32,
    /// Unexpected failures.
    pub failures: u32,
    /// Skipped ones.
    pub skipped: u32,
}

/// A serial log, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// Every reported assertion, in order.
    pub assertions: Vec<Assertion>,
    /// The end of the unit, if it got there.
    pub summary: Option<Summary>,
    /// The unhandled exception that ended it.
    pub exception: Option<String>,
    /// The named test that began last.
    pub last_test: Option<String>,
}

const PREFIXES: &[(&str, Outcome)] = &[
    ("PASS: ", Outcome::Pass),
    ("FAIL: ", Outcome::Fail),
    ("XPASS: ", Outcome::UnexpectedPass),
    ("XFAIL: ", Outcome::ExpectedFail),
    ("KFAIL: ", Outcome::KnownFail),
    ("SKIP: ", Outcome::Skip),
    ("ABORT: ", Outcome::Abort),
];

impl Transcript {
    /// Reads a serial log; unknown lines are passed over.
    pub fn read(log: &str) -> Self {
        let mut seen = Transcript::default();
        for line in log.lines().map(|l| l.trim_end_matches('\r')) {
            seen.line(line);
        }
        seen
    }

    fn line(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("SVM test: ") {
            self.last_test = Some(name.replace(' ', "_"));
        } else if let Some(counts) = line.strip_prefix("SUMMARY: ") {
            self.summary = summary(counts).or(self.summary);
        } else if line.starts_with("Unhandled exception") {
            // The first one; a handler that faults again adds more.
            self.exception.get_or_insert_with(|| line.to_owned());
        } else if let Some((message, outcome)) = assertion(line) {
            let test = self.last_test.clone();
            self.assertions.push(Assertion { outcome, test, message: message.to_owned() });
        }
    }

    /// How many assertions became `outcome`.
    pub fn count(&self, outcome: Outcome) -> u32 {
        let same = self.assertions.iter().filter(|a| a.outcome == outcome).count();
        u32::try_from(same).unwrap_or(u32::MAX)
    }
}

fn assertion(line: &str) -> Option<(&str, Outcome)> {
    PREFIXES.iter().find_map(|(prefix, outcome)| Some((line.strip_prefix(prefix)?, *outcome)))
}

/// `12 tests, 1 unexpected failures, 2 skipped`
fn summary(counts: &str) -> Option<Summary> {
    let mut summary = Summary::default();
    for (position, part) in counts.trim().split(", ").enumerate() {
        let (number, what) = part.split_once(' ')?;
        let number = number.parse().ok()?;
        match what {
            "tests" => summary.tests = number,
            "unexpected failures" => summary.failures = number,
            "skipped" => summary.skipped = number,
            _ if position == 0 => return None,
            _ => {}
        }
    }
    Some(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_is_read() {
        let log = "enabling apic\r\nSVM test: cr3 read\r\nPASS: a\nFAIL: b\nXPASS: c\nXFAIL: d\n\
                   KFAIL: e\nSKIP: f (not supported)\nABORT: g\nINFO: h\n\
                   SUMMARY: 7 tests, 2 unexpected failures, 1 known failures, 1 skipped\n";
        let seen = Transcript::read(log);
        let outcomes: Vec<_> = seen.assertions.iter().map(|a| a.outcome).collect();
        assert_eq!(outcomes, PREFIXES.iter().map(|p| p.1).collect::<Vec<_>>());
        assert_eq!(seen.assertions[0].test.as_deref(), Some("cr3_read"));
        assert_eq!(seen.summary, Some(Summary { tests: 7, failures: 2, skipped: 1 }));
        assert_eq!(seen.exception, None);
    }

    #[test]
    fn the_first_of_several_exceptions_counts() {
        let seen = Transcript::read("Unhandled exception 3 #BP at ip 1\nUnhandled exception 14\n");
        assert_eq!(seen.exception.as_deref(), Some("Unhandled exception 3 #BP at ip 1"));
        assert_eq!(seen.summary, None);
    }

    #[test]
    fn a_line_that_only_looks_like_a_summary_is_none() {
        for line in ["SUMMARY: ", "SUMMARY: none", "SUMMARY: 3 apples", "SUMMARY: -1 tests"] {
            assert_eq!(Transcript::read(line).summary, None, "{line}");
        }
    }
}
