//! How the threads of a pool are started: by the standard library, or by the user.

use crate::pool::thread::ThreadBuilder;
use crate::sync::ThreadHandle;
use std::{fmt, io};

/// How the threads of a pool are started.
pub trait ThreadSpawn: private::Sealed {
    /// Starts one; the handle, if there is any, is joined at shutdown.
    #[doc(hidden)]
    fn start(&mut self, thread: ThreadBuilder) -> io::Result<Option<ThreadHandle<()>>>;

    /// Whether the pool may start threads of its own later, too.
    #[doc(hidden)]
    const MAY_HIRE: bool;
}

mod private {
    pub trait Sealed {}
}

/// Threads of the standard library, which the pool joins when it shuts down.
#[derive(Debug, Default)]
pub struct DefaultSpawn;

/// Threads that the user starts.
pub struct CustomSpawn<F>(pub(crate) F);

impl<F> fmt::Debug for CustomSpawn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomSpawn").finish_non_exhaustive()
    }
}

impl private::Sealed for DefaultSpawn {}
impl<F> private::Sealed for CustomSpawn<F> {}

impl ThreadSpawn for DefaultSpawn {
    const MAY_HIRE: bool = true;

    fn start(&mut self, thread: ThreadBuilder) -> io::Result<Option<ThreadHandle<()>>> {
        thread.start().map(Some)
    }
}

impl<F: FnMut(ThreadBuilder) -> io::Result<()>> ThreadSpawn for CustomSpawn<F> {
    const MAY_HIRE: bool = false;

    fn start(&mut self, thread: ThreadBuilder) -> io::Result<Option<ThreadHandle<()>>> {
        (self.0)(thread).map(|()| None)
    }
}
