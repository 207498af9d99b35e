//! Which other base a series fits that does not fit the one it was put on.

use super::Request;
use crate::mail::Mail;
use crate::qemu::build::patch::Patch;
use crate::qemu::source::{self, pins::Pins};
use crate::row::mails::{apply, read_folder};
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
        for before in befores(&ours, mails) {
            let tried = same && before.len() == request.before.len();
            if tried {
                continue;
            }
            let fit = apply(env, &source, &before, mails).is_ok_and(|on| on.refused.is_none());
            if fit {
                let on_top = match before.len() {
                    0 => String::new(),
                    n if n == ours.len() => ", on top of our series".into(),
                    n => {
                        format!(", behind patch {n} of our series, which has it as patch {}", n + 1)
                    }
                };
                fitting.push(format!("QEMU {}{on_top}", source.version));
            }
        }
    }
    fitting.dedup();
    Ok(fitting)
}

/// What may be below it: nothing, our series up to where it has the same patch,
/// or else all of our series.
fn befores(ours: &[Patch], mails: &[Mail]) -> Vec<Vec<Patch>> {
    let title = mails.first().map(|m| m.subject.title.as_str());
    let same =
        |p: &Patch| Mail::parse(&p.bytes).is_ok_and(|m| Some(m.subject.title.as_str()) == title);
    let own = ours.iter().position(same);
    let mut befores = vec![Vec::new(), ours[..own.unwrap_or(ours.len())].to_vec()];
    befores.dedup_by_key(|b| b.len());
    befores
}
