//! Suites that boot what they fetch, with our program in it.

use super::{Absent, Opened, Options, Suite};
use crate::host::cache::Cache;
use crate::host::console::{Console, Verbosity};
use crate::linux::FOLDER;
use crate::{Env, Error, Kind, Result};

/// What `obtain` gets with the harness's cache, or why it cannot be had.
pub(super) fn opened<S: Suite + 'static>(
    name: &str,
    options: &Options,
    obtain: fn(&Env, &Options) -> Result<S>,
) -> Result<Opened> {
    let env = Env {
        repo: options.checkout.clone(),
        cache: Cache::open(options.cache.as_deref())?,
        install: options.install,
        console: Console::new(Verbosity::Normal),
    };
    let program = if env.repo.join(FOLDER).is_dir() {
        Ok(())
    } else {
        let what = format!("no {} in this checkout", FOLDER);
        Err(Error::new(Kind::Setup, what))
    };
    match program.and_then(|()| obtain(&env, options)) {
        Ok(suite) => Ok(Opened::Ready(Box::new(suite))),
        Err(e) if e.kind() == Kind::Setup && !options.require.contains(name) => {
            Ok(Opened::Absent(Absent { suite: name.into(), why: e.to_string() }))
        }
        Err(e) => Err(e),
    }
}
