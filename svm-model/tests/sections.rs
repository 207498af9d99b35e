//! Each public item says where the manual describes it: in its own words, those of the item
//! that it belongs to, or those of its module, in which everything is then about that
//! section. What is no hardware's behaviour is in [`PLUMBING`].

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, Visibility};

/// Modules, or items of them, that are about cases, rules and comparing, not about a
/// processor, and why.
const PLUMBING: &[(&str, &str)] = &[
    ("case::Board", "machines to run cases in"),
    ("case::Case", "what a case consists of"),
    ("case::Step", "the words of its script"),
    ("case::draft", "writing a case down"),
    ("case::encode", "bytes of programs: the instructions' pages say them"),
    ("case::layout", "places in a world of our own"),
    ("case::world", "that world"),
    ("case::written", "what is expected of a case"),
    ("cases", "generators of cases"),
    ("compare", "comparing outcomes"),
    ("coverage", "which cases reach which rules"),
    ("feature::UnknownFeature", "an error"),
    ("rules::trace", "which rules a run went through"),
    ("case::wire", "how the harness and the guest talk"),
    ("written", "cases, each about a rule"),
];

/// Whether a text names a section, an appendix, or an instruction's page.
fn states(text: &str) -> bool {
    let section = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_digit());
        let mut parts = word.split('.');
        let number = |p: &str| !p.is_empty() && p.chars().all(|c| c.is_ascii_digit());
        parts.clone().count() > 1 && parts.all(number)
    };
    text.split(|c: char| c.is_whitespace() || c == '(' || c == ',').any(section)
        || text.contains("appendix ")
        || text.contains("APM vol. 3")
}

