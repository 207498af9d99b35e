//! Compiles a QEMU tree's `target/i386` and the shim, and binds both.
//!
//! `SVM_QEMU_SRC` names the source tree, `SVM_QEMU_BUILD` a folder in which it
//! was configured and built. The compiler's flags are those that QEMU's own
//! build has for the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, elf};

fn main() {
    let source = path_variable("SVM_QEMU_SRC");
    let build = path_variable("SVM_QEMU_BUILD");
    let flags = Flags::of(&source, &build);
    let mut cc = flags.cc();
    if walks_say_where(&source) {
        cc.define("CX_WALKS_SAY_WHERE", None);
    }
    let files = qemu_files(&source);
    cc.files(&files);
    let shim = ["tcg", "tcg-memory", "memory", "x86", "loop", "apic", "rest"];
    cc.files(shim.map(|name| format!("shim/{name}.c")));
    let mut objects = cc.compile_intermediates();
    let missing = missing(&objects);
    let stubs = out().join("stubs.c");
    fs::write(&stubs, stub_source(&missing)).expect("writing the stubs");
    objects.extend(cc::Build::new().file(&stubs).warnings(false).compile_intermediates());
    cc::Build::new().objects(&objects).compile("qemu_i386");
    bind(&flags);
    println!("cargo:rerun-if-changed=shim");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", source.join("target/i386").display());
}

/// Whether page walks hand the return address through, which the series adds to what
/// `probe_access_full_mmu()` takes.
fn walks_say_where(source: &Path) -> bool {
    let path = source.join("include/accel/tcg/probe.h");
    println!("cargo:rerun-if-changed={}", path.display());
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (_, declared) = text.split_once("int probe_access_full_mmu(").expect("it is declared");
    declared.split(';').next().is_some_and(|parameters| parameters.contains("retaddr"))
}

fn path_variable(name: &str) -> PathBuf {
    println!("cargo:rerun-if-env-changed={name}");
    let value = std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set"));
    fs::canonicalize(&value).unwrap_or_else(|e| panic!("{name} = {value:?}: {e}"))
}

fn out() -> PathBuf {
    std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR").into()
}

/// Files that are not compiled: the CPU class's part that makes a machine, and
/// the stub for builds without TCG. cpu.c is in shim/x86.c.
const LEFT_OUT: &[&str] = &["tcg-stub.c", "system/tcg-cpu.c"];

/// QEMU's files, those that a patch adds included.
fn qemu_files(source: &Path) -> Vec<PathBuf> {
    let tcg = source.join("target/i386/tcg");
    let single =
        ["target/i386/helper.c", "accel/tcg/translator.c", "util/bitops.c", "crypto/aes.c"];
    let mut files: Vec<PathBuf> = single.iter().map(|f| source.join(f)).collect();
    for folder in [tcg.clone(), tcg.join("system")] {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut found: Vec<PathBuf> =
            entries.map(|e| e.expect("reading a folder").path()).collect();
        found.retain(|p| p.extension().is_some_and(|e| e == "c"));
        found.retain(|p| !LEFT_OUT.iter().any(|name| p.ends_with(name)));
        found.sort();
        files.extend(found);
    }
    files
}

/// What QEMU's build gives the compiler for files of `target/i386/tcg`.
struct Flags {
    includes: Vec<String>,
    others: Vec<String>,
}

