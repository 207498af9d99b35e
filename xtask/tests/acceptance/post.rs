//! What mail programs and lists do to a patch on its way.

use std::io::Write;
use std::process::{Command, Stdio};

/// Header lines and body.
fn parts(mail: &str) -> (Vec<&str>, &str) {
    let (head, body) = mail.split_once("\n\n").unwrap();
    let encoding = |l: &&str| {
        let l = l.to_lowercase();
        !["mime-version:", "content-type:", "content-transfer-encoding:"]
            .iter()
            .any(|n| l.starts_with(n))
    };
    (head.lines().filter(encoding).collect(), body)
}

fn encoded(mail: &str, name: &str, body: &str) -> String {
    let (head, _) = parts(mail);
    format!(
        "{}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n\
         Content-Transfer-Encoding: {name}\n\n{body}\n",
        head.join("\n")
    )
}

/// The mail in base64, its lines ended as mail transport ends them.
pub(crate) fn base64(mail: &str) -> String {
    let (_, body) = parts(mail);
    let mut c =
        Command::new("base64").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let bytes = body.replace('\n', "\r\n").into_bytes();
    let mut pipe = c.stdin.take().unwrap();
    let writer = std::thread::spawn(move || pipe.write_all(&bytes).unwrap());
    let out = c.wait_with_output().unwrap();
    writer.join().unwrap();
    encoded(mail, "base64", &String::from_utf8(out.stdout).unwrap())
}

/// The mail as quoted-printable, with soft line breaks.
pub(crate) fn quoted_printable(mail: &str) -> String {
    let (_, body) = parts(mail);
    let mut out = String::new();
    for line in body.lines() {
        let mut column = 0;
        for b in line.bytes() {
            let piece = match b {
                b'=' | 0..=31 | 127.. => format!("={b:02X}"),
                b => char::from(b).to_string(),
            };
            if column + piece.len() > 70 {
                out += "=\n";
                column = 0;
            }
            column += piece.len();
            out += &piece;
        }
        if out.ends_with(' ') {
            out.truncate(out.len() - 1);
            out += "=20";
        }
        out.push('\n');
    }
    encoded(mail, "quoted-printable", &out)
}

/// The patch below scissors, in an answer of somebody whose subject is another one.
pub(crate) fn scissors(mail: &str) -> String {
    let (head, body) = parts(mail);
    let unfolded = head.join("\n").replace("\n ", " ");
    let subject = unfolded.lines().find(|l| l.starts_with("Subject: ")).unwrap();
    let (place, title) = subject["Subject: ".len()..].split_once("] ").unwrap();
    let rest: Vec<&str> = unfolded.lines().filter(|l| !l.starts_with("Subject: ")).collect();
    format!(
        "{}\nSubject: {place}] what we spoke about\n\nHello,\n\nthis is what I meant.\n\n\
         -- >8 --\nSubject: {title}\n\n{body}",
        rest.join("\n")
    )
}

/// An answer with the whole patch quoted below.
pub(crate) fn answer(mail: &str) -> String {
    let (head, body) = parts(mail);
    let head = head.join("\n").replace("Subject: ", "Subject: Re: ");
    let quoted: String = body.lines().map(|l| format!("> {l}\n")).collect();
    format!("{head}\n\nLooks good to me.\n\n{quoted}\n")
}
