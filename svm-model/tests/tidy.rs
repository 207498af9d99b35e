//! What keeps the house tidy: constants of the architecture are defined once, sources are
//! short, each feature's folder has its files, and no line of the model does what a broken
//! model does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{BinOp, Expr, ExprIf, ExprMethodCall, ExprUnary, Item, ItemConst, Lit, UnOp};

/// More lines than anyone reads in one sitting.
const MOST_LINES: usize = 450;

/// Features whose generated cases are of others' families, and where.
const CASES_ELSEWHERE: &[(&str, &str)] = &[
    ("nrip", "every exit in every family has a next RIP"),
    ("decode_assists", "the family instructions: intercepts/cases.rs, `decode`"),
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_path_buf()
}

/// The Rust sources in a folder and below, but for what was built.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    found
}

fn parse(path: &Path) -> syn::File {
    let text = fs::read_to_string(path).expect("a source");
    syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The value of an expression of nothing but numbers.
fn value(expr: &Expr) -> Option<u128> {
    Some(match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(int) => int.base10_parse().ok()?,
            _ => return None,
        },
        Expr::Paren(inner) => value(&inner.expr)?,
        Expr::Binary(both) => {
            let (a, b) = (value(&both.left)?, value(&both.right)?);
            match both.op {
                BinOp::Shl(_) => a.checked_shl(b.try_into().ok()?)?,
                BinOp::BitOr(_) => a | b,
                BinOp::Add(_) => a.checked_add(b)?,
                BinOp::Mul(_) => a.checked_mul(b)?,
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// A constant that is written as a number: the module around it, its name, type and value.
struct Constant {
    module: String,
    name: String,
    number: String,
    value: u128,
}

/// Collects the constants of a file.
struct Constants {
    module: String,
    found: Vec<Constant>,
}

impl<'a> Visit<'a> for Constants {
    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        let outer = std::mem::replace(&mut self.module, module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module = outer;
    }

    fn visit_item_const(&mut self, constant: &'a ItemConst) {
        let syn::Type::Path(ty) = &*constant.ty else { return };
        let Some(number) = ty.path.get_ident() else { return };
        if let Some(value) = value(&constant.expr) {
            self.found.push(Constant {
                module: self.module.clone(),
                name: constant.ident.to_string(),
                number: number.to_string(),
                value,
            });
        }
        visit::visit_item_const(self, constant);
    }
}

fn constants(file: &syn::File, module: &str) -> Vec<Constant> {
    let mut all = Constants { module: module.to_owned(), found: Vec::new() };
    all.visit_file(file);
    all.found
}

/// What `arch/` defines, by the names that a copy would have: its own, or with its module's
/// in front.
fn architecture() -> BTreeMap<String, Vec<(u128, String)>> {
    let folder = repository().join("svm-model/src/arch");
    let mut names: BTreeMap<String, Vec<(u128, String)>> = BTreeMap::new();
    for path in sources(&folder) {
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        for c in constants(&parse(&path), &stem) {
            let full = format!("{}::{}", c.module, c.name);
            let prefixed = format!("{}_{}", c.module.to_uppercase(), c.name);
            for name in [c.name.clone(), prefixed, format!("{}_MSR", c.name)] {
                names.entry(name).or_default().push((c.value, full.clone()));
            }
        }
    }
    assert!(names.len() > 300, "only {} names", names.len());
    names
}

/// The copies of the architecture's constants in a file.
fn copies(file: &syn::File, arch: &BTreeMap<String, Vec<(u128, String)>>) -> Vec<String> {
    let is = |c: &Constant, (value, full): &(u128, String)| {
        // An MSR is told by its number, whatever the copy is called.
        let msr = full.starts_with("msr::") && c.number == "u32" && *value >= 0xc000_0000;
        *value == c.value
            && (msr || arch.get(&c.name).is_some_and(|all| all.contains(&(*value, full.clone()))))
    };
    constants(file, "")
        .iter()
        .filter(|c| c.number == "u64" || c.number == "u32")
        .filter_map(|c| {
            let original = arch.values().flatten().find(|original| is(c, original))?;
            Some(format!("{} is {}", c.name, original.1))
        })
        .collect()
}

#[test]
fn constants_of_the_architecture_are_defined_once() {
    let arch = architecture();
    let mut found = Vec::new();
    for path in sources(&repository()) {
        if path.starts_with(repository().join("svm-model/src/arch")) {
            continue;
        }
        // What the harness says to its guests has numbers of its own.
        if path.ends_with("case/wire.rs") || path.ends_with("measure/protocol.rs") {
            continue;
        }
        let copies = copies(&parse(&path), &arch);
        found.extend(copies.iter().map(|c| format!("{}: {c}", path.display())));
    }
    assert!(found.is_empty(), "{} defined twice:\n{}", found.len(), found.join("\n"));
}

/// The numbers of MSRs that a file writes as such: those above the first, which are nothing else.
fn numbers_of_msrs(file: &syn::File, arch: &BTreeMap<String, Vec<(u128, String)>>) -> Vec<String> {
    struct Numbers(Vec<u128>);
    impl<'a> Visit<'a> for Numbers {
        fn visit_lit_int(&mut self, int: &'a syn::LitInt) {
            self.0.extend(int.base10_parse::<u128>());
        }
    }
    let mut numbers = Numbers(Vec::new());
    numbers.visit_file(file);
    let msr = |n: &u128| {
        let is = |(value, name): &&(u128, String)| value == n && name.starts_with("msr::");
        Some(arch.values().flatten().find(is)?.1.clone())
    };
    let high = numbers.0.iter().filter(|n| **n >= 0xc000_0000 && **n <= u32::MAX.into());
    high.filter_map(msr).collect()
}

#[test]
fn msrs_are_named() {
    let arch = architecture();
    let src = repository().join("svm-model/src");
    let files = sources(&src).into_iter().filter(|path| !path.starts_with(src.join("arch")));
    let found: Vec<String> = files
        .flat_map(|path| {
            let numbers = numbers_of_msrs(&parse(&path), &arch);
            numbers.into_iter().map(move |name| format!("{}: {name}", path.display()))
        })
        .collect();
    assert!(found.is_empty(), "{} by number:\n{}", found.len(), found.join("\n"));
    let seen = |text: &str| numbers_of_msrs(&syn::parse_str(text).expect("Rust"), &arch).len();
    assert_eq!(seen("fn f() { Insn::Rdmsr(0xc000_0080) }"), 1);
    assert_eq!(seen("fn f() { Insn::Rdmsr(0x277); Insn::Rdmsr(0xc000_1000) }"), 0);
}

#[test]
fn a_copy_is_seen() {
    let arch = architecture();
    let seen = |text: &str| copies(&syn::parse_str(text).expect("Rust"), &arch).len();
    for text in [
        "const V_IRQ: u64 = 1 << 8;",
        "mod a { const V_IRQ: u64 = 0x100; }",
        "const CR4_PSE: u64 = 1 << 4;",
        "fn f() { const EFER_NXE: u64 = 1 << 11; }",
        "const HSAVE: u32 = 0xc001_0117;",
    ] {
        assert_eq!(seen(text), 1, "{text}");
    }
    for text in [
        "const V_IRQ: u64 = int_ctl::V_IRQ;",
        "const EFER: u64 = 0x1d00;",
        "const ADDRESS: u64 = 0x1000;",
        "const PAGE: u64 = 1 << 8;",
    ] {
        assert_eq!(seen(text), 0, "{text}");
    }
}

#[test]
fn sources_are_short() {
    let long: Vec<String> = sources(&repository())
        .iter()
        .map(|path| (path, fs::read_to_string(path).expect("a source").lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "above {MOST_LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn each_feature_has_its_files() {
    let folder = repository().join("svm-model/src/features");
    let mut missing = Vec::new();
    let mut features = 0;
    for entry in fs::read_dir(&folder).expect("the features") {
        let path = entry.expect("an entry").path();
        if !path.is_dir() {
            continue;
        }
        features += 1;
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let elsewhere = CASES_ELSEWHERE.iter().any(|(feature, _)| *feature == name);
        for file in ["mod.rs", "rules.rs", "model.rs", "cases.rs"] {
            let there = path.join(file).is_file();
            let wanted = file != "cases.rs" || !elsewhere;
            if there != wanted {
                missing.push(format!(
                    "{name}/{file} {}",
                    if there { "is there" } else { "is missing" }
                ));
            }
        }
    }
    assert!(features > 20, "only {features} features");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Lines that do one thing where a rule holds and another where it is broken.
#[derive(Default)]
struct Mutants(Vec<String>);

/// Whether an expression asks for a rule's effect.
fn asks_effect(expr: &Expr) -> Option<String> {
    struct Asks(Option<String>);
    impl<'a> Visit<'a> for Asks {
        fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
            if call.method == "does" {
                let rule = call.args.first().map(|a| format!("{:?}", last(a)));
                self.0 = rule;
            }
            visit::visit_expr_method_call(self, call);
        }
    }
    let mut asks = Asks(None);
    asks.visit_expr(expr);
    asks.0
}

fn last(expr: &Expr) -> String {
    match expr {
        Expr::Path(path) => {
            path.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default()
        }
        _ => String::from("a rule"),
    }
}

impl<'a> Visit<'a> for Mutants {
    fn visit_expr_if(&mut self, i: &'a ExprIf) {
        if i.else_branch.is_some()
            && let Some(rule) = asks_effect(&i.cond)
        {
            self.0.push(format!("{rule} has an else"));
        }
        visit::visit_expr_if(self, i);
    }

    fn visit_expr_unary(&mut self, unary: &'a ExprUnary) {
        if matches!(unary.op, UnOp::Not(_))
            && let Some(rule) = asks_effect(&unary.expr)
        {
            self.0.push(format!("{rule} is asked for its opposite"));
        }
        visit::visit_expr_unary(self, unary);
    }
}

fn mutants(file: &syn::File) -> Vec<String> {
    let mut found = Mutants::default();
    let items = file.items.iter().filter(|item| !matches!(item, Item::Macro(_)));
    items.for_each(|item| found.visit_item(item));
    found.0
}

#[test]
fn the_model_says_what_the_manual_says_and_nothing_else() {
    let src = repository().join("svm-model/src");
    let mut found = Vec::new();
    let all = sources(&src.join("machine")).into_iter().chain(sources(&src.join("features")));
    for path in all.filter(|path| !path.ends_with("machine/mod.rs")) {
        found.extend(mutants(&parse(&path)).iter().map(|m| format!("{}: {m}", path.display())));
    }
    assert!(found.is_empty(), "broken forms in the model:\n{}", found.join("\n"));
}

#[test]
fn a_broken_form_is_seen() {
    let seen = |text: &str| mutants(&syn::parse_str(text).expect("Rust")).len();
    for text in [
        "fn f(&mut self) { let x = if self.t.does(r::A) { y } else { !y }; }",
        "fn f(&mut self) { if !self.t.does(r::A) { self.x = 0; } }",
        "fn f(&mut self) { if a && !t.does(r::A) { return; } }",
    ] {
        assert_eq!(seen(text), 1, "{text}");
    }
    for text in [
        "fn f(&mut self) { if self.t.does(r::A) { self.x = y; } }",
        "fn f(&mut self) { let x = self.t.said(r::A, y); }",
    ] {
        assert_eq!(seen(text), 0, "{text}");
    }
}