impl Flags {
    fn of(source: &Path, build: &Path) -> Flags {
        let path = build.join("compile_commands.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let commands: Vec<BTreeMap<String, String>> =
            serde_json::from_str(&text).expect("reading compile_commands.json");
        let entry = commands
            .iter()
            .find(|c| c["output"].contains("x86_64-softmmu") && c["file"].ends_with("svm_helper.c"))
            .expect("the build must be configured for x86_64-softmmu");
        let directory = Path::new(&entry["directory"]);
        let configured = directory.join(&entry["file"]);
        // The tree that was configured, three folders above tcg/system.
        let configured = configured.ancestors().nth(5).expect("a path in a tree");
        let configured = fs::canonicalize(configured).expect("the configured tree");
        let words = shlex::split(&entry["command"]).expect("splitting a command");
        Flags::sort(&words, |p| {
            let path = directory.join(p);
            let path = fs::canonicalize(&path).unwrap_or(path);
            // The same place in the tree that is asked for.
            match path.strip_prefix(&configured) {
                Ok(rest) if !path.starts_with(build) => source.join(rest),
                _ => path,
            }
        })
    }

    fn sort(words: &[String], place: impl Fn(&str) -> PathBuf) -> Flags {
        let mut flags = Flags { includes: Vec::new(), others: Vec::new() };
        let mut words = words.iter().skip(1);
        while let Some(word) = words.next() {
            let include = ["-isystem", "-iquote", "-I"].iter().find(|p| word.starts_with(**p));
            if let Some(option) = include {
                let rest = &word[option.len()..];
                let path = if rest.is_empty() { words.next().expect("a folder") } else { rest };
                flags.includes.push((*option).to_owned());
                flags.includes.push(place(path).display().to_string());
            } else if word.starts_with("-D") || word.starts_with("-m") || word.starts_with("-f") {
                flags.others.push(word.clone());
            }
        }
        // Sanitizers want a runtime of their own; hardening costs time alone.
        const LEFT_OUT: [&str; 4] =
            ["-fsanitize", "-fPIE", "-ftrivial-auto-var-init", "-fzero-call-used-regs"];
        flags.others.retain(|f| !LEFT_OUT.iter().any(|start| f.starts_with(start)));
        flags
    }

    fn cc(&self) -> cc::Build {
        let mut cc = cc::Build::new();
        cc.cargo_metadata(true).warnings(false).extra_warnings(false).std("gnu11");
        cc.force_frame_pointer(false);
        for flag in self.includes.iter().chain(&self.others) {
            cc.flag(flag);
        }
        cc.flag("-ftls-model=initial-exec")
            .flag("-w")
            .flag("-Ishim")
            .flag("-include")
            .flag("shim/prelude.h")
            .pic(true);
        cc
    }
}

/// Symbols that some object needs, none has, and that are functions.
fn missing(objects: &[PathBuf]) -> BTreeSet<String> {
    let mut defined = BTreeSet::new();
    let mut called = BTreeSet::new();
    for path in objects {
        let bytes = fs::read(path).expect("reading an object");
        let file: ElfFile64 = ElfFile64::parse(&*bytes).expect("parsing an object");
        for symbol in file.symbols().filter(|s| s.is_definition() && s.is_global()) {
            defined.insert(symbol.name().expect("a name").to_owned());
        }
        for (_, relocation) in file.sections().flat_map(|s| s.relocations().collect::<Vec<_>>()) {
            let RelocationTarget::Symbol(index) = relocation.target() else { continue };
            let symbol = file.symbol_by_index(index).expect("a symbol");
            let name = symbol.name().expect("a name");
            let call =
                matches!(relocation.flags(), RelocationFlags::Elf { r_type: elf::R_X86_64_PLT32 });
            if symbol.is_undefined() && (call || name.starts_with("helper_")) {
                called.insert(name.to_owned());
            }
        }
    }
    let libc: BTreeSet<&str> = include_str!("libc.txt").split_whitespace().collect();
    called.retain(|name| !defined.contains(name) && !libc.contains(name.as_str()));
    called
}

/// Functions that end a case as open.
fn stub_source(names: &BTreeSet<String>) -> String {
    let mut text = String::from("_Noreturn void cx_open(const char *what);\n");
    for name in names {
        text.push_str(&format!("void {name}(void) {{ cx_open(\"{name}\"); }}\n"));
    }
    text
}

fn bind(flags: &Flags) {
    let bindings = bindgen::Builder::default()
        .header("shim/bind.h")
        .clang_args(&flags.includes)
        .clang_args(flags.others.iter().filter(|f| f.starts_with("-D")))
        .clang_arg("-Ishim")
        .allowlist_function("cx_.*")
        .allowlist_type("CPUArchState|CxStop|CxEvent|CxCpuidBit")
        .rustified_enum("CxStop|CxEvent")
        .derive_debug(false)
        .layout_tests(false)
        .generate()
        .expect("binding the shim");
    bindings.write_to_file(out().join("bindings.rs")).expect("writing the bindings");
}
