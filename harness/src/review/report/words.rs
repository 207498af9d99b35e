//! What every report says in the same words.

use crate::review::assemble::Fault;
use crate::review::claims::Remark;
use crate::review::{
    Applies, Builds, Companion, CompanionVerdict, Executed, Flipped, Outcome, PatchReview, Review,
    RuleChange, Runs, Tally,
};

/// A fault of the whole series.
pub(super) fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Missing { number, of, elsewhere } => {
            let elsewhere = elsewhere.map_or(String::new(), |v| {
                format!(" (v{v} has one; --reroll takes it from there)")
            });
            format!("patch {number} of {of} is missing{elsewhere}")
        }
        Fault::Twice { number, titles } => {
            format!("there are {} different patches {number}: {}", titles.len(), titles.join("; "))
        }
        Fault::TooMuch { what } => what.clone(),
        Fault::More { count, what } => format!("and {count} more {what}"),
        Fault::Damaged { why } => format!("a mail cannot be read: {why}"),
    }
}

/// What runs of it when QEMU is built or tested: the first thing to be read.
pub(super) fn runs(review: &Review) -> Vec<String> {
    /// Files of one patch that are named; the others are counted.
    const NAMED: usize = 12;
    let line = |r: &Runs| {
        let named: Vec<&str> = r.files.iter().take(NAMED).map(String::as_str).collect();
        let more = match r.files.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!("RUNS at build or test time, patch {}: {}{more}", r.patch, named.join(", "))
    };
    let mut lines: Vec<String> = review.runs.iter().take(SHOWN).map(line).collect();
    if review.runs.len() > SHOWN {
        lines.push(format!("RUNS: so do files of {} more patches", review.runs.len() - SHOWN));
    }
    lines
}

/// What is to be said about one patch; each entry is one line.
pub(super) fn patch(patch: &PatchReview) -> Vec<String> {
    let mut lines: Vec<String> = patch.oddities.iter().map(|o| format!("the mail: {o}")).collect();
    match &patch.applies {
        Applies::Cleanly => {}
        Applies::Untried => lines.push("not tried: one before it does not apply".into()),
        Applies::Merged => lines.push("applies only with a three-way merge".into()),
        Applies::Fuzzily { context } => {
            lines.push(format!("applies with fuzz: {context} lines of context match"));
        }
        Applies::Refused { why } => lines.push(format!("DOES NOT APPLY: {why}")),
    }
    match &patch.builds {
        Builds::Yes | Builds::Untried => {}
        Builds::Unchanged => lines.push("builds; the binary is the same as before".into()),
        Builds::No { why } => {
            let why: Vec<&str> = why.lines().map(str::trim).take(3).collect();
            lines.push(format!("DOES NOT BUILD: {}", why.join(": ")));
        }
    }
    for words in &patch.refused {
        lines.push(format!("the sandbox REFUSED what it tried when it was built: {words}"));
    }
    for c in &patch.checkpatch {
        let at = c.at.as_ref().map_or(String::new(), |at| format!("{at}: "));
        let word = if c.severity == crate::qemu::checkpatch::Severity::Error {
            "ERROR"
        } else {
            "warning"
        };
        lines.push(format!("checkpatch: {at}{word}: {}", c.what));
    }
    lines.extend(flips(&patch.flips));
    lines.extend(rules(&patch.rules));
    let (gained, lost) = &patch.features;
    if !gained.is_empty() {
        lines.push(format!("-cpu max offers from here on: {}", gained.join(", ")));
    }
    if !lost.is_empty() {
        lines.push(format!("-cpu max NO LONGER offers: {}", lost.join(", ")));
    }
    lines.extend(patch.remarks.iter().map(remark));
    lines
}

/// What of [`patch`] is to be acted on: all but what gets better.
pub(super) fn objections(patch: &PatchReview) -> Vec<String> {
    /// Of what was refused; the rest is counted.
    const REFUSED: usize = 3;
    let mut bad = patch.clone();
    let more = bad.refused.len().saturating_sub(REFUSED);
    bad.refused.truncate(REFUSED);
    if let (Some(last), 1..) = (bad.refused.last_mut(), more) {
        *last += &format!(" (and {more} more)");
    }
    bad.flips.retain(|f| f.worse || f.flaky);
    bad.rules.retain(RuleChange::is_worse);
    bad.features.0.clear();
    bad.remarks.retain(Remark::is_objection);
    self::patch(&bad)
}

