//! Header lines of mails that are sent: what is not ASCII is encoded (RFC
//! 2047), names are quoted where they must be (RFC 5322), long lines folded.

/// Where header lines are folded.
const WIDTH: usize = 76;
/// The longest encoded word, of the 75 characters that RFC 2047 allows.
const WORD: usize = 70;

/// A value without structure, such as a subject, for the header `name`.
pub(crate) fn text(name: &str, value: &str) -> String {
    folded(name.len() + 2, &words(value))
}

/// A list of people, each `Name <address>` or an address alone, one a line.
pub(crate) fn people<'a>(name: &str, all: impl IntoIterator<Item = &'a str>) -> String {
    let lines: Vec<String> = all
        .into_iter()
        .enumerate()
        .map(|(n, person)| folded(if n == 0 { name.len() + 2 } else { 1 }, &person_words(person)))
        .collect();
    lines.join(",\n ")
}

/// The pieces of a person: the name as atoms, as quoted string or encoded, then
/// the address.
fn person_words(person: &str) -> Vec<String> {
    let Some((name, address)) = person.trim().rsplit_once('<') else {
        return vec![person.trim().to_string()];
    };
    let name = unquoted(name.trim());
    let mut pieces = match () {
        () if !name.is_ascii() => encoded(&name),
        () if name.chars().all(|c| c == ' ' || is_atom(c)) => words(&name),
        // White space in a quoted string may be folded like any other.
        () => words(&format!("\"{}\"", name.replace('\\', r"\\").replace('"', "\\\""))),
    };
    pieces.push(format!("<{address}"));
    pieces
}

/// Characters of a name that need no quotes (RFC 5322's atext).
fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// A name without the quotes around it.
fn unquoted(name: &str) -> String {
    let Some(inner) = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')) else {
        return name.to_string();
    };
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    out
}

/// The words of a text; neighbours that are not ASCII become one run of encoded
/// words, since the white space between two of those is not shown.
fn words(value: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut foreign: Vec<&str> = Vec::new();
    for word in value.split(' ').filter(|w| !w.is_empty()) {
        if word.is_ascii() {
            out.append(&mut encoded(&foreign.join(" ")));
            foreign.clear();
            out.push(word.to_string());
        } else {
            foreign.push(word);
        }
    }
    out.append(&mut encoded(&foreign.join(" ")));
    out
}

/// `text` as encoded words, none of which ends within a character.
fn encoded(text: &str) -> Vec<String> {
    let code = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => c.to_string(),
        ' ' => "_".to_string(),
        c => c.to_string().bytes().map(|b| format!("={b:02X}")).collect(),
    };
    let mut runs: Vec<String> = Vec::new();
    for piece in text.chars().map(code) {
        match runs.last_mut() {
            Some(run) if "=?UTF-8?q??=".len() + run.len() + piece.len() <= WORD => *run += &piece,
            _ => runs.push(piece),
        }
    }
    runs.into_iter().map(|run| format!("=?UTF-8?q?{run}?=")).collect()
}

/// The pieces, folded between them where the line gets too long.
fn folded(mut column: usize, pieces: &[String]) -> String {
    let mut out = String::new();
    for piece in pieces {
        if column + 1 + piece.len() > WIDTH && !out.is_empty() {
            out += "\n ";
            column = 1;
        } else if !out.is_empty() {
            out.push(' ');
            column += 1;
        }
        column += piece.len();
        out += piece;
    }
    out
}

#[cfg(test)]
mod tests {
    use mailparse::{MailAddr, MailHeaderMap, addrparse_header, parse_mail};

    use super::*;

    /// What a mail program reads: names and addresses.
    fn read(line: &str) -> Vec<(Option<String>, String)> {
        assert!(line.is_ascii() && line.lines().all(|l| l.len() <= 78), "{line}");
        let mail = format!("{line}\n\n");
        let mail = parse_mail(mail.as_bytes()).unwrap();
        let all = addrparse_header(mail.headers.get_first_header("Cc").unwrap()).unwrap();
        let one = |a: &MailAddr| match a {
            MailAddr::Single(one) => (one.display_name.clone(), one.addr.clone()),
            MailAddr::Group(_) => panic!("no group: {line}"),
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn every_name_is_read_again_as_it_was() {
        let all = [
            "Plain Role <plain@example.org>",
            "\"Role, Second\" <comma@example.org>",
            "Role, Unquoted <bare@example.org>",
            "\"R\u{f4}le, \u{c9}toile\" <both@example.org>",
            "R\u{f4}le \u{c9}toile <two@example.org>",
            "Role (of \"tests\") J. <odd@example.org>",
            "\"a \\\"b\\\" c\" <escaped@example.org>",
            "list@example.org",
            &format!("{} <long@example.org>", "R\u{f4}le ".repeat(20).trim()),
            &format!("\"{}, x\" <longer@example.org>", "role ".repeat(25).trim()),
        ];
        let line = format!("Cc: {}", people("Cc", all));
        let found = read(&line);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_deref().unwrap_or("")).collect();
        assert_eq!(names[..3], ["Plain Role", "Role, Second", "Role, Unquoted"]);
        assert_eq!(names[3..5], ["R\u{f4}le, \u{c9}toile", "R\u{f4}le \u{c9}toile"]);
        assert_eq!(names[5..8], ["Role (of \"tests\") J.", "a \"b\" c", ""]);
        assert_eq!(names[8], "R\u{f4}le ".repeat(20).trim());
        assert_eq!(names[9], format!("{}, x", "role ".repeat(25).trim()));
        let addresses: Vec<_> = found.iter().map(|(_, a)| a.split('@').next().unwrap()).collect();
        let all = "plain comma bare both two odd escaped list long longer";
        assert_eq!(addresses.join(" "), all);
    }

    #[test]
    fn no_encoded_word_is_within_quotes_and_plain_names_stay_plain() {
        let line = people("To", ["\"R\u{f4}le, A\" <a@example.org>", "\"Role B\" <b@example.org>"]);
        assert_eq!(line, "=?UTF-8?q?R=C3=B4le=2C_A?= <a@example.org>,\n Role B <b@example.org>");
    }

    #[test]
    fn subjects_are_folded_and_their_foreign_words_keep_the_space_between_them() {
        let long = "word ".repeat(30);
        let subject = text("Subject", &long);
        assert!(subject.lines().all(|l| l.len() <= 78) && subject.contains("\n word"));
        for title in ["x: \u{e9}\u{e9} \u{e8}\u{e8} plain \u{e0}", &"\u{e9}".repeat(90)] {
            let mail = format!("Subject: {}\n\n", text("Subject", title));
            assert!(mail.is_ascii() && mail.lines().all(|l| l.len() <= 78), "{mail}");
            let mail = parse_mail(mail.as_bytes()).unwrap();
            assert_eq!(mail.headers.get_first_value("Subject").unwrap(), title);
        }
    }
}
