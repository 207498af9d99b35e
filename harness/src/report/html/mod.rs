//! `cargo xtask report --html DIR`: a static page of everything recorded. Pure,
//! but for [`write`].
//!
//! Pages need no network and no script. What they look like is in
//! `templates/`; what they show is in [`view`].

mod cost;
mod feature;
mod index;
mod plot;
mod view;

use std::path::Path;

use minijinja::{AutoEscape, Environment, Value, context};

use crate::bench::record::Record;
use crate::host::cache::write_atomic;
use crate::host::error::Context;
use crate::record::history::History;
use crate::record::results::{Excerpts, KnownFailures};
use crate::{Kind, Result};
use view::{Group, Menu};

const STYLE: &str = include_str!("templates/style.css");
const TEMPLATES: [(&str, &str); 4] = [
    ("base.html", include_str!("templates/base.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("index.html", include_str!("templates/index.html")),
    ("feature.html", include_str!("templates/feature.html")),
];

/// A file of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its path in the report's folder.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What the pages are made from.
#[derive(Clone, Copy)]
pub struct Content<'a> {
    /// The results.
    pub history: &'a History<'a>,
    /// Reasons for failures.
    pub known: &'a KnownFailures,
    /// What logs say.
    pub excerpts: &'a Excerpts,
    /// What `cargo xtask bench` measured.
    pub bench: Option<&'a Record>,
}

/// Every page: the index, one for each feature and for what has none, and the
/// style sheet.
///
/// # Errors
/// Harness, when a template is wrong.
pub fn pages(content: &Content<'_>) -> Result<Vec<Page>> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    for (name, text) in TEMPLATES {
        templates.add_template(name, text).doing(Kind::Harness, || format!("reading {name}"))?;
    }
    let render = |template: &str, path: &str, values: Value| -> Result<Page> {
        let doing = || format!("writing the page {path}");
        let template = templates.get_template(template).doing(Kind::Harness, doing)?;
        let text = template.render(values).doing(Kind::Harness, doing)?;
        Ok(Page { path: path.to_owned(), text })
    };

    let groups = Group::present(content.history);
    let menu: Vec<Menu> = groups.iter().map(|g| Menu::of(*g)).collect();
    let index = index::index(content, &groups);
    let page = context! { root => "", here => "", menu => menu, title => "SVM on QEMU TCG" };
    let mut all = vec![render("index.html", "index.html", context! { ..page, ..index })?];
    for group in &groups {
        let values = feature::feature(content, *group);
        let title = format!("{} · SVM on QEMU TCG", group.label());
        let page = context! { root => "../", here => group.label(), menu => menu, title => title };
        all.push(render("feature.html", &group.path(), context! { ..page, ..values })?);
    }
    all.push(Page { path: "style.css".into(), text: STYLE.to_owned() });
    Ok(all)
}

/// Writes the pages into `dir`, the index last.
///
/// # Errors
/// Harness.
pub fn write(dir: &Path, pages: &[Page]) -> Result<()> {
    let (index, others): (Vec<&Page>, Vec<&Page>) =
        pages.iter().partition(|page| page.path == "index.html");
    others
        .into_iter()
        .chain(index)
        .try_for_each(|page| write_atomic(&dir.join(&page.path), page.text.as_bytes()))
}
