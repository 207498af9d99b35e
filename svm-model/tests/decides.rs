//! No branch of the model ends the course of things without naming a rule.
//!
//! Read from the sources: wherever the model leaves the guest, raises an exception or takes
//! an event in L1, a rule has decided it. It has, where a condition around it, or one before
//! it that leaves the function, asks a rule ([`svm_model::model::Trace`]), be it through a
//! variable or a function that does. What the manual's other chapters say of every
//! processor, SVM or not, has no rule: those places are in [`NOT_SVM`], each with the
//! reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprIf, ExprMatch, ExprMethodCall, ImplItemFn, Local, Stmt};

/// Ends the course when it is called.
const ENDS: &[&str] = &[
    "exit",
    "exit_control",
    "exit_permission",
    "msr_exit",
    "gp",
    "ud",
    "page_fault",
    "nested_fault",
    "shutdown",
];

/// Functions that end the course without a rule of SVM: in how many places, and why.
/// Sections and pages are of APM vol. 2 and 3.
const NOT_SVM: &[(&str, usize, &str)] = &[
    ("machine/delivery::gp", 1, "makes the exception: who calls it is looked at"),
    ("machine/delivery::ud", 1, "makes the exception: who calls it is looked at"),
    ("machine/execute::canonical_operand", 1, "#GP of no canonical address: vol. 2, chapter 8"),
    ("machine/execute::data_address", 1, "#AC: vol. 2, chapter 8"),
    ("machine/execute::execute", 1, "UD2: vol. 3"),
    ("machine/execute::jump", 1, "a jump to no canonical address: vol. 3, JMP"),
    ("machine/fetch::fetch", 1, "a fetch from no canonical address: vol. 2, chapter 8"),
    ("machine/idt::gate", 4, "a gate's place, type, DPL and P: vol. 2, chapter 8"),
    ("machine/idt::push", 1, "#SS of no canonical address: vol. 2, chapter 8"),
    ("machine/flags::cli", 1, "IOPL: vol. 3, CLI"),
    ("machine/flags::sti", 1, "IOPL: vol. 3, STI"),
    ("machine/instructions::divide", 1, "division by zero: vol. 3, DIV"),
    ("features/intercepts/model::exit_control", 1, "makes the exit: who calls it is looked at"),
    ("machine/instructions::exit_permission", 1, "makes the exit: who calls it is looked at"),
    ("machine/instructions::fnop", 1, "CR0.EM and CR0.TS: vol. 2, chapter 3"),
    ("machine/instructions::icebp", 1, "INT1: vol. 3"),
    ("machine/instructions::invpcid", 1, "types above 3: vol. 3, INVPCID"),
    ("machine/instructions::monitor_user", 1, "outside CPL 0: vol. 3, MONITOR and MWAIT"),
    ("machine/instructions::mwait", 1, "extensions in ECX: vol. 3, MWAIT"),
    ("machine/instructions::overflow", 1, "not in 64-bit mode: vol. 3, INTO"),
    ("machine/instructions::plain_instruction", 2, "vol. 3, RSM outside SMM, and MONITOR's ECX"),
    ("machine/instructions::push_value", 1, "#SS of no canonical address: vol. 2, chapter 8"),
    ("machine/instructions::software_exception", 1, "vol. 3, INT3 and INTO"),
    ("machine/instructions::software_interrupt", 1, "vol. 3, INT"),
    ("machine/instructions::stack_read", 1, "#SS of no canonical address: vol. 2, chapter 8"),
    ("machine/instructions::xsetbv", 1, "CR4.OSXSAVE clear: vol. 3, XSETBV"),
    ("features/msr/model::msr_exit", 1, "makes the exit: who calls it is looked at"),
    ("features/msr/model::write_pat", 1, "memory types that there are not: vol. 2, chapter 7"),
    ("features/debug/model::debug_register", 1, "registers that there are not: vol. 3, MOV DRn"),
    ("features/npt/model::nested_fault", 1, "makes the exit: who calls it is looked at"),
    ("machine/tables::ltr", 2, "null selectors, a busy TSS: vol. 3, LTR"),
    ("machine/paging::page_fault", 1, "makes the exception: who calls it is looked at"),
    ("machine/paging::permit", 1, "page protection: vol. 2, chapter 5"),
    ("machine/paging::walk", 2, "entries not present, or with reserved bits: vol. 2, chapter 5"),
];

