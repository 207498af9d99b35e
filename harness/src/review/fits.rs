//! Which other base a series fits that does not fit the one it was put on.

use super::Request;
use super::apply::{apply, read_folder};
use crate::mail::Mail;
use crate::source::{self, pins::Pins};
use crate::{Env, Result};

/// The bases on this machine that all of `mails` apply to, in words. Nothing is
/// fetched for it.
pub(super) fn fits(env: &Env, request: &Request, mails: &[Mail]) -> Result<Vec<String>> {
    let mut fitting = Vec::new();
    let mut sources = vec![request.source.clone()];
    for base in Pins::builtin()?.bases {
        let known = source::known(env, &base.version);
        sources.extend(known.filter(|s| s.tree != request.source.tree));
    }
    for source in sources {
        let ours = read_folder(&env.series_dir(&source.major_minor())).unwrap_or_default();
        let same = source.tree == request.source.tree;
        for before in [Vec::new(), ours.clone()] {
            let with_ours = !before.is_empty();
            let tried = same && before.is_empty() == request.before.is_empty();
            if tried || (with_ours && ours.is_empty()) {
                continue;
            }
            let fit = apply(env, &source, &before, mails).is_ok_and(|on| on.refused.is_none());
            if fit {
                let on_top = if with_ours { ", on top of our series" } else { "" };
                fitting.push(format!("QEMU {}{on_top}", source.version));
            }
        }
    }
    fitting.dedup();
    Ok(fitting)
}
