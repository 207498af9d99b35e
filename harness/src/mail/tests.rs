use super::*;

const DIFF: &str = "diff --git a/x.c b/x.c\nindex 1..2 100644\n--- a/x.c\n+++ b/x.c\n\
                    @@ -1,2 +1,2 @@\n-int a = 1;\n+int a = 2; /* = and \u{e9} */\n int b;\n";

fn mail(headers: &str, body: &str) -> Vec<u8> {
    format!("From: A <a@example.org>\nSubject: [PATCH v2 1/3] x: set a\n{headers}\n{body}").into()
}

fn quoted_printable(text: &str) -> String {
    let code = |b: u8| match b {
        b'\n' => "\n".to_string(),
        b'=' | 0x80.. => format!("={b:02X}"),
        b => char::from(b).to_string(),
    };
    text.bytes().map(code).collect()
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for (n, chunk) in text.replace('\n', "\r\n").as_bytes().chunks(3).enumerate() {
        let bits = chunk.iter().fold(0u32, |bits, &b| bits << 8 | u32::from(b));
        let bits = bits << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let six = (bits >> (18 - 6 * digit)) & 63;
            out.push(if digit > chunk.len() { '=' } else { DIGITS[six as usize].into() });
        }
        if n % 18 == 17 {
            out.push('\n');
        }
    }
    out
}

#[test]
fn every_transfer_encoding_gives_the_same_patch() {
    let body = format!(
        "One is not enough.\n\nFixes: 0123 (\"y\")\n---\n x.c | 2 +-\n\n{DIFF}-- \n2.50.1\n"
    );
    let utf8 = "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: ";
    let plain = Mail::parse(&mail(&format!("{utf8}8bit\n"), &body)).unwrap();
    assert_eq!(plain.diff, DIFF.as_bytes());
    assert_eq!(plain.message, "One is not enough.\n\nFixes: 0123 (\"y\")");
    assert_eq!(plain.remarks, "x.c | 2 +-");
    assert_eq!((plain.subject.version, plain.subject.place), (2, Some((1, 3))));
    for (encoding, body) in
        [("quoted-printable", quoted_printable(&body)), ("base64", base64(&body))]
    {
        let mail = Mail::parse(&mail(&format!("{utf8}{encoding}\n"), &body)).unwrap();
        assert_eq!(mail, plain, "{encoding}");
    }
}

#[test]
fn a_message_in_latin_1_is_recoded_and_the_diff_is_not() {
    let body: Vec<u8> =
        format!("Caf\u{e9}.\n---\n\n{DIFF}").chars().map(|c| u32::from(c) as u8).collect();
    let mut bytes = mail("Content-Type: text/plain; charset=ISO-8859-1\n", "");
    bytes.extend(&body);
    let mail = Mail::parse(&bytes).unwrap();
    assert_eq!(mail.message, "Caf\u{e9}.");
    assert!(mail.diff.contains(&0xe9) && std::str::from_utf8(&mail.diff).is_err());
}

#[test]
fn encoded_and_folded_headers_are_decoded() {
    let bytes = format!(
        "From: =?UTF-8?q?J=C3=A9?=\n <j@example.org>\nSubject: =?utf-8?B?W1BBVENIXSB4Og==?=\n set a\n\nM.\n---\n{DIFF}"
    );
    let mail = Mail::parse(bytes.as_bytes()).unwrap();
    assert_eq!(mail.subject.title, "x: set a");
    assert!(mail.subject.patch);
    assert_eq!(mail.author, "J\u{e9} <j@example.org>");
}

#[test]
fn an_in_body_author_and_scissors_are_obeyed() {
    let body = format!(
        "As discussed:\n\n-- >8 --\nFrom: B <b@example.org>\nSubject: [PATCH] x: set a to 2\n\nM.\n---\n{DIFF}"
    );
    let mail = Mail::parse(&mail("", &body)).unwrap();
    assert_eq!(mail.author, "B <b@example.org>");
    assert_eq!(mail.subject.title, "x: set a to 2");
    assert_eq!(mail.subject.place, Some((1, 3)));
    assert_eq!(mail.message, "M.");
    assert_eq!(mail.oddities, ["cut at its scissors line"]);
}

#[test]
fn a_line_that_looks_like_a_header_in_a_message_stays() {
    let body = format!("From: this it follows\nthat a is 2.\n---\n{DIFF}");
    let mail = Mail::parse(&mail("", &body)).unwrap();
    assert_eq!(mail.author, "A <a@example.org>");
    assert_eq!(mail.message, "From: this it follows\nthat a is 2.");
}

#[test]
fn parts_are_joined_and_html_is_left_out() {
    let body = format!(
        "--XX\nContent-Type: text/plain\n\nM.\n---\n\n--XX\nContent-Type: text/html\n\n<p>M</p>\n\
         --XX\nContent-Type: text/x-patch; charset=utf-8\n\n{DIFF}\n--XX--\n"
    );
    let mail = Mail::parse(&mail("Content-Type: multipart/mixed; boundary=XX\n", &body)).unwrap();
    assert_eq!((mail.message.as_str(), mail.diff.as_slice()), ("M.", DIFF.as_bytes()));
    assert_eq!(mail.oddities.len(), 1);
}

#[test]
fn a_flowed_mail_is_named_and_a_wrapped_one_refused() {
    let flowed = "Content-Type: text/plain; format=flowed; charset=utf-8\n";
    let good = Mail::parse(&mail(flowed, &format!("M.\n---\n{DIFF}"))).unwrap();
    assert!(good.oddities[0].contains("flowed"));
    let wrapped = DIFF.replace("= 2; /*", "= 2;\n/*");
    let e = Mail::parse(&mail(flowed, &format!("M.\n---\n{wrapped}"))).unwrap_err();
    assert!(e.to_string().contains("`x: set a`: x.c: the hunk @@ -1,2 +1,2 @@"), "{e}");
}

#[test]
fn what_is_written_again_is_read_as_the_same() {
    let body = format!("M.\n\nFixes: 0123 (\"y\")\n---\n x.c | 2 +-\n\n{DIFF}-- \n2.50.1\n");
    let first = Mail::parse(&mail(
        "Date: Mon, 1 Jan 2024 00:00:00 +0000\nContent-Type: text/plain; charset=utf-8\n",
        &body,
    ))
    .unwrap();
    let again = Mail::parse(&first.to_patch()).unwrap();
    assert_eq!(again.diff, first.diff);
    assert_eq!(
        (again.message, again.author, again.date),
        (first.message, first.author, first.date)
    );
    assert_eq!(again.subject.title, first.subject.title);
}

#[test]
fn a_mail_without_a_diff_is_no_patch_and_no_subject_is_no_mail() {
    let mail = Mail::parse(&mail("", "Thanks, queued.\n")).unwrap();
    assert!(!mail.is_patch() && mail.paths().is_empty());
    assert_eq!(Mail::parse(b"hello\nworld\n").unwrap_err().kind(), Kind::Usage);
}

#[test]
fn a_last_line_without_its_end_gets_one() {
    let body = format!("M.\n---\n{}", DIFF.trim_end());
    let utf8 = "Content-Type: text/plain; charset=utf-8\n";
    assert_eq!(Mail::parse(&mail(utf8, &body)).unwrap().diff, DIFF.as_bytes());
}
