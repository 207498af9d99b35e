//! Text at the width of a terminal.

use console::measure_text_width;

/// The width that reports keep to.
pub const WIDTH: usize = 80;

/// `text` in lines of [`WIDTH`], the first behind `mark`, the others behind as
/// many spaces. Words that are longer stay whole.
pub fn wrapped(text: &str, mark: &str) -> String {
    wrapped_at(WIDTH, text, mark)
}

/// [`wrapped`] at another width.
pub fn wrapped_at(width: usize, text: &str, mark: &str) -> String {
    let indent = " ".repeat(measure_text_width(mark));
    let words = text.split_whitespace().map(|word| (" ", word));
    broken(width, mark, &indent, "", words) + "\n"
}

/// The same text, what is longer than [`WIDTH`] in several lines: what everything
/// goes through that a person reads, at the edge. A line that goes on hangs below
/// the column that it is in, a command of the shell can still be typed. Words that
/// are longer stay whole.
pub fn fitted(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(fitted_line).collect();
    lines.join("\n")
}

fn fitted_line(line: &str) -> String {
    if measure_text_width(line) <= WIDTH {
        return line.to_owned();
    }
    let mut rest = line.trim_end();
    let mark = &rest[..hang(rest)];
    rest = &rest[mark.len()..];
    let command = mark.trim().is_empty() && is_command(rest);
    if command && rest.contains(['\'', '"']) {
        // Within quotes, the end of a line would be one of the words.
        return line.to_owned();
    }
    let (column, end) = match command {
        true => (measure_text_width(mark) + 2, " \\"),
        false if mark.is_empty() => (2, ""),
        false => (measure_text_width(mark), ""),
    };
    // Gaps within the line stay as wide as they are.
    let words = std::iter::from_fn(|| {
        let start = rest.len() - rest.trim_start().len();
        let length = rest[start..].find(char::is_whitespace).unwrap_or(rest.len() - start);
        let (word, left) = rest.split_at(start + length);
        rest = left;
        (length > 0).then(|| word.split_at(start))
    });
    broken(WIDTH, mark, &" ".repeat(column), end, words)
}

/// Puts words, each behind its gap, in lines of `width`, the first behind `mark`, the others
/// behind `indent`; a line that another follows ends with `end`.
fn broken<'a>(
    width: usize,
    mark: &str,
    indent: &str,
    end: &str,
    words: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut out = mark.to_owned();
    let (mut used, mut begun) = (measure_text_width(mark), false);
    for (gap, word) in words {
        let length = measure_text_width(word);
        if begun && used + gap.len() + length + end.len() > width {
            out.push_str(end);
            out.push('\n');
            out.push_str(indent);
            (used, begun) = (indent.len(), false);
        }
        if begun {
            out.push_str(gap);
            used += gap.len();
        }
        out.push_str(word);
        (used, begun) = (used + length, true);
    }
    out.truncate(out.trim_end().len());
    out
}

/// Where the last column begins: behind a gap that is wider than that between words,
/// in the first half of the line.
fn hang(line: &str) -> usize {
    let half = line.char_indices().nth(WIDTH / 2).map_or(line.len(), |(at, _)| at);
    let gap = line[..half].rfind("  ").map_or(0, |at| at + 2);
    gap + (line[gap..].len() - line[gap..].trim_start().len())
}

/// Whether a shell would take it.
fn is_command(text: &str) -> bool {
    ["cargo ", "apt-get ", "sudo "].iter().any(|name| text.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_long_as_they_may_be_and_hang_below_their_mark() {
        assert_eq!(wrapped_at(9, "one two three", "- "), "- one two\n  three\n");
        assert_eq!(wrapped_at(4, "a-long-word b", ""), "a-long-word\nb\n");
        assert_eq!(wrapped("", "mark "), "mark\n");
    }

    #[test]
    fn a_line_that_fits_is_left_alone() {
        let line = "x".repeat(40) + "  " + &"y".repeat(38);
        assert_eq!(fitted(&format!("{line}\n\n  a  b \n")), format!("{line}\n\n  a  b \n"));
        assert_eq!(fitted(&"z".repeat(200)), "z".repeat(200));
    }

    #[test]
    fn a_long_line_goes_on_below_its_column() {
        let words = "word ".repeat(14);
        let words = words.trim_end();
        assert_eq!(
            fitted(&format!("error: {words} then more")),
            format!("error: {words}\n  then more")
        );
        let row = fitted(&format!("ok       git     {words}"));
        let (first, second) = row.split_once('\n').unwrap();
        assert_eq!(second, format!("{}word word", " ".repeat(17)));
        assert!(first.starts_with("ok       git     word word"), "{row}");
        // A word that is too long has a line to itself, and what a colour takes is no width.
        let long = "x".repeat(90);
        assert_eq!(fitted(&format!("a {long} b")), format!("a\n  {long}\n  b"));
        let red = format!("\u{1b}[31m{words}\u{1b}[0m");
        assert_eq!(fitted(&format!("{red} more")), format!("{red} more"));
    }

    #[test]
    fn a_command_can_still_be_typed() {
        let packages = "package ".repeat(10);
        let text = fitted(&format!("install it with:\n  apt-get install {}", packages.trim_end()));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "    package package package");
        let quoted = format!("  cargo xtask x '{packages}'");
        assert_eq!(fitted(&quoted), quoted);
        assert!(lines[1].ends_with(" package \\") && lines[1].chars().count() <= WIDTH, "{text}");
    }
}
