//! Prose at the width of a terminal.

/// The width that reports keep to.
pub const WIDTH: usize = 80;

/// `text` in lines of [`WIDTH`], the first behind `mark`, the others behind as
/// many spaces. Words that are longer stay whole.
pub fn wrapped(text: &str, mark: &str) -> String {
    wrapped_at(WIDTH, text, mark)
}

/// [`wrapped`] at another width.
pub fn wrapped_at(width: usize, text: &str, mark: &str) -> String {
    let length = |line: &str| line.chars().count();
    let mut out = String::new();
    let mut line = mark.to_string();
    let indent = " ".repeat(length(mark));
    for word in text.split_whitespace() {
        if length(&line) + length(word) > width && length(&line) > length(mark) {
            out += line.trim_end();
            out.push('\n');
            line.clone_from(&indent);
        }
        line += word;
        line.push(' ');
    }
    out + line.trim_end() + "\n"
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
}
