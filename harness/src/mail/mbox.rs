//! An mbox file, split into mails.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// `From sender date`, as lore, b4, mutt and `git format-patch` write it.
static FROM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^From \S+.* \d{1,2}:\d\d(:\d\d)?( \S+)?( \S+)? \d{4}\r?$")
        .expect("the pattern is a constant")
});
/// What `git format-patch` begins with; files that were put one behind the other
/// have no empty line before it.
static MAGIC: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^From [0-9a-f]{40,64} Mon Sep 17 00:00:00 2001\r?$")
        .expect("the pattern is a constant")
});
static QUOTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^>+From ").expect("the pattern is a constant"));

/// The mails in `text`, without their `From ` lines; a file with a single mail
/// and no such line is one mail.
pub fn split(text: &[u8]) -> Vec<Vec<u8>> {
    let mut mails: Vec<Vec<u8>> = Vec::new();
    let mut after_empty = true;
    for line in text.split_inclusive(|&b| b == b'\n') {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        if MAGIC.is_match(bare) || (after_empty && FROM.is_match(bare)) {
            mails.push(Vec::new());
        } else if let Some(mail) = mails.last_mut() {
            // mboxrd: one `>` was added to every line that looks like the above.
            let line = if QUOTED.is_match(line) { &line[1..] } else { line };
            mail.extend_from_slice(line);
        } else if !bare.is_empty() {
            mails.push(line.to_vec());
        }
        after_empty = bare.is_empty() || bare == b"\r";
    }
    mails
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_end_where_the_next_begins_and_quoting_is_undone() {
        let text = "From mboxrd@z Thu Jan  1 00:00:00 1970\nSubject: a\n\n>From the top\n\
                    From here on, as of 2020\n\nFrom now on\n\n\
                    From 0123 Mon Sep 17 00:00:00 2001\nSubject: b\n\nb\n";
        let mails = split(text.as_bytes());
        assert_eq!(mails.len(), 2);
        let first = String::from_utf8_lossy(&mails[0]);
        assert!(first.starts_with("Subject: a") && first.contains("\nFrom the top"), "{first}");
        assert!(first.contains("\nFrom now on"), "{first}");
        assert_eq!(split(b"Subject: one\n\nx\n").len(), 1);
        assert!(split(b"\n\n").is_empty());
        let magic = format!("From {} Mon Sep 17 00:00:00 2001\nSubject: a\n\na\n", "0".repeat(40));
        assert_eq!(split(magic.repeat(2).as_bytes()).len(), 2);
    }
}
