//! VMCBs that hypervisors have made, and what `docs/explain.md` shows of them.
//!
//! A block behind `<!-- explained NAME on CPU -->` is what `explain` says of the page
//! `harness/data/vmcb/NAME.hex`; `BLESS=1 cargo test -p harness --test docs_explain` writes all
//! such blocks anew.

use std::fs;
use std::path::Path;

use harness::explain::{Around, Verdict, cpu, explain, page, text};
use regex::Regex;

fn explained(name: &str, model: &str) -> harness::explain::Explanation {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("data/vmcb/{name}.hex"));
    let hex = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let page = page::hex(&hex).unwrap_or_else(|e| panic!("{name}: {e}"));
    let cpu = cpu::named(model).unwrap_or_else(|e| panic!("{model}: {e}"));
    explain(&page, &cpu, model, Around::default())
}

#[test]
fn what_the_document_shows_is_what_is_said() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/explain.md");
    let document = fs::read_to_string(&path).expect("docs/explain.md");
    let block = Regex::new(r"(?s)<!-- explained (\S+) on (\S+) -->\n```\n(.*?)```\n").unwrap();
    let mut seen = 0;
    let anew = block.replace_all(&document, |found: &regex::Captures<'_>| {
        seen += 1;
        let (name, cpu) = (&found[1], &found[2]);
        format!("<!-- explained {name} on {cpu} -->\n```\n{}```\n", text(&explained(name, cpu)))
    });
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, anew.as_bytes()).expect("docs/explain.md");
    } else {
        assert_eq!(document, anew, "docs/explain.md is not as said; BLESS=1 writes it anew");
    }
    assert!(seen > 0, "docs/explain.md explains no VMCB");
}

#[test]
fn what_a_hypervisor_runs_is_refused_on_no_processor_that_has_what_it_asks_for() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/vmcb")).unwrap() {
        let name = entry.unwrap().path();
        let name = name.file_stem().unwrap().to_string_lossy().into_owned();
        for model in ["max", "EPYC-Genoa"] {
            let said = explained(&name, model);
            assert_ne!(said.verdict, Verdict::Refused, "{name} on {model}: {:#?}", said.broken);
        }
    }
}