fn doc(attrs: &[Attribute]) -> String {
    let text = |a: &Attribute| match &a.meta {
        Meta::NameValue(m) if m.path.is_ident("doc") => match &m.value {
            Expr::Lit(l) => match &l.lit {
                Lit::Str(s) => Some(s.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    attrs.iter().filter_map(text).collect()
}

#[derive(Default)]
struct Seen {
    /// Public items, by path, and whether they state a section.
    items: Vec<(String, bool)>,
}

impl Seen {
    fn file(&mut self, path: &Path, module: &str) {
        let file = syn::parse_file(&fs::read_to_string(path).expect("a source")).expect("Rust");
        // Chapter 15 as a whole says nothing: nobody inherits from the crate.
        let stated = !module.is_empty() && states(&doc(&file.attrs));
        let folder = match path.file_stem().and_then(|s| s.to_str()) {
            Some("lib" | "mod") => path.parent().expect("a folder").to_path_buf(),
            _ => path.with_extension(""),
        };
        self.items_of(&file.items, module, stated, &folder);
    }

    fn items_of(&mut self, items: &[Item], module: &str, stated: bool, folder: &Path) {
        // What an item says holds for its `impl`s.
        let mut types: Vec<(String, bool)> = Vec::new();
        for item in items {
            let (vis, attrs, name) = match item {
                Item::Const(i) => (&i.vis, &i.attrs, i.ident.to_string()),
                Item::Enum(i) => (&i.vis, &i.attrs, i.ident.to_string()),
                Item::Fn(i) => (&i.vis, &i.attrs, i.sig.ident.to_string()),
                Item::Static(i) => (&i.vis, &i.attrs, i.ident.to_string()),
                Item::Struct(i) => (&i.vis, &i.attrs, i.ident.to_string()),
                Item::Trait(i) => (&i.vis, &i.attrs, i.ident.to_string()),
                Item::Type(i) => (&i.vis, &i.attrs, i.ident.to_string()),
                Item::Mod(i) => {
                    if matches!(i.vis, Visibility::Public(_)) {
                        self.module(i, &join(module, &i.ident.to_string()), folder);
                    }
                    continue;
                }
                // What a macro makes of its input is looked for where it is used.
                Item::Macro(m) if m.ident.is_some() => continue,
                Item::Macro(m) => {
                    let docs = documented(m.mac.tokens.clone());
                    self.items.extend(
                        docs.into_iter()
                            .map(|(name, d)| (join(module, &name), stated || states(&d))),
                    );
                    continue;
                }
                _ => continue,
            };
            if matches!(vis, Visibility::Public(_)) {
                let own = stated || states(&doc(attrs));
                self.items.push((join(module, &name), own));
                types.push((name, own));
            }
        }
        for item in items {
            let Item::Impl(i) = item else { continue };
            if i.trait_.is_some() {
                continue;
            }
            let syn::Type::Path(p) = &*i.self_ty else { continue };
            let Some(name) = p.path.segments.last().map(|s| s.ident.to_string()) else { continue };
            let owner = types.iter().find(|(t, _)| *t == name).map_or(stated, |(_, s)| *s);
            for item in &i.items {
                let (vis, attrs, own) = match item {
                    ImplItem::Fn(f) => (&f.vis, &f.attrs, f.sig.ident.to_string()),
                    ImplItem::Const(c) => (&c.vis, &c.attrs, c.ident.to_string()),
                    _ => continue,
                };
                if matches!(vis, Visibility::Public(_)) {
                    let path = join(&join(module, &name), &own);
                    self.items.push((path, owner || states(&doc(attrs))));
                }
            }
        }
    }

    fn module(&mut self, module: &syn::ItemMod, path: &str, folder: &Path) {
        match &module.content {
            Some((_, items)) => {
                let stated = states(&doc(&module.attrs));
                self.items_of(items, path, stated, folder);
            }
            None => {
                let name = module.ident.to_string();
                let candidates: [PathBuf; 2] =
                    [folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")];
                let file = candidates.iter().find(|f| f.is_file()).expect("a module's file");
                self.file(file, path);
            }
        }
    }
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

/// In a macro's input, the names that stand behind doc comments, with these.
fn documented(tokens: TokenStream) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut text = String::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => match syn::parse2::<Doc>(group.stream()) {
                Ok(Doc(line)) => text += &line,
                Err(_) => found.extend(documented(group.stream())),
            },
            TokenTree::Ident(ident) if !text.is_empty() => {
                found.push((ident.to_string(), std::mem::take(&mut text)));
            }
            _ => {}
        }
    }
    found
}

/// `doc = "…"`.
struct Doc(String);

impl syn::parse::Parse for Doc {
    fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
        let name: syn::Ident = input.parse()?;
        let _: syn::Token![=] = input.parse()?;
        let text: syn::LitStr = input.parse()?;
        if name == "doc" { Ok(Doc(text.value())) } else { Err(input.error("no doc")) }
    }
}

/// Whether that path is one of the list's, or inside.
fn plumbing(path: &str, listed: &str) -> bool {
    path == listed || path.strip_prefix(listed).is_some_and(|rest| rest.starts_with("::"))
}

#[test]
fn each_public_item_states_its_section() {
    let mut seen = Seen::default();
    seen.file(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"), "");
    assert!(seen.items.len() > 300, "only {} items", seen.items.len());
    let silent: Vec<&str> = seen
        .items
        .iter()
        .filter(|(path, stated)| !stated && !PLUMBING.iter().any(|(p, _)| plumbing(path, p)))
        .map(|(path, _)| path.as_str())
        .collect();
    assert!(silent.is_empty(), "{} items state no section:\n{}", silent.len(), silent.join("\n"));
    let idle: Vec<&str> = PLUMBING
        .iter()
        .map(|(listed, _)| *listed)
        .filter(|listed| !seen.items.iter().any(|(path, s)| !s && plumbing(path, listed)))
        .collect();
    assert!(idle.is_empty(), "listed, though nothing there lacks a section: {idle:?}");
}

#[test]
fn each_rule_and_each_feature_states_its_section() {
    for (_, rule) in svm_model::rules::all() {
        // An instruction's page is called by its name alone.
        let name = rule.section.strip_prefix("vol. 3, ").unwrap_or(rule.section);
        let page = name.starts_with(|c: char| c.is_ascii_uppercase());
        assert!(states(rule.section) || page, "{}: {}", rule.id, rule.section);
    }
    for feature in svm_model::Feature::ALL {
        assert!(states(feature.about()), "{feature}");
    }
}

#[test]
fn a_section_is_told_from_other_numbers() {
    for text in ["Nested paging (15.25).", "as 15.5.1 says", "APM vol. 3, appendix E"] {
        assert!(states(text), "{text}");
    }
    for text in ["chapter 15", "bits 63:32 of 0x10", "1.", "a world. 3 things"] {
        assert!(!states(text), "{text}");
    }
}
