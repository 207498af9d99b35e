//! One error type; its kind is the exit code.

use std::fmt;

/// What went wrong, as the caller of `cargo xtask` sees it in the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A test is worse than recorded (exit code 1).
    Regression,
    /// A flag or an input is wrong (exit code 2).
    Usage,
    /// A package, a source or the network is missing (exit code 3).
    Setup,
    /// QEMU or a patch does not apply, configure or compile (exit code 4).
    Build,
    /// No test was run (exit code 5).
    NothingRan,
    /// The harness itself failed: I/O, a full disk, a bug (exit code 6).
    Harness,
    /// Interrupted from outside by SIGINT or SIGTERM (exit code 130).
    Interrupted,
}

impl Kind {
    /// The process exit code for this kind.
    pub const fn exit_code(self) -> u8 {
        match self {
            Kind::Regression => 1,
            Kind::Usage => 2,
            Kind::Setup => 3,
            Kind::Build => 4,
            Kind::NothingRan => 5,
            Kind::Harness => 6,
            Kind::Interrupted => 130,
        }
    }
}

/// What was being done, to what, what went wrong, and what to do next.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), hint: None, source: None }
    }

    /// Adds the cause.
    ///
    /// An interrupt is nobody's fault: it stays what it is, whatever was being done.
    pub fn because(mut self, e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let e = match e.into().downcast::<std::io::Error>() {
            // One of ours that went through somebody else's hands.
            Ok(e) if e.get_ref().is_some_and(|inner| inner.is::<Error>()) => {
                e.into_inner().expect("it is there")
            }
            Ok(e) => e,
            Err(e) => e,
        };
        match e.downcast::<Error>() {
            Ok(e) if e.kind == Kind::Interrupted => *e,
            Ok(e) => {
                self.source = Some(e);
                self
            }
            Err(e) => {
                self.source = Some(e);
                self
            }
        }
    }

    /// Adds what the user can do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if self.kind != Kind::Interrupted || self.hint.is_none() {
            self.hint = Some(hint.into());
        }
        self
    }

    /// The kind, and with it the exit code.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = std::error::Error::source(self);
        while let Some(e) = cause {
            write!(f, ": {e}")?;
            cause = e.source();
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}

/// Names what was being done when an I/O call failed.
pub trait Context<T> {
    /// Turns a failure into an [`Error`] of `kind` that begins with `doing`.
    ///
    /// # Errors
    /// The failure itself, as the cause.
    fn doing(self, kind: Kind, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Context<T> for Result<T, E> {
    fn doing(self, kind: Kind, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Error::new(kind, doing()).because(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_asks_nobody_whether_perl_is_installed() {
        let interrupted = || Error::new(Kind::Interrupted, "interrupted").hint("go on from there");
        let e = Error::new(Kind::Usage, "asking y").because(std::io::Error::other(interrupted()));
        assert_eq!(e.kind(), Kind::Interrupted);
        let e = Error::new(Kind::Setup, "running x").because(interrupted()).hint("is it there?");
        assert_eq!((e.kind(), e.to_string()), (Kind::Interrupted, interrupted().to_string()));
        let result: Result<()> = Err(interrupted()).doing(Kind::Harness, || "doing y".into());
        assert_eq!(result.unwrap_err().kind(), Kind::Interrupted);
        let other = Error::new(Kind::Setup, "running x").because(Error::new(Kind::Usage, "no y"));
        assert_eq!((other.kind(), other.to_string()), (Kind::Setup, "running x: no y".into()));
    }
}
