//! What `series export` writes, read as a reviewer reads it.

use super::{assemble, input};
use crate::mail::{Mail, split};
use crate::series::export::export;
use crate::series::export::tests::{X, measured, request, setup};

#[test]
fn what_is_exported_is_read_again_as_the_same_series() {
    let (tree, series) = setup();
    let files =
        export(&tree.env.repo, &series, &tree.source, &measured(), &request(&tree)).unwrap();
    let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["v2-0000-cover-letter.patch", "v2-0001-x-one.patch", "v2-0002-x-two.patch"]);
    let mbox: Vec<u8> = files.iter().flat_map(|f| std::fs::read(f).unwrap()).collect();
    let mails = split(&mbox).iter().map(|m| Mail::parse(m).unwrap()).collect();
    let found = input::Found { mails, ..input::Found::default() };
    let series_again = assemble::assemble(found, false);
    assert_eq!((series_again.faults.len(), series_again.version), (0, 2));
    for ((_, mail), patch) in series_again.patches.iter().zip(&series.patches) {
        assert_eq!(mail.diff, patch.mail.diff);
        assert_eq!(mail.subject.title, patch.mail.subject.title);
        let signed = format!("{}\n\nSigned-off-by: S <s@example.org>", patch.mail.message);
        assert_eq!(mail.message, signed);
        assert!(mail.remarks.contains("1 file changed"), "{}", mail.remarks);
    }
    let cover = series_again.cover.unwrap();
    let column = |build: &str| cover.message.find(build).unwrap();
    assert!(column("stock-10.2.2") < column("patched-10.2.2"), "{}", cover.message);
    assert!(!cover.message.contains("stock-7.2"), "{}", cover.message);
    assert!(cover.message.contains("x: two") && cover.message.contains(X), "{}", cover.message);
    assert!(cover.message.is_ascii() || cover.message.contains("x: \u{e9}one"));
}
