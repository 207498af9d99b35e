//! `cargo xtask report --html DIR`: a static page of everything recorded. Pure.
//!
//! Pages need no network and no script. What they look like is in
//! `templates/`; what they show is in [`view`].

mod cost;
mod feature;
mod index;
mod plot;
pub(super) mod view;

use minijinja::context;

use super::pages::Templates;
pub use super::pages::{Page, ready, write};
use crate::Result;
use crate::bench::record::Record;
use crate::record::history::History;
use crate::record::results::{Excerpts, KnownFailures};
use view::{Group, Menu};

pub(super) const STYLE: &str = include_str!("templates/style.css");
/// What all pages share: the frame, and how a verdict looks.
pub(super) const SHARED: [(&str, &str); 2] = [
    ("base.html", include_str!("templates/base.html")),
    ("parts.html", include_str!("templates/parts.html")),
];
const TEMPLATES: [(&str, &str); 2] = [
    ("index.html", include_str!("templates/index.html")),
    ("feature.html", include_str!("templates/feature.html")),
];

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
    let templates = Templates::new(&[SHARED, TEMPLATES].concat())?;

    let groups = Group::present(content.history);
    let menu: Vec<Menu> = groups.iter().map(|g| Menu::of(*g)).collect();
    let index = index::index(content, &groups);
    let site = context! { site => "SVM on QEMU TCG", lists => "Features", menu => menu };
    let page = context! { root => "", here => "", title => "SVM on QEMU TCG", ..site.clone() };
    let mut all = vec![templates.page("index.html", "index.html", context! { ..page, ..index })?];
    for group in &groups {
        let values = feature::feature(content, *group);
        let title = format!("{} · SVM on QEMU TCG", group.label());
        let page =
            context! { root => "../", here => group.label(), title => title, ..site.clone() };
        all.push(templates.page("feature.html", &group.path(), context! { ..page, ..values })?);
    }
    all.push(Page { path: "style.css".into(), text: STYLE.to_owned() });
    Ok(all)
}
