//! Colours of reports, put on at the very end, by the words that reports use.

use std::sync::LazyLock;

use console::Style;
use regex::{Captures, Regex};

static BAD: &str = r"WORSE\b.*|UNEXPECTED PASS.*|NOT RUN\b|NOT WHOLE.*|SHARD \d+ IS MISSING.*|DOES NOT \w+|BREAKS\b|ERROR\b|WRONG ORDER|FAILS\b|NO LONGER|RUNS\b|REFUSED\b|DIFFERS\b.*|\d+ (?:regressed|gone)\b|\bpass -> (?:fail|crash|timeout)\b";
static ODD: &str = r"STALE\b|\d+ flaky|\bflaky on\b|nothing is recorded\b|warning:";
static GOOD: &str =
    r"no regression\b|nothing to object\b|AGREES\b|\+\d+\b|-> pass\b|\bbuilds\b|\bokay\b";

static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!("(?m)(?<bad>{BAD})|(?<odd>{ODD})|(?<good>{GOOD})"))
        .expect("the pattern is a constant")
});

/// Whether the user has anything against colours (see no-color.org).
pub fn wanted() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// The text with its verdicts in colour.
pub fn paint(text: &str) -> String {
    let style = || Style::new().force_styling(true);
    let paint = |m: &Captures<'_>| {
        let style = match () {
            () if m.name("bad").is_some() => style().red().bold(),
            () if m.name("odd").is_some() => style().yellow(),
            () => style().green(),
        };
        style.apply_to(&m[0]).to_string()
    };
    WORDS.replace_all(text, paint).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_have_colours_and_the_rest_is_as_it_was() {
        let text = "x\nWORSE: 1 regressed\nno regression: fine\n2 flaky\n";
        let painted = paint(text);
        assert!(painted.contains("\u{1b}[31m\u{1b}[1mWORSE: 1 regressed\u{1b}[0m"), "{painted:?}");
        assert!(painted.contains("\u{1b}[32mno regression\u{1b}[0m: fine"), "{painted:?}");
        assert!(painted.contains("\u{1b}[33m2 flaky"), "{painted:?}");
        assert_eq!(console::strip_ansi_codes(&painted), text);
    }
}
