//! What a VMCB says, what VMRUN would do with it, and what its last exit was.
//!
//! ```text
//! page      a file, or what a debugger printed
//! running   the page, the processor and the memory of a running QEMU
//! cpu       the processor, by name
//! fields    every field in words; event, registers: parts of that
//! exits     the last exit, in a sentence
//! suspicious  what VMRUN accepts, and is hardly meant
//! text      all of it, for a person
//! ```
//!
//! What VMRUN refuses, the model decides ([`svm_model::check()`]).

pub mod cpu;
pub(crate) mod event;
pub(crate) mod exits;
mod fields;
pub mod page;
mod registers;
pub mod running;
#[cfg(test)]
mod snapshots;
mod suspicious;
mod text;
mod walk;

use serde::Serialize;
use svm_model::check_with;
use svm_model::cpu::Platform;
use svm_model::vmcb::{Field, Image, exit};

use page::Page;
pub use text::{last, text};

/// What is known beside the page.
#[derive(Default)]
pub struct Around<'a> {
    /// The quadword of physical memory at an address that is a multiple of 8, where it is known.
    pub memory: Option<&'a mut dyn FnMut(u64) -> Option<u64>>,
}

/// A VMCB, explained.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The processor, as the user named it.
    pub cpu: String,
    /// What VMRUN does with it.
    pub verdict: Verdict,
    /// The rules for which it is refused.
    pub broken: Vec<Broken>,
    /// What is accepted, and hardly meant.
    pub suspicious: Vec<Suspicion>,
    /// The last exit, in a sentence.
    pub exit: Option<String>,
    /// The fields.
    pub groups: Vec<Group>,
}

/// What VMRUN does with a VMCB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It enters the guest.
    Accepted,
    /// It enters the guest, and something is hardly meant.
    Suspicious,
    /// VMEXIT_INVALID.
    Refused,
}

/// A rule for which VMRUN refuses the VMCB.
#[derive(Clone, Debug, Serialize)]
pub struct Broken {
    /// The rule's id.
    pub rule: &'static str,
    /// Where the manual says it.
    pub section: String,
    /// What the rule says.
    pub statement: &'static str,
    /// The field.
    pub field: &'static str,
    /// What it holds.
    pub value: u64,
    /// The nearest value that would pass, if the field has one.
    pub nearest: Option<u64>,
}

/// What VMRUN accepts, and a hypervisor hardly means.
#[derive(Clone, Debug, Serialize)]
pub struct Suspicion {
    /// The field.
    pub field: &'static str,
    /// What it holds.
    pub value: u64,
    /// Where the manual speaks of it.
    pub section: &'static str,
    /// What is suspicious.
    pub what: String,
}

/// Fields that belong together.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// Those that are not zero.
    pub rows: Vec<Row>,
    /// The names of those that are.
    pub zero: Vec<&'static str>,
}

impl Group {
    /// Whether that field is in it.
    fn has(&self, field: &str) -> bool {
        self.zero.contains(&field) || self.rows.iter().any(|row| row.name == field)
    }
}

/// A field, or a segment.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it holds; of a segment, the selector.
    pub value: u64,
    /// What that means.
    pub words: String,
}

/// Explains a VMCB on that processor, which the user calls `name`.
pub fn explain(page: &Page, cpu: &Platform, name: &str, around: Around<'_>) -> Explanation {
    let image = Image::of(page);
    let mut nothing = |_| None;
    let known = around.memory.is_some();
    let memory = around.memory.unwrap_or(&mut nothing);
    let broken: Vec<Broken> = check_with(page, cpu, &mut *memory)
        .iter()
        .map(|one| Broken {
            rule: one.rule.id,
            section: one.rule.citation(),
            statement: one.rule.statement,
            field: one.field.name(),
            value: one.value,
            nearest: one.nearest,
        })
        .collect();
    let mut ram = |address| known.then(|| memory(address).is_some());
    let suspicious = suspicious::all(&image, cpu, &mut ram);
    let verdict = match (broken.is_empty(), suspicious.is_empty()) {
        (false, _) => Verdict::Refused,
        (true, false) => Verdict::Suspicious,
        (true, true) => Verdict::Accepted,
    };
    let fault = image.get(Field::EXITCODE) == exit::NPF;
    let found = fault.then(|| walk::found(&image, memory)).flatten();
    Explanation {
        cpu: name.to_owned(),
        verdict,
        broken,
        suspicious,
        exit: exits::sentence(&image, found.as_deref()),
        groups: fields::groups(&image),
    }
}
