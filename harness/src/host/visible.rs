//! Text from outside, made fit to be shown: the one edge at which characters
//! that a terminal would obey are taken out.

/// One line: control characters, ends of lines among them, and characters that
/// turn the direction of text or have no width become `\u{fffd}`.
pub fn line(text: &str) -> String {
    text.chars().map(|c| if is_shown(c) { c } else { '\u{fffd}' }).collect()
}

/// [`line`] of text that may have several lines; tabs stay, too.
pub fn lines(text: &str) -> String {
    let kept = |c: char| c == '\n' || c == '\t' || is_shown(c);
    text.chars().map(|c| if kept(c) { c } else { '\u{fffd}' }).collect()
}

/// A line of at most `most` characters; what was longer ends with `…`.
pub fn short(text: &str, most: usize) -> String {
    let text = line(text);
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Whether a terminal shows the character, and obeys nothing.
fn is_shown(c: char) -> bool {
    let hidden = matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_taken_out_and_the_rest_stays() {
        assert_eq!(
            line("a\u{1b}[31mb\u{7}\0c\r\nd"),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}c\u{fffd}\u{fffd}d"
        );
        assert_eq!(line("\u{9b}2J x\u{202e}y\u{200b}z"), "\u{fffd}2J x\u{fffd}y\u{fffd}z");
        assert_eq!(line("J\u{e9}: \u{2192} 中 \u{fffd}"), "J\u{e9}: \u{2192} 中 \u{fffd}");
        assert_eq!(lines("a\n\tb\u{1b}"), "a\n\tb\u{fffd}");
        assert_eq!((short("abcd", 4), short("abcde", 4)), ("abcd".into(), "abc…".into()));
    }
}