/// Families of tests change together; more than this are counted.
const SHOWN: usize = 8;

fn flips(flips: &[Flipped]) -> Vec<String> {
    let (worse, rest): (Vec<_>, Vec<_>) = flips.iter().partition(|f| f.worse);
    let mut lines: Vec<String> = worse.into_iter().map(flip).collect();
    lines.extend(rest.iter().take(SHOWN).map(|f| flip(f)));
    if rest.len() > SHOWN {
        lines.push(format!("and {} more tests change", rest.len() - SHOWN));
    }
    lines
}

fn rules(rules: &[RuleChange]) -> Vec<String> {
    let (worse, rest): (Vec<_>, Vec<_>) = rules.iter().partition(|r| r.is_worse());
    let mut lines: Vec<String> = worse.into_iter().map(rule).collect();
    lines.extend(rest.iter().take(SHOWN).map(|r| rule(r)));
    if rest.len() > SHOWN {
        lines.push(format!("and {} more rules change", rest.len() - SHOWN));
    }
    lines
}

/// A rule of the model; the section is that of the manual.
fn rule(r: &RuleChange) -> String {
    let name = match r.section.is_empty() {
        true => r.rule.clone(),
        false => format!("{} ({})", r.rule, svm_model::rules::cited(&r.section)),
    };
    let (before, after, example) = (r.before, r.after, &r.example);
    let text = match (before, after) {
        (0, _) => format!("BREAKS {name} in {}, such as {example}", cases(after)),
        (_, 0) => format!("obeys {name}, which it broke in {}, such as {example}", cases(before)),
        _ => format!("breaks {name} in {}, before in {before}, such as {example}", cases(after)),
    };
    text + &earlier(&r.or_earlier)
}

fn cases(n: usize) -> String {
    if n == 1 { "1 case".into() } else { format!("{n} cases") }
}

/// Patches that may be to blame as well.
fn earlier(patches: &[u32]) -> String {
    let patches: Vec<String> = patches.iter().map(u32::to_string).collect();
    match patches.is_empty() {
        true => String::new(),
        false => format!(" (or at patch {}, which does not build)", patches.join(", ")),
    }
}

pub(super) fn flip(f: &Flipped) -> String {
    let name = |v: &Option<crate::Verdict>| v.map_or("not there", |v| v.name());
    let mark = match (f.flaky, f.worse) {
        (true, _) => "flaky: ",
        (_, true) => "WORSE: ",
        _ => "",
    };
    let why = f.why.as_ref().filter(|_| f.to != Some(crate::Verdict::Pass));
    let why = why.map_or(String::new(), |w| format!(": {w}"));
    let earlier = earlier(&f.or_earlier);
    format!("{mark}{} {} -> {}{earlier}{why}", f.test, name(&f.from), name(&f.to))
}

fn remark(remark: &Remark) -> String {
    match remark {
        Remark::FixesForm { value } => {
            format!("`Fixes: {value}` is not of the form: Fixes: 0123456789ab (\"title\")")
        }
        Remark::FixesSeen => "the message says Fixes:, and a test passes from here on".into(),
        Remark::FixesUnseen => {
            "the message says Fixes:; none of the tests that ran shows the bug".into()
        }
        Remark::BitOffered { bit, feature } => {
            format!("the message names {bit}: -cpu max offers {feature} from here on")
        }
        Remark::BitUnchanged { bit, feature } => {
            format!("the message names {bit}: what -cpu max offers of {feature} does not change")
        }
        Remark::Unannounced { feature } => {
            format!("-cpu max offers {feature} from here on, which the message does not mention")
        }
        Remark::TestPasses { test } => format!("the message names {test}: it passes from here on"),
        Remark::TestFails { test, verdict } => {
            format!("the message names {test}: it ends with {verdict} here")
        }
    }
}

/// A test that the series brings.
pub(super) fn companion(c: &Companion) -> String {
    let what = match &c.verdict {
        CompanionVerdict::Good { fixed } => {
            format!("fails without the fix, passes from patch {fixed} on")
        }
        CompanionVerdict::TooEarly { fixed } => format!(
            "WRONG ORDER: it comes with patch {} and fails until patch {fixed}; it belongs behind that",
            c.patch
        ),
        CompanionVerdict::PassesWithout => "passes without the series, too: it shows no bug".into(),
        CompanionVerdict::FailsWith => "FAILS with the whole series".into(),
        CompanionVerdict::NotRun => "was not run: it is of a kind that needs another set-up".into(),
    };
    format!("{} {what}", c.file)
}

