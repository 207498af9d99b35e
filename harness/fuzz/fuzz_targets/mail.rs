//! Mails of strangers: split, parsed, put in order, told, and written again.
#![no_main]

use harness::mail::{self, Mail};
use harness::review::assemble::assemble;
use harness::review::input::Found;
use harness::review::{Review, report, scope};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut found = Found::default();
    for text in mail::split(bytes).iter().take(50) {
        match Mail::parse(text) {
            Ok(mail) => found.mails.push(mail),
            Err(e) => found.damaged.push(e.to_string()),
        }
    }
    for mail in &found.mails {
        read_again(mail);
        let runs = scope::runs(mail);
        assert!(runs.iter().all(|path| shown(path)), "{runs:?}");
    }
    let series = assemble(found, true);
    let review = Review {
        title: series.cover.map_or(String::new(), |m| m.subject.title),
        faults: series.faults,
        notes: series.notes,
        ..Review::default()
    };
    let text = report::text(&review) + &report::markdown(&review) + &report::html(&review).expect("a page");
    // A mail of a few bytes must not become a flood.
    assert!(text.len() < 1 << 20, "{} bytes of {}", text.len(), bytes.len());
});

/// What is written of a mail is the same patch.
fn read_again(mail: &Mail) {
    assert!(shown(&mail.subject.title) && shown(&mail.author) && shown(&mail.date));
    let again = Mail::parse(&mail.to_patch());
    if mail.is_patch() && mail.message.is_empty() {
        assert_eq!(again.expect("it was a mail").diff, mail.diff);
    }
}

fn shown(line: &str) -> bool {
    !line.chars().any(char::is_control)
}
