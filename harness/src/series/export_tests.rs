use super::*;
use crate::Verdict;
use crate::mail::Mail;
use crate::qemu::testing::Tree;
use crate::record::fixtures::{row, set};
use crate::series::tests::{entry, write_series};

pub(crate) const X: &str = "target/i386/x.c";

/// A series of two patches on a tiny tree.
pub(crate) fn setup() -> (Tree, Series) {
    let tree = Tree::new(&[(X, "int a;\nint b;\n")]);
    let first = tree.mail("[PATCH] x: \u{e9}one", X, "int a;\n", "int aa;\n");
    let second = tree.mail_on("[PATCH] x: two", X, "int aa;\nint b;\n", "int b;\n", "int bb;\n");
    let dir = tree.env.repo.join("patches");
    std::fs::create_dir(&dir).unwrap();
    let toml = entry("0001-a.patch", "x: \u{e9}one") + &entry("0002-b.patch", "x: two");
    let text = |mail: &Mail| String::from_utf8(mail.to_patch()).unwrap();
    write_series(&dir, &toml, &[("0001-a.patch", &text(&first)), ("0002-b.patch", &text(&second))]);
    let series = Series::load(&dir).unwrap();
    (tree, series)
}

pub(crate) fn request(tree: &Tree) -> Request {
    Request {
        version: 2,
        signoff: Some("S <s@example.org>".into()),
        sender: "S <s@example.org>".into(),
        directory: tree.env.repo.join("out"),
        ..Request::default()
    }
}

pub(crate) fn measured() -> Vec<crate::record::results::ResultSet> {
    let on = |build: &str, verdict| {
        let mut set = set(build, vec![row("svm", "a", verdict)]);
        set.build.qemu = "10.2.2".into();
        set
    };
    let mut other = on("stock-7.2", Verdict::Crash);
    other.build.qemu = "7.2.22".into();
    // As they are read: by name.
    vec![on("patched-10.2.2", Verdict::Pass), on("stock-10.2.2", Verdict::Fail), other]
}

#[test]
fn a_directory_with_patches_in_it_is_refused() {
    let (tree, series) = setup();
    let request = request(&tree);
    export(&tree.env.repo, &series, &tree.source, &[], &request).unwrap();
    let e = export(&tree.env.repo, &series, &tree.source, &[], &request).unwrap_err();
    assert_eq!(e.kind(), Kind::Usage);
    assert!(e.to_string().contains("--output-directory"), "{e}");
}

#[test]
fn notes_say_what_changed_since_a_revision() {
    let (tree, series) = setup();
    let repo = &tree.env.repo;
    let git = |args: &[&str]| {
        let mut c = Command::new("git");
        c.arg("-C").arg(repo).args(["-c", "user.name=T", "-c", "user.email=t@example.org"]);
        process::stdout(Kind::Harness, c.args(args)).unwrap()
    };
    git(&["init", "-q"]);
    git(&["add", "patches"]);
    git(&["commit", "-qm", "one"]);
    git(&["tag", "sent"]);
    let second = std::fs::read_to_string(&series.patches[1].path).unwrap();
    std::fs::write(&series.patches[1].path, second.replace("+int bb;", "+int bbb;")).unwrap();
    let first = std::fs::read_to_string(&series.patches[0].path).unwrap();
    std::fs::write(&series.patches[0].path, first.replace("It does", "It did")).unwrap();
    let series = Series::load(&series.dir).unwrap();
    let request = Request { since: Some("sent".into()), ..request(&tree) };
    let files = export(repo, &series, &tree.source, &[], &request).unwrap();
    let text = |n: usize| std::fs::read_to_string(&files[n]).unwrap();
    assert!(
        text(0).contains(
            "Changes since v1:\n- reworded: x: \u{e9}one\n- changed: x: two\n- 0 patches"
        ),
        "{}",
        text(0)
    );
    assert!(text(1).contains("---\nv2: message reworded, no change of code\n"), "{}", text(1));
    assert!(text(2).contains("---\nv2: changed\n"), "{}", text(2));
    let none = Request { since: Some("nowhere".into()), directory: repo.join("o2"), ..request };
    let e = export(repo, &series, &tree.source, &[], &none).unwrap_err();
    assert_eq!(e.kind(), Kind::Usage);
}

#[test]
fn a_signature_goes_behind_trailers_and_is_not_doubled() {
    let s = Some("S <s@e>");
    assert_eq!(
        signed("M.\n\nFixes: 01 (\"x\")", s),
        "M.\n\nFixes: 01 (\"x\")\nSigned-off-by: S <s@e>"
    );
    assert_eq!(signed("M.", s), "M.\n\nSigned-off-by: S <s@e>");
    let once = signed("M.", s);
    assert_eq!(signed(&once, s), once);
    assert_eq!(signed("M.", None), "M.");
}

#[test]
fn recipients_are_lists_and_people() {
    let text = "A B <a@example.org> (maintainer:X86 TCG CPUs)\n\
                list@example.org (open list:All patches CC here)\n\n";
    let r = parse_recipients(text);
    assert_eq!(
        (r.to.join(","), r.cc.join(",")),
        ("list@example.org".into(), "A B <a@example.org>".into())
    );
    assert_eq!(r.headers(), "To: list@example.org\nCc: A B <a@example.org>\n");
}

#[test]
fn names_that_need_it_are_quoted_or_encoded_wherever_they_come_from() {
    // get_maintainer quotes each name that is not plain ASCII.
    let script = "print '\"Role, Of X86\" <x86@example.org> (maintainer:X86 list handling)', \"\\n\", \
                  '\"R\u{f4}le (\u{c9}t\u{e9})\" <summer@example.org> (reviewer:X86)', \"\\n\", \
                  'list@example.org (open list:X86)', \"\\n\";\n";
    let tree = Tree::new(&[
        (X, "int a;\nint b;\n"),
        ("MAINTAINERS", "\n"),
        ("scripts/get_maintainer.pl", script),
    ]);
    let mail = tree.mail("[PATCH] x: one", X, "int a;\n", "int aa;\n");
    let mail = Mail { author: "\u{c4}rger, Role <author@example.org>".into(), ..mail };
    let dir = tree.env.repo.join("patches");
    std::fs::create_dir(&dir).unwrap();
    let text = String::from_utf8(mail.to_patch()).unwrap();
    write_series(&dir, &entry("0001-a.patch", "x: one"), &[("0001-a.patch", &text)]);
    let series = Series::load(&dir).unwrap();
    let request = Request {
        recipients: true,
        sender: "S\u{e9}nder, Role <s@example.org>".into(),
        ..request(&tree)
    };
    let files = export(&tree.env.repo, &series, &tree.source, &[], &request).unwrap();
    for (file, author) in files
        .iter()
        .zip(["=?UTF-8?q?S=C3=A9nder=2C_Role?= <s@", "=?UTF-8?q?=C3=84rger=2C_Role?= <author@"])
    {
        let text = std::fs::read_to_string(file).unwrap();
        let head = text.split("\n\n").next().unwrap();
        assert!(
            head.is_ascii() && head.contains(&format!("\nFrom: {author}example.org>\n")),
            "{head}"
        );
        let to = "\nTo: list@example.org\n\
                  Cc: \"Role, Of X86\" <x86@example.org>,\n \
                  =?UTF-8?q?R=C3=B4le_=28=C3=89t=C3=A9=29?= <summer@example.org>\n";
        assert!(head.contains(to), "{head}");
    }
}