/// The functions of the model, each with the file that it is in.
fn functions() -> Vec<(String, ImplItemFn)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in sources(&src.join("machine")).into_iter().chain(sources(&src.join("features"))) {
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        // What only tests see, what is data, and what only a broken model does.
        let others = ["explore", "rules", "mutants", "written"];
        if others.contains(&&*stem) || stem.ends_with("cases") {
            continue;
        }
        let file = path.with_extension("");
        let file = file.strip_prefix(&src).expect("a source").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a source");
        let mut all = Functions(Vec::new());
        all.visit_file(&syn::parse_file(&text).expect("Rust"));
        found.extend(all.0.into_iter().map(|f| (file.clone(), f)));
    }
    assert!(found.len() > 200, "only {} functions", found.len());
    found
}

/// The sources in a folder, and in those inside it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the model");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

struct Functions(Vec<ImplItemFn>);

impl<'a> Visit<'a> for Functions {
    fn visit_impl_item_fn(&mut self, f: &'a ImplItemFn) {
        self.0.push(f.clone());
    }

    fn visit_item_fn(&mut self, f: &'a syn::ItemFn) {
        let syn::ItemFn { attrs, vis, sig, block } = f.clone();
        self.0.push(ImplItemFn { attrs, vis, defaultness: None, sig, block: *block });
    }
}

/// Whether an expression asks a rule, itself or through what does.
struct Asks<'a> {
    /// Functions that ask, and say what they decided.
    functions: &'a BTreeSet<String>,
    variables: &'a [String],
    asks: bool,
}

impl<'a> Visit<'a> for Asks<'_> {
    fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
        let name = call.method.to_string();
        self.asks |= ["rule", "does", "said"].contains(&&*name) || self.functions.contains(&name);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        self.asks |= last(&call.func).is_some_and(|name| self.functions.contains(&name));
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_path(&mut self, path: &'a syn::ExprPath) {
        self.asks |= path.path.get_ident().is_some_and(|i| self.variables.contains(&i.to_string()));
    }
}

/// The last part of a path that is called.
fn last(called: &Expr) -> Option<String> {
    let Expr::Path(path) = called else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}

/// Goes through a function, and counts what ends the course undecided.
struct Course<'a> {
    functions: &'a BTreeSet<String>,
    variables: Vec<String>,
    /// How many conditions around, or before, have asked a rule.
    decided: usize,
    undecided: usize,
}

impl Course<'_> {
    fn asks(&self, expr: &Expr) -> bool {
        let (functions, variables) = (self.functions, &self.variables[..]);
        let mut asks = Asks { functions, variables, asks: false };
        asks.visit_expr(expr);
        asks.asks
    }

    fn ends(&mut self) {
        self.undecided += usize::from(self.decided == 0);
    }

    fn under(&mut self, asked: bool, inside: impl FnOnce(&mut Self)) {
        self.decided += usize::from(asked);
        inside(self);
        self.decided -= usize::from(asked);
    }
}

impl<'a> Visit<'a> for Course<'_> {
    fn visit_block(&mut self, block: &'a Block) {
        let (decided, variables) = (self.decided, self.variables.len());
        for stmt in &block.stmts {
            self.visit_stmt(stmt);
            // An `if` that asks and leaves decides what comes after it.
            if let Stmt::Expr(Expr::If(i), _) = stmt {
                self.decided += usize::from(self.asks(&i.cond) && leaves(&i.then_branch));
            }
        }
        self.decided = decided;
        self.variables.truncate(variables);
    }

    fn visit_local(&mut self, local: &'a Local) {
        visit::visit_local(self, local);
        if let Some(init) = &local.init
            && self.asks(&init.expr)
        {
            let mut names = Names(Vec::new());
            names.visit_pat(&local.pat);
            self.variables.extend(names.0);
        }
    }

    fn visit_expr_if(&mut self, i: &'a ExprIf) {
        self.visit_expr(&i.cond);
        let asked = self.asks(&i.cond);
        self.under(asked, |s| {
            s.visit_block(&i.then_branch);
            i.else_branch.iter().for_each(|(_, e)| s.visit_expr(e));
        });
    }

    fn visit_expr_match(&mut self, m: &'a ExprMatch) {
        self.visit_expr(&m.expr);
        let mut asked = self.asks(&m.expr);
        for arm in &m.arms {
            // A guard that fails decides the arms behind it too.
            asked |= arm.guard.as_ref().is_some_and(|(_, guard)| self.asks(guard));
            self.under(asked, |s| s.visit_expr(&arm.body));
        }
    }

    fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
        let name = call.method.to_string();
        let event = |arg: &Expr| match arg {
            Expr::Path(_) => last(arg),
            Expr::Call(c) => last(&c.func),
            _ => None,
        };
        let taken = name == "push"
            && call
                .args
                .iter()
                .filter_map(event)
                .any(|e| e.starts_with("L1") && e != "L1Exception");
        if ENDS.contains(&name.as_str()) || taken {
            self.ends();
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        if last(&call.func).is_some_and(|name| name == "Raise") {
            self.ends();
        }
        visit::visit_expr_call(self, call);
    }
}

