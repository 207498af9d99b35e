//! Patterns with `*` and `?`, for names that people type.

/// Whether all of `text` matches `pattern`, in which `*` stands for any text
/// and `?` for any one character.
pub fn glob(pattern: &str, text: &str) -> bool {
    // Thousands of names are matched: a regular expression each would take seconds.
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What follows the last star, and the text that it was last tried on.
    let mut star = None;
    loop {
        let wanted = pattern.next();
        if wanted == Some('*') {
            star = Some((pattern.clone(), text.clone()));
            continue;
        }
        let found = text.next();
        match (wanted, found) {
            (None, None) => return true,
            (Some('?'), Some(_)) => continue,
            (Some(w), Some(f)) if w == f => continue,
            _ => {}
        }
        let Some((rest, tried)) = &mut star else { return false };
        if tried.next().is_none() {
            return false;
        }
        (pattern, text) = (rest.clone(), tried.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_all_of_a_text() {
        let yes = [
            ("a", "a"),
            ("a*", "a"),
            ("a*", "abc"),
            ("*b*", "abc"),
            ("a?c", "abc"),
            ("*", ""),
            ("*ab", "aab"),
        ];
        let no =
            [("a", "ab"), ("b*", "abc"), ("a?c", "ac"), ("", "a"), ("a.c", "abc"), ("[a]", "a")];
        assert!(yes.iter().all(|(p, t)| glob(p, t)));
        assert!(no.iter().all(|(p, t)| !glob(p, t)));
    }
}