/// One line that sums it up.
pub(super) fn conclusion(review: &Review) -> String {
    let patch = |f: &dyn Fn(&PatchReview) -> bool| {
        let found = review.patches.iter().find(|p| f(p));
        found.map_or(String::new(), |p| format!("patch {} (`{}`)", p.number, p.title))
    };
    match review.outcome() {
        Outcome::Incomplete => {
            let all: Vec<String> = review.faults.iter().map(fault).collect();
            format!("the series is not whole: {}", all.join("; "))
        }
        Outcome::DoesNotApply => {
            let at = patch(&|p| matches!(p.applies, Applies::Refused { .. }));
            let fits = match review.fits.is_empty() {
                true => "; it fits no other base that is on this machine either".to_string(),
                false => format!("; it applies to {}", review.fits.join(", and to ")),
            };
            format!("{at} does not apply to {}{fits}", review.base)
        }
        Outcome::DoesNotBuild => {
            let at = patch(&|p| matches!(p.builds, Builds::No { .. }));
            let tip = review.patches.last().is_some_and(|p| !matches!(p.builds, Builds::No { .. }));
            let tip =
                if tip { "; the whole series does, so this shows only when bisecting" } else { "" };
            format!("{at} does not build{tip}")
        }
        Outcome::Regression => {
            let at = patch(&PatchReview::is_worse);
            let count: usize =
                review.patches.iter().map(|p| p.flips.iter().filter(|f| f.worse).count()).sum();
            match count {
                0 => format!("a rule of the manual is broken that was not, first at {at}"),
                1 => format!("a test got worse, first at {at}"),
                n => format!("{n} tests got worse, first at {at}"),
            }
        }
        Outcome::BadTest => "a test that the series brings is not in order".into(),
        Outcome::Style => {
            format!("checkpatch finds errors, first in {}", patch(&|p| p.errors().next().is_some()))
        }
        Outcome::Untrue => {
            let at = patch(&|p| p.remarks.iter().any(Remark::is_objection));
            format!("a message does not say what was seen, first in {at}")
        }
        Outcome::Good if review.runs.is_empty() => "nothing to object".into(),
        Outcome::Good => {
            "nothing to object; read what runs when QEMU is built before you build it".into()
        }
    }
}

/// What ran, and what did not.
pub(super) fn coverage(review: &Review) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(why) = &review.unmeasured {
        lines.push(format!("no suite ran: {why}"));
    }
    for s in &review.suites {
        let (before, after) = (tally(&s.before, " tests pass before"), tally(&s.after, ""));
        lines.push(format!("{}: {before}, {after} with the series", s.name));
    }
    lines.extend(review.executed.iter().flat_map(|files| executed(files)));
    lines.extend(review.absent.iter().map(|a| format!("{} did not run: {}", a.suite, a.why)));
    lines
}

/// `2 of 9 tests pass before (3 skipped)`.
fn tally(t: &Tally, what: &str) -> String {
    let skipped = match t.skip {
        0 => String::new(),
        n => format!(" ({n} skipped)"),
    };
    format!("{} of {}{what}{skipped}", t.pass, t.all)
}

/// `1 patch`.
pub(super) fn patches(n: usize) -> String {
    if n == 1 { "1 patch".into() } else { format!("{n} patches") }
}

/// Which changed lines ran.
fn executed(files: &[Executed]) -> Vec<String> {
    let sum = |f: fn(&Executed) -> usize| files.iter().map(f).sum::<usize>();
    let (lines, ran) = (sum(|f| f.lines), sum(|f| f.ran));
    let mut all =
        vec![format!("of {lines} changed lines of target/i386 that have code, {ran} ran")];
    for file in files.iter().filter(|f| !f.idle.is_empty()) {
        let stretch =
            |&(a, b): &(u32, u32)| if a == b { a.to_string() } else { format!("{a}-{b}") };
        let idle: Vec<String> = file.idle.iter().map(stretch).collect();
        all.push(format!("{}: did not run: {}", file.file, idle.join(", ")));
    }
    all
}
