//! Why a pool could not be built.

use std::error::Error;
use std::fmt;

/// Why a pool could not be built.
#[derive(Debug)]
pub struct ThreadPoolBuildError {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    GlobalPoolExists,
    Filch(filch::Error),
}

impl ThreadPoolBuildError {
    pub(crate) fn global_pool_exists() -> Self {
        Self { kind: Kind::GlobalPoolExists }
    }
}

impl From<filch::Error> for ThreadPoolBuildError {
    fn from(error: filch::Error) -> Self {
        Self { kind: Kind::Filch(error) }
    }
}

impl fmt::Display for ThreadPoolBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            // To the letter: programs compare it.
            Kind::GlobalPoolExists => {
                f.write_str("The global thread pool has already been initialized.")
            }
            Kind::Filch(error) => error.fmt(f),
        }
    }
}

impl Error for ThreadPoolBuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            Kind::GlobalPoolExists => None,
            Kind::Filch(error) => error.source(),
        }
    }
}