struct Names(Vec<String>);

impl<'a> Visit<'a> for Names {
    fn visit_pat_ident(&mut self, ident: &'a syn::PatIdent) {
        self.0.push(ident.ident.to_string());
    }
}

/// Whether the last statement of a block leaves the function.
fn leaves(block: &Block) -> bool {
    matches!(block.stmts.last(), Some(Stmt::Expr(Expr::Return(_), _)))
}

/// Functions that ask a rule and say what was decided: not those whose result is only
/// whether things go on.
fn deciding(all: &[(String, ImplItemFn)]) -> BTreeSet<String> {
    let none = BTreeSet::new();
    let asks = |f: &ImplItemFn| {
        let mut asks = Asks { functions: &none, variables: &[], asks: false };
        asks.visit_block(&f.block);
        asks.asks
    };
    let flow = |f: &ImplItemFn| match &f.sig.output {
        syn::ReturnType::Default => true,
        syn::ReturnType::Type(_, ty) => {
            matches!(&**ty, syn::Type::Path(p) if p.path.segments.last().is_some_and(|s| s.ident == "Flow"))
        }
    };
    all.iter().filter(|(_, f)| asks(f) && !flow(f)).map(|(_, f)| f.sig.ident.to_string()).collect()
}

fn undecided(all: &[(String, ImplItemFn)]) -> Vec<(String, usize)> {
    let functions = deciding(all);
    let mut found = Vec::new();
    for (file, f) in all {
        let mut course =
            Course { functions: &functions, variables: Vec::new(), decided: 0, undecided: 0 };
        course.visit_block(&f.block);
        if course.undecided > 0 {
            found.push((format!("{file}::{}", f.sig.ident), course.undecided));
        }
    }
    found.sort();
    found
}

#[test]
fn what_ends_the_course_of_things_names_a_rule() {
    let found = undecided(&functions());
    let listed = |name: &str| NOT_SVM.iter().find(|(n, ..)| *n == name).map_or(0, |(_, n, _)| *n);
    let more: Vec<_> = found.iter().filter(|(name, n)| *n > listed(name)).collect();
    assert!(more.is_empty(), "these end the course and name no rule: {more:?}");
    let count = |name: &str| found.iter().find(|(n, _)| n == name).map_or(0, |(_, n)| *n);
    let fewer: Vec<_> = NOT_SVM.iter().filter(|(name, n, _)| count(name) < *n).collect();
    assert!(fewer.is_empty(), "these are listed and end it more rarely: {fewer:?}");
}

/// What the check makes of a few lines of Rust.
fn in_source(text: &str) -> usize {
    let mut all = Functions(Vec::new());
    all.visit_file(&syn::parse_str(text).expect("Rust"));
    let all: Vec<_> = all.0.into_iter().map(|f| (String::from("x"), f)).collect();
    undecided(&all).iter().map(|(_, n)| n).sum()
}

#[test]
fn a_branch_without_a_rule_is_seen() {
    let decided = [
        "fn f(&mut self) -> Flow { if self.t.rule(r::A, x) { return Err(self.gp(0)); } Ok(()) }",
        "fn f(&mut self) -> Flow { if !self.t.does(r::A) { return Ok(()); } self.exit(reason) }",
        "fn f(&mut self) -> Flow { let bad = self.t.rule(r::A, x); if bad { self.exit(y) } else { Ok(()) } }",
        "fn f(&mut self) -> Flow { if self.bad() { return self.exit(y); } Ok(()) } fn bad(&mut self) -> bool { self.t.rule(r::A, true) }",
        "fn f(&mut self) -> Flow { match x { 1 if self.t.does(r::A) => Ok(()), _ => Err(self.ud()) } }",
    ];
    for text in decided {
        assert_eq!(in_source(text), 0, "{text}");
    }
    let not = [
        "fn f(&mut self) -> Flow { if x { return Err(self.gp(0)); } Ok(()) }",
        "fn f(&mut self) -> Flow { if self.t.rule(r::A, x) { self.y = 1; } self.exit(reason) }",
        "fn f(&mut self) -> Flow { if self.g().is_ok() { return Err(Stop::Raise(e)); } Ok(()) } fn g(&mut self) -> Flow { self.t.does(r::A); Ok(()) }",
        "fn f(&mut self) { if x { self.obs.push(Obs::L1Interrupt(3)); } }",
        "fn f(&mut self) -> Flow { match x { 1 => self.exit(y), _ if self.t.does(r::A) => Ok(()), _ => Ok(()) } }",
    ];
    for text in not {
        assert_eq!(in_source(text), 1, "{text}");
    }
}
