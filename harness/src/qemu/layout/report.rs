//! Comparing the two, and saying so.

use std::fmt;

use svm_model::vmcb::{Field, SIZE};

use super::header::{CField, Header};
use super::names::{self, Ours};

/// One field of QEMU's beside ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRow {
    /// QEMU's.
    pub theirs: CField,
    /// Our name for it, `reserved`, or empty where we have none.
    pub ours: String,
    /// Our offset and width in bytes, where we have one.
    pub place: Option<(usize, usize)>,
}

impl FieldRow {
    /// Whether it sits where ours does, as wide as ours is.
    pub fn agrees(&self) -> bool {
        self.place == Some((self.theirs.offset, self.theirs.width))
    }
}

/// One exit code of QEMU's beside ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitRow {
    /// QEMU's name.
    pub name: String,
    /// QEMU's value.
    pub theirs: u64,
    /// Ours; `None` where the model has no such code.
    pub ours: Option<u64>,
}

impl ExitRow {
    /// Whether both are the same, or we have none.
    pub fn agrees(&self) -> bool {
        self.ours.is_none_or(|ours| ours == self.theirs)
    }
}

/// The comparison.
#[derive(Clone, Debug)]
pub struct Report {
    /// Every field that QEMU names.
    pub fields: Vec<FieldRow>,
    /// Fields of the manual that QEMU has no name for.
    pub lacking: Vec<Field>,
    /// Every exit code that QEMU names.
    pub exits: Vec<ExitRow>,
    /// Exit codes of the manual that QEMU has no name for.
    pub lacking_exits: Vec<(String, u64)>,
}

impl Report {
    /// Compares the model with a header.
    pub fn new(header: &Header) -> Report {
        let mut lacking: Vec<Field> = Field::ALL.to_vec();
        let fields = header.fields.iter().map(|theirs| {
            let ours = names::field(&theirs.path).or_else(|| by_place(theirs));
            let (name, place) = describe(ours, theirs);
            let named = match ours {
                Some(Ours::Fields(fields)) => fields.to_vec(),
                Some(Ours::Part(field, ..)) => vec![field],
                _ => Vec::new(),
            };
            lacking.retain(|f| !named.contains(f));
            FieldRow { theirs: theirs.clone(), ours: name, place }
        });
        let fields = fields.collect();
        let exits = header.exits.iter().map(|(name, code)| ExitRow {
            name: name.clone(),
            // -1 is the quadword of all ones.
            theirs: *code as u64,
            ours: names::exit_code(name),
        });
        let named: Vec<&str> = header.exits.iter().map(|(name, _)| name.as_str()).collect();
        Report {
            fields,
            lacking,
            exits: exits.collect(),
            lacking_exits: names::exits_without(&named).collect(),
        }
    }

    /// How many fields and exit codes disagree.
    pub fn disagreements(&self) -> usize {
        self.fields.iter().filter(|row| !row.agrees()).count()
            + self.exits.iter().filter(|row| !row.agrees()).count()
    }
}

/// A field whose name tells nothing: the one of ours that sits just there.
fn by_place(theirs: &CField) -> Option<Ours> {
    let index = Field::ALL.iter().position(|f| {
        (usize::from(f.offset()), usize::from(f.width())) == (theirs.offset, theirs.width)
    })?;
    Some(Ours::Fields(&Field::ALL[index..=index]))
}

/// Our name, offset and width.
fn describe(ours: Option<Ours>, theirs: &CField) -> (String, Option<(usize, usize)>) {
    match ours {
        Some(Ours::Fields(fields)) => {
            let name = fields.iter().map(|f| f.name()).collect::<Vec<_>>().join(" + ");
            let width = fields.iter().map(|f| usize::from(f.width())).sum();
            (name, Some((usize::from(fields[0].offset()), width)))
        }
        Some(Ours::Part(field, from, width)) => {
            let last = from + u16::from(width) - 1;
            let place = (usize::from(field.offset() + from), usize::from(width));
            (format!("{field}, bytes {from} to {last}"), Some(place))
        }
        Some(Ours::Reserved) if theirs.offset + theirs.width <= SIZE => {
            ("reserved".into(), Some((theirs.offset, theirs.width)))
        }
        _ => (String::new(), None),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:6} {:>5}  {:<30} {:<36} ", "offset", "bytes", "QEMU", "manual")?;
        for row in &self.fields {
            let CField { path, offset, width } = &row.theirs;
            let verdict = match row.place {
                _ if row.agrees() => String::new(),
                Some((offset, width)) => format!("DIFFERS: {offset:#05x}, {width} bytes"),
                None => "DIFFERS: no such field".into(),
            };
            let line = format!("{offset:#05x}  {width:>5}  {path:<30} {:<36} {verdict}", row.ours);
            writeln!(f, "{}", line.trim_end())?;
        }
        for field in &self.lacking {
            let (offset, width) = (field.offset(), field.width());
            writeln!(f, "{offset:#05x}  {width:>5}  {:<30} {field}", "(none)")?;
        }
        writeln!(f, "\n{:<18}  {:<30} manual", "exit code", "QEMU")?;
        for row in &self.exits {
            let verdict = match row.ours {
                Some(ours) if ours != row.theirs => format!("DIFFERS: {}", code(ours)),
                Some(_) => "same".into(),
                None => "not in the model".into(),
            };
            writeln!(f, "{:<18}  {:<30} {verdict}", code(row.theirs), row.name)?;
        }
        for (name, ours) in &self.lacking_exits {
            writeln!(f, "{:<18}  {:<30} {name}", code(*ours), "(none)")?;
        }
        write!(
            f,
            "\n{} fields and {} exit codes that QEMU names: {} disagree; {} fields and {} exit codes have no name in QEMU",
            self.fields.len(),
            self.exits.len(),
            self.disagreements(),
            self.lacking.len(),
            self.lacking_exits.len(),
        )
    }
}

fn code(code: u64) -> String {
    format!("{code:#05x}")
}
